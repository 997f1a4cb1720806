/*
 * topology_drift - what the broker's 406 says: which argument differs, what it is, what it should be.
 *
 * Decides only. Knows both wordings RabbitMQ 3.10 to 4.x uses:
 *   inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received '20' but current is '10'
 *   inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received none but current is the value 'drop-head' of type 'longstr'
 * Source: rabbitmq-server deps/rabbit/src/rabbit_misc.erl, assert_args_equivalence (v3.10).
 * Threads: no state.
 */
#ifndef OPS_TOPOLOGY_DRIFT_H
#define OPS_TOPOLOGY_DRIFT_H

#include "shared/amqp/amqp_link.h"

#define OPS_DRIFT_TEXT_BYTES 256u

struct ops_drift {
    char argument[OPS_DRIFT_TEXT_BYTES];
    char wanted[OPS_DRIFT_TEXT_BYTES];  /* "" when we want none */
    char current[OPS_DRIFT_TEXT_BYTES]; /* "" when the broker has none */
};

/* False when the text does not name an argument. */
bool ops_drift_parse(struct sl_span text, struct ops_drift *out);

/*
 * Copies *declare with the drifted argument as the broker has it, so that declaring again shows the next difference.
 * `arguments` is room for declare->argument_count + 1 of them. False when that cannot be expressed (durable, exclusive…).
 */
bool ops_drift_concede(const struct sl_amqp_declare *declare, const struct ops_drift *drift,
                       struct sl_amqp_header *arguments, struct sl_amqp_declare *out);

#endif
