#include "shared/amqp/amqp_url.h"

#include <stdlib.h>
#include <string.h>

#include "shared/span.h"
#include "shared/units.h"

#define PORT_PLAIN     5672u
#define PORT_TLS       5671u
#define NAME_BYTES_MAX 255u /* AMQP short string; also the longest host name (RFC 1035, 2.3.4) */

/* One URL, cut into pieces that still borrow from the text. */
struct pieces {
    bool is_tls;
    struct sl_span user;
    struct sl_span password;
    struct sl_span hosts;
    struct sl_span vhost; /* absent: none given */
};

static bool cut(struct sl_span text, struct pieces *out_pieces, struct sl_err *err);
static bool set_login(const struct pieces *pieces, struct sl_amqp_url *url, struct sl_err *err);
static bool same_login(const struct pieces *pieces, const struct sl_amqp_url *url,
                       struct sl_err *err);
static bool add_hosts(const struct pieces *pieces, struct sl_amqp_url *url, struct sl_err *err);
static bool add_host(struct sl_span text, uint16_t port, struct sl_amqp_url *url,
                     struct sl_err *err);
static char *decode(struct sl_span text);
static int hex_digit(char digit);
static struct sl_span next_url(struct sl_span *rest);

bool sl_amqp_url_parse(const char *text, struct sl_amqp_url *out_url, struct sl_err *err)
{
    SL_DONE(sl_amqp_url_done) struct sl_amqp_url url = { 0 };
    struct sl_span rest = sl_span_trim(sl_span_of(text == NULL ? "" : text));
    if (rest.bytes == 0) {
        return sl_fail(err, SL_E_CONFIG, "the AMQP URL is empty");
    }

    while (rest.data != NULL) {
        struct pieces pieces = { 0 };
        if (!cut(next_url(&rest), &pieces, err)) {
            return false;
        }
        bool is_first = url.user == NULL;
        if (!(is_first ? set_login(&pieces, &url, err) : same_login(&pieces, &url, err)) ||
            !add_hosts(&pieces, &url, err)) {
            return false;
        }
    }
    *out_url = url;
    url = (struct sl_amqp_url){ 0 };
    return true;
}

/* A comma separates two URLs only where a new scheme follows it; all others separate hosts. */
static struct sl_span next_url(struct sl_span *rest)
{
    const char *end = rest->data + rest->bytes;
    for (const char *at = rest->data; at < end; at++) {
        struct sl_span behind = sl_span_trim((struct sl_span){ at + 1, (size_t)(end - at) - 1 });
        if (*at == ',' &&
            (sl_span_starts_with(behind, "amqp://") || sl_span_starts_with(behind, "amqps://"))) {
            struct sl_span found = { rest->data, (size_t)(at - rest->data) };
            *rest = behind;
            return sl_span_trim(found);
        }
    }
    struct sl_span last = *rest;
    *rest = (struct sl_span){ NULL, 0 };
    return last;
}

static bool cut(struct sl_span text, struct pieces *out_pieces, struct sl_err *err)
{
    struct pieces pieces = { .is_tls = sl_span_starts_with(text, "amqps://") };
    if (!pieces.is_tls && !sl_span_starts_with(text, "amqp://")) {
        return sl_fail(err, SL_E_CONFIG, "an AMQP URL starts with amqp:// or amqps://");
    }
    size_t scheme_bytes = strlen(pieces.is_tls ? "amqps://" : "amqp://");
    struct sl_span rest = { text.data + scheme_bytes, text.bytes - scheme_bytes };
    if (memchr(rest.data, '?', rest.bytes) != NULL || memchr(rest.data, '#', rest.bytes) != NULL) {
        return sl_fail(
            err, SL_E_CONFIG,
            "an AMQP URL takes no query and no fragment; write ? and # as %%3F and %%23");
    }

    struct sl_span authority = { 0 };
    (void)sl_span_split(&rest, '/', &authority);
    pieces.vhost = rest;

    struct sl_span login = { 0 };
    (void)sl_span_split(&authority, '@', &login);
    if (authority.data == NULL) {
        return sl_fail(err, SL_E_CONFIG, "the AMQP URL names no user and password before @");
    }
    if (memchr(authority.data, '@', authority.bytes) != NULL) {
        return sl_fail(err, SL_E_CONFIG, "the AMQP URL has two @; write the one in a name as %%40");
    }
    pieces.hosts = authority;
    (void)sl_span_split(&login, ':', &pieces.user);
    pieces.password = login;
    if (pieces.user.bytes == 0 || pieces.password.data == NULL) {
        return sl_fail(err, SL_E_CONFIG, "the AMQP URL needs user:password before @");
    }
    *out_pieces = pieces;
    return true;
}

static bool set_login(const struct pieces *pieces, struct sl_amqp_url *url, struct sl_err *err)
{
    if (pieces->vhost.data != NULL && pieces->vhost.bytes == 0) {
        return sl_fail(
            err, SL_E_CONFIG,
            "the AMQP URL ends with a slash, which means the empty virtual host; leave the "
            "slash out for \"/\"");
    }
    url->is_tls = pieces->is_tls;
    url->user = decode(pieces->user);
    url->password = decode(pieces->password);
    url->vhost = decode(pieces->vhost.data == NULL ? SL_SPAN_LITERAL("/") : pieces->vhost);
    if (url->user == NULL || url->password == NULL || url->vhost == NULL) {
        return sl_fail(
            err, SL_E_CONFIG,
            "user, password or virtual host of the AMQP URL is not well percent-encoded, "
            "or longer than %u bytes",
            NAME_BYTES_MAX);
    }
    return true;
}

static bool same_login(const struct pieces *pieces, const struct sl_amqp_url *url,
                       struct sl_err *err)
{
    SL_DONE(sl_amqp_url_done) struct sl_amqp_url other = { 0 };
    if (!set_login(pieces, &other, err)) {
        return false;
    }
    if (other.is_tls != url->is_tls || strcmp(other.user, url->user) != 0 ||
        strcmp(other.password, url->password) != 0 || strcmp(other.vhost, url->vhost) != 0) {
        return sl_fail(err, SL_E_CONFIG,
                       "all AMQP URLs must have the same scheme, user, password and virtual host");
    }
    return true;
}

static bool add_hosts(const struct pieces *pieces, struct sl_amqp_url *url, struct sl_err *err)
{
    struct sl_span rest = pieces->hosts;
    struct sl_span text = { 0 };
    while (sl_span_split(&rest, ',', &text)) {
        uint16_t port = pieces->is_tls ? PORT_TLS : PORT_PLAIN;
        if (!add_host(sl_span_trim(text), port, url, err)) {
            return false;
        }
    }
    return true;
}

/* "name", "name:port", "[v6]" or "[v6]:port". */
static bool add_host(struct sl_span text, uint16_t port, struct sl_amqp_url *url,
                     struct sl_err *err)
{
    struct sl_span name = { 0 };
    struct sl_span rest = text;
    if (sl_span_starts_with(text, "[")) {
        rest = (struct sl_span){ text.data + 1, text.bytes - 1 };
        (void)sl_span_split(&rest, ']', &name);
        bool is_closed = rest.data != NULL;
        if (!is_closed || (rest.bytes > 0 && rest.data[0] != ':')) {
            return sl_fail(err, SL_E_CONFIG, "an IPv6 host of the AMQP URL is written [address]");
        }
        rest = rest.bytes == 0 ? (struct sl_span){ NULL, 0 }
                               : (struct sl_span){ rest.data + 1, rest.bytes - 1 };
    } else {
        (void)sl_span_split(&rest, ':', &name);
    }
    int64_t number = port;
    if (rest.data != NULL &&
        (!sl_units_decimal(rest, 5, &number) || number < 1 || number > UINT16_MAX)) {
        return sl_fail(err, SL_E_CONFIG, "the port of an AMQP URL is a number from 1 to 65535");
    }
    if (name.bytes == 0 || name.bytes > NAME_BYTES_MAX) {
        return sl_fail(err, SL_E_CONFIG, "a host of the AMQP URL is empty or too long");
    }
    for (size_t i = 0; i < name.bytes; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '%') {
            return sl_fail(err, SL_E_CONFIG,
                           "a host of the AMQP URL has a byte no host name has (%s)",
                           "internationalised names are written in their xn-- form");
        }
    }
    if (url->host_count == SL_AMQP_HOSTS_MAX) {
        return sl_fail(err, SL_E_CONFIG, "the AMQP URL names more than %u hosts",
                       SL_AMQP_HOSTS_MAX);
    }
    char *copy = strndup(name.data, name.bytes);
    if (copy == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the AMQP URL");
    }
    url->hosts[url->host_count++] = (struct sl_amqp_host){ copy, (uint16_t)number };
    return true;
}

/* Percent-decoding; NULL for a broken escape, a NUL, more than NAME_BYTES_MAX bytes, or no memory. */
static char *decode(struct sl_span text)
{
    char *decoded = calloc(1, text.bytes + 1);
    size_t used = 0;
    for (size_t i = 0; decoded != NULL && i < text.bytes; i++) {
        int byte = (unsigned char)text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.bytes ? hex_digit(text.data[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(text.data[i + 2]);
            byte = low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (byte == 0 || used == NAME_BYTES_MAX) {
            explicit_bzero(decoded, text.bytes);
            free(decoded);
            return NULL;
        }
        decoded[used++] = (char)byte;
    }
    return decoded;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    int letter = digit | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

void sl_amqp_url_done(struct sl_amqp_url *url)
{
    for (size_t i = 0; i < url->host_count; i++) {
        free(url->hosts[i].name);
    }
    if (url->password != NULL) {
        explicit_bzero(url->password, strlen(url->password));
    }
    free(url->password);
    free(url->user);
    free(url->vhost);
    free(url->papers.ca);
    free(url->papers.certificate);
    free(url->papers.key);
    *url = (struct sl_amqp_url){ 0 };
}
