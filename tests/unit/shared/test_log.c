#include "shared/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/json/json.h"
#include "shared/metrics.h"
#include "tests/support/claims.h"

#define CAPTURE_BYTES_MAX (16u * 1024u * 1024u)

/* A log into a pipe whose other end a thread reads, now or once it is told to. */
struct capture {
    struct sl_log *log;
    int ends[2];
    pthread_t reader;
    struct sl_buf text;
};

static void *read_pipe(void *arg)
{
    struct capture *capture = arg;
    char chunk[4096];
    for (;;) {
        ssize_t bytes = read(capture->ends[0], chunk, sizeof chunk);
        if (bytes <= 0) {
            return NULL;
        }
        sl_buf_append(&capture->text, chunk, (size_t)bytes);
    }
}

static void start(struct capture *capture, enum sl_level level, enum sl_log_format format)
{
    CU_ASSERT_FATAL(pipe(capture->ends) == 0);
    sl_buf_init(&capture->text, CAPTURE_BYTES_MAX);
    struct sl_log_opts opts = { .service = "test",
                                .version = "1.2.3",
                                .level = level,
                                .format = format,
                                .fd = capture->ends[1] };
    capture->log = sl_log_new(&opts, NULL);
    CU_ASSERT_FATAL(capture->log != NULL);
}

static void read_on(struct capture *capture)
{
    CU_ASSERT_FATAL(pthread_create(&capture->reader, NULL, read_pipe, capture) == 0);
}

/* Everything that was logged. */
static struct sl_span finish(struct capture *capture)
{
    sl_log_free(capture->log);
    close(capture->ends[1]);
    pthread_join(capture->reader, NULL);
    close(capture->ends[0]);
    return sl_buf_span(&capture->text);
}

static size_t count_of(struct sl_span text, const char *what)
{
    size_t count = 0;
    const char *at = text.data;
    while (at != NULL) {
        at = memmem(at, (size_t)(text.data + text.bytes - at), what, strlen(what));
        count += at == NULL ? 0 : 1;
        at = at == NULL ? NULL : at + 1;
    }
    return count;
}

/* Every line is one JSON object of bounded size; returns how many. */
static size_t check_lines(struct sl_span text)
{
    struct sl_json_parser *parser = sl_json_parser_new(2 * SL_LOG_LINE_BYTES_MAX);
    struct sl_arena arena;
    sl_arena_init(&arena, 1024u * 1024u);
    size_t lines = 0;
    struct sl_span line = { 0 };
    while (sl_span_split(&text, '\n', &line) && text.data != NULL) {
        sl_arena_reset(&arena);
        const struct sl_json *root = sl_json_parse(parser, &arena, line, 1, 100, NULL);
        CU_ASSERT(root != NULL && root->type == SL_JSON_OBJECT);
        CU_ASSERT(line.bytes < SL_LOG_LINE_BYTES_MAX);
        static const char *const always[] = { "ts",      "level",   "event",   "msg",
                                              "service", "version", "instance" };
        for (size_t i = 0; i < SL_COUNT(always); i++) {
            CU_ASSERT(sl_json_get(root, always[i]) != NULL);
        }
        lines++;
    }
    CU_ASSERT(line.bytes == 0); /* the last line has its end */
    sl_json_parser_free(parser);
    sl_arena_done(&arena);
    return lines;
}

CLAIM(log__a_line_is_one_object_with_typed_fields)
{
    struct capture capture = { 0 };
    start(&capture, SL_INFO, SL_LOG_JSON);
    read_on(&capture);
    sl_info(capture.log, "test.said", "one sentence", sl_str("text", "x"), sl_int("number", -7),
            sl_bool("yes", true), sl_text("absent", (struct sl_span){ NULL, 0 }));
    sl_warn(capture.log, "test.bare", "no fields");
    struct sl_err err = { 0 };
    sl_fail(&err, SL_E_AMQP_CLOSED, "closed by the broker");
    sl_log_err(capture.log, SL_ERROR, "test.failed", "stopping", &err, sl_int("try", 3));
    sl_info(NULL, "test.nobody", "no log, no crash");
    struct sl_span text = finish(&capture);
    CU_ASSERT(check_lines(text) == 3);
    CU_ASSERT(count_of(text, "\"level\":\"info\",\"event\":\"test.said\",\"msg\":\"one sentence\","
                             "\"service\":\"test\",\"version\":\"1.2.3\",\"instance\":\"") == 1);
    CU_ASSERT(count_of(text, "\"text\":\"x\",\"number\":-7,\"yes\":true}\n") == 1);
    CU_ASSERT(count_of(text, "\"error_code\":\"amqp.closed\",\"error\":\"closed by the broker\","
                             "\"runbook\":\"rabbitmq-unavailable.md\",\"try\":3}\n") == 1);
    sl_buf_done(&capture.text);
}

CLAIM(log__a_hostile_value_is_escaped_and_cut_in_both_formats)
{
    static const char hostile[] = "x\n{\"event\":\"forged\"}\r\x1b[2J\xFF";
    char longest[3000];
    memset(longest, 'c', sizeof longest);
    for (int as_text = 0; as_text <= 1; as_text++) {
        struct capture capture = { 0 };
        start(&capture, SL_INFO, as_text == 1 ? SL_LOG_TEXT : SL_LOG_JSON);
        read_on(&capture);
        sl_info(capture.log, "test.hostile", "said", sl_str("value", hostile),
                sl_text("long", sl_span_make(longest, sizeof longest)));
        struct sl_span text = finish(&capture);
        CU_ASSERT(count_of(text, "\n") == 1 && count_of(text, "\x1b") == 0);
        CU_ASSERT(count_of(text, "x\\n{\\\"event\\\":\\\"forged\\\"}\\r\\u001b[2J\xEF\xBF\xBD\"") ==
                  1);
        CU_ASSERT(count_of(text, "c") >= SL_LOG_VALUE_BYTES_MAX &&
                  count_of(text, "c") < SL_LOG_VALUE_BYTES_MAX + 100);
        CU_ASSERT(as_text == 1 || check_lines(text) == 1);
        sl_buf_done(&capture.text);
    }
}

CLAIM(log__values_that_escape_to_more_than_a_line_do_not_cost_the_line)
{
    char bells[SL_LOG_VALUE_BYTES_MAX];
    memset(bells, '\a', sizeof bells);
    struct sl_span value = sl_span_make(bells, sizeof bells);
    struct capture capture = { 0 };
    start(&capture, SL_INFO, SL_LOG_JSON);
    read_on(&capture);
    sl_loss(capture.log, SL_WARN, "test.dropped", "said", sl_text("a", value), sl_text("b", value),
            sl_text("c", value), sl_text("d", value), sl_int("last", 1));
    struct sl_span text = finish(&capture);
    CU_ASSERT(check_lines(text) == 1 && count_of(text, "\"last\":1}") == 1);
    CU_ASSERT(count_of(text, "\\u0007") == 4 * 64);
    sl_buf_done(&capture.text);
}

CLAIM(log__the_level_filters_all_but_lines_of_loss)
{
    struct capture capture = { 0 };
    start(&capture, SL_ERROR, SL_LOG_JSON);
    read_on(&capture);
    sl_debug(capture.log, "test.debug", "no");
    sl_warn(capture.log, "test.warn", "no");
    sl_error(capture.log, "test.error", "yes");
    sl_loss(capture.log, SL_DEBUG, "test.loss", "yes");
    sl_log_set_level(capture.log, SL_DEBUG);
    sl_debug(capture.log, "test.later", "yes");
    struct sl_span text = finish(&capture);
    CU_ASSERT(check_lines(text) == 3 && count_of(text, "\"msg\":\"no\"") == 0);
    sl_buf_done(&capture.text);
}

CLAIM(log__when_nobody_reads_ordinary_lines_are_dropped_and_said_but_no_loss_is)
{
    enum { ORDINARY = 6000, LOSSES = 500 };
    char filler[400];
    memset(filler, 'f', sizeof filler);
    struct sl_span value = sl_span_make(filler, sizeof filler);
    struct capture capture = { 0 };
    struct sl_err err;
    struct sl_metrics *metrics = sl_metrics_new(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    struct sl_series *series = sl_metrics_series(metrics, SL_M_LOG_DROPPED, NULL, NULL);
    start(&capture, SL_INFO, SL_LOG_JSON);
    sl_log_count_dropped(capture.log, series);
    for (int i = 0; i < ORDINARY; i++) {
        sl_info(capture.log, "test.ordinary", "said", sl_text("filler", value));
    }
    uint64_t dropped = (uint64_t)sl_series_value(series);
    CU_ASSERT(dropped > 0);
    for (int i = 0; i < LOSSES; i++) {
        sl_loss(capture.log, SL_WARN, "test.loss", "said", sl_text("filler", value));
    }
    CU_ASSERT((uint64_t)sl_series_value(series) == dropped);
    read_on(&capture);
    struct sl_span text = finish(&capture);
    CU_ASSERT(check_lines(text) == ORDINARY - dropped + LOSSES + 1);
    CU_ASSERT(count_of(text, "\"event\":\"test.loss\"") == LOSSES);
    char said[64];
    snprintf(said, sizeof said, "\"count\":%llu}", (unsigned long long)dropped);
    CU_ASSERT(count_of(text, "\"event\":\"log.dropped\"") == 1 && count_of(text, said) == 1);
    sl_buf_done(&capture.text);
    sl_metrics_free(metrics);
}

CLAIM(log__ends_although_nobody_reads)
{
    struct capture capture = { 0 };
    start(&capture, SL_INFO, SL_LOG_JSON);
    for (int i = 0; i < 3000; i++) {
        sl_info(capture.log, "test.ordinary", "said");
    }
    sl_log_free(capture.log);
    close(capture.ends[0]);
    close(capture.ends[1]);
    sl_buf_done(&capture.text);
    sl_log_free(NULL);
}
