/*
 * lanes - all the loops that take requests: the first in the main thread, each other in a thread of its own (SLUICE_LOOPS).
 *
 * Happy path: open, start, … hold and release for a reload, … drain, stop, done.
 * Holding: every other loop comes to rest between two callbacks until it is released, so that the main thread may change what all of them read (keys, tokens,
 * addresses), or look at all of them at one moment. It takes as long as the longest callback; nothing is dropped, requests wait in their sockets.
 * Refuses: holding from another thread than the main one.
 * Threads: every function belongs to the main thread.
 */
#ifndef PUBLISHER_LANES_H
#define PUBLISHER_LANES_H

#include <pthread.h>

#include "publisher/lane.h"

struct pub_lane_letter {
    struct sl_letter letter; /* first */
    struct pub_lanes *lanes;
    struct pub_lane *lane;
};

struct pub_lanes {
    size_t count;
    struct pub_common common;
    struct pub_lane *items; /* owned: `count` of them */
    struct pub_lane_letter hold[PUB_LOOPS_MAX];
    struct pub_lane_letter order[PUB_LOOPS_MAX]; /* drain, then stop */
    struct pub_lane_letter beat[PUB_LOOPS_MAX];
    _Atomic bool is_beating[PUB_LOOPS_MAX]; /* asked whether it turns, and has not said so yet */
    pthread_t threads[PUB_LOOPS_MAX];
    size_t started; /* threads; the first lane has none of its own */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t held;  /* under lock: lanes at rest */
    bool is_held; /* under lock */
};

/* count lanes, the first in `loop`. common is copied, what is in it borrowed. */
bool pub_lanes_open(struct pub_lanes *lanes, size_t count, const struct pub_common *common,
                    struct sl_loop *loop, struct sl_err *err) SL_MUST;
/* Starts the threads of all but the first. */
bool pub_lanes_start(struct pub_lanes *lanes, struct sl_err *err) SL_MUST;

void pub_lanes_hold(struct pub_lanes *lanes);
void pub_lanes_release(struct pub_lanes *lanes);

/* Signing keys for every lane but the first, which uses the configuration's own. */
struct pub_lanes_keys {
    size_t count; /* of lanes */
    struct pub_keyring rings[PUB_LOOPS_MAX][SL_SOURCES_MAX];
};
/* Those of another configuration, not in force yet. Storage must be zeroed. */
bool pub_lanes_keys_make(struct pub_lanes_keys *keys, const struct pub_lanes *lanes,
                         const struct pub_config *config, struct sl_err *err) SL_MUST;
/* Puts those of some sources in force, and takes the old ones. While held. */
void pub_lanes_keys_swap(struct pub_lanes_keys *keys, struct pub_lanes *lanes, const size_t *places,
                         size_t place_count);
/* Wipes. Accepts zeroed storage. */
void pub_lanes_keys_done(struct pub_lanes_keys *keys);

/* Whether every lane has turned since this was asked last; asks again. */
bool pub_lanes_are_alive(struct pub_lanes *lanes);
void pub_lanes_drain(struct pub_lanes *lanes);
bool pub_lanes_are_drained(const struct pub_lanes *lanes);
/* Requests that are not answered, in all lanes. */
size_t pub_lanes_waiting(const struct pub_lanes *lanes);
/* All of them together, held for it. */
void pub_lanes_look(struct pub_lanes *lanes, struct pub_intake_state *out_state);

/* Ends the threads, when the first lane's loop has ended. Accepts zeroed storage. */
void pub_lanes_stop(struct pub_lanes *lanes);
/* Stops, and closes everything. Accepts zeroed or half-opened storage. */
void pub_lanes_done(struct pub_lanes *lanes);

#endif
