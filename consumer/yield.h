/*
 * yield - how class = backfill makes way for class = realtime within a process.
 *
 * Decides only. Law: while events of a realtime section are in hand, a worker of a backfill section begins a transaction CON_YIELD_MS after its last one at the
 * earliest, so it never stands still; otherwise at once.
 * Threads: one worker.
 */
#ifndef CONSUMER_YIELD_H
#define CONSUMER_YIELD_H

#include <stdbool.h>
#include <stdint.h>

#define CON_YIELD_MS 500

struct con_yield {
    int64_t begun_ms; /* the last transaction; 0: none yet */
};

/* How long to wait before the next transaction; 0: not at all. */
int64_t con_yield_wait_ms(const struct con_yield *yield, bool is_rush, int64_t now_ms);
void con_yield_begun(struct con_yield *yield, int64_t now_ms);

#endif
