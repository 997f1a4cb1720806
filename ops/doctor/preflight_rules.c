#include "ops/doctor/preflight_rules.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "ops/doctor/value_rules.h"
#include "shared/sentry/sentry_dsn.h"
#include "shared/signature/stripe_signature.h"

#define DIFFER true

static const struct ops_preflight_key keys[] = {
#define PREFLIGHT_KEY(name, kind, need, differ) { name, OPS_KIND_##kind, OPS_NEED_##need, differ },
#include "ops/doctor/preflight_keys.def"
#undef PREFLIGHT_KEY
};

/* One value of a key, with its environment's name. */
struct side {
    const char *name; /* "staging" */
    bool is_production;
    enum ops_env_state state;
    const char *value;
};

static bool judge_absence(const struct ops_preflight_key *key, const struct side *staging,
                          const struct side *production, bool has_billing, struct ops_finding *out);
static bool judge_value(const struct ops_preflight_key *key, const struct side *side,
                        struct ops_finding *out);
static const char *objection(const struct ops_preflight_key *key, const char *value);
static bool judge_mode(const struct ops_preflight_key *key, const struct side *side,
                       struct ops_finding *out);
static bool judge_sameness(const struct ops_preflight_key *key, const struct side *staging,
                           const struct side *production, struct ops_finding *out);
static struct sl_span place_of(const char *url);
static void find(struct ops_finding *out, enum ops_verdict verdict, const char *fmt, ...)
    SL_PRINTF(3, 4);
static void fix(struct ops_finding *out, const char *fmt, ...) SL_PRINTF(2, 3);

const struct ops_preflight_key *ops_preflight_key(size_t i)
{
    return i < SL_COUNT(keys) ? &keys[i] : NULL;
}

struct ops_preflight_key ops_preflight_key_of(const char *name)
{
    for (size_t i = 0; i < SL_COUNT(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return keys[i];
        }
    }
    return (struct ops_preflight_key){ .name = name };
}

void ops_preflight_judge(const struct ops_preflight_key *key, const struct ops_env_file *staging,
                         const struct ops_env_file *production, struct ops_finding *out)
{
    struct side a = { .name = "staging" };
    struct side b = { .name = "production", .is_production = true };
    const char *billing = NULL;
    *out = (struct ops_finding){ .verdict = OPS_VERDICT_OK };
    a.state = ops_env_file_get(staging, key->name, &a.value);
    b.state = ops_env_file_get(production, key->name, &b.value);
    (void)ops_env_file_get(production, "FLAG_QUEUE_BILLING", &billing);
    bool has_billing = billing == NULL || strcmp(billing, "false") != 0;
    if (judge_absence(key, &a, &b, has_billing, out) || judge_value(key, &b, out) ||
        judge_value(key, &a, out) || judge_mode(key, &b, out) || judge_mode(key, &a, out) ||
        judge_sameness(key, &a, &b, out)) {
        return;
    }
    bool is_elsewhere = a.state == OPS_ENV_ELSEWHERE || b.state == OPS_ENV_ELSEWHERE;
    if (is_elsewhere) {
        find(out, OPS_VERDICT_SKIP, "in a file that cannot be read from here: not compared");
    } else if (a.state == OPS_ENV_UNSET && b.state == OPS_ENV_UNSET) {
        find(out, OPS_VERDICT_SKIP, "neither has it");
    } else {
        find(out, OPS_VERDICT_OK, "both have it");
    }
}

/* Absence ----------------------------------------------------------------------------------------- */

static bool judge_absence(const struct ops_preflight_key *key, const struct side *staging,
                          const struct side *production, bool has_billing, struct ops_finding *out)
{
    bool is_required =
        key->need == OPS_NEED_REQUIRED || (key->need == OPS_NEED_BILLING && has_billing);
    bool is_secret = key->kind != OPS_KIND_PLAIN;
    if (production->state == OPS_ENV_UNSET && (is_required || staging->state != OPS_ENV_UNSET)) {
        find(out, is_required || is_secret ? OPS_VERDICT_FAIL : OPS_VERDICT_WARN,
             staging->state == OPS_ENV_UNSET ? "production lacks it"
                                             : "production lacks it, staging has it");
        fix(out, "set %s (or %s_FILE) for production", key->name, key->name);
        return true;
    }
    if (production->state == OPS_ENV_UNSET && key->need == OPS_NEED_EXPECTED) {
        find(out, OPS_VERDICT_WARN, "production lacks it: degraded events are in the log only");
        fix(out, "set %s for production", key->name);
        return true;
    }
    if (staging->state == OPS_ENV_UNSET && production->state != OPS_ENV_UNSET &&
        key->need != OPS_NEED_EXPECTED) {
        find(out, OPS_VERDICT_WARN, "staging lacks it: what it does was not tried there");
        fix(out, "set %s for staging", key->name);
        return true;
    }
    return false;
}

/* Values ------------------------------------------------------------------------------------------ */

static bool judge_value(const struct ops_preflight_key *key, const struct side *side,
                        struct ops_finding *out)
{
    const char *why = side->value == NULL ? NULL : objection(key, side->value);
    if (why == NULL) {
        return false;
    }
    find(out, side->is_production ? OPS_VERDICT_FAIL : OPS_VERDICT_WARN, "%s's %s", side->name,
         why);
    fix(out, "give %s its own %s", side->name, key->name);
    return true;
}

/* What is wrong with a value in itself; NULL when nothing is. */
static const char *objection(const struct ops_preflight_key *key, const char *value)
{
    struct sl_span rest = sl_span_of(value);
    struct sl_span part = { 0 };
    struct sl_sentry_dsn dsn;
    struct sl_err ignored = { 0 };
    switch (key->kind) {
    case OPS_KIND_PLAIN:
        return NULL;
    case OPS_KIND_DSN:
        return ops_placeholder(rest) != NULL                ? "is a placeholder"
               : sl_sentry_dsn_parse(value, &dsn, &ignored) ? NULL
                                                            : "is no DSN";
    case OPS_KIND_TOKEN:
    case OPS_KIND_SIGNING:
        while (sl_span_split(&rest, ',', &part)) {
            const char *why = key->kind == OPS_KIND_TOKEN ? ops_token_objection(part)
                                                          : sl_stripe_secret_objection(part);
            why = why == NULL ? ops_placeholder(part) : why;
            if (why != NULL) {
                return why;
            }
        }
        return NULL;
    case OPS_KIND_STRIPE:
    case OPS_KIND_URL:
    case OPS_KIND_DATABASE:
    case OPS_KIND_SECRET:
        return ops_placeholder(rest);
    }
    return NULL;
}

static bool judge_mode(const struct ops_preflight_key *key, const struct side *side,
                       struct ops_finding *out)
{
    if (key->kind != OPS_KIND_STRIPE || side->value == NULL) {
        return false;
    }
    enum ops_key_mode mode = ops_key_mode(side->value);
    enum ops_key_mode wanted = side->is_production ? OPS_KEY_LIVE : OPS_KEY_TEST;
    if (mode == wanted) {
        return false;
    }
    find(out, OPS_VERDICT_FAIL, "%s has a %s%s", side->name, ops_key_mode_name(mode),
         mode == OPS_KEY_LIVE ? ": it acts on real customers" : "");
    fix(out, "%s=<a %s of the account>, for %s", key->name, ops_key_mode_name(wanted), side->name);
    return true;
}

/* Sameness ---------------------------------------------------------------------------------------- */

static bool judge_sameness(const struct ops_preflight_key *key, const struct side *staging,
                           const struct side *production, struct ops_finding *out)
{
    if (!key->must_differ || staging->value == NULL || production->value == NULL) {
        return false;
    }
    bool is_same = strcmp(staging->value, production->value) == 0;
    bool is_same_place = key->kind == OPS_KIND_DATABASE &&
                         sl_span_eq(place_of(staging->value), place_of(production->value));
    if (!is_same && !is_same_place) {
        return false;
    }
    find(out, OPS_VERDICT_FAIL, "%s",
         is_same ? "both have the same value" : "both lead to the same database, as other users");
    fix(out, "give each environment its own %s", key->name);
    return true;
}

/* Host, port and database, without login and parameters. */
static struct sl_span place_of(const char *url)
{
    const char *at = strrchr(url, '@');
    const char *scheme = strstr(url, "://");
    const char *from = at != NULL ? at + 1 : scheme != NULL ? scheme + 3 : url;
    return sl_span_make(from, strcspn(from, "?"));
}

/* Databases --------------------------------------------------------------------------------------- */

void ops_preflight_judge_databases(const struct ops_preflight_database *staging,
                                   const struct ops_preflight_database *production,
                                   struct ops_finding *out_version, struct ops_finding *out_limit,
                                   struct ops_finding *out_identity)
{
    *out_version = *out_limit = *out_identity = (struct ops_finding){ .verdict = OPS_VERDICT_OK };
    bool is_other = staging->version != production->version;
    find(out_version, is_other ? OPS_VERDICT_WARN : OPS_VERDICT_OK,
         is_other ? "staging %" PRId64 ", production %" PRId64
                    ": what was tried is not what will run"
                  : "staging %" PRId64 ", production %" PRId64,
         staging->version, production->version);
    if (is_other) {
        fix(out_version, "bring staging to Postgres %" PRId64, production->version);
    }
    bool is_less = production->connections < staging->connections;
    find(out_limit, is_less ? OPS_VERDICT_WARN : OPS_VERDICT_OK,
         "staging %" PRId64 ", production %" PRId64 " (%+" PRId64 ")", staging->connections,
         production->connections, production->connections - staging->connections);
    if (is_less) {
        fix(out_limit, "sluice doctor --only postgres.budget in production, then raise "
                       "max_connections or the limit of its database or role");
    }
    bool is_one = strcmp(staging->identity, production->identity) == 0;
    find(out_identity, is_one ? OPS_VERDICT_FAIL : OPS_VERDICT_OK, "%s",
         is_one ? "staging and production are one and the same database" : "they are two");
    if (is_one) {
        fix(out_identity, "give each environment a database of its own");
    }
}

void ops_preflight_phrase(size_t warnings, char out[OPS_PHRASE_BYTES])
{
    if (warnings == 0) {
        snprintf(out, OPS_PHRASE_BYTES, "DEPLOY-PROD");
    } else {
        snprintf(out, OPS_PHRASE_BYTES, "DEPLOY-PROD-WITH-%zu-WARNING%s", warnings,
                 warnings == 1 ? "" : "S");
    }
}

static void find(struct ops_finding *out, enum ops_verdict verdict, const char *fmt, ...)
{
    va_list args;
    out->verdict = verdict;
    va_start(args, fmt);
    vsnprintf(out->text, sizeof out->text, fmt, args);
    va_end(args);
}

static void fix(struct ops_finding *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(out->fix, sizeof out->fix, fmt, args);
    va_end(args);
}
