/*
 * json_write - an append-only JSON writer over a sl_buf.
 *
 * Always emits valid JSON text: strings are escaped, bytes that are not UTF-8 become U+FFFD, C1 controls, DEL, U+2028/9 and
 * the marks that change the direction of text are escaped so that a terminal or a log reader is never fooled. Commas are the writer's business.
 * Refuses: numbers as floating point other than through sl_json_put_raw.
 * Threads: no shared state.
 */
#ifndef SHARED_JSON_WRITE_H
#define SHARED_JSON_WRITE_H

#include <stdint.h>

#include "shared/buf.h"

struct sl_json_writer {
    struct sl_buf *out; /* borrowed; check sl_buf_ok(out) at the end */
    bool needs_comma;
};

static inline struct sl_json_writer sl_json_writer_make(struct sl_buf *out)
{
    return (struct sl_json_writer){ .out = out };
}

void sl_json_object_begin(struct sl_json_writer *json);
void sl_json_object_end(struct sl_json_writer *json);
void sl_json_array_begin(struct sl_json_writer *json);
void sl_json_array_end(struct sl_json_writer *json);
/* The key of the next value in an object. */
void sl_json_key(struct sl_json_writer *json, struct sl_span key);

/* Values; key NULL inside arrays (or after sl_json_key). A text whose data is NULL is written as null. */
void sl_json_put_text(struct sl_json_writer *json, const char *key, struct sl_span value);
void sl_json_put_int(struct sl_json_writer *json, const char *key, int64_t value);
void sl_json_put_bool(struct sl_json_writer *json, const char *key, bool value);
void sl_json_put_null(struct sl_json_writer *json, const char *key);
/* value is already JSON text. */
void sl_json_put_raw(struct sl_json_writer *json, const char *key, struct sl_span value);
/* Opens a nested object or array under a key. */
void sl_json_put_object(struct sl_json_writer *json, const char *key);
void sl_json_put_array(struct sl_json_writer *json, const char *key);

/* The quoted, escaped form of a text, without a writer. */
void sl_json_append_quoted(struct sl_buf *out, struct sl_span text);

#endif
