/*
 * json - reading JSON that came from outside, without ever changing it.
 *
 * A small tree over the caller's bytes: every node knows its raw text; strings are decoded and numbers converted only when asked,
 * so 30-digit numbers, lone surrogates and deep nesting are data, not errors. Below `depth_max` levels a container is not opened;
 * it stays one node with its raw text. The whole text is checked against the grammar, opened or not.
 * Refuses: repairing; recursion that follows the input's depth; a second copy of the tree in the heap (nodes live in the arena).
 * Source: RFC 8259. A leading UTF-8 byte order mark is skipped. Duplicate keys: the last one counts.
 * Threads: one owner.
 */
#ifndef SHARED_JSON_H
#define SHARED_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/arena.h"
#include "shared/buf.h"
#include "shared/err.h"
#include "shared/span.h"

enum sl_json_type {
    SL_JSON_NULL,
    SL_JSON_BOOL,
    SL_JSON_NUMBER,
    SL_JSON_STRING,
    SL_JSON_ARRAY,
    SL_JSON_OBJECT,
};

struct sl_json {
    enum sl_json_type type;
    bool is_true;       /* BOOL */
    bool is_opened;     /* ARRAY, OBJECT: children are present (not below depth_max) */
    struct sl_span key; /* between the quotes, escapes not decoded; absent in arrays, at the root */
    struct sl_span raw; /* the whole value as received, without surrounding white space */
    struct sl_json *first; /* first child */
    struct sl_json *next;  /* next sibling */
    size_t child_count;
};

/* A reusable parser for documents up to bytes_max. NULL without memory. */
struct sl_json_parser;
struct sl_json_parser *sl_json_parser_new(size_t bytes_max) SL_MUST;
/* Accepts NULL. */
void sl_json_parser_free(struct sl_json_parser *parser);

/*
 * Parses `text` (copied into the arena with the padding simdjson needs: spans of the tree point into that copy).
 * depth_max >= 1, the root's children being level 1; nodes_max bounds the tree. Returns the root, or NULL: SL_E_JSON_MALFORMED (not
 * JSON, not UTF-8, trailing bytes), SL_E_LIMIT (bytes_max, nodes_max), SL_E_MEMORY.
 */
struct sl_json *sl_json_parse(struct sl_json_parser *parser, struct sl_arena *arena,
                              struct sl_span text, unsigned depth_max, size_t nodes_max,
                              struct sl_err *err) SL_MUST;

/* Child by key (compared raw, so for keys without escapes; the last duplicate); NULL when value is NULL, not an object or has none. */
const struct sl_json *sl_json_get(const struct sl_json *object, const char *key);
/* The same with any bytes as the key, such as another node's. */
const struct sl_json *sl_json_child(const struct sl_json *object, struct sl_span key);
/* sl_json_get along "a.b.c". */
const struct sl_json *sl_json_at(const struct sl_json *object, const char *path);
const struct sl_json *sl_json_at_span(const struct sl_json *object, struct sl_span path);

/* NULL, JSON null and absent are the same to all of these. */
bool sl_json_is_null(const struct sl_json *value);
/* True and the number when value is an integer within int64 (1.0 and 1e2 are not). */
bool sl_json_int(const struct sl_json *value, int64_t *out_number);
/* Raw text of a number, or absent. */
struct sl_span sl_json_number_text(const struct sl_json *value);
/* True only for JSON true. */
bool sl_json_true(const struct sl_json *value);
/*
 * The decoded text of a string: borrowed from the tree when it has no escapes, else decoded into the arena. Lone surrogates become
 * U+FFFD; so does U+0000 when replace_nul. *out_replaced (may be NULL) is increased by the number of replacements. Absent when value
 * is not a string; absent also without memory.
 */
struct sl_span sl_json_text(const struct sl_json *value, struct sl_arena *arena, bool replace_nul,
                            size_t *out_replaced);

/*
 * Appends value (null when it is NULL) as JSON text that Postgres' jsonb accepts, everything else byte for byte: the escapes of U+0000
 * and of lone surrogates become that of U+FFFD; a number longer than SL_JSON_CLEAN_NUMBER_BYTES_MAX or with an exponent beyond
 * SL_JSON_CLEAN_EXPONENT_MAX, and a container nested deeper than SL_JSON_CLEAN_DEPTH_MAX, become null. *out_replaced (may be NULL)
 * is increased by one for each.
 */
#define SL_JSON_CLEAN_NUMBER_BYTES_MAX 8000u
#define SL_JSON_CLEAN_EXPONENT_MAX     400
#define SL_JSON_CLEAN_DEPTH_MAX        512u
void sl_json_append_clean(const struct sl_json *value, struct sl_buf *out, size_t *out_replaced);

SL_DEFINE_AUTO(struct sl_json_parser *, sl_json_parser_free)

#endif
