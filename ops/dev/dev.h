/*
 * dev - `sluice dev`: the whole product on one machine, without a container, on loopback only.
 *
 *     sluice dev [--servers] [--demo [--count N] [--once]]
 *     sluice dev stop [NAME] | start NAME | status [-o json] | env | demo [--count N] | reset | rabbitmqctl ARG…
 *
 * Reads the arguments and hands over; the work is in dev_supervise, dev_control and dev_demo.
 * Never touches a RabbitMQ or Postgres of the system.
 * Threads: one.
 */
#ifndef OPS_DEV_H
#define OPS_DEV_H

/* As struct ops_command wants it. */
int ops_dev(int argc, char **argv);

/* Flags and verbs, for the command's help. */
extern const char ops_dev_usage[];

#endif
