/*
 * doctor_broker - the way to the broker, layer by layer, as far as a confirmed publish; and whether the broker says that it is unwell.
 *
 * The publish goes to no queue (an empty exchange, a name that nobody has), so that its confirm proves the way and nothing is left behind.
 * Threads: one.
 */
#ifndef OPS_DOCTOR_BROKER_H
#define OPS_DOCTOR_BROKER_H

int ops_doctor_broker(int argc, char **argv);

extern const char ops_doctor_broker_usage[];

#endif
