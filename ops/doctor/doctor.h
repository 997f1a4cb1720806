/*
 * doctor - `sluice doctor`: everything that can be checked from here, each with a verdict and the exact fix.
 *
 * Changes nothing, needs none of the servers, and ends by itself: an edge that hangs costs its own deadline and says so.
 * Threads: one.
 */
#ifndef OPS_DOCTOR_DOCTOR_H
#define OPS_DOCTOR_DOCTOR_H

int ops_doctor(int argc, char **argv);

extern const char ops_doctor_usage[];

#endif
