/*
 * drift - `sluice reconcile stripe --objects`: the customers, subscriptions and invoices that Stripe has against the rows we have.
 *
 * Walks Stripe's lists page by page, newest first, and compares each page with the tables: an object without a row is missing, one whose row says something else differs (and in which
 * columns), a row that Stripe does not list is extra. What a row has no column for, children of invoices and links that Stripe renews are not compared. With --repair every such object is
 * published as it is now (shared/stripe/stripe_observed.h) on the way every event takes; the billing consumer applies it unless something newer is known.
 * Refuses: writing a table; judging what was created in the last two minutes.
 * Threads: one loop at a time.
 */
#ifndef OPS_DRIFT_H
#define OPS_DRIFT_H

int ops_drift(int argc, char **argv);

#endif
