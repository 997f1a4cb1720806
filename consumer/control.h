/*
 * control - what an operator can ask of a running consumer, and tell it: the commands of its control socket.
 *
 *     status                               what it has in hand, what is paused, its database's breaker
 *     database {state, reason, for_ms}     open: its database's breaker is tripped; closed: it is closed. Of this process alone, within a second
 *
 * Works with broker and database both down. Everything else is a row of sluice_control, which all consumers follow.
 * Threads: belongs to its loop.
 */
#ifndef CONSUMER_CONTROL_H
#define CONSUMER_CONTROL_H

#include "consumer/hand.h"
#include "shared/control/control.h"

#define CON_PROGRAM "sluice-consumer"

struct con_control {
    struct con_hand hand; /* what was told */
    const char *service;  /* borrowed */
    int64_t started_ms;   /* monotonic */
    /* Writes members into the answer's object: deliveries in hand, and an array of breakers that are not closed. */
    void (*look)(void *arg, struct sl_json_writer *json);
    void *arg;
};

/* The commands for sl_control_new; their arg is a struct con_control *. */
const struct sl_control_command *con_control_commands(size_t *out_count);

#endif
