/*
 * preflight - `sluice preflight STAGING PROD`: what differs between two environments and must not, what does not and must, before a deployment.
 *
 * Reads two files and asks both databases what they are. Changes nothing, prints no value; with --gate it is the last step before a deployment, which goes on
 * only when nothing is wrong and a person has typed the phrase.
 * Threads: one.
 */
#ifndef OPS_DOCTOR_PREFLIGHT_H
#define OPS_DOCTOR_PREFLIGHT_H

int ops_preflight(int argc, char **argv);

extern const char ops_preflight_usage[];

#endif
