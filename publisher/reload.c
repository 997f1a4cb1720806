#include "publisher/reload.h"

#include <stdio.h>
#include <string.h>

#include "shared/config/conf_tell.h"

#define NAMES_BYTES_MAX 2048u
#define BY_RELOAD       "a reload"
#define STRIPE_SECRET   "STRIPE_WEBHOOK_SECRET"

/* What a reload can put in force. */
static const struct {
    const char *name;
    enum { LEVEL, SECRET, AMQP, SENTRY } kind;
} reloadable[] = {
    { "LOG_LEVEL", LEVEL },         { "EVENTBUS_DEGRADED_LOG_LEVEL", LEVEL },
    { STRIPE_SECRET, SECRET },      { "AMQP_URL", AMQP },
    { "SLUICE_AMQP_CA", AMQP },     { "SLUICE_AMQP_CERT", AMQP },
    { "SLUICE_AMQP_KEY", AMQP },    { "SENTRY_DSN", SENTRY },
    { "SENTRY_DSN_QUEUE", SENTRY },
};

static void check(const struct pub_reload *reload, const struct pub_config *fresh,
                  struct sl_buf *mistakes);
static bool apply(struct pub_reload *reload, struct pub_config *fresh,
                  const struct pub_reload_plan *plan, struct sl_err *err);
static bool change_broker(struct pub_reload *reload, struct pub_config *fresh, struct sl_err *err);
static bool can_reload(const struct pub_config *now, const struct pub_config *fresh,
                       const char *name, struct pub_reload_plan *plan);
static void compare_sources(const struct pub_config *now, const struct pub_config *fresh,
                            struct pub_reload_plan *plan);
static void compare_hashes(const struct pub_config *now, const struct pub_config *fresh,
                           struct pub_reload_plan *plan);
static void append_name(struct sl_buf *names, const char *name);
static const char *shown(const struct sl_buf *names);

void pub_reload_run(struct pub_reload *reload)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    SL_DONE(pub_config_done) struct pub_config fresh = { 0 };
    SL_DONE(pub_reload_plan_done) struct pub_reload_plan plan = { 0 };
    struct sl_err err = { 0 };
    sl_buf_init(&mistakes, PUB_CONFIG_MISTAKES_BYTES_MAX);
    pub_config_load(&fresh, reload->environment, &mistakes);
    check(reload, &fresh, &mistakes);
    if (mistakes.used_bytes == 0) {
        pub_reload_compare(reload->config, &fresh, &plan);
        if (!apply(reload, &fresh, &plan, &err)) {
            sl_buf_printf(&mistakes, "AMQP_URL: %s\n", err.text);
        }
    }
    if (mistakes.used_bytes > 0) {
        sl_conf_tell_mistakes(reload->log, &mistakes);
        return;
    }
    /* Whatever the level is by now: an operator waits for this line. */
    sl_loss(reload->log, SL_INFO, "process.reloaded", "the configuration was read again",
            sl_str("changed", shown(&plan.changed)),
            sl_str("needs_restart", shown(&plan.needs_restart)),
            sl_int("secrets", (int64_t)pub_config_secrets(reload->config)));
}

/* What is fine for a start and not for a change: a flag that is not in force yet must not take the secrets away. */
static void check(const struct pub_reload *reload, const struct pub_config *fresh,
                  struct sl_buf *mistakes)
{
    if (mistakes->used_bytes == 0 && reload->config->flag_billing &&
        fresh->secret_warning[0] != '\0') {
        sl_buf_printf(mistakes, "%s\n", fresh->secret_warning);
    }
}

/* All or nothing: what can fail comes first. */
static bool apply(struct pub_reload *reload, struct pub_config *fresh,
                  const struct pub_reload_plan *plan, struct sl_err *err)
{
    struct pub_config *config = reload->config;
    SL_DONE(pub_lanes_keys_done) struct pub_lanes_keys keys = { .count = 0 };
    if (!pub_lanes_keys_make(&keys, reload->lanes, fresh, err) ||
        (plan->has_amqp && !change_broker(reload, fresh, err))) {
        return false;
    }
    pub_lanes_keys_swap(&keys, reload->lanes, plan->secret_places, plan->secret_count);
    for (size_t i = 0; i < plan->secret_count; i++) {
        pub_config_swap_secrets(config, fresh, plan->secret_places[i]);
    }
    if (plan->has_tokens) {
        config->tokens = fresh->tokens;
    }
    if (plan->has_origin) {
        memcpy(config->origin.secrets, fresh->origin.secrets, sizeof config->origin.secrets);
        config->origin.secret_count = fresh->origin.secret_count;
    }
    if (plan->has_sentry) {
        config->sentry = fresh->sentry;
        sl_sentry_set_dsn(reload->sentry, &config->sentry);
    }
    struct sl_span names = sl_buf_span(&plan->changed);
    struct sl_span name = { 0 };
    while (sl_span_split(&names, ',', &name)) {
        for (size_t i = 0; i < SL_COUNT(reloadable); i++) {
            if (sl_span_is(sl_span_trim(name), reloadable[i].name)) {
                pub_config_swap(config, fresh, reloadable[i].name);
            }
        }
    }
    pub_levels_set(reload->levels, (enum sl_level)config->log_level, BY_RELOAD);
    pub_levels_set_degraded(reload->levels, (enum sl_level)config->degraded_log_level, BY_RELOAD);
    return true;
}

/* Each lane has a link of its own; should there be memory for some only, those go over, and the next reload takes the rest. */
static bool change_broker(struct pub_reload *reload, struct pub_config *fresh, struct sl_err *err)
{
    for (size_t i = 1; i < reload->lanes->count; i++) {
        SL_DONE(sl_amqp_url_done) struct sl_amqp_url url = { .host_count = 0 };
        if (!pub_config_amqp(fresh, &url, err) ||
            !pub_intake_change_broker(reload->lanes->items[i].intake, &url, err)) {
            return false;
        }
    }
    return pub_intake_change_broker(reload->lanes->items[0].intake, &fresh->amqp, err);
}

void pub_reload_compare(const struct pub_config *now, const struct pub_config *fresh,
                        struct pub_reload_plan *out_plan)
{
    const char *names[PUB_CONFIG_KEYS_MAX];
    size_t count = pub_config_changes(now, fresh, names);
    *out_plan = (struct pub_reload_plan){ .has_amqp = false };
    sl_buf_init(&out_plan->changed, NAMES_BYTES_MAX);
    sl_buf_init(&out_plan->needs_restart, NAMES_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        bool can = can_reload(now, fresh, names[i], out_plan);
        append_name(can ? &out_plan->changed : &out_plan->needs_restart, names[i]);
    }
    /* Under the same names the files may hold something new. */
    out_plan->has_amqp = out_plan->has_amqp || fresh->amqp_ca != NULL || fresh->amqp_cert != NULL;
    compare_sources(now, fresh, out_plan);
    compare_hashes(now, fresh, out_plan);
}

static bool can_reload(const struct pub_config *now, const struct pub_config *fresh,
                       const char *name, struct pub_reload_plan *plan)
{
    for (size_t i = 0; i < SL_COUNT(reloadable); i++) {
        if (strcmp(reloadable[i].name, name) != 0) {
            continue;
        }
        /* Sentry's client is made at the start, or not at all. */
        if (reloadable[i].kind == SENTRY && !(now->has_sentry && fresh->has_sentry)) {
            return false;
        }
        plan->has_amqp = plan->has_amqp || reloadable[i].kind == AMQP;
        plan->has_sentry = plan->has_sentry || reloadable[i].kind == SENTRY;
        return true;
    }
    return false;
}

/* By their hashes: that is all there is of them. */
static void compare_hashes(const struct pub_config *now, const struct pub_config *fresh,
                           struct pub_reload_plan *plan)
{
    plan->has_tokens = memcmp(&now->tokens, &fresh->tokens, sizeof now->tokens) != 0;
    plan->has_origin =
        now->origin.secret_count != fresh->origin.secret_count ||
        memcmp(now->origin.secrets, fresh->origin.secrets, sizeof now->origin.secrets) != 0;
    if (plan->has_tokens) {
        append_name(&plan->changed, "QUEUE_SERVICE_TOKEN_*");
    }
    if (plan->has_origin) {
        append_name(&plan->changed, "SLUICE_ORIGIN_SECRET");
    }
}

/* Secrets go into force; who posts and how is for a restart. */
static void compare_sources(const struct pub_config *now, const struct pub_config *fresh,
                            struct pub_reload_plan *plan)
{
    plan->secret_count = pub_config_secret_changes(now, fresh, plan->secret_places);
    for (size_t i = 0; i < plan->secret_count; i++) {
        const char *name = now->webhook_sources.items[plan->secret_places[i]].secret_name;
        if (strcmp(name, STRIPE_SECRET) != 0) { /* which is among the names already */
            append_name(&plan->changed, name);
        }
    }
    if (!sl_sources_equal(&now->webhook_sources, &fresh->webhook_sources)) {
        append_name(&plan->needs_restart, "SLUICE_SOURCES");
    }
}

static void append_name(struct sl_buf *names, const char *name)
{
    sl_buf_printf(names, "%s%s", names->used_bytes == 0 ? "" : ", ", name);
}

void pub_reload_plan_done(struct pub_reload_plan *plan)
{
    sl_buf_done(&plan->changed);
    sl_buf_done(&plan->needs_restart);
}

/* NULL leaves the field out. */
static const char *shown(const struct sl_buf *names)
{
    return names->used_bytes == 0 ? NULL : names->data;
}

/* One line with every mistake in a field of its own, as far as a line goes; the number is that of all. */
