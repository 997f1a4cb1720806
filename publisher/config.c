#include "publisher/config.h"

#include <stdio.h>

#define MISTAKES_BYTES_MAX (32u * 1024u)

#define SL_CONF(field, TYPE, ...) SL_CONF_ROW(struct pub_config, field, TYPE, __VA_ARGS__)
static const struct sl_conf_key keys[] = {
#include "publisher/config.def"
};
#undef SL_CONF

/* What a policy may be given for. */
static const char *const sources[] = { "stripe", NULL };

static void check_amqp(struct pub_config *config, struct sl_buf *mistakes);
static void load_stripe_secrets(struct pub_config *config, struct sl_buf *mistakes);
static bool add_stripe_secret(struct pub_config *config, struct sl_span secret,
                              const char **out_why);

bool pub_config_read(struct pub_config *config, char *const *environment, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_conf_source_init(&source, environment, &mistakes);
    sl_conf_read(keys, SL_COUNT(keys), &source, config, &mistakes);
    check_amqp(config, &mistakes);
    load_stripe_secrets(config, &mistakes);
    pub_policy_parse(config->degraded_policy, sources, &config->policies, &mistakes);
    if (config->port != 0) {
        snprintf(config->listen, sizeof config->listen, "0.0.0.0:%d", (int)config->port);
    } else if (config->http_listen != NULL) {
        snprintf(config->listen, sizeof config->listen, "%s", config->http_listen);
    }
    return sl_conf_verdict(&mistakes, err);
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
    const char *why = config->stripe_secrets == NULL
                          ? "must be set to the endpoint's signing secret (whsec_…)"
                          : NULL;
    struct sl_span rest = sl_span_of(config->stripe_secrets);
    struct sl_span secret = { 0 };
    while (why == NULL && sl_span_split(&rest, ',', &secret)) {
        add_stripe_secret(config, secret, &why);
    }
    if (why == NULL) {
        return;
    }
    if (config->flag_billing) {
        sl_buf_printf(mistakes, "STRIPE_WEBHOOK_SECRET: %s\n", why);
    } else {
        snprintf(config->secret_warning, sizeof config->secret_warning, "STRIPE_WEBHOOK_SECRET: %s",
                 why);
    }
}

static bool add_stripe_secret(struct pub_config *config, struct sl_span secret,
                              const char **out_why)
{
    *out_why = sl_stripe_secret_objection(secret);
    if (*out_why != NULL) {
        return false;
    }
    if (config->stripe_key_count == SL_STRIPE_SECRETS_MAX) {
        *out_why = "holds more than 8 secrets";
        return false;
    }
    struct sl_err why = { 0 };
    struct sl_hmac_key *key = sl_hmac_key_new(secret, &why);
    if (key == NULL) {
        *out_why = "could not be loaded into the digest library";
        return false;
    }
    config->stripe_keys[config->stripe_key_count++] = key;
    return true;
}

void pub_config_done(struct pub_config *config)
{
    for (size_t i = 0; i < config->stripe_key_count; i++) {
        sl_hmac_key_free(config->stripe_keys[i]);
    }
    config->stripe_key_count = 0;
    sl_amqp_url_done(&config->amqp);
    sl_conf_done(keys, SL_COUNT(keys), config);
}

void pub_config_help(struct sl_buf *out)
{
    sl_conf_help(keys, SL_COUNT(keys), out);
}
