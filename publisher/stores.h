/*
 * stores - what is left when the broker is away: the journal and the drop log below SLUICE_STATE_DIR.
 *
 * Opens both and says in the log what can be used and what cannot, and why. A publisher without them still works: policies that need them
 * refuse. What the journal finds is logged as it is found.
 * Refuses: deciding which of them an event goes to (policy).
 * Threads: belongs to its loop; any loop asks what can be used and writes drops, and appends to the journal by way of keep.h.
 */
#ifndef PUBLISHER_STORES_H
#define PUBLISHER_STORES_H

#include "publisher/drops.h"
#include "shared/journal/journal.h"
#include "shared/log.h"
#include "shared/metrics.h"

struct pub_stores_opts {
    struct sl_loop *loop;
    struct sl_log *log;
    struct sl_metrics *metrics;
    const char *state_dir;
    int64_t journal_bytes_max;
    /* What may wait for the journal at once: as much as requests may, so that its queue refuses none that was let in. */
    size_t waiting_max;
    size_t bodies_bytes_max; /* of all of them together */
    bool allow_volatile;
    void *arg; /* of both callbacks, which are the journal's */
    void (*on_appended)(void *arg, uint64_t cookie, bool ok, const struct sl_err *err);
    void (*on_replay_ready)(void *arg);
};

struct pub_stores {
    struct pub_stores_opts opts;
    struct pub_drops drops;
    struct sl_journal *journal; /* NULL: cannot be used */
    bool is_durable;            /* what the journal holds survives a restart of the machine */
};

void pub_stores_open(struct pub_stores *stores, const struct pub_stores_opts *opts);
/* on_appended still comes from inside, for what the journal had accepted. Needs pub_stores_open before. */
void pub_stores_close(struct pub_stores *stores);
bool pub_stores_can_journal(const struct pub_stores *stores);
bool pub_stores_can_drop(struct pub_stores *stores);

#endif
