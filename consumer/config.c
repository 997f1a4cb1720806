#include "consumer/config.h"

#include "shared/amqp/amqp_papers.h"
#include "shared/embed.h"
#include "shared/nearest.h"

#define SL_CONF(field, TYPE, ...) SL_CONF_ROW(struct con_config, field, TYPE, __VA_ARGS__)
static const struct sl_conf_key keys[] = {
#include "consumer/config.def"
};
#undef SL_CONF

extern const struct sl_embedded embedded_default_subsystems[];

static void check_database(struct con_config *config, struct sl_buf *mistakes);
static void load_subsystems(struct con_config *config, const struct con_options *options,
                            const struct sl_conf_source *source, struct sl_buf *mistakes);
static void set_defaults(struct con_config *config);
static void check_sentry(struct con_config *config, struct sl_buf *mistakes);
static void read_targets(struct con_config *config, const struct sl_conf_source *source,
                         struct sl_buf *mistakes);
static void choose(struct con_config *config, const char *name, struct sl_buf *mistakes);

bool con_config_read(struct con_config *config, const struct con_options *options,
                     char *const *environment, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    sl_buf_init(&mistakes, CON_CONFIG_MISTAKES_BYTES_MAX);
    con_config_reread(config, options, environment, &mistakes);
    return sl_conf_verdict(&mistakes, err);
}

void con_config_reread(struct con_config *config, const struct con_options *options,
                       char *const *environment, struct sl_buf *mistakes)
{
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_conf_source_init(&source, environment, mistakes);
    sl_conf_read(keys, SL_COUNT(keys), &source, config, mistakes);
    const struct sl_tls_papers papers = { .ca = config->amqp_ca,
                                          .certificate = config->amqp_cert,
                                          .key = config->amqp_key };
    sl_amqp_papers_read(config->amqp_url, &papers, &config->amqp, mistakes);
    check_database(config, mistakes);
    load_subsystems(config, options, &source, mistakes);
    read_targets(config, &source, mistakes);
    check_sentry(config, mistakes);
    sl_stripe_keys_choose(&config->stripe, config->stripe_key, config->stripe_restricted_key,
                          mistakes);
    if (config->db_breaker_probe > config->db_breaker_probe_max) {
        sl_buf_append_text(mistakes,
                           "SLUICE_DB_BREAKER_PROBE: is above SLUICE_DB_BREAKER_PROBE_MAX\n");
    }
}

static void check_database(struct con_config *config, struct sl_buf *mistakes)
{
    if (config->database_url == NULL) {
        sl_buf_append_text(mistakes, "DATABASE_URL: must be set, e.g. "
                                     "postgres://user:password@host:5432/database\n");
    }
}

static void load_subsystems(struct con_config *config, const struct con_options *options,
                            const struct sl_conf_source *source, struct sl_buf *mistakes)
{
    sl_subsystems_load(config->subsystems, sl_embedded_span(&embedded_default_subsystems[0]),
                       &config->described, mistakes);
    sl_subsystems_switch(&config->described, source);
    set_defaults(config);
    for (size_t i = 0; i < options->name_count; i++) {
        choose(config, options->names[i], mistakes);
    }
    for (size_t i = 0; i < config->described.count && options->name_count == 0; i++) {
        if (config->described.items[i].enabled) {
            config->chosen[config->chosen_count++] = &config->described.items[i];
        }
    }
    if (config->chosen_count == 0 && config->described.count > 0 && options->name_count == 0) {
        sl_buf_append_text(mistakes, "SLUICE_SUBSYSTEMS: no subsystem is enabled; enable one or "
                                     "name it as an argument\n");
    }
}

/* A section that wants Sentry told needs a Sentry. */
static void check_sentry(struct con_config *config, struct sl_buf *mistakes)
{
    config->has_sentry = sl_sentry_dsn_choose(config->sentry_dsn, config->sentry_dsn_queue,
                                              &config->sentry, mistakes);
    bool is_named = config->sentry_dsn != NULL || config->sentry_dsn_queue != NULL;
    for (size_t i = 0; i < config->chosen_count && !is_named; i++) {
        if (config->chosen[i]->on_trip.kind == SL_CALL_SENTRY) {
            sl_buf_printf(mistakes,
                          "SENTRY_DSN: must be set, as section [%s] says on-trip = sentry\n",
                          config->chosen[i]->name);
            return;
        }
    }
}

static void read_targets(struct con_config *config, const struct sl_conf_source *source,
                         struct sl_buf *mistakes)
{
    for (size_t i = 0; i < config->chosen_count; i++) {
        con_target_read(&config->targets[i], config->chosen[i], source, mistakes);
    }
}

/* Of the environment, for sections that do not say it themselves. */
static void set_defaults(struct con_config *config)
{
    for (size_t i = 0; i < config->described.count; i++) {
        struct sl_subsystem *item = &config->described.items[i];
        if (!sl_subsystem_says(item, SL_SUBSYSTEM_SAYS_attempts)) {
            item->attempts = (uint16_t)config->default_attempts;
        }
        if (!sl_subsystem_says(item, SL_SUBSYSTEM_SAYS_backoff_ms)) {
            item->backoff_ms = config->backoff_ms;
        }
    }
}

static void choose(struct con_config *config, const char *name, struct sl_buf *mistakes)
{
    const struct sl_subsystem *subsystem = sl_subsystems_find(&config->described, sl_span_of(name));
    if (subsystem != NULL) {
        config->chosen[config->chosen_count++] = subsystem;
        return;
    }
    const char *names[SL_SUBSYSTEMS_MAX];
    for (size_t i = 0; i < config->described.count; i++) {
        names[i] = config->described.items[i].name;
    }
    const char *nearest = sl_nearest(sl_span_of(name), names, config->described.count);
    sl_buf_printf(mistakes, "argument \"%s\": there is no such subsystem%s%s%s\n", name,
                  nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                  nearest == NULL ? "" : "?");
}

void con_config_done(struct con_config *config)
{
    sl_amqp_url_done(&config->amqp);
    for (size_t i = 0; i < config->chosen_count; i++) {
        con_target_done(&config->targets[i]);
    }
    sl_subsystems_done(&config->described);
    sl_conf_done(keys, SL_COUNT(keys), config);
}

void con_config_help(struct sl_buf *out)
{
    sl_conf_help(keys, SL_COUNT(keys), out);
}
