/*
 * topology_remedy - the commands with which a person brings the broker to where apply can help.
 *
 * An existing queue or exchange cannot be changed, only made anew; this tells how without losing an event. Quorum queues of RabbitMQ 3.10
 * refuse `--if-empty`, hence the order: unbind, let the consumer empty it, delete, apply.
 * Refuses: doing any of it.
 * Threads: no state.
 */
#ifndef OPS_TOPOLOGY_REMEDY_H
#define OPS_TOPOLOGY_REMEDY_H

#include "ops/topology/topology_tell.h"

/* Prints the steps for what differs and for extra bindings; nothing when there is neither. */
void ops_topology_tell_remedy(const struct ops_topology_report *report);

/* True for a binding between two things of ours that is not planned: its subsystem was disabled, or its pattern taken out. */
bool ops_topology_is_extra(const struct ops_topology_report *report,
                           const struct ops_binding *binding);

#endif
