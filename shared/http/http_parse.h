/*
 * http_parse - a strict HTTP/1.1 request parser over bytes.
 *
 * Decides only: no socket, no clock, no allocation. Rejects, never repairs: no bare LF, no obs-fold, no space before a colon, no
 * control bytes, no repeated or list-valued Content-Length, no Content-Length beside Transfer-Encoding, only exactly "chunked",
 * exactly one Host on HTTP/1.1, no duplicate of a header that must be single (Host, Content-Length, Transfer-Encoding, Stripe-Signature,
 * Authorization). Origin-form targets only; chunk extensions and trailers are bounded and discarded.
 * Source: RFC 9112, RFC 9110.
 * Threads: no state.
 */
#ifndef SHARED_HTTP_PARSE_H
#define SHARED_HTTP_PARSE_H

#include <stdint.h>

#include "shared/span.h"

#define SL_HTTP_HEAD_BYTES_MAX   (16u * 1024u) /* request line and fields, with their line ends */
#define SL_HTTP_FIELDS_MAX       64u
#define SL_HTTP_TARGET_BYTES_MAX 2048u

struct sl_http_field {
    struct sl_span name;
    struct sl_span value; /* trimmed */
};

struct sl_http_head {
    struct sl_span method;
    struct sl_span path;    /* of the target, before '?'; not decoded */
    struct sl_span query;   /* behind '?'; absent when there is none */
    unsigned minor_version; /* 0 or 1 */
    bool keep_alive;        /* what the client asks for */
    bool expects_continue;
    bool is_chunked;
    bool has_length;
    uint64_t content_length; /* when has_length */
    struct sl_http_field fields[SL_HTTP_FIELDS_MAX];
    size_t field_count;
};

enum sl_http_parse { SL_HTTP_MORE, SL_HTTP_DONE, SL_HTTP_BAD };

/*
 * Parses one request head at the start of bytes. DONE: *out_head borrows from bytes, *out_used is the head's length. MORE: call again with
 * the same bytes and more; *out_head is scratch until DONE. BAD: *out_status is the answer (400, 414, 431, 501, 505) after which the
 * connection must be closed; *out_why a constant phrase. The verdict depends on the bytes alone, not on how they were split over calls.
 */
enum sl_http_parse sl_http_parse_head(struct sl_span bytes, struct sl_http_head *out_head,
                                      size_t *out_used, int *out_status, const char **out_why);

/* First field of that name, absent when there is none. */
struct sl_span sl_http_field(const struct sl_http_head *head, const char *name);

/* Incremental decoder of a chunked body. Zero-initialise. */
struct sl_http_chunks {
    int state;
    uint64_t left;          /* of the current chunk, behind the run that was yielded */
    unsigned size_digits;   /* of the size being read */
    size_t extension_bytes; /* of the whole body */
    size_t trailer_bytes;
};
/*
 * Consumes from bytes; each call yields at most one run of body bytes: *out_body (may be empty) borrows from bytes, *out_used is how much
 * was consumed. DONE after the final CRLF; MORE: call again with the rest or with more; BAD as above.
 */
enum sl_http_parse sl_http_parse_chunks(struct sl_http_chunks *chunks, struct sl_span bytes,
                                        struct sl_span *out_body, size_t *out_used, int *out_status,
                                        const char **out_why);

#endif
