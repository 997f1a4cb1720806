/*
 * breaker - `sluice breaker list|trip|close`: event types that are not tried for now.
 *
 * An order is a row of sluice_control that every consumer follows within about two seconds (schemas/control.md). What is listed is what the running consumers
 * say of themselves in sluice_consumer, and what operators have ordered.
 * Threads: one.
 */
#ifndef OPS_BREAKER_H
#define OPS_BREAKER_H

int ops_breaker_list(int argc, char **argv);
int ops_breaker_trip(int argc, char **argv);
int ops_breaker_close(int argc, char **argv);

extern const char ops_breaker_list_usage[];
extern const char ops_breaker_trip_usage[];
extern const char ops_breaker_close_usage[];

#endif
