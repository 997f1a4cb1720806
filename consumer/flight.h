/*
 * flight - which events a worker has in its hands, in a file that outlives the process.
 *
 * An event can kill the process that reads it. It comes again and kills the next one, and takes its neighbours' deliveries along each time, until the
 * broker gives all of them up. So the keys of a batch are written down before anything looks into it, and taken out when it has ended. What an
 * earlier life left behind is suspected, and tried alone, one at a time, until it is through. One that was alone CON_FLIGHT_ALONE_MAX times when the
 * process ended is parked unseen. (More than once, since a process may be killed by others, at any moment.)
 * The file is mapped memory: a write costs no system call and survives the process, though not the machine, which is enough.
 * Without a usable folder there is no flight and everything else works: NULL is accepted by every function.
 * Refuses: telling a crash from a kill.
 * Threads: one worker; a file has one owner.
 */
#ifndef CONSUMER_FLIGHT_H
#define CONSUMER_FLIGHT_H

#include "consumer/batch.h"

#define CON_FLIGHT_ALONE_MAX 2u

struct con_flight;

/* The file DIR/NAME.inflight. isolate_max: after so many events nothing is tried alone any more, since what is suspected went elsewhere. */
struct con_flight *con_flight_open(const char *dir, const char *name, size_t isolate_max,
                                   struct sl_err *err) SL_MUST;
void con_flight_free(struct con_flight *flight);

/* These are looked into from now on. */
void con_flight_begin(struct con_flight *flight, struct con_delivery *const *deliveries,
                      size_t count);
/* They are held for now; and they are looked into again, as far as they are not settled. */
void con_flight_pause(struct con_flight *flight);
void con_flight_resume(struct con_flight *flight);
/* Nobody looks into them any more. They are cleared of suspicion. */
void con_flight_end(struct con_flight *flight);

/* Events left by an earlier life that are still suspected. */
size_t con_flight_suspects(const struct con_flight *flight);
/* One event at a time. */
bool con_flight_is_isolating(const struct con_flight *flight);
/* It ends every process that looks at it. Known by its message id, else by its bytes; nothing is decoded for it. */
bool con_flight_is_deadly(const struct con_flight *flight, const struct con_delivery *delivery);

#endif
