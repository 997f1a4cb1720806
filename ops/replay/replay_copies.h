/*
 * replay_copies - a run's letters on their way out: read a portion, publish the copies, note which the broker has.
 *
 * A copy is published, confirmed, then noted (published_at). Killed between those two, the run publishes that letter once more when it is resumed: the inbox
 * makes the second copy a duplicate. A copy carries the header sluice-replay-run, and none of what the broker or an earlier try had added.
 * Threads: one owner.
 */
#ifndef OPS_REPLAY_COPIES_H
#define OPS_REPLAY_COPIES_H

#include "ops/replay/replay_run.h"
#include "ops/trigger/courier.h"

struct ops_replay_copies;

/* Borrows all three. */
struct ops_replay_copies *ops_replay_copies_new(struct ops_pg_session *session,
                                                struct ops_courier *courier,
                                                const struct ops_replay_run *run,
                                                struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void ops_replay_copies_free(struct ops_replay_copies *copies);

/*
 * Publishes the next letters, about a second's worth at that rate, and waits for the broker's word on each. *out_found is how many there were to publish, 0:
 * none is left; *out_confirmed how many the broker has. SL_E_AMQP_CLOSED when it confirmed nothing of several portions in a row.
 */
bool ops_replay_copies_send(struct ops_replay_copies *copies, bool is_canary_only, int64_t rate,
                            size_t *out_found, size_t *out_confirmed, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct ops_replay_copies *, ops_replay_copies_free)

#endif
