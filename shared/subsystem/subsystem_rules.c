#include "shared/subsystem/subsystem_rules.h"

#include "shared/units.h"

#define BATCH_DEFAULT      500u
#define BATCH_DEFAULT_HTTP 16u
#define SQLSTATE_BYTES     5u

static void check_needs(const struct sl_section *section);
static void check_handler_keys(const struct sl_section *section);
static void check_calls(const struct sl_section *section);
static void check_batch(const struct sl_section *section);
static void check_retry(const struct sl_section *section);
static void check_codes(const struct sl_section *section);
static bool says(const struct sl_section *section, enum sl_subsystem_says key);
static struct sl_value_place at(const struct sl_section *section, enum sl_subsystem_says key);

void sl_section_defaults(const struct sl_section *section)
{
    for (size_t i = 0; i < SL_SUBSYSTEM_KEYS; i++) {
        const struct sl_value_key *key = &sl_value_keys[i];
        bool is_right =
            key->fallback == NULL ||
            sl_value_read(&section->place, key, sl_span_of(key->fallback), section->subsystem);
        SL_ASSERT(is_right);
    }
}

void sl_section_close(const struct sl_section *section)
{
    struct sl_subsystem *item = section->subsystem;
    if (item->batch == 0) {
        item->batch = item->handler == SL_HANDLER_HTTP ? BATCH_DEFAULT_HTTP : BATCH_DEFAULT;
    }
    item->prefetch = item->prefetch == 0 ? (uint16_t)(2 * item->batch) : item->prefetch;
    check_needs(section);
    if (says(section, SL_SUBSYSTEM_SAYS_handler)) {
        check_handler_keys(section);
        check_calls(section);
    }
    check_batch(section);
    check_retry(section);
    check_codes(section);
}

static bool says(const struct sl_section *section, enum sl_subsystem_says key)
{
    return section->lines[key] != 0;
}

static struct sl_value_place at(const struct sl_section *section, enum sl_subsystem_says key)
{
    struct sl_value_place place = section->place;
    place.line = section->lines[key];
    return place;
}

static void check_needs(const struct sl_section *section)
{
    const struct sl_value_place *place = &section->place;
    const struct sl_subsystem *item = section->subsystem;
    if (!says(section, SL_SUBSYSTEM_SAYS_handler)) {
        sl_value_mistake(place, "handler", "missing; there is: billing, sql, http");
    }
    if (!says(section, SL_SUBSYSTEM_SAYS_bindings)) {
        sl_value_mistake(place, "bindings",
                         "missing; such as stripe.#: without them its queue stays empty");
    }
    if (item->handler == SL_HANDLER_SQL && !says(section, SL_SUBSYSTEM_SAYS_function)) {
        sl_value_mistake(place, "function", "missing: handler sql calls it with each event");
    }
    if (item->handler == SL_HANDLER_HTTP && !says(section, SL_SUBSYSTEM_SAYS_url)) {
        sl_value_mistake(place, "url", "missing: handler http POSTs each event to it");
    }
}

/* Keys that mean nothing to this handler. */
static void check_handler_keys(const struct sl_section *section)
{
    enum sl_handler handler = section->subsystem->handler;
    for (unsigned i = 0; i < SL_SUBSYSTEM_KEYS; i++) {
        const struct sl_value_key *key = &sl_value_keys[i];
        if (section->lines[i] == 0 || (key->handlers >> handler & 1u) != 0) {
            continue;
        }
        struct sl_value_place place = at(section, (enum sl_subsystem_says)i);
        enum sl_handler other = SL_HANDLER_BILLING;
        while ((key->handlers >> other & 1u) == 0) {
            other++;
        }
        sl_value_mistake(&place, key->name, "is for handler %s, and this section has handler %s",
                         sl_handler_name(other), sl_handler_name(handler));
    }
    if (section->rules_line != 0 && handler == SL_HANDLER_BILLING) {
        struct sl_value_place place = section->place;
        place.line = section->rules_line;
        sl_value_mistake(&place, "errors",
                         "is for handlers sql and http; billing has rules of its own");
    }
}

/* Whatever is POSTed is signed, or carries a token to its own url; what is not POSTed needs no secret. */
static void check_calls(const struct sl_section *section)
{
    const struct sl_subsystem *item = section->subsystem;
    bool posts = item->handler == SL_HANDLER_HTTP || item->on_dead.kind == SL_CALL_HTTP ||
                 item->on_trip.kind == SL_CALL_HTTP;
    bool tells = item->on_dead.kind == SL_CALL_HTTP || item->on_trip.kind == SL_CALL_HTTP;
    bool has_token = item->bearer != NULL && !tells;
    if (posts && !has_token && !says(section, SL_SUBSYSTEM_SAYS_secret)) {
        sl_value_mistake(&section->place, "secret",
                         "missing: every POST is signed; name the environment variable that holds "
                         "the secret");
    }
    static const enum sl_subsystem_says for_posts[] = { SL_SUBSYSTEM_SAYS_secret,
                                                        SL_SUBSYSTEM_SAYS_timeout_ms };
    for (size_t i = 0; !posts && i < SL_COUNT(for_posts); i++) {
        if (says(section, for_posts[i])) {
            struct sl_value_place place = at(section, for_posts[i]);
            sl_value_mistake(&place, sl_value_keys[for_posts[i]].name,
                             "is for handler http, on-dead = http and on-trip = http, and there is "
                             "none of them here");
        }
    }
}

static void check_batch(const struct sl_section *section)
{
    const struct sl_subsystem *item = section->subsystem;
    if (item->handler == SL_HANDLER_HTTP && item->batch > SL_SUBSYSTEM_HTTP_BATCH_MAX) {
        struct sl_value_place place = at(section, SL_SUBSYSTEM_SAYS_batch);
        sl_value_mistake(&place, "batch", "handler http makes so many requests at once: at most %u",
                         SL_SUBSYSTEM_HTTP_BATCH_MAX);
    }
    if (item->prefetch < item->batch) {
        struct sl_value_place place = at(section, SL_SUBSYSTEM_SAYS_prefetch);
        sl_value_mistake(&place, "prefetch", "%u is below batch %u, so no batch would ever be full",
                         item->prefetch, item->batch);
    }
}

static void check_retry(const struct sl_section *section)
{
    const struct sl_subsystem *item = section->subsystem;
    if (item->attempts == 1 && says(section, SL_SUBSYSTEM_SAYS_backoff_ms)) {
        struct sl_value_place place = at(section, SL_SUBSYSTEM_SAYS_backoff_ms);
        sl_value_mistake(&place, "backoff", "attempts = 1 leaves no second try to wait for");
    }
    if (item->backoff_ms > item->backoff_max_ms) {
        struct sl_value_place place = at(section, says(section, SL_SUBSYSTEM_SAYS_backoff_max_ms)
                                                      ? SL_SUBSYSTEM_SAYS_backoff_max_ms
                                                      : SL_SUBSYSTEM_SAYS_backoff_ms);
        char least[SL_UNITS_TEXT_BYTES];
        char most[SL_UNITS_TEXT_BYTES];
        sl_value_mistake(&place, "backoff_max", "%s is below backoff %s",
                         sl_units_duration_tell(item->backoff_max_ms, most),
                         sl_units_duration_tell(item->backoff_ms, least));
    }
}

static void check_codes(const struct sl_section *section)
{
    const struct sl_subsystem *item = section->subsystem;
    for (size_t i = 0; item->handler == SL_HANDLER_SQL && i < item->rule_count; i++) {
        const struct sl_subsystem_rule *rule = &item->rules[i];
        struct sl_value_place place = section->place;
        place.line = section->rules_line;
        if (sl_span_of(rule->code).bytes != SQLSTATE_BYTES) {
            sl_value_mistake(&place, "errors", "%s is no SQLSTATE, which has five characters",
                             rule->code);
        } else if (rule->verdict == SL_RULE_DONE) {
            sl_value_mistake(&place, "errors",
                             "%s: a transaction that failed cannot count as done; let the function "
                             "catch it",
                             rule->code);
        }
    }
}
