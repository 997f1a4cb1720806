/*
 * replay_run - dead letters that go back to their subsystem together, and what became of them.
 *
 * The set is frozen when the run begins: each letter chosen is `replaying` and carries the run's name, so no second run can choose it. A copy is
 * published, confirmed, then noted (published_at). Killed between those two, the run publishes that letter once more when it is
 * resumed: the inbox makes the second copy a duplicate. A letter ends as `replayed` when the inbox proves that its event was
 * applied (sluice_dead_letter_close), or as `open` again when the consumer gives the copy up, which brings the same row up to date.
 * Only one process works on a run: an advisory lock of the session.
 * Threads: one.
 */
#ifndef OPS_REPLAY_RUN_H
#define OPS_REPLAY_RUN_H

#include <signal.h>

#include "ops/dead/dead_filter.h"
#include "ops/pg_session.h"
#include "ops/trigger/courier.h"

#define OPS_REPLAY_NAME_BYTES 32u

struct ops_replay_counts {
    int64_t unpublished; /* the broker has not confirmed them, or it is not known */
    int64_t waiting;     /* published, and nobody knows the end yet */
    int64_t replayed;
    int64_t failed; /* open again */
};

/* "20260131-140000-1a2b3c". */
bool ops_replay_name(char out_run[OPS_REPLAY_NAME_BYTES], struct sl_err *err) SL_MUST;
/* SL_E_PG_CONTENTION while another process works on the run. */
bool ops_replay_lock(struct ops_pg_session *session, const char *run, struct sl_err *err) SL_MUST;
/* Freezes the set; note is a line for every letter. */
bool ops_replay_claim(struct ops_pg_session *session, const struct ops_dead_filter *filter,
                      int64_t limit, const char *run, const char *note, int64_t *out_claimed,
                      struct sl_err *err) SL_MUST;
/* Publishes what the run has not published yet, until all is or *stop is set. on_progress after each portion. */
bool ops_replay_publish(struct ops_pg_session *session, struct ops_courier *courier,
                        const char *run, int64_t gap_us, const volatile sig_atomic_t *stop,
                        void (*on_progress)(void *arg, int64_t published), void *arg,
                        struct sl_err *err) SL_MUST;
/* Closes what the inbox proves, then counts. */
bool ops_replay_count(struct ops_pg_session *session, const char *run,
                      struct ops_replay_counts *out_counts, struct sl_err *err) SL_MUST;

#endif
