/*
 * doctor_broker - the way to the broker, layer by layer, as far as a confirmed publish; and whether the broker says that it is unwell.
 *
 * Threads: one.
 */
#ifndef OPS_DOCTOR_BROKER_H
#define OPS_DOCTOR_BROKER_H

int ops_doctor_broker(int argc, char **argv);

extern const char ops_doctor_broker_usage[];

#endif
