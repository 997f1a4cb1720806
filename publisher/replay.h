/*
 * replay - publishes what the journal holds once the broker takes publishes again.
 *
 * Oldest first, original id and time of receipt, persistent + mandatory, each settled by its confirm before the journal forgets it. Live traffic
 * goes first: a bounded window, a bounded rate, and a pause while many requests wait. Stops when the broker goes away and starts again by itself.
 * What a queue refuses (full, or none there) is no event's fault: such events go behind the others, and pauses grow until the broker takes one.
 * What is larger than the broker takes is the event's own fault: it is set aside in poison/, and what is behind it goes on.
 * Refuses: forgetting an event that was not confirmed.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_REPLAY_H
#define PUBLISHER_REPLAY_H

#include "shared/amqp/amqp_link.h"
#include "shared/journal/journal.h"
#include "shared/log.h"
#include "shared/metrics.h"

/* Cookies from here on belong to the replay. */
#define PUB_REPLAY_COOKIE (UINT64_C(1) << 32)
/* Events on their way at once. */
#define PUB_REPLAY_WINDOW 128u

struct pub_replay;

struct pub_replay_opts {
    struct sl_loop *loop;
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct sl_journal *journal; /* borrowed */
    int64_t rate;               /* events a second */
    /* How many live requests wait now. */
    size_t (*live)(void *arg);
    void *arg;
};

struct pub_replay *pub_replay_new(const struct pub_replay_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void pub_replay_free(struct pub_replay *replay);
/* The link may have been opened after the replay; borrowed. */
void pub_replay_set_link(struct pub_replay *replay, struct sl_amqp_link *link);
/* At most so many events a second from now on. */
void pub_replay_set_rate(struct pub_replay *replay, int64_t rate);
int64_t pub_replay_rate(const struct pub_replay *replay);
/* The broker takes publishes, or the journal has something new. */
void pub_replay_wake(struct pub_replay *replay);
/* A publish of ours has ended. */
void pub_replay_settled(struct pub_replay *replay, uint64_t cookie,
                        enum sl_publish_outcome outcome);

SL_DEFINE_AUTO(struct pub_replay *, pub_replay_free)

#endif
