#include "publisher/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/amqp/amqp_papers.h"
#include "shared/listen.h"
#include "shared/signature/sources_read.h"

#define SL_CONF(field, TYPE, ...) SL_CONF_ROW(struct pub_config, field, TYPE, __VA_ARGS__)
static const struct sl_conf_key keys[] = {
#include "publisher/config.def"
};
#undef SL_CONF

static void check_doors(const struct pub_config *config, struct sl_buf *mistakes);
static void load_sources(struct pub_config *config, const struct sl_conf_source *source,
                         struct sl_buf *mistakes);
static char *read_secrets(const struct pub_config *config, const struct sl_conf_source *source,
                          const char *name, struct sl_buf *mistakes);
static void parse_policies(struct pub_config *config, struct sl_buf *mistakes);
static void check_sentry(struct pub_config *config, struct sl_buf *mistakes);
static void check_times(const struct pub_config *config, struct sl_buf *mistakes);
static void load_tokens(struct pub_config *config, struct sl_buf *mistakes);
static void load_origin(struct pub_config *config, struct sl_buf *mistakes);
static void wipe(char **text);
static const struct sl_conf_key *find(const char *name);

bool pub_config_read(struct pub_config *config, char *const *environment, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    sl_buf_init(&mistakes, PUB_CONFIG_MISTAKES_BYTES_MAX);
    pub_config_load(config, environment, &mistakes);
    return sl_conf_verdict(&mistakes, err);
}

void pub_config_load(struct pub_config *config, char *const *environment, struct sl_buf *mistakes)
{
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_conf_source_init(&source, environment, mistakes);
    sl_conf_read(keys, SL_COUNT(keys), &source, config, mistakes);
    const struct sl_tls_papers papers = { .ca = config->amqp_ca,
                                          .certificate = config->amqp_cert,
                                          .key = config->amqp_key };
    sl_amqp_papers_read(config->amqp_url, &papers, &config->amqp, mistakes);
    load_sources(config, &source, mistakes);
    check_sentry(config, mistakes);
    sl_stripe_keys_choose(&config->stripe, config->stripe_key, config->stripe_restricted_key,
                          mistakes);
    check_times(config, mistakes);
    load_tokens(config, mistakes);
    load_origin(config, mistakes);
    parse_policies(config, mistakes);
    if (config->port != 0) {
        snprintf(config->listen, sizeof config->listen, "0.0.0.0:%d", (int)config->port);
    } else if (config->http_listen != NULL) {
        snprintf(config->listen, sizeof config->listen, "%s", config->http_listen);
    }
    check_doors(config, mistakes);
}

static void check_doors(const struct pub_config *config, struct sl_buf *mistakes)
{
    const struct {
        const char *name;
        const char *address;
    } listens[] = {
        { "SLUICE_HTTP_LISTEN", config->http_listen },
        { "SLUICE_HTTPS_LISTEN", config->https_listen },
        { "SLUICE_METRICS_LISTEN", config->metrics_listen },
    };
    for (size_t i = 0; i < SL_COUNT(listens); i++) {
        const char *objection =
            listens[i].address == NULL ? NULL : sl_listen_objection(listens[i].address);
        if (objection != NULL) {
            sl_buf_printf(mistakes, "%s: \"%.120s\" %s\n", listens[i].name, listens[i].address,
                          objection);
        }
    }
    bool has_pair = config->tls_cert != NULL && config->tls_key != NULL;
    bool has_any =
        config->tls_cert != NULL || config->tls_key != NULL || config->tls_client_ca != NULL;
    if (config->https_listen != NULL && !has_pair) {
        sl_buf_append_text(mistakes,
                           "SLUICE_HTTPS_LISTEN: needs SLUICE_TLS_CERT and SLUICE_TLS_KEY\n");
    } else if (config->https_listen == NULL && has_any) {
        sl_buf_append_text(mistakes, "SLUICE_TLS_CERT, SLUICE_TLS_KEY, SLUICE_TLS_CLIENT_CA: are "
                                     "used by SLUICE_HTTPS_LISTEN only, which is not set\n");
    }
}

bool pub_config_amqp(const struct pub_config *config, struct sl_amqp_url *out_url,
                     struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    struct sl_amqp_url url = { .host_count = 0 };
    if (!sl_amqp_url_parse(config->amqp_url, &url, err)) {
        return false;
    }
    sl_buf_init(&mistakes, PUB_CONFIG_MISTAKES_BYTES_MAX);
    sl_amqp_papers_set(&url, &config->amqp.papers, &mistakes);
    if (mistakes.used_bytes > 0) {
        sl_amqp_url_done(&url);
        return sl_fail(err, SL_E_CONFIG, "%.*s", SL_SPAN_ARGS(sl_buf_span(&mistakes)));
    }
    *out_url = url;
    return true;
}

bool pub_config_keys(const struct pub_config *config, struct pub_keyring keyrings[SL_SOURCES_MAX],
                     struct sl_err *err)
{
    for (size_t i = 0; i < config->webhook_sources.count; i++) {
        const char *why = NULL;
        if (config->signing[i].keyring.count > 0 &&
            !pub_keyring_load(&keyrings[i], &config->webhook_sources.items[i].scheme,
                              config->signing[i].secrets, &why)) {
            while (i-- > 0) {
                pub_keyring_done(&keyrings[i]);
            }
            return sl_fail(err, SL_E_MEMORY, "signing keys of another loop: %s", why);
        }
    }
    return true;
}

/* Every enabled source needs safe secrets, but for Stripe while billing is switched off. */
static void load_sources(struct pub_config *config, const struct sl_conf_source *source,
                         struct sl_buf *mistakes)
{
    sl_sources_load(config->sources_file, &config->webhook_sources, mistakes);
    for (size_t i = 0; i < config->webhook_sources.count; i++) {
        const struct sl_source *rules = &config->webhook_sources.items[i];
        const char *why = NULL;
        if (!rules->enabled || rules->scheme.name == NULL) {
            continue; /* what the file says wrongly was said */
        }
        config->signing[i].secrets = read_secrets(config, source, rules->secret_name, mistakes);
        if (pub_keyring_load(&config->signing[i].keyring, &rules->scheme,
                             config->signing[i].secrets, &why)) {
            continue;
        }
        bool may_wait = strcmp(rules->name, SL_SOURCE_STRIPE) == 0 && !config->flag_billing;
        if (may_wait) {
            snprintf(config->secret_warning, sizeof config->secret_warning, "%s: %s",
                     rules->secret_name, why);
        } else {
            sl_buf_printf(mistakes, "%s: %s\n", rules->secret_name, why);
        }
    }
}

/* Stripe's has a key of its own, so that --help knows it. */
static char *read_secrets(const struct pub_config *config, const struct sl_conf_source *source,
                          const char *name, struct sl_buf *mistakes)
{
    if (strcmp(name, "STRIPE_WEBHOOK_SECRET") != 0) {
        return sl_conf_secret(source, name, mistakes);
    }
    return config->stripe_secrets == NULL ? NULL : strdup(config->stripe_secrets);
}

static void parse_policies(struct pub_config *config, struct sl_buf *mistakes)
{
    const char *names[SL_SOURCES_MAX + 2];
    size_t count = 0;
    for (size_t i = 0; i < config->webhook_sources.count; i++) {
        names[count++] = config->webhook_sources.items[i].name;
    }
    names[count++] = SL_SOURCE_INTERNAL;
    names[count] = NULL;
    pub_policy_parse(config->degraded_policy, names, &config->policies, mistakes);
}

static void check_sentry(struct pub_config *config, struct sl_buf *mistakes)
{
    config->has_sentry = sl_sentry_dsn_choose(config->sentry_dsn, config->sentry_dsn_queue,
                                              &config->sentry, mistakes);
}

/* Values that could not be read are 0 and have their own mistake. */
static void check_times(const struct pub_config *config, struct sl_buf *mistakes)
{
    if (config->answer_timeout > 0 && config->answer_timeout <= config->confirm_timeout) {
        sl_buf_printf(mistakes,
                      "SLUICE_ANSWER_TIMEOUT: must be longer than SLUICE_CONFIRM_TIMEOUT, or "
                      "nothing is left for the journal\n");
    }
}

static void load_tokens(struct pub_config *config, struct sl_buf *mistakes)
{
    const struct {
        enum pub_caller caller;
        const char *name;
        char **text;
    } rows[] = {
        { PUB_CALLER_CONSOLE, "QUEUE_SERVICE_TOKEN_CONSOLE", &config->token_console },
        { PUB_CALLER_RAPTOR, "QUEUE_SERVICE_TOKEN_RAPTOR", &config->token_raptor },
        { PUB_CALLER_CRON, "QUEUE_SERVICE_TOKEN_CRON", &config->token_cron },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        pub_tokens_add(&config->tokens, rows[i].caller, rows[i].name, *rows[i].text, mistakes);
        wipe(rows[i].text);
    }
}

/* A guard that nobody can pass is a way to close the door, so it is said, not refused. */
static void load_origin(struct pub_config *config, struct sl_buf *mistakes)
{
    config->origin.mode = (enum pub_origin_mode)config->origin_guard;
    const char *item = pub_cidrs_parse(config->trusted_proxies, &config->origin.proxies);
    if (item != NULL) {
        sl_buf_printf(
            mistakes,
            "SLUICE_TRUSTED_PROXIES: \"%.*s\" is not a network such as 10.0.0.0/8 (at most %u)\n",
            (int)strcspn(item, ", \t"), item, PUB_CIDRS_MAX);
    }
    const char *why = pub_origin_set_secrets(&config->origin, config->origin_secret);
    if (why != NULL) {
        sl_buf_printf(mistakes, "SLUICE_ORIGIN_SECRET: %s\n", why);
    }
    wipe(&config->origin_secret);
    if (config->origin.mode != PUB_ORIGIN_OFF && config->origin.proxies.count == 0 &&
        config->origin.secret_count == 0) {
        snprintf(config->origin_warning, sizeof config->origin_warning,
                 "FLAG_ENFORCE_QUEUE_CF_ORIGIN=%s: without SLUICE_TRUSTED_PROXIES or "
                 "SLUICE_ORIGIN_SECRET no request %s",
                 config->origin.mode == PUB_ORIGIN_REPORT ? "report" : "true",
                 config->origin.mode == PUB_ORIGIN_REPORT ? "would pass; each is let in and counted"
                                                          : "passes");
    }
}

static void wipe(char **text)
{
    if (*text != NULL) {
        explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL;
    }
}

void pub_config_done(struct pub_config *config)
{
    for (size_t i = 0; i < SL_SOURCES_MAX; i++) {
        pub_keyring_done(&config->signing[i].keyring);
        wipe(&config->signing[i].secrets);
    }
    sl_amqp_url_done(&config->amqp);
    sl_conf_done(keys, SL_COUNT(keys), config);
}

size_t pub_config_changes(const struct pub_config *a, const struct pub_config *b,
                          const char *out_names[PUB_CONFIG_KEYS_MAX])
{
    _Static_assert(SL_COUNT(keys) <= PUB_CONFIG_KEYS_MAX, "every key finds room");
    size_t count = 0;
    for (size_t i = 0; i < SL_COUNT(keys); i++) {
        if (sl_conf_differs(&keys[i], a, b)) {
            out_names[count++] = keys[i].env;
        }
    }
    return count;
}

size_t pub_config_secret_changes(const struct pub_config *a, const struct pub_config *b,
                                 size_t out_places[SL_SOURCES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < a->webhook_sources.count && i < b->webhook_sources.count; i++) {
        const struct sl_source *was = &a->webhook_sources.items[i];
        const struct sl_source *is = &b->webhook_sources.items[i];
        if (strcmp(was->name, is->name) != 0 || strcmp(was->secret_name, is->secret_name) != 0) {
            continue; /* another source: for a restart */
        }
        const char *before = a->signing[i].secrets;
        const char *after = b->signing[i].secrets;
        if ((before == NULL) != (after == NULL) || (before != NULL && strcmp(before, after) != 0)) {
            out_places[count++] = i;
        }
    }
    return count;
}

size_t pub_config_secrets(const struct pub_config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->webhook_sources.count; i++) {
        count += config->signing[i].keyring.count;
    }
    return count;
}

void pub_config_swap_secrets(struct pub_config *a, struct pub_config *b, size_t place)
{
    char *held = a->signing[place].secrets;
    a->signing[place].secrets = b->signing[place].secrets;
    b->signing[place].secrets = held;
    pub_keyring_swap(&a->signing[place].keyring, &b->signing[place].keyring);
}

void pub_config_swap(struct pub_config *a, struct pub_config *b, const char *name)
{
    sl_conf_swap(find(name), a, b);
}

static const struct sl_conf_key *find(const char *name)
{
    size_t i = 0;
    while (strcmp(keys[i].env, name) != 0) {
        i++;
        SL_ASSERT(i < SL_COUNT(keys));
    }
    return &keys[i];
}

void pub_config_help(struct sl_buf *out)
{
    sl_conf_help(keys, SL_COUNT(keys), out);
}
