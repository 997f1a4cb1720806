/*
 * flight - which events a worker has in its hands, in a file that outlives the process.
 *
 * An event can kill the process that reads it. It comes again and kills the next one, and takes its neighbours' deliveries along each time, until the
 * broker gives all of them up. So the keys of a batch are written down before anything looks into it, and taken out when it has ended. What an
 * earlier life left behind is suspected, by all workers of the subsystem, since it comes again to any of them:
 *   1. it was in company: it is tried one at a time, while the other workers go on
 *   2. it was the only one in its worker's hands, and others had something in theirs: it is tried when nobody else in the process has anything in hand (con_flight_wait_ms)
 *   3. it was the only one in the process, CON_FLIGHT_ALONE_MAX times: it is parked unseen. (More than once, since a process may be killed by others, at any moment.)
 * Who is suspected and comes through is cleared.
 * The file is mapped memory: a write costs no system call and survives the process, though not the machine, which is enough.
 * Without a usable folder there is no flight and everything else works: NULL is accepted by every function.
 * Refuses: telling a crash from a kill; clocks.
 * Threads: one loop for all flights of a fleet; a file has one owner.
 */
#ifndef CONSUMER_FLIGHT_H
#define CONSUMER_FLIGHT_H

#include "consumer/batch.h"

#define CON_FLIGHT_ALONE_MAX 2u

/*
 * Who has to be alone waits so long, once more for each time it was alone when the process ended: so in every life the others have something done first, and who was never
 * tried goes before who is the likelier one. After that they begin nothing until it had its turn.
 */
#define CON_FLIGHT_GRACE_MS 250
#define CON_FLIGHT_LOOK_MS  10

struct con_flight;

/* The flights of one process. Zeroed: none. */
struct con_fleet {
    struct con_flight *first;
    const struct con_flight *solo; /* it wants to be the only one */
    int64_t solo_until_ms;         /* on the monotonic clock; a wish that is not renewed lapses */
};

struct con_flight_opts {
    struct con_fleet *fleet; /* borrowed, and outlives the flight */
    const char *dir;
    const char *name;      /* the worker's: the file is DIR/NAME.inflight */
    const char *subsystem; /* borrowed; workers of the same one have the same suspects */
    size_t
        isolate_max; /* after so many events nothing is tried alone any more, since what is suspected went elsewhere */
};

struct con_flight *con_flight_open(const struct con_flight_opts *opts, struct sl_err *err) SL_MUST;
void con_flight_free(struct con_flight *flight);

/* These are looked into from now on. */
void con_flight_begin(struct con_flight *flight, struct con_delivery *const *deliveries,
                      size_t count);
/* They are held for now; and they are looked into again, as far as they are not settled. */
void con_flight_pause(struct con_flight *flight);
void con_flight_resume(struct con_flight *flight);
/* Nobody looks into them any more. They are cleared of suspicion. */
void con_flight_end(struct con_flight *flight);
/* It went elsewhere, unseen or not: nobody looks out for it here. */
void con_flight_gone(struct con_flight *flight, const struct con_delivery *delivery);

/* Events left by an earlier life of this worker that are still suspected. */
size_t con_flight_suspects(const struct con_flight *flight);
/* One event at a time, and no more from the broker than that. */
bool con_flight_is_isolating(const struct con_flight *flight);
/* It ends every process that looks at it. Known by its message id, else by its bytes; nothing is decoded for it. */
bool con_flight_is_deadly(const struct con_flight *flight, const struct con_delivery *delivery);
/* It has to be the only one in the process: not in one batch with others. */
bool con_flight_is_narrow(const struct con_flight *flight, const struct con_delivery *delivery);
/* How long to wait before asking again whether a transaction that begins with this delivery may begin; 0: it may. */
int64_t con_flight_wait_ms(struct con_flight *flight, const struct con_delivery *delivery,
                           int64_t now_ms) SL_MUST;

#endif
