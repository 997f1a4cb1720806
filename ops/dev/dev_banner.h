/*
 * dev_banner - what a person can do with a stack that has just come up: lines to copy, complete with paths and ports.
 *
 * Goes to stdout. Shows the broker's password, which is random, made for this stack and good on loopback only.
 * Threads: no state.
 */
#ifndef OPS_DEV_BANNER_H
#define OPS_DEV_BANNER_H

#include "ops/dev/dev_home.h"
#include "ops/dev/dev_ports.h"

struct dev_banner {
    const struct dev_home *home;
    const uint16_t *ports; /* DEV_PORTS of them */
    const char *password;  /* of the broker's user sluice */
    bool servers_only;
};

void dev_banner_print(const struct dev_banner *banner);

#endif
