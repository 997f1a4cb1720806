/*
 * dev_demo - the demonstration: sample events in, rows out, proved and timed.
 *
 * Sends signed sample events through `sluice trigger` to the running stack, waits until every accepted one is a row of
 * sluice_inbox, and shows what they became. The numbers are Postgres' own, read with psql. Then the same with the broker stopped.
 * Threads: one.
 */
#ifndef OPS_DEV_DEMO_H
#define OPS_DEV_DEMO_H

#include "ops/dev/dev_home.h"

/* 0 when all rows are there; otherwise the reason has been said. */
int dev_demo(const struct dev_home *home, unsigned count);

#endif
