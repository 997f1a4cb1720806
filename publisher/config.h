/*
 * config - what the publisher is told at start: keys of publisher/config.def, parsed and checked.
 *
 * Refuses to start on an unsafe webhook secret; with FLAG_QUEUE_BILLING=false that is a warning and billing routes answer 503.
 * Threads: read once; const afterwards.
 */
#ifndef PUBLISHER_CONFIG_H
#define PUBLISHER_CONFIG_H

#include "publisher/policy.h"
#include "shared/amqp_url.h"
#include "shared/conf.h"
#include "shared/stripe_signature.h"

#define SL_CONF SL_CONF_FIELD
struct pub_config {
#include "publisher/config.def"
    struct sl_amqp_url amqp;
    char listen[80]; /* PORT or SLUICE_HTTP_LISTEN */
    struct sl_hmac_key *stripe_keys[SL_STRIPE_SECRETS_MAX];
    size_t stripe_key_count;
    struct pub_policy_list policies; /* the parsed degraded_policy */
    char
        secret_warning[160]; /* why billing cannot run although the start goes on; "" when it can */
};
#undef SL_CONF

/* environment: NAME=value, NULL-terminated. All mistakes go to stderr at once; SL_E_CONFIG. */
bool pub_config_read(struct pub_config *config, char *const *environment,
                     struct sl_err *err) SL_MUST;
/* Wipes secrets. Accepts zeroed storage. */
void pub_config_done(struct pub_config *config);
/* Appends the table of keys for --help. */
void pub_config_help(struct sl_buf *out);

#endif
