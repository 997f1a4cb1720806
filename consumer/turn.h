/*
 * turn - whose transaction a worker begins next: live events, copies of a replay, or a rehearsal.
 *
 * Decides only. Law: live traffic comes first. While live events wait, a transaction of anything else begins CON_TURN_PAUSE_MS after the last such one ended at
 * the earliest, and not before CON_TURN_REST_TIMES as long have passed as that one took (at most CON_TURN_PAUSE_MS_MAX), so replays take a fifth of a worker at
 * most and never stand still. While no live event waits nobody waits for it. A rehearsal goes before a copy: somebody looks on, and it is one event.
 * Threads: one worker.
 */
#ifndef CONSUMER_TURN_H
#define CONSUMER_TURN_H

#include <stdbool.h>
#include <stdint.h>

#define CON_TURN_PAUSE_MS     500
#define CON_TURN_PAUSE_MS_MAX 10000
#define CON_TURN_REST_TIMES   4

enum con_turn { CON_TURN_LIVE, CON_TURN_REPLAY, CON_TURN_REHEARSAL };
#define CON_TURNS 3u

/* Of everything that is not live. */
struct con_turns {
    int64_t ended_ms; /* the last transaction; 0: none yet */
    int64_t took_ms;
};

struct con_turn_look {
    int64_t now_ms; /* > 0 */
    int64_t
        wait_us[CON_TURNS]; /* until a transaction of that turn should start; -1: nothing waits */
    bool
        is_isolating; /* each event is tried alone, whatever it is: what is suspected must have its turn */
};

/* Microseconds until the next transaction, *out_turn saying of what; -1: nothing waits. */
int64_t con_turn_next(const struct con_turns *turns, const struct con_turn_look *look,
                      enum con_turn *out_turn);
void con_turn_ended(struct con_turns *turns, enum con_turn turn, int64_t began_ms, int64_t now_ms);

#endif
