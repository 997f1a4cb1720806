/*
 * deployed - the environment as both daemons would read it, for the doctor and preflight.
 *
 * The tables of keys are the daemons' own (publisher/config.def, consumer/config.def); no code of theirs comes along.
 * Refuses: printing a value of a secret.
 * Threads: one owner.
 */
#ifndef OPS_DOCTOR_DEPLOYED_H
#define OPS_DOCTOR_DEPLOYED_H

#include "shared/config/conf.h"

#define SL_CONF SL_CONF_FIELD
struct ops_deployed_publisher {
#include "publisher/config.def"
};
struct ops_deployed_consumer {
#include "consumer/config.def"
};
#undef SL_CONF

struct ops_deployed {
    struct ops_deployed_publisher publisher;
    struct ops_deployed_consumer consumer;
};

/* environment: NAME=value, NULL-terminated. Fills what is right; every mistake is a line. Release with ops_deployed_done either way. */
void ops_deployed_read(struct ops_deployed *deployed, char *const *environment,
                       struct sl_buf *mistakes);
/* Accepts zeroed storage. */
void ops_deployed_done(struct ops_deployed *deployed);

/* The value of a secret, or what is in the file that <NAME>_FILE names: of the environment, else of the local stack. A copy, to be wiped and freed; NULL: unset. */
char *ops_deployed_secret(const char *name) SL_MUST;

/* The i-th key of either daemon, each name once; NULL behind the last. */
const struct sl_conf_key *ops_deployed_key(size_t i);

#endif
