/*
 * purge_target - which queue a word means, and may it be emptied by hand?
 *
 * Decides only. A subsystem's work queue and its replay queue may be: their messages are one subsystem's own, and can be published to it again. All others may
 * not, and the error says why and what to do instead: the delay levels hold events of every subsystem, and a purge could not tell whose it takes; what is in a
 * first-wait queue comes to the work queue by itself; parked and unrouted messages are dead letters on their way to the table, where they are discarded and restored.
 * Threads: no state.
 */
#ifndef OPS_PURGE_TARGET_H
#define OPS_PURGE_TARGET_H

#include "ops/sections.h"

#define OPS_PURGE_QUEUE_BYTES  96u
#define OPS_PURGE_PHRASE_BYTES (OPS_PURGE_QUEUE_BYTES + 8u)

struct ops_purge_target {
    char queue[OPS_PURGE_QUEUE_BYTES]; /* "sluice.billing" */
    const struct sl_subsystem *subsystem;
    bool is_replay; /* its replay queue */
};

/* word: a subsystem, or a queue's whole name. SL_E_USAGE for what is no queue, or none that may be emptied. */
bool ops_purge_target(const struct sl_subsystems *subsystems, const char *word,
                      struct ops_purge_target *out_target, struct sl_err *err) SL_MUST;
/* What has to be typed: "PURGE sluice.billing". */
void ops_purge_phrase(const struct ops_purge_target *target,
                      char out_phrase[OPS_PURGE_PHRASE_BYTES]);

#endif
