/*
 * dev_kind - the four processes of the local stack, and what is the same for every run of each.
 *
 * Threads: no state.
 */
#ifndef OPS_DEV_KIND_H
#define OPS_DEV_KIND_H

#include <stdint.h>

#include "ops/dev/dev_ports.h"

enum dev_who { DEV_POSTGRES, DEV_RABBITMQ, DEV_PUBLISHER, DEV_CONSUMER, DEV_WHO_COUNT };

/* What is the same for every run. */
struct dev_kind {
    const char *name;
    const char *script;  /* of a server; NULL for a program of ours */
    const char *program; /* NULL for a server */
    enum dev_port port;  /* where it serves */
    enum dev_port ready; /* where /readyz is, programs only */
    int stop_signal;
    int kill_signal;
    int64_t stop_wait_ms;
};

/* "rabbitmq" and so on. */
const char *dev_who_name(enum dev_who who);
/* DEV_WHO_COUNT when there is no such name. */
enum dev_who dev_who_find(const char *name);
const struct dev_kind *dev_kind_of(enum dev_who who);

#endif
