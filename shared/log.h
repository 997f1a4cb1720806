/*
 * log - structured lines an operator and a machine can both rely on.
 *
 * One JSON object a line on stderr (aligned text on a terminal): ts, level, event, msg, service, version, instance, then typed
 * fields. `event` is a stable dotted name listed in shared/events.def. Values that came from a request are escaped and cut at
 * SL_LOG_VALUE_BYTES_MAX. Programs log; shared/ returns errors.
 * Refuses: payloads, signatures, secrets (callers never pass them), blocking the caller: a bounded queue and one writer thread; what
 * does not fit is counted and said in a line of its own. Lines that report loss or degradation (sl_loss) bypass the level and have
 * three times the queue for themselves; when even that is full the caller writes the line, waiting a second at most.
 * Threads: any thread may log.
 */
#ifndef SHARED_LOG_H
#define SHARED_LOG_H

#include <stdint.h>

#include "shared/err.h"
#include "shared/span.h"

#define SL_LOG_VALUE_BYTES_MAX 512u
#define SL_LOG_LINE_BYTES_MAX  8192u

enum sl_level { SL_DEBUG, SL_INFO, SL_WARN, SL_ERROR, SL_FATAL };
/* "debug", "info", "warn", "error", "fatal". */
const char *sl_level_name(enum sl_level level);
bool sl_level_parse(struct sl_span text, enum sl_level *out_level) SL_MUST;

enum sl_log_format { SL_LOG_AUTO, SL_LOG_JSON, SL_LOG_TEXT };

struct sl_field {
    const char *key; /* NULL ends a list */
    enum { SL_FIELD_TEXT, SL_FIELD_INT, SL_FIELD_BOOL } kind;
    struct sl_span text;
    int64_t number;
};

static inline struct sl_field sl_str(const char *key, const char *value)
{
    return (struct sl_field){ .key = key, .kind = SL_FIELD_TEXT, .text = sl_span_of(value) };
}
static inline struct sl_field sl_text(const char *key, struct sl_span value)
{
    return (struct sl_field){ .key = key, .kind = SL_FIELD_TEXT, .text = value };
}
static inline struct sl_field sl_int(const char *key, int64_t value)
{
    return (struct sl_field){ .key = key, .kind = SL_FIELD_INT, .number = value };
}
static inline struct sl_field sl_bool(const char *key, bool value)
{
    return (struct sl_field){ .key = key, .kind = SL_FIELD_BOOL, .number = value };
}

struct sl_log;
struct sl_series; /* metrics.h */

struct sl_log_opts {
    const char *service; /* SERVICE_NAME or the program's name; borrowed for the log's life */
    const char *version;
    enum sl_level level;
    enum sl_log_format format; /* AUTO: text on a terminal, else JSON */
    int fd;                    /* usually 2 */
};

/* Starts the writer thread. NULL on failure. */
struct sl_log *sl_log_new(const struct sl_log_opts *opts, struct sl_err *err) SL_MUST;
/* Writes what is queued, ends the thread. Accepts NULL. */
void sl_log_free(struct sl_log *log);
void sl_log_set_level(struct sl_log *log, enum sl_level level);
/* Lines that are dropped from here on, because nobody reads them in time, are counted there too; it outlives the log. */
void sl_log_count_dropped(struct sl_log *log, struct sl_series *dropped);

/* fields end with a NULL key. log may be NULL (then nothing happens). */
void sl_log_write(struct sl_log *log, enum sl_level level, bool is_loss, const char *event,
                  const char *msg, const struct sl_field *fields);

#define SL_LOG_AT(log, level, loss, event, msg, ...)                                               \
    sl_log_write((log), (level), (loss), (event), (msg),                                           \
                 (const struct sl_field[]){ __VA_ARGS__ __VA_OPT__(, ){ .key = NULL } })

#define sl_debug(log, event, msg, ...) SL_LOG_AT(log, SL_DEBUG, false, event, msg, __VA_ARGS__)
#define sl_info(log, event, msg, ...)  SL_LOG_AT(log, SL_INFO, false, event, msg, __VA_ARGS__)
#define sl_warn(log, event, msg, ...)  SL_LOG_AT(log, SL_WARN, false, event, msg, __VA_ARGS__)
#define sl_error(log, event, msg, ...) SL_LOG_AT(log, SL_ERROR, false, event, msg, __VA_ARGS__)
/* A line that reports loss or degradation: never filtered, and the last to be dropped. */
#define sl_loss(log, level, event, msg, ...) SL_LOG_AT(log, level, true, event, msg, __VA_ARGS__)

/* One line for an error: error_code, error, runbook, then the given fields. */
#define sl_log_err(log, level, event, msg, err, ...)                                               \
    sl_log_write((log), (level), false, (event), (msg),                                            \
                 (const struct sl_field[]){ sl_str("error_code", sl_code_name((err)->code)),       \
                                            sl_str("error", (err)->text),                          \
                                            sl_str("runbook", sl_code_page((err)->code)),          \
                                            __VA_ARGS__ __VA_OPT__(, ){ .key = NULL } })

#endif
