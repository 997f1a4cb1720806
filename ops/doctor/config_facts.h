/*
 * config_facts - what the configuration alone tells: secrets, tokens, keys of Stripe's and their modes, policy, guard, Sentry, login.
 *
 * Decides only: parsed values in, facts out. Never repeats a value of a secret.
 * Threads: no state.
 */
#ifndef OPS_DOCTOR_CONFIG_FACTS_H
#define OPS_DOCTOR_CONFIG_FACTS_H

#include "ops/doctor/check.h"
#include "ops/doctor/deployed.h"
#include "shared/amqp/amqp_url.h"

struct ops_config_seen {
    const struct ops_deployed *deployed;
    const char *environment;        /* "production", …; NULL: nobody says */
    const char *restricted;         /* STRIPE_RESTRICTED_KEY; NULL: unset */
    const char *publishable;        /* STRIPE_PUBLISHABLE_KEY */
    const struct sl_amqp_url *amqp; /* NULL: none that can be read */
};

void ops_config_facts(const struct ops_config_seen *seen, struct ops_facts *facts);

#endif
