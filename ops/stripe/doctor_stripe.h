/*
 * doctor_stripe - `sluice doctor stripe`: does Stripe send here what we apply?
 *
 * Reads the webhook endpoints of the account and says of the one that leads to SLUICE_PUBLIC_URL whether it is registered, enabled, and asks for the event types that
 * billing applies; what is wrong comes with what to do. Changes nothing.
 * Threads: one loop at a time.
 */
#ifndef OPS_DOCTOR_STRIPE_H
#define OPS_DOCTOR_STRIPE_H

extern const char ops_doctor_stripe_usage[];
int ops_doctor_stripe(int argc, char **argv);

#endif
