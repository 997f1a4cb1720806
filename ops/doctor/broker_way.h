/*
 * broker_way - goes the way from this machine to a confirmed publish, and says where it ends.
 *
 * The publish goes to no queue (an empty exchange, a name that nobody has), so that its confirm proves the way and nothing is left behind.
 * Threads: one; runs loops of its own.
 */
#ifndef OPS_BROKER_WAY_H
#define OPS_BROKER_WAY_H

#include "ops/broker.h"
#include "ops/doctor/broker_layer.h"

#define OPS_WAY_EXCHANGE "sluice.events"

/*
 * The first layer that fails, and why; OPS_LAYERS when none does. *out_broker is the connection when there is one, which the caller frees, else NULL.
 * SL_E_MEMORY and SL_E_CONFIG in `why` are no findings about the broker.
 */
enum ops_layer ops_broker_way(const struct ops_address *address, struct ops_broker **out_broker,
                              struct sl_err *why);

#endif
