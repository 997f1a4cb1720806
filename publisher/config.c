#include "publisher/config.h"

#include <stdio.h>

#include "shared/listen.h"

#define SL_CONF(field, TYPE, ...) SL_CONF_ROW(struct pub_config, field, TYPE, __VA_ARGS__)
static const struct sl_conf_key keys[] = {
#include "publisher/config.def"
};
#undef SL_CONF

/* What a policy may be given for. */
static const char *const sources[] = { "stripe", NULL };

static void check_doors(const struct pub_config *config, struct sl_buf *mistakes);
static void check_amqp(struct pub_config *config, struct sl_buf *mistakes);
static void load_stripe_secrets(struct pub_config *config, struct sl_buf *mistakes);
static void check_sentry(struct pub_config *config, struct sl_buf *mistakes);
static void check_times(const struct pub_config *config, struct sl_buf *mistakes);
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
    check_amqp(config, mistakes);
    load_stripe_secrets(config, mistakes);
    check_sentry(config, mistakes);
    check_times(config, mistakes);
    pub_policy_parse(config->degraded_policy, sources, &config->policies, mistakes);
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

static void check_amqp(struct pub_config *config, struct sl_buf *mistakes)
{
    struct sl_err why = { 0 };
    if (config->amqp_url == NULL) {
        sl_buf_append_text(mistakes,
                           "AMQP_URL: must be set, e.g. amqp://user:password@host:5672\n");
    } else if (!sl_amqp_url_parse(config->amqp_url, &config->amqp, &why)) {
        sl_buf_printf(mistakes, "AMQP_URL: %s\n", why.text);
    }
}

static void load_stripe_secrets(struct pub_config *config, struct sl_buf *mistakes)
{
    const char *why = NULL;
    if (pub_keyring_load(&config->stripe_keys, config->stripe_secrets, &why)) {
        return;
    }
    if (config->flag_billing) {
        sl_buf_printf(mistakes, "STRIPE_WEBHOOK_SECRET: %s\n", why);
    } else {
        snprintf(config->secret_warning, sizeof config->secret_warning, "STRIPE_WEBHOOK_SECRET: %s",
                 why);
    }
}

static void check_sentry(struct pub_config *config, struct sl_buf *mistakes)
{
    bool is_own = config->sentry_dsn_queue != NULL;
    const char *dsn = is_own ? config->sentry_dsn_queue : config->sentry_dsn;
    struct sl_err why = { 0 };
    if (dsn == NULL) {
        return;
    }
    config->has_sentry = sl_sentry_dsn_parse(dsn, &config->sentry, &why);
    if (!config->has_sentry) {
        sl_buf_printf(mistakes, "%s: %s\n", is_own ? "SENTRY_DSN_QUEUE" : "SENTRY_DSN", why.text);
    }
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

void pub_config_done(struct pub_config *config)
{
    pub_keyring_done(&config->stripe_keys);
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
