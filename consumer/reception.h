/*
 * reception - what becomes of a delivery as it arrives: held for a transaction, given back, or sent on untried.
 *
 * Sent on are two kinds that nobody is to look into now: what ended every process that looked into it (flight), to the dead letters; and what came before its
 * first try is due, to its delay.
 * Refuses: deciding when to take deliveries, and when to work on what is held.
 * Threads: one loop.
 */
#ifndef CONSUMER_RECEPTION_H
#define CONSUMER_RECEPTION_H

#include "consumer/batch.h"
#include "consumer/flight.h"
#include "consumer/onward.h"
#include "consumer/receipt.h"
#include "shared/subsystem/subsystems.h"

struct con_reception {
    const struct sl_subsystem *subsystem; /* borrowed, as everything here */
    struct con_flight *flight;            /* may be NULL */
    struct con_batch *batch;              /* holds a copy of what arrives */
    struct con_receipt *receipt;
    struct con_onward *onward;
};

/* Without memory it is given back. */
void con_reception_take(const struct con_reception *reception,
                        const struct sl_amqp_delivery *delivery);
/* Nothing is taken any more: it is given back. */
void con_reception_refuse(const struct con_reception *reception,
                          const struct sl_amqp_delivery *delivery);

#endif
