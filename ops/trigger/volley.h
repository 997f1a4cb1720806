/*
 * volley - many POSTs, a bounded number at once, at a bounded rate, all answers counted.
 *
 * Gives up early when nothing has ever answered: a thousand refused connections say no more than sixteen.
 * Threads: one loop, the caller's.
 */
#ifndef OPS_VOLLEY_H
#define OPS_VOLLEY_H

#include <stdint.h>

#include "shared/loop.h"
#include "shared/span.h"

#define OPS_VOLLEY_STATUS_MAX 600u

struct ops_shot {
    struct sl_span body;       /* borrowed until the call that took it returns */
    const char *const *fields; /* "Name: value", NULL-terminated */
};

struct ops_volley_opts {
    struct sl_loop *loop;
    const char *url;
    uint64_t count;
    uint64_t concurrency;
    uint64_t rate_per_s; /* 0: no limit */
    int64_t timeout_ms;
    void *arg;
    /* Makes the i-th shot. */
    bool (*make)(void *arg, uint64_t i, struct ops_shot *out, struct sl_err *err);
    /* What became of the i-th shot: the answer's status, 0 without an answer. May be NULL. */
    void (*on_answer)(void *arg, uint64_t i, int status, bool is_unstored);
    /* Once, when the last answer is in, instead of stopping the loop. May be NULL. */
    void (*on_end)(void *arg);
};

struct ops_tally {
    uint64_t sent;     /* requests begun */
    uint64_t failed;   /* of them without an answer */
    uint64_t unstored; /* of them answered 202 with "stored":false */
    uint64_t by_status[OPS_VOLLEY_STATUS_MAX];
    uint32_t *took_us; /* owned: one per answer, sorted */
    uint64_t answered;
    int64_t elapsed_us;
    bool is_stopped;         /* by the owner, or for want of any answer */
    struct sl_err no_answer; /* of the first failed one */
};

struct ops_volley;

/* Begins sending at the next turn of the loop; stops the loop (or calls on_end) when the last answer is in. */
struct ops_volley *ops_volley_new(const struct ops_volley_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void ops_volley_free(struct ops_volley *volley);
/* Sends no more; ends when what is under way has been answered. */
void ops_volley_stop(struct ops_volley *volley);
/* How far it is. Borrowed; took_us is not sorted yet. */
const struct ops_tally *ops_volley_tally(const struct ops_volley *volley);
/* Ends: moves the tally out, latencies sorted. False when an event could not be made. */
bool ops_volley_end(struct ops_volley *volley, struct ops_tally *out, struct sl_err *err) SL_MUST;

void ops_tally_done(struct ops_tally *tally);
/* The latency that `percent` of the answers did not exceed; 0 without answers. */
uint32_t ops_tally_percentile_us(const struct ops_tally *tally, unsigned percent);

SL_DEFINE_AUTO(struct ops_volley *, ops_volley_free)

#endif
