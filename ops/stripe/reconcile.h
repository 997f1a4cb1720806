/*
 * reconcile - `sluice reconcile stripe`: what Stripe sent against what was applied; publishes only what is missing.
 *
 * Reads Stripe's list of events window by window, a page at a time, and asks the inbox and the dead letters about each page. What neither knows is missing: it is shown,
 * and with --yes published with confirm on the way every event takes, in portions that wait while live events do. Running it again is harmless: what was
 * published meanwhile and not applied yet is published once more, and the inbox applies it once.
 * Threads: one loop at a time.
 */
#ifndef OPS_RECONCILE_H
#define OPS_RECONCILE_H

extern const char ops_reconcile_usage[];
int ops_reconcile(int argc, char **argv);

#endif
