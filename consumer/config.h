/*
 * config - what the consumer is told at start: arguments, keys of consumer/config.def, and the file of subsystems.
 *
 * Every mistake of all three is said at once, with its place.
 * Threads: read at start and on SIGHUP, each time into a new one; const afterwards.
 */
#ifndef CONSUMER_CONFIG_H
#define CONSUMER_CONFIG_H

#include "consumer/options.h"
#include "consumer/targets.h"
#include "shared/amqp/amqp_url.h"
#include "shared/config/conf.h"
#include "shared/sentry/sentry_dsn.h"
#include "shared/stripe/stripe_keys.h"
#include "shared/subsystem/subsystems.h"

#define CON_CONFIG_MISTAKES_BYTES_MAX (64u * 1024u)

#define SL_CONF SL_CONF_FIELD
struct con_config {
#include "consumer/config.def"
    struct sl_amqp_url amqp;
    struct sl_subsystems described;
    const struct sl_subsystem *chosen[SL_SUBSYSTEMS_MAX]; /* those to run; point into described */
    struct con_target targets[SL_SUBSYSTEMS_MAX];         /* of chosen, by index */
    size_t chosen_count;
    struct sl_stripe_keys stripe; /* of Stripe's API; they borrow */
    bool has_sentry;
    struct sl_sentry_dsn sentry;
};
#undef SL_CONF

/* environment: NAME=value, NULL-terminated. All mistakes go to stderr at once; SL_E_CONFIG. */
bool con_config_read(struct con_config *config, const struct con_options *options,
                     char *const *environment, struct sl_err *err) SL_MUST;
/* The same without a word: every mistake is a line in `mistakes`, and without one it is right. */
void con_config_reread(struct con_config *config, const struct con_options *options,
                       char *const *environment, struct sl_buf *mistakes);
/* Wipes secrets. Accepts zeroed storage. */
void con_config_done(struct con_config *config);
/* Appends the table of keys for --help. */
void con_config_help(struct sl_buf *out);

#endif
