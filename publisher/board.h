/*
 * board - how the broker is for every loop, and so for the publisher.
 *
 * Each loop has a link of its own and writes here how it is; all read what that makes together. The publisher is as well as the worst of its loops, for the
 * kernel decides which loop a sender meets: up only if every link is, degraded if one is.
 * Decides only.
 * Threads: any; changes are rare, and a lock keeps them.
 */
#ifndef PUBLISHER_BOARD_H
#define PUBLISHER_BOARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "publisher/outage.h"
#include "shared/scope.h"

#define PUB_LOOPS_MAX 16u

struct pub_standing {
    bool has_tried;     /* the first attempt to reach the broker is over */
    bool is_open;       /* there is a connection */
    bool is_blocked;    /* by the broker's alarm */
    bool has_broker;    /* the link takes publishes */
    bool is_confirming; /* and has refused none lately */
    enum pub_outage outage;
};

struct pub_board {
    pthread_mutex_t lock;
    size_t count; /* of loops */
    struct pub_standing places[PUB_LOOPS_MAX];
};

void pub_board_init(struct pub_board *board, size_t loops);
/* Writes one loop's, and then calls fn, if any, with what all were together and what they are now: under the lock, so that the last to be told is the last to be so. */
void pub_board_set(struct pub_board *board, size_t loop, const struct pub_standing *standing,
                   void (*fn)(void *arg, const struct pub_standing *before,
                              const struct pub_standing *all),
                   void *arg);
void pub_board_read(struct pub_board *board, struct pub_standing *out_all);
/* Decides: what `count` standings, at least one, are together. */
struct pub_standing pub_board_fold(const struct pub_standing *standings, size_t count);

#endif
