#include "shared/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/json/json_write.h"
#include "shared/metrics.h"

/* Ordinary lines stop at the first bound, so that lines of loss still find room. */
#define QUEUE_ORDINARY_BYTES_MAX (1024u * 1024u)
#define QUEUE_BYTES_MAX          (4u * QUEUE_ORDINARY_BYTES_MAX)
#define PATIENCE_MS              1000 /* for a stderr that nobody reads */

struct sl_log {
    struct sl_log_opts opts;
    char instance[80];
    bool as_text;
    _Atomic int level;
    _Atomic uint64_t dropped;
    struct sl_series *_Atomic dropped_series; /* NULL: nobody counts */
    _Atomic bool stop;

    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct sl_buf queue; /* under lock: complete lines */
    pthread_t writer;
    bool writer_runs;
};

static const char *const level_names[] = { "debug", "info", "warn", "error", "fatal" };

static void *write_queue(void *arg);
static void say_dropped(struct sl_log *log, uint64_t *said);
static bool write_all(struct sl_log *log, const char *data, size_t bytes, bool is_writer);
static void format(const struct sl_log *log, enum sl_level level, const char *event,
                   const char *msg, const struct sl_field *fields, struct sl_buf *out);
static void format_json(const struct sl_log *log, enum sl_level level, const char *event,
                        const char *msg, const struct sl_field *fields, size_t value_bytes_max,
                        struct sl_buf *out);
static void format_text(enum sl_level level, const char *event, const char *msg,
                        const struct sl_field *fields, size_t value_bytes_max, struct sl_buf *out);
static struct sl_span cut(struct sl_span value, size_t bytes_max);
static void enqueue(struct sl_log *log, const struct sl_buf *line, bool is_loss);

const char *sl_level_name(enum sl_level level)
{
    return level_names[level];
}

bool sl_level_parse(struct sl_span text, enum sl_level *out_level)
{
    for (size_t i = 0; i < SL_COUNT(level_names); i++) {
        if (sl_span_is(text, level_names[i])) {
            *out_level = (enum sl_level)i;
            return true;
        }
    }
    return false;
}

struct sl_log *sl_log_new(const struct sl_log_opts *opts, struct sl_err *err)
{
    struct sl_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the log");
        return NULL;
    }
    log->opts = *opts;
    log->as_text =
        opts->format == SL_LOG_TEXT || (opts->format == SL_LOG_AUTO && isatty(opts->fd) == 1);
    atomic_store(&log->level, (int)opts->level);
    char host[64] = "";
    if (gethostname(host, sizeof host - 1) != 0) {
        snprintf(host, sizeof host, "unknown");
    }
    snprintf(log->instance, sizeof log->instance, "%s/%d", host, (int)getpid());
    sl_buf_init(&log->queue, QUEUE_BYTES_MAX);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->filled, NULL);

    /* Signals belong to the loop: the writer thread takes none. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&log->writer, NULL, write_queue, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    log->writer_runs = failed == 0;
    if (failed != 0) {
        sl_log_free(log);
        sl_fail(err, SL_E_MEMORY, "cannot start the log writer thread");
        return NULL;
    }
    return log;
}

static void *write_queue(void *arg)
{
    struct sl_log *log = arg;
    uint64_t said = 0;
    struct sl_buf batch;
    sl_buf_init(&batch, QUEUE_BYTES_MAX);
    pthread_mutex_lock(&log->lock);
    for (;;) {
        while (log->queue.used_bytes == 0 && !atomic_load(&log->stop)) {
            pthread_cond_wait(&log->filled, &log->lock);
        }
        if (log->queue.used_bytes == 0) {
            break;
        }
        struct sl_buf swap = log->queue;
        log->queue = batch;
        batch = swap;
        pthread_mutex_unlock(&log->lock);
        if (write_all(log, batch.data, batch.used_bytes, true)) {
            say_dropped(log, &said);
        }
        sl_buf_reset(&batch);
        pthread_mutex_lock(&log->lock);
    }
    pthread_mutex_unlock(&log->lock);
    sl_buf_done(&batch);
    return NULL;
}

static void say_dropped(struct sl_log *log, uint64_t *said)
{
    uint64_t dropped = atomic_load(&log->dropped);
    if (dropped == *said) {
        return;
    }
    SL_DONE(sl_buf_done) struct sl_buf line;
    sl_buf_init(&line, SL_LOG_LINE_BYTES_MAX);
    const struct sl_field fields[] = { sl_int("count", (int64_t)(dropped - *said)),
                                       { .key = NULL } };
    format(log, SL_WARN, "log.dropped", "ordinary log lines were dropped: nobody read stderr",
           fields, &line);
    *said = dropped;
    write_all(log, line.data, line.used_bytes, true);
}

/*
 * False when it was given up. stderr may block, so it is asked first: a pipe that polls as writable takes PIPE_BUF bytes at once. The
 * writer thread waits for a reader as long as the program runs; a caller, and the writer at the end, only PATIENCE_MS.
 */
static bool write_all(struct sl_log *log, const char *data, size_t bytes, bool is_writer)
{
    while (bytes > 0) {
        struct pollfd ready = { .fd = log->opts.fd, .events = POLLOUT };
        int answer = poll(&ready, 1, PATIENCE_MS);
        if (answer == 0 && is_writer && !atomic_load(&log->stop)) {
            continue;
        }
        if (answer == 0 || (answer < 0 && errno != EINTR)) {
            return false;
        }
        ssize_t written = write(log->opts.fd, data, bytes < PIPE_BUF ? bytes : PIPE_BUF);
        if (written > 0) {
            data += written;
            bytes -= (size_t)written;
        } else if (written < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
    }
    return true;
}

void sl_log_free(struct sl_log *log)
{
    if (log == NULL) {
        return;
    }
    if (log->writer_runs) {
        pthread_mutex_lock(&log->lock);
        atomic_store(&log->stop, true);
        pthread_cond_signal(&log->filled);
        pthread_mutex_unlock(&log->lock);
        pthread_join(log->writer, NULL);
    }
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->filled);
    sl_buf_done(&log->queue);
    free(log);
}

void sl_log_set_level(struct sl_log *log, enum sl_level level)
{
    atomic_store(&log->level, (int)level);
}

void sl_log_count_dropped(struct sl_log *log, struct sl_series *dropped)
{
    atomic_store(&log->dropped_series, dropped);
}

void sl_log_write(struct sl_log *log, enum sl_level level, bool is_loss, const char *event,
                  const char *msg, const struct sl_field *fields)
{
    if (log == NULL || (!is_loss && (int)level < atomic_load(&log->level))) {
        return;
    }
    SL_DONE(sl_buf_done) struct sl_buf line;
    sl_buf_init(&line, SL_LOG_LINE_BYTES_MAX);
    format(log, level, event, msg, fields, &line);
    enqueue(log, &line, is_loss);
}

/* Values that escape to many bytes do not cost the line: it is written again with shorter ones. */
static void format(const struct sl_log *log, enum sl_level level, const char *event,
                   const char *msg, const struct sl_field *fields, struct sl_buf *out)
{
    static const size_t value_bytes_max[] = { SL_LOG_VALUE_BYTES_MAX, 64, 0 };
    for (size_t i = 0; i < SL_COUNT(value_bytes_max); i++) {
        sl_buf_reset(out);
        if (log->as_text) {
            format_text(level, event, msg, fields, value_bytes_max[i], out);
        } else {
            format_json(log, level, event, msg, fields, value_bytes_max[i], out);
        }
        if (sl_buf_ok(out)) {
            return;
        }
    }
}

static void format_json(const struct sl_log *log, enum sl_level level, const char *event,
                        const char *msg, const struct sl_field *fields, size_t value_bytes_max,
                        struct sl_buf *out)
{
    char now[SL_RFC3339_BYTES];
    sl_clock_rfc3339(sl_clock_wall_us(), now);
    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "ts", sl_span_of(now));
    sl_json_put_text(&json, "level", sl_span_of(level_names[level]));
    sl_json_put_text(&json, "event", sl_span_of(event));
    sl_json_put_text(&json, "msg", sl_span_of(msg));
    sl_json_put_text(&json, "service", sl_span_of(log->opts.service));
    sl_json_put_text(&json, "version", sl_span_of(log->opts.version));
    sl_json_put_text(&json, "instance", sl_span_of(log->instance));
    for (; fields->key != NULL; fields++) {
        switch (fields->kind) {
        case SL_FIELD_TEXT:
            if (fields->text.data != NULL) {
                sl_json_put_text(&json, fields->key, cut(fields->text, value_bytes_max));
            }
            break;
        case SL_FIELD_INT:
            sl_json_put_int(&json, fields->key, fields->number);
            break;
        case SL_FIELD_BOOL:
            sl_json_put_bool(&json, fields->key, fields->number != 0);
            break;
        }
    }
    sl_json_object_end(&json);
    sl_buf_append_char(out, '\n');
}

static struct sl_span cut(struct sl_span value, size_t bytes_max)
{
    return sl_span_make(value.data, value.bytes < bytes_max ? value.bytes : bytes_max);
}

static void format_text(enum sl_level level, const char *event, const char *msg,
                        const struct sl_field *fields, size_t value_bytes_max, struct sl_buf *out)
{
    char now[SL_RFC3339_BYTES];
    sl_clock_rfc3339(sl_clock_wall_us(), now);
    sl_buf_printf(out, "%.12s %-5s %-22s %s", now + 11, level_names[level], event, msg);
    for (; fields->key != NULL; fields++) {
        if (fields->kind == SL_FIELD_TEXT && fields->text.data == NULL) {
            continue;
        }
        sl_buf_printf(out, "  %s=", fields->key);
        if (fields->kind == SL_FIELD_TEXT) {
            sl_json_append_quoted(out, cut(fields->text, value_bytes_max));
        } else if (fields->kind == SL_FIELD_INT) {
            sl_buf_printf(out, "%lld", (long long)fields->number);
        } else {
            sl_buf_append_text(out, fields->number != 0 ? "true" : "false");
        }
    }
    sl_buf_append_char(out, '\n');
}

static void enqueue(struct sl_log *log, const struct sl_buf *line, bool is_loss)
{
    bool queued = false;
    size_t bytes_max = is_loss ? QUEUE_BYTES_MAX : QUEUE_ORDINARY_BYTES_MAX;
    if (sl_buf_ok(line)) {
        pthread_mutex_lock(&log->lock);
        queued = log->queue.used_bytes + line->used_bytes <= bytes_max &&
                 sl_buf_append(&log->queue, line->data, line->used_bytes);
        pthread_cond_signal(&log->filled);
        pthread_mutex_unlock(&log->lock);
    }
    bool is_written = !queued && is_loss && write_all(log, line->data, line->used_bytes, false);
    if (!queued && !is_written) {
        struct sl_series *series = atomic_load(&log->dropped_series);
        atomic_fetch_add(&log->dropped, 1);
        if (series != NULL) {
            sl_series_add(series, 1);
        }
    }
}
