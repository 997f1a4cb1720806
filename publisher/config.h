/*
 * config - what the publisher is told: keys of publisher/config.def, parsed and checked.
 *
 * Refuses an unsafe secret of any enabled source; with FLAG_QUEUE_BILLING=false that of Stripe is a warning and billing routes answer 503.
 * Threads: read at start, and again on SIGHUP by the loop that owns it (reload); const for everyone else.
 */
#ifndef PUBLISHER_CONFIG_H
#define PUBLISHER_CONFIG_H

#include "publisher/guard/keyring.h"
#include "publisher/guard/tokens.h"
#include "publisher/origin.h"
#include "publisher/policy.h"
#include "shared/amqp/amqp_url.h"
#include "shared/config/conf.h"
#include "shared/sentry/sentry_dsn.h"
#include "shared/signature/sources.h"
#include "shared/stripe/stripe_keys.h"

#define PUB_CONFIG_KEYS_MAX           64u
#define PUB_CONFIG_MISTAKES_BYTES_MAX (32u * 1024u)

#define SL_CONF SL_CONF_FIELD
struct pub_config {
#include "publisher/config.def"
    struct sl_amqp_url amqp;
    char listen[128];                  /* PORT or SLUICE_HTTP_LISTEN */
    struct sl_sources webhook_sources; /* the parsed file of sources */
    struct {
        char *secrets; /* owned; NULL: none */
        struct pub_keyring keyring;
    } signing[SL_SOURCES_MAX];   /* of each source, in their order */
    struct sl_sentry_dsn sentry; /* SENTRY_DSN_QUEUE, else SENTRY_DSN */
    bool has_sentry;
    struct sl_stripe_keys stripe; /* of Stripe's API; they borrow */
    struct pub_tokens tokens;     /* hashes; the texts are wiped once they are read */
    struct pub_origin origin;
    char origin_warning[192];        /* why nobody passes the guard; "" when somebody can */
    struct pub_policy_list policies; /* the parsed degraded_policy */
    char
        secret_warning[160]; /* why billing cannot run although the start goes on; "" when it can */
};
#undef SL_CONF

/* environment: NAME=value, NULL-terminated. All mistakes go to stderr at once; SL_E_CONFIG. */
bool pub_config_read(struct pub_config *config, char *const *environment,
                     struct sl_err *err) SL_MUST;
/* The same, with the mistakes appended ("NAME: what is wrong\n"); the storage must be zeroed, and is to be released either way. */
void pub_config_load(struct pub_config *config, char *const *environment, struct sl_buf *mistakes);
/* Wipes secrets. Accepts zeroed storage. */
void pub_config_done(struct pub_config *config);

/* The broker of the configuration once more, the caller's to release. */
bool pub_config_amqp(const struct pub_config *config, struct sl_amqp_url *out_url,
                     struct sl_err *err) SL_MUST;
/* The signing keys of each source once more, for another loop; all or none. Storage must be zeroed. */
bool pub_config_keys(const struct pub_config *config, struct pub_keyring keyrings[SL_SOURCES_MAX],
                     struct sl_err *err) SL_MUST;

/* Names of the keys whose values differ; the number of them. */
size_t pub_config_changes(const struct pub_config *a, const struct pub_config *b,
                          const char *out_names[PUB_CONFIG_KEYS_MAX]);
/* Each gets the other's value for a key, as it was written; what was parsed from it stays where it is. */
void pub_config_swap(struct pub_config *a, struct pub_config *b, const char *name);

/* The places of sources whose signing secrets differ; the number of them. */
size_t pub_config_secret_changes(const struct pub_config *a, const struct pub_config *b,
                                 size_t out_places[SL_SOURCES_MAX]);
/* How many signing secrets are in force, of all sources together. */
size_t pub_config_secrets(const struct pub_config *config);
/* Each gets the other's secrets and keys of a source. */
void pub_config_swap_secrets(struct pub_config *a, struct pub_config *b, size_t place);

/* Appends the table of keys for --help. */
void pub_config_help(struct sl_buf *out);

#endif
