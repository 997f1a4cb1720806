/* The values that name something outside: a function, a URL, a variable, a call, a query. */
#include <string.h>

#include "shared/nearest.h"
#include "shared/subsystem/subsystem_values.h"

#define IDENTIFIER_BYTES_MAX 63u /* NAMEDATALEN - 1 */
#define VARIABLE_BYTES_MAX   64u

static bool is_function(struct sl_span name);
static bool read_url(const struct sl_value_place *place, const char *what, struct sl_span value,
                     struct sl_subsystem_url *out);
static bool is_variable(struct sl_span name);
static struct sl_subsystem_call *call_of(const struct sl_value_key *key,
                                         struct sl_subsystem *subsystem);
static bool copy_to(const struct sl_value_place *place, const char *what, struct sl_span value,
                    const char **out);
static const char *query_fault(struct sl_span query);

/* Functions -------------------------------------------------------------------------------------- */

bool sl_value_read_function(const struct sl_value_place *place, const struct sl_value_key *key,
                            struct sl_span value, struct sl_subsystem *subsystem)
{
    if (!is_function(value)) {
        return sl_value_mistake(place, key->name,
                                "the name of a function, [schema.]name, in lower-case letters, "
                                "digits and _");
    }
    return copy_to(place, key->name, value, (const char **)((char *)subsystem + key->offset));
}

/* What needs no quotes in SQL, so that the name can be put into a statement as it is. */
static bool is_function(struct sl_span name)
{
    struct sl_span rest = name;
    struct sl_span part = { 0 };
    size_t parts = 0;
    while (sl_span_split(&rest, '.', &part)) {
        parts++;
        if (part.bytes == 0 || part.bytes > IDENTIFIER_BYTES_MAX || parts > 2) {
            return false;
        }
        for (size_t i = 0; i < part.bytes; i++) {
            char c = part.data[i];
            bool is_letter = (c >= 'a' && c <= 'z') || c == '_';
            if (!is_letter && !(i > 0 && c >= '0' && c <= '9')) {
                return false;
            }
        }
    }
    return parts > 0;
}

static bool copy_to(const struct sl_value_place *place, const char *what, struct sl_span value,
                    const char **out)
{
    struct sl_span copy = sl_arena_copy(place->texts, value);
    if (copy.data == NULL) {
        return sl_value_mistake(place, what, "no memory");
    }
    *out = copy.data;
    return true;
}

/* URLs ------------------------------------------------------------------------------------------- */

bool sl_value_read_url(const struct sl_value_place *place, const struct sl_value_key *key,
                       struct sl_span value, struct sl_subsystem *subsystem)
{
    return read_url(place, key->name, value,
                    (struct sl_subsystem_url *)(void *)((char *)subsystem + key->offset));
}

static bool read_url(const struct sl_value_place *place, const char *what, struct sl_span value,
                     struct sl_subsystem_url *out)
{
    bool is_named = value.bytes > 0 && value.data[0] == '$';
    if (is_named) {
        value = sl_span_make(value.data + 1, value.bytes - 1);
        if (!is_variable(value)) {
            return sl_value_mistake(place, what,
                                    "after $ the name of an environment variable, such as "
                                    "$ORDERS_URL; names that begin with SLUICE_ are taken");
        }
    } else {
        const char *fault = sl_subsystem_url_fault(value);
        if (fault != NULL) {
            return sl_value_mistake(place, what, "%s", fault);
        }
    }
    struct sl_subsystem_url url = { .is_variable = is_named };
    if (!copy_to(place, what, value, &url.text)) {
        return false;
    }
    *out = url;
    return true;
}

const char *sl_subsystem_url_fault(struct sl_span url)
{
    size_t scheme = sl_span_starts_with(url, "https://")  ? strlen("https://")
                    : sl_span_starts_with(url, "http://") ? strlen("http://")
                                                          : 0;
    if (scheme == 0 || url.bytes == scheme) {
        return "http://host/path or https://host/path, or $NAME of the environment variable that "
               "holds it";
    }
    if (url.bytes > SL_SUBSYSTEM_URL_BYTES_MAX) {
        return "longer than 512 bytes";
    }
    for (size_t i = 0; i < url.bytes; i++) {
        if ((unsigned char)url.data[i] <= ' ' || (unsigned char)url.data[i] >= 0x7f) {
            return "a URL has neither spaces nor letters beyond ASCII";
        }
    }
    const char *authority = url.data + scheme;
    const char *slash = memchr(authority, '/', url.bytes - scheme);
    size_t bytes = slash == NULL ? url.bytes - scheme : (size_t)(slash - authority);
    if (memchr(authority, '@', bytes) != NULL) {
        return "no user or password in a URL; the request is signed with secret";
    }
    if (memchr(url.data, '#', url.bytes) != NULL) {
        return "a fragment (#) is never sent; leave it out";
    }
    return NULL;
}

void sl_value_tell_url(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                       struct sl_buf *out)
{
    const struct sl_subsystem_url *url =
        (const struct sl_subsystem_url *)(const void *)((const char *)subsystem + key->offset);
    sl_buf_printf(out, "%s%s", url->is_variable ? "$" : "", url->text == NULL ? "" : url->text);
}

/* Variables -------------------------------------------------------------------------------------- */

bool sl_value_read_variable(const struct sl_value_place *place, const struct sl_value_key *key,
                            struct sl_span value, struct sl_subsystem *subsystem)
{
    if (sl_span_starts_with(value, "whsec_")) {
        return sl_value_mistake(place, key->name,
                                "a secret has no place in this file: put it into the environment, "
                                "and here the name of its variable");
    }
    if (!is_variable(value)) {
        return sl_value_mistake(place, key->name,
                                "the name of an environment variable, such as ORDERS_SECRET; names "
                                "that begin with SLUICE_ are taken");
    }
    return copy_to(place, key->name, value, (const char **)((char *)subsystem + key->offset));
}

/* Off until sl_subsystems_switch has looked at the variable. */
bool sl_value_read_switch(const struct sl_value_place *place, const struct sl_value_key *key,
                          struct sl_span value, struct sl_subsystem *subsystem)
{
    bool is_named = value.bytes > 0 && value.data[0] == '$';
    if (!is_named && !sl_span_is(value, "true") && !sl_span_is(value, "false")) {
        return sl_value_mistake(place, key->name,
                                "true or false, or $NAME: true while that variable is set");
    }
    subsystem->enabled = sl_span_is(value, "true");
    subsystem->enabled_by = NULL;
    if (!is_named) {
        return true;
    }
    value = sl_span_make(value.data + 1, value.bytes - 1);
    return is_variable(value) ? copy_to(place, key->name, value, &subsystem->enabled_by)
                              : sl_value_mistake(place, key->name,
                                                 "after $ the name of an environment variable; "
                                                 "names that begin with SLUICE_ are taken");
}

void sl_value_tell_switch(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                          struct sl_buf *out)
{
    (void)key;
    if (subsystem->enabled_by != NULL) {
        sl_buf_printf(out, "$%s", subsystem->enabled_by);
    } else {
        sl_buf_append_text(out, subsystem->enabled ? "true" : "false");
    }
}

static bool is_variable(struct sl_span name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.data[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return name.bytes > 0 && name.bytes <= VARIABLE_BYTES_MAX &&
           !sl_span_starts_with(name, "SLUICE_");
}

/* Calls ------------------------------------------------------------------------------------------ */

bool sl_value_read_call(const struct sl_value_place *place, const struct sl_value_key *key,
                        struct sl_span value, struct sl_subsystem *subsystem)
{
    bool is_trip = key->kind == SL_VALUE_ON_TRIP;
    struct sl_span target = value;
    struct sl_span kind = { 0 };
    (void)sl_span_split(&target, ' ', &kind);
    target = sl_span_trim(target);
    struct sl_subsystem_call call = { .kind = SL_CALL_NONE };
    if (sl_span_is(kind, "http")) {
        call.kind = SL_CALL_HTTP;
        if (!read_url(place, key->name, target, &call.url)) {
            return false;
        }
    } else if (!is_trip && sl_span_is(kind, "sql") && is_function(target)) {
        call.kind = SL_CALL_SQL;
        if (!copy_to(place, key->name, target, &call.function)) {
            return false;
        }
    } else if (is_trip && sl_span_is(value, "sentry")) {
        call.kind = SL_CALL_SENTRY;
    } else if (!sl_span_is(value, "none")) {
        return sl_value_mistake(place, key->name, "%s",
                                is_trip ? "http URL, sentry, or none"
                                        : "http URL, sql [schema.]FUNCTION, or none");
    }
    *call_of(key, subsystem) = call;
    return true;
}

static struct sl_subsystem_call *call_of(const struct sl_value_key *key,
                                         struct sl_subsystem *subsystem)
{
    return (struct sl_subsystem_call *)(void *)((char *)subsystem + key->offset);
}

void sl_value_tell_call(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                        struct sl_buf *out)
{
    const struct sl_subsystem_call *call =
        (const struct sl_subsystem_call *)(const void *)((const char *)subsystem + key->offset);
    switch (call->kind) {
    case SL_CALL_NONE:
        sl_buf_append_text(out, "none");
        return;
    case SL_CALL_HTTP:
        sl_buf_printf(out, "http %s%s", call->url.is_variable ? "$" : "", call->url.text);
        return;
    case SL_CALL_SQL:
        sl_buf_printf(out, "sql %s", call->function);
        return;
    case SL_CALL_SENTRY:
        sl_buf_append_text(out, "sentry");
        return;
    }
}

/* Queries ---------------------------------------------------------------------------------------- */

bool sl_value_read_query(const struct sl_value_place *place, const struct sl_value_key *key,
                         struct sl_span value, struct sl_subsystem *subsystem)
{
    const char *fault = query_fault(value);
    if (fault != NULL) {
        return sl_value_mistake(place, key->name, "%s", fault);
    }
    return copy_to(place, key->name, value, (const char **)((char *)subsystem + key->offset));
}

static const char *query_fault(struct sl_span query)
{
    bool reads = query.bytes == 0 ||
                 (query.bytes > 7 && strncasecmp(query.data, "select ", 7) == 0) ||
                 (query.bytes > 5 && strncasecmp(query.data, "with ", 5) == 0);
    if (!reads) {
        return "one SELECT (or WITH … SELECT) on one line";
    }
    if (query.bytes > SL_SUBSYSTEM_QUERY_BYTES_MAX) {
        return "longer than 4096 bytes";
    }
    return memchr(query.data, ';', query.bytes) != NULL ? "one statement, without a semicolon"
                                                        : NULL;
}
