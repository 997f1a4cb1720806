#include "ops/doctor/config_facts.h"

#include <stdio.h>

#include "ops/doctor/value_rules.h"
#include "shared/sentry/sentry_dsn.h"
#include "shared/signature/stripe_signature.h"

#define TOKENS_MAX 12u

static void see_secret(const struct ops_config_seen *seen, struct ops_facts *facts);
static void see_tokens(const struct ops_config_seen *seen, struct ops_facts *facts);
static bool see_token(const char *name, struct sl_span token, const struct sl_span *earlier,
                      size_t earlier_count, struct ops_facts *facts);
static void see_flags(const struct ops_config_seen *seen, struct ops_facts *facts);
static void see_origin(const struct ops_config_seen *seen, struct ops_facts *facts);
static void see_sentry(const struct ops_config_seen *seen, struct ops_facts *facts);
static void see_broker(const struct ops_config_seen *seen, struct ops_facts *facts);
static void see_stripe(const struct ops_config_seen *seen, struct ops_facts *facts);

void ops_config_facts(const struct ops_config_seen *seen, struct ops_facts *facts)
{
    see_secret(seen, facts);
    see_tokens(seen, facts);
    see_flags(seen, facts);
    see_origin(seen, facts);
    see_sentry(seen, facts);
    see_broker(seen, facts);
    see_stripe(seen, facts);
}

static void see_secret(const struct ops_config_seen *seen, struct ops_facts *facts)
{
    const struct ops_deployed_publisher *publisher = &seen->deployed->publisher;
    struct sl_span rest = sl_span_of(publisher->stripe_secrets);
    struct sl_span secret = { 0 };
    const char *why = rest.data == NULL ? "is not set" : NULL;
    if (why != NULL && !publisher->flag_billing) {
        ops_fact_skip(facts, OPS_CHECK_CONFIG_SECRET,
                      "FLAG_QUEUE_BILLING is false: it is not needed yet");
        return;
    }
    while (why == NULL && sl_span_split(&rest, ',', &secret)) {
        why = sl_stripe_secret_objection(secret);
        why = why == NULL ? ops_placeholder(secret) : why;
    }
    ops_fact_see(facts, OPS_CHECK_CONFIG_SECRET, why == NULL ? 0 : 1, "", "%s",
                 why == NULL ? "" : why);
}

static void see_tokens(const struct ops_config_seen *seen, struct ops_facts *facts)
{
    const struct ops_deployed_publisher *publisher = &seen->deployed->publisher;
    const struct {
        const char *name;
        const char *value;
    } callers[] = {
        { "QUEUE_SERVICE_TOKEN_CONSOLE", publisher->token_console },
        { "QUEUE_SERVICE_TOKEN_RAPTOR", publisher->token_raptor },
        { "QUEUE_SERVICE_TOKEN_CRON", publisher->token_cron },
    };
    struct sl_span tokens[TOKENS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < SL_COUNT(callers); i++) {
        struct sl_span rest = sl_span_of(callers[i].value);
        struct sl_span token = { 0 };
        while (count < TOKENS_MAX && sl_span_split(&rest, ',', &token)) {
            if (!see_token(callers[i].name, token, tokens, count, facts)) {
                return;
            }
            tokens[count++] = token;
        }
    }
    ops_fact_see(facts, OPS_CHECK_CONFIG_TOKENS, 0, "",
                 count == 0 ? "none is set: the API takes nobody" : "%zu, each its own", count);
}

/* False when something is wrong with it, which is then said. */
static bool see_token(const char *name, struct sl_span token, const struct sl_span *earlier,
                      size_t earlier_count, struct ops_facts *facts)
{
    const char *why = ops_token_objection(token);
    for (size_t i = 0; why == NULL && i < earlier_count; i++) {
        why = sl_span_eq(token, earlier[i]) ? "is given twice" : NULL;
    }
    if (why != NULL) {
        ops_fact_see(facts, OPS_CHECK_CONFIG_TOKENS, 1, name, "%s", why);
    }
    return why == NULL;
}

static void see_flags(const struct ops_config_seen *seen, struct ops_facts *facts)
{
    const struct ops_deployed_publisher *publisher = &seen->deployed->publisher;
    const char *policy = publisher->degraded_policy == NULL ? "" : publisher->degraded_policy;
    ops_fact_see(facts, OPS_CHECK_CONFIG_BILLING, publisher->flag_billing ? 0 : 1, "", " ");
    ops_fact_see(facts, OPS_CHECK_CONFIG_POLICY, strstr(policy, "drop") == NULL ? 0 : 1, "", "%s",
                 policy);
}

/* The guard as publisher/config.def has it: false, true, report. */
static void see_origin(const struct ops_config_seen *seen, struct ops_facts *facts)
{
    enum { GUARD_OFF, GUARD_ON, GUARD_REPORTS };
    const struct ops_deployed_publisher *publisher = &seen->deployed->publisher;
    bool has_proof = publisher->trusted_proxies != NULL || publisher->origin_secret != NULL;
    if (publisher->origin_guard == GUARD_OFF) {
        ops_fact_see(facts, OPS_CHECK_CONFIG_ORIGIN, 0, "", "it is off");
    } else if (!has_proof) {
        ops_fact_see(
            facts, OPS_CHECK_CONFIG_ORIGIN, publisher->origin_guard == GUARD_ON ? 2 : 1, "",
            "%s, and nobody is trusted: neither SLUICE_TRUSTED_PROXIES nor "
            "SLUICE_ORIGIN_SECRET is set",
            publisher->origin_guard == GUARD_ON ? "everything is answered 403" : "it only counts");
    } else {
        ops_fact_see(facts, OPS_CHECK_CONFIG_ORIGIN, 0, "",
                     publisher->origin_guard == GUARD_ON ? "only the edge comes in"
                                                         : "it only counts");
    }
}

static void see_sentry(const struct ops_config_seen *seen, struct ops_facts *facts)
{
    const struct ops_deployed_publisher *publisher = &seen->deployed->publisher;
    const char *dsn =
        publisher->sentry_dsn_queue != NULL ? publisher->sentry_dsn_queue : publisher->sentry_dsn;
    struct sl_sentry_dsn parsed = { 0 };
    struct sl_err why = { 0 };
    bool is_needed = ops_is_production(seen->environment);
    if (dsn == NULL) {
        ops_fact_see(facts, OPS_CHECK_CONFIG_SENTRY, is_needed ? 1 : 0, "", "%s",
                     is_needed ? "no DSN in production: degraded events are in the log only"
                               : "none is set");
    } else if (!sl_sentry_dsn_parse(dsn, &parsed, &why)) {
        ops_fact_see(facts, OPS_CHECK_CONFIG_SENTRY, 2, "", "%s", why.text);
    } else if (ops_placeholder(sl_span_of(dsn)) != NULL) {
        ops_fact_see(facts, OPS_CHECK_CONFIG_SENTRY, 2, "", "the DSN %s",
                     ops_placeholder(sl_span_of(dsn)));
    } else {
        ops_fact_see(facts, OPS_CHECK_CONFIG_SENTRY, 0, "", "the DSN can be read");
    }
}

static void see_broker(const struct ops_config_seen *seen, struct ops_facts *facts)
{
    if (seen->amqp == NULL) {
        ops_facts_skip(facts, OPS_CHECK_CONFIG_BROKER_LOGIN, OPS_CHECK_CONFIG_BROKER_TLS,
                       "AMQP_URL cannot be read");
        return;
    }
    const struct sl_amqp_url *amqp = seen->amqp;
    bool is_production = ops_is_production(seen->environment);
    const char *remote = NULL;
    for (size_t i = 0; i < amqp->host_count && remote == NULL; i++) {
        remote = ops_is_loopback(amqp->hosts[i].name) ? NULL : amqp->hosts[i].name;
    }
    const char *why = strcmp(amqp->user, "guest") == 0 ? "uses guest"
                      : strcmp(amqp->user, amqp->password) == 0
                          ? "has the user's name for a password"
                          : ops_placeholder(sl_span_of(amqp->password));
    bool matters = why != NULL && (is_production || remote != NULL);
    ops_fact_see(facts, OPS_CHECK_CONFIG_BROKER_LOGIN,
                 !matters        ? 0
                 : is_production ? 2
                                 : 1,
                 "", "%s", why == NULL ? "" : why);
    bool is_open = remote != NULL && !amqp->is_tls;
    ops_fact_see(facts, OPS_CHECK_CONFIG_BROKER_TLS, is_open && is_production ? 1 : 0, "", "%s",
                 is_open && is_production ? remote
                 : amqp->is_tls           ? "TLS"
                 : remote == NULL         ? "it does not leave this machine"
                                          : "not encrypted; this is not production");
}

static void see_stripe(const struct ops_config_seen *seen, struct ops_facts *facts)
{
    const struct {
        const char *name;
        enum ops_key_mode mode;
    } keys[] = {
        { "STRIPE_API_KEY", ops_key_mode(seen->deployed->publisher.stripe_key) },
        { "STRIPE_RESTRICTED_KEY", ops_key_mode(seen->restricted) },
        { "STRIPE_PUBLISHABLE_KEY", ops_key_mode(seen->publishable) },
    };
    bool is_production = ops_is_production(seen->environment);
    size_t first = SL_COUNT(keys);
    for (size_t i = 0; i < SL_COUNT(keys); i++) {
        if (keys[i].mode == OPS_KEY_NONE) {
            continue;
        }
        bool is_wrong =
            keys[i].mode == OPS_KEY_STRANGE || (is_production && keys[i].mode != OPS_KEY_LIVE) ||
            (seen->environment != NULL && !is_production && keys[i].mode == OPS_KEY_LIVE);
        if (is_wrong && facts->items[OPS_CHECK_STRIPE_MODE].look == OPS_LOOK_NONE) {
            ops_fact_see(facts, OPS_CHECK_STRIPE_MODE, 2, keys[i].name, "%s is a %s in %s",
                         keys[i].name, ops_key_mode_name(keys[i].mode),
                         seen->environment == NULL ? "an environment without a name"
                                                   : seen->environment);
        }
        if (first < SL_COUNT(keys) && keys[i].mode != keys[first].mode &&
            facts->items[OPS_CHECK_STRIPE_AGREE].look == OPS_LOOK_NONE) {
            ops_fact_see(facts, OPS_CHECK_STRIPE_AGREE, 1, "", "%s is a %s, %s a %s",
                         keys[first].name, ops_key_mode_name(keys[first].mode), keys[i].name,
                         ops_key_mode_name(keys[i].mode));
        }
        first = first < SL_COUNT(keys) ? first : i;
    }
    if (first == SL_COUNT(keys)) {
        ops_facts_skip(facts, OPS_CHECK_STRIPE_MODE, OPS_CHECK_STRIPE_AGREE,
                       "no key of Stripe's is set");
        return;
    }
    if (facts->items[OPS_CHECK_STRIPE_MODE].look == OPS_LOOK_NONE) {
        ops_fact_see(
            facts, OPS_CHECK_STRIPE_MODE, 0, "", "%s%s", ops_key_mode_name(keys[first].mode),
            seen->environment == NULL ? "; SENTRY_ENVIRONMENT does not say where this is" : "s");
    }
    if (facts->items[OPS_CHECK_STRIPE_AGREE].look == OPS_LOOK_NONE) {
        ops_fact_see(facts, OPS_CHECK_STRIPE_AGREE, 0, "", "they are");
    }
}
