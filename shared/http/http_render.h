/*
 * http_render - the head of an HTTP/1.1 answer, as bytes.
 *
 * Decides only: no clock, no socket, no allocation. Field values come from our own code and are short; one that does not fit is a
 * broken invariant, not an error.
 * Source: RFC 9110 sections 5.6.7 (date), 10.2 and 15; RFC 9112 section 9.
 * Threads: no state.
 */
#ifndef SHARED_HTTP_RENDER_H
#define SHARED_HTTP_RENDER_H

#include <stddef.h>
#include <stdint.h>

#define SL_HTTP_ANSWER_HEAD_BYTES_MAX 1024u
#define SL_HTTP_DATE_BYTES            30u /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */

enum sl_http_connection { SL_HTTP_UNSAID, SL_HTTP_KEEP_ALIVE, SL_HTTP_CLOSE };

struct sl_http_answer_head {
    int status;
    const char *content_type;
    size_t body_bytes;
    unsigned retry_after_s;   /* 0: none */
    const char *allow;        /* NULL: none */
    const char *authenticate; /* NULL: none */
    const char *etag;         /* NULL: none */
    const char *date;
    enum sl_http_connection connection;
};

/* Returns the bytes written; no NUL behind them. A 204 or 304 carries no Content-Type and no Content-Length. */
size_t sl_http_render_head(const struct sl_http_answer_head *head,
                           char out_bytes[SL_HTTP_ANSWER_HEAD_BYTES_MAX]);

/* Reason phrase, "Unknown" for statuses we never send. */
const char *sl_http_status_text(int status);

void sl_http_date(int64_t wall_s, char out_text[SL_HTTP_DATE_BYTES]);

#endif
