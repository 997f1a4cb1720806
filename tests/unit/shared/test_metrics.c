#include "shared/metrics.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/claims.h"

#define PAGE_BYTES_MAX (4u * 1024u * 1024u)

static bool is_name_byte(char byte)
{
    return isalnum((unsigned char)byte) != 0 || byte == '_' || byte == ':';
}

/* name{label="value",…} number, as Prometheus' text format 0.0.4 has it. */
static bool is_sample(struct sl_span line)
{
    char text[512];
    if (line.bytes >= sizeof text) {
        return false;
    }
    memcpy(text, line.data, line.bytes);
    text[line.bytes] = '\0';
    const char *at = text;
    while (is_name_byte(*at)) {
        at++;
    }
    if (at == text || isdigit((unsigned char)text[0]) != 0) {
        return false;
    }
    if (*at == '{') {
        do {
            at++;
            const char *label = at;
            while (is_name_byte(*at)) {
                at++;
            }
            if (at == label || at[0] != '=' || at[1] != '"') {
                return false;
            }
            for (at += 2; *at != '"'; at++) {
                at += *at == '\\' ? 1 : 0;
                if (*at == '\0' || *at == '\n') {
                    return false;
                }
            }
            at++;
        } while (*at == ',');
        if (*at++ != '}') {
            return false;
        }
    }
    if (*at++ != ' ') {
        return false;
    }
    char *end = NULL;
    (void)strtod(at, &end);
    return end != at && *end == '\0';
}

/* Value of the sample whose line starts with `head` and a space; -1 when there is none. */
static double value_of(const struct sl_buf *page, const char *head)
{
    struct sl_span rest = sl_buf_span(page);
    struct sl_span line = { 0 };
    while (sl_span_split(&rest, '\n', &line)) {
        if (sl_span_starts_with(line, head) && line.data[strlen(head)] == ' ') {
            return strtod(line.data + strlen(head), NULL);
        }
    }
    return -1;
}

static size_t check_page(const struct sl_buf *page)
{
    size_t samples = 0;
    struct sl_span rest = sl_buf_span(page);
    struct sl_span line = { 0 };
    while (sl_span_split(&rest, '\n', &line)) {
        if (line.bytes == 0) {
            CU_ASSERT(rest.data == NULL); /* only behind the last line end */
        } else if (line.data[0] == '#') {
            CU_ASSERT(sl_span_starts_with(line, "# HELP ") || sl_span_starts_with(line, "# TYPE "));
        } else {
            CU_ASSERT(is_sample(line));
            samples++;
        }
    }
    return samples;
}

CLAIM(metrics__the_page_parses_whatever_the_labels_hold)
{
    struct sl_metrics *metrics = sl_metrics_new(NULL);
    CU_ASSERT_FATAL(metrics != NULL);
    sl_series_add(sl_metrics_series(metrics, SL_M_HTTP_REQUESTS, "/webhooks/stripe", "200"), 3);
    sl_series_add(sl_metrics_series(metrics, SL_M_HTTP_REQUESTS, "a\"b\\c\nd", ""), 1);
    sl_series_set(sl_metrics_series(metrics, SL_M_BROKER_UP, "publish", NULL), 1);
    sl_series_add(sl_metrics_series(metrics, SL_M_DEGRADED, NULL, NULL), -2);
    SL_DONE(sl_buf_done) struct sl_buf page;
    sl_buf_init(&page, PAGE_BYTES_MAX);
    sl_metrics_render(metrics, &page);
    CU_ASSERT(check_page(&page) >= 8);
    CU_ASSERT(value_of(&page,
                       "sluice_http_requests_total{route=\"/webhooks/stripe\",code=\"200\"}") == 3);
    CU_ASSERT(value_of(&page, "sluice_http_requests_total{route=\"a\\\"b\\\\c d\",code=\"\"}") ==
              1);
    CU_ASSERT(value_of(&page, "sluice_broker_up{link=\"publish\"}") == 1);
    CU_ASSERT(value_of(&page, "sluice_degraded") == -2);
    CU_ASSERT(value_of(&page, "process_resident_memory_bytes") > 100000);
    CU_ASSERT(value_of(&page, "process_open_fds") >= 3);
    CU_ASSERT(value_of(&page, "process_start_time_seconds") > 1600000000);
    CU_ASSERT(strstr(page.data, "# TYPE sluice_http_requests_total counter\n") != NULL);
    CU_ASSERT(strstr(page.data, "sluice_consumer") ==
              NULL); /* families nobody used are not shown */
    sl_metrics_free(metrics);
    sl_metrics_free(NULL);
}

CLAIM(metrics__the_same_labels_are_the_same_series)
{
    struct sl_metrics *metrics = sl_metrics_new(NULL);
    struct sl_series *a = sl_metrics_series(metrics, SL_M_PUBLISH, "confirmed", NULL);
    CU_ASSERT(a == sl_metrics_series(metrics, SL_M_PUBLISH, "confirmed", NULL));
    CU_ASSERT(a != sl_metrics_series(metrics, SL_M_PUBLISH, "nacked", NULL));
    CU_ASSERT(a != sl_metrics_series(metrics, SL_M_DEAD_LETTERS, "confirmed", NULL));
    char longest[200];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    struct sl_series *b = sl_metrics_series(metrics, SL_M_PUBLISH, longest, NULL);
    CU_ASSERT(b == sl_metrics_series(metrics, SL_M_PUBLISH, longest, NULL));
    sl_metrics_free(metrics);
}

CLAIM(metrics__histogram_buckets_add_up)
{
    struct sl_metrics *metrics = sl_metrics_new(NULL);
    struct sl_series *series = sl_metrics_series(metrics, SL_M_APPLY_SECONDS, "billing", NULL);
    static const int64_t micros[] = { 0, 999, 1000, 1001, 30000, 10000000, 10000001, -5 };
    for (size_t i = 0; i < SL_COUNT(micros); i++) {
        sl_series_observe_us(series, micros[i]);
    }
    SL_DONE(sl_buf_done) struct sl_buf page;
    sl_buf_init(&page, PAGE_BYTES_MAX);
    sl_metrics_render(metrics, &page);
    check_page(&page);
#define FAMILY "sluice_consumer_apply_duration_seconds"
    static const struct {
        const char *sample;
        double value;
    } rows[] = {
        { FAMILY "_bucket{subsystem=\"billing\",le=\"0.001\"}", 4 },
        { FAMILY "_bucket{subsystem=\"billing\",le=\"0.0025\"}", 5 },
        { FAMILY "_bucket{subsystem=\"billing\",le=\"0.025\"}", 5 },
        { FAMILY "_bucket{subsystem=\"billing\",le=\"0.05\"}", 6 },
        { FAMILY "_bucket{subsystem=\"billing\",le=\"10\"}", 7 },
        { FAMILY "_bucket{subsystem=\"billing\",le=\"+Inf\"}", 8 },
        { FAMILY "_count{subsystem=\"billing\"}", 8 },
        { FAMILY "_sum{subsystem=\"billing\"}", 20.033001 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_DOUBLE_EQUAL(value_of(&page, rows[i].sample), rows[i].value, 1e-6);
    }
    CU_ASSERT(strstr(page.data, "# TYPE " FAMILY " histogram\n") != NULL);
    sl_metrics_free(metrics);
}

CLAIM(metrics__label_values_without_end_share_one_series_and_no_count_is_lost)
{
    struct sl_metrics *metrics = sl_metrics_new(NULL);
    enum { VALUES = 3000 };
    for (int i = 0; i < VALUES; i++) {
        char label[16];
        snprintf(label, sizeof label, "v%d", i);
        sl_series_add(sl_metrics_series(metrics, SL_M_PUBLISH, label, NULL), 1);
        sl_series_add(sl_metrics_series(metrics, SL_M_DEAD_LETTERS, label, "r"), 1);
    }
    SL_DONE(sl_buf_done) struct sl_buf page;
    sl_buf_init(&page, PAGE_BYTES_MAX);
    sl_metrics_render(metrics, &page);
    CU_ASSERT(check_page(&page) <= SL_METRICS_SERIES_MAX + SL_M_COUNT + 4);
    CU_ASSERT(value_of(&page, "sluice_publish_total{outcome=\"other\"}") > VALUES / 2);
    double sum = 0;
    struct sl_span rest = sl_buf_span(&page);
    struct sl_span line = { 0 };
    while (sl_span_split(&rest, '\n', &line)) {
        if (sl_span_starts_with(line, "sluice_")) {
            const char *number = memrchr(line.data, ' ', line.bytes);
            sum += strtod(number, NULL);
        }
    }
    CU_ASSERT(sum == 2 * VALUES);
    sl_metrics_free(metrics);
}

static void *count_to_ten_thousand(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        sl_series_add(sl_metrics_series(arg, SL_M_PUBLISH, "confirmed", NULL), 1);
    }
    return NULL;
}

CLAIM(metrics__threads_count_together)
{
    struct sl_metrics *metrics = sl_metrics_new(NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < SL_COUNT(threads); i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, count_to_ten_thousand, metrics) == 0);
    }
    for (size_t i = 0; i < SL_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT(sl_series_value(sl_metrics_series(metrics, SL_M_PUBLISH, "confirmed", NULL)) ==
              40000);
    sl_metrics_free(metrics);
}
