/*
 * http_bytes - which byte may stand where in HTTP/1.1.
 *
 * Decides only. One table for heads, chunk extensions and trailers, so that they agree on what a control byte is.
 * Source: RFC 9110 sections 5.6.2 (token) and 5.5 (field value); RFC 3986 sections 3.3, 3.4 (path, query) and 3.2.2 (host).
 * Threads: no state.
 */
#ifndef SHARED_HTTP_BYTES_H
#define SHARED_HTTP_BYTES_H

#include <stdbool.h>

enum {
    SL_HTTP_TOKEN = 1,
    SL_HTTP_PATH = 2,
    SL_HTTP_QUERY = 4,
    SL_HTTP_VALUE = 8,
    SL_HTTP_HOST = 16,
};

extern const unsigned char sl_http_classes[256];

static inline bool sl_http_is(char byte, unsigned class)
{
    return (sl_http_classes[(unsigned char)byte] & class) != 0;
}

/* Its value, or -1. */
static inline int sl_http_hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
