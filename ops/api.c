#include "ops/api.h"

#include <stdio.h>

#include "ops/fetch.h"

#define URL_BYTES   1024u
#define LOGIN_BYTES 256u
#define PATH_BYTES  (LOGIN_BYTES * 3 + 64)
#define TIMEOUT_MS  10000

struct api {
    char base[URL_BYTES]; /* without login and trailing slash */
    char user[LOGIN_BYTES];
    char password[LOGIN_BYTES];
};

static void api_done(struct api *api);
static bool take_apart(const char *text, const struct sl_amqp_url *url, struct api *out,
                       struct sl_err *err);
static bool decode_percent(struct sl_span text, char out[LOGIN_BYTES]);
static int hex_value(char digit);
static void encode_percent(const char *text, char *out, size_t room);

bool ops_api_get(const char *api_url, const struct sl_amqp_url *url, const char *what,
                 struct sl_buf *out_body, struct sl_err *err)
{
    char vhost[LOGIN_BYTES * 3];
    char path[PATH_BYTES];
    encode_percent(url->vhost, vhost, sizeof vhost);
    snprintf(path, sizeof path, "%s/%s", what, vhost);
    return ops_api_get_all(api_url, url, path, out_body, err);
}

bool ops_api_get_all(const char *api_url, const struct sl_amqp_url *url, const char *what,
                     struct sl_buf *out_body, struct sl_err *err)
{
    SL_DONE(api_done) struct api api = { 0 };
    if (!take_apart(api_url, url, &api, err)) {
        return false;
    }
    char full[URL_BYTES + PATH_BYTES];
    snprintf(full, sizeof full, "%s/api/%s", api.base, what);
    struct ops_fetch fetch = {
        .url = full, .user = api.user, .password = api.password, .timeout_ms = TIMEOUT_MS
    };
    int status = 0;
    if (!ops_fetch(&fetch, &status, out_body, err)) {
        return sl_err_wrap(err, "the management interface at %.120s", api.base);
    }
    return status == 200 ||
           sl_fail(err, SL_E_AMQP_REFUSED, "the management interface at %.120s answers %d%s",
                   api.base, status, status == 401 ? ": wrong user or password" : "");
}

static void api_done(struct api *api)
{
    explicit_bzero(api, sizeof *api);
}

static bool take_apart(const char *text, const struct sl_amqp_url *url, struct api *out,
                       struct sl_err *err)
{
    const char *host = strstr(text, "://");
    if (host == NULL || strlen(text) >= URL_BYTES) {
        return sl_fail(err, SL_E_CONFIG,
                       "RABBITMQ_API_URL is not like http://user:password@host:15672");
    }
    host += 3;
    struct sl_span authority = sl_span_make(host, strcspn(host, "/"));
    const char *at = memrchr(authority.data, '@', authority.bytes);
    struct sl_span password = { 0 };
    struct sl_span user = { 0 };
    if (at != NULL) {
        password = sl_span_make(host, (size_t)(at - host));
        (void)sl_span_split(&password, ':', &user);
        host = at + 1;
    }
    int host_bytes = (int)strlen(host);
    while (host_bytes > 0 && host[host_bytes - 1] == '/') {
        host_bytes--;
    }
    snprintf(out->base, sizeof out->base, "%.*s://%.*s", (int)(strstr(text, "://") - text), text,
             host_bytes, host);
    if (user.bytes == 0) {
        user = sl_span_of(url->user);
        password = sl_span_of(url->password);
        snprintf(out->user, sizeof out->user, "%.*s", SL_SPAN_ARGS(user));
        snprintf(out->password, sizeof out->password, "%.*s", SL_SPAN_ARGS(password));
        return true;
    }
    return (decode_percent(user, out->user) && decode_percent(password, out->password)) ||
           sl_fail(err, SL_E_CONFIG, "RABBITMQ_API_URL: its login is not percent-encoded rightly");
}

static bool decode_percent(struct sl_span text, char out[LOGIN_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        char byte = text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.bytes ? hex_value(text.data[i + 1]) : -1;
            int low = i + 2 < text.bytes ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (byte == '\0' || used + 1 >= LOGIN_BYTES) {
            return false;
        }
        out[used++] = byte;
    }
    out[used] = '\0';
    return true;
}

static int hex_value(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit | ' ');
    return found == NULL ? -1 : (int)(found - digits);
}

static void encode_percent(const char *text, char *out, size_t room)
{
    size_t used = 0;
    for (; *text != '\0' && used + 4 < room; text++) {
        used += (size_t)snprintf(out + used, room - used, "%%%02X", (unsigned char)*text);
    }
    out[used] = '\0';
}
