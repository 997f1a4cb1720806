#include "ops/snapshot/redact.h"

#include <string.h>

static size_t redact(struct sl_buf *text, struct sl_span secret);

size_t ops_redact_setting(struct sl_buf *text, const char *value)
{
    const char *scheme = strstr(value, "://");
    size_t found = redact(text, sl_span_of(value));
    if (scheme != NULL) { /* every login of a list of hosts */
        struct sl_span rest = sl_span_of(value);
        struct sl_span one = { 0 };
        while (rest.data != NULL) {
            (void)sl_span_split(&rest, ',', &one);
            const char *at = one.bytes == 0 ? NULL : memchr(one.data, '@', one.bytes);
            const char *login = at == NULL ? NULL : strstr(one.data, "://");
            login = login == NULL ? one.data : login + 3;
            const char *colon =
                at == NULL || login > at ? NULL : memchr(login, ':', (size_t)(at - login));
            if (colon != NULL) {
                found += redact(text, sl_span_make(colon + 1, (size_t)(at - colon - 1)));
            }
        }
        return found;
    }
    struct sl_span rest = sl_span_of(value); /* several secrets, for rotation */
    struct sl_span one = { 0 };
    while (rest.data != NULL) {
        (void)sl_span_split(&rest, ',', &one);
        found += redact(text, sl_span_trim(one));
    }
    return found;
}

/* Overwrites every place where `secret` stands with '*', byte for byte; returns how many. */
static size_t redact(struct sl_buf *text, struct sl_span secret)
{
    size_t found = 0;
    if (secret.bytes < OPS_REDACT_BYTES_MIN || text->used_bytes == 0) {
        return 0;
    }
    char *at = text->data;
    char *end = text->data + text->used_bytes;
    while ((at = memmem(at, (size_t)(end - at), secret.data, secret.bytes)) != NULL) {
        memset(at, '*', secret.bytes);
        at += secret.bytes;
        found++;
    }
    return found;
}
