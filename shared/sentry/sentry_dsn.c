#include "shared/sentry/sentry_dsn.h"

#include <ctype.h>
#include <stdio.h>

#include "shared/span.h"

static bool take_scheme(struct sl_span *rest, const char **out_scheme);
static bool is_word(struct sl_span text, const char *also);

bool sl_sentry_dsn_parse(const char *text, struct sl_sentry_dsn *out_dsn, struct sl_err *err)
{
    struct sl_span rest = sl_span_of(text);
    struct sl_span login = { 0 };
    const char *scheme = NULL;
    if (!take_scheme(&rest, &scheme)) {
        return sl_fail(err, SL_E_CONFIG, "must start with https:// or http://");
    }
    if (!sl_span_split(&rest, '@', &login) || rest.data == NULL) {
        return sl_fail(err, SL_E_CONFIG, "has no key: https://<key>@<host>/<project>");
    }
    struct sl_span key = { 0 };
    (void)sl_span_split(&login, ':', &key);
    if (!is_word(key, "_-") || key.bytes >= SL_SENTRY_KEY_BYTES) {
        return sl_fail(err, SL_E_CONFIG, "has no usable key before the @");
    }
    const char *slash = rest.bytes == 0 ? NULL : memrchr(rest.data, '/', rest.bytes);
    if (slash == NULL) {
        return sl_fail(err, SL_E_CONFIG, "has no project: https://<key>@<host>/<project>");
    }
    struct sl_span place = sl_span_make(rest.data, (size_t)(slash - rest.data));
    struct sl_span project = sl_span_make(slash + 1, rest.bytes - place.bytes - 1);
    if (!is_word(project, "_-")) {
        return sl_fail(err, SL_E_CONFIG, "has no project behind the last /");
    }
    if (place.data[0] == '/' || !is_word(place, "._-~:[]/")) {
        return sl_fail(err, SL_E_CONFIG, "has no usable host between @ and the project");
    }
    struct sl_sentry_dsn dsn = { 0 };
    int bytes = snprintf(dsn.url, sizeof dsn.url, "%s%.*s/api/%.*s/envelope/", scheme,
                         SL_SPAN_ARGS(place), SL_SPAN_ARGS(project));
    if (bytes < 0 || (size_t)bytes >= sizeof dsn.url) {
        return sl_fail(err, SL_E_CONFIG, "has more than %u bytes", SL_SENTRY_URL_BYTES);
    }
    snprintf(dsn.key, sizeof dsn.key, "%.*s", SL_SPAN_ARGS(key));
    *out_dsn = dsn;
    return true;
}

static bool take_scheme(struct sl_span *rest, const char **out_scheme)
{
    static const char *const schemes[] = { "https://", "http://" };
    for (size_t i = 0; i < SL_COUNT(schemes); i++) {
        if (rest->data != NULL && sl_span_starts_with(*rest, schemes[i])) {
            size_t bytes = strlen(schemes[i]);
            *rest = sl_span_make(rest->data + bytes, rest->bytes - bytes);
            *out_scheme = schemes[i];
            return true;
        }
    }
    return false;
}

/* Not empty, and of letters, digits and the bytes of `also`. */
static bool is_word(struct sl_span text, const char *also)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '\0' || (isalnum(byte) == 0 && strchr(also, byte) == NULL)) {
            return false;
        }
    }
    return text.bytes > 0;
}

bool sl_sentry_dsn_choose(const char *dsn, const char *dsn_queue, struct sl_sentry_dsn *out_dsn,
                          struct sl_buf *mistakes)
{
    const char *chosen = dsn_queue != NULL ? dsn_queue : dsn;
    struct sl_err why = { 0 };
    if (chosen == NULL) {
        return false;
    }
    bool is_read = sl_sentry_dsn_parse(chosen, out_dsn, &why);
    if (!is_read) {
        sl_buf_printf(mistakes, "%s: %s\n", dsn_queue != NULL ? "SENTRY_DSN_QUEUE" : "SENTRY_DSN",
                      why.text);
    }
    return is_read;
}
