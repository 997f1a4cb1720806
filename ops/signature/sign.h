/*
 * sign - `sluice sign` and `sluice verify`: Stripe's signature made and judged by hand, offline.
 *
 * The secret comes from --secret-file, the environment or the local stack, never from a flag, and is never printed.
 * Threads: one.
 */
#ifndef OPS_SIGN_H
#define OPS_SIGN_H

int ops_sign(int argc, char **argv);
int ops_verify(int argc, char **argv);

#endif
