/*
 * replay_gate - may a replay run go on behind its canary?
 *
 * Decides only: by what became of the canary's letters, not by their being published.
 * Law: at least 95 of 100 applied, and none failed for a cause it had not had before (schemas/replay.md).
 * Threads: no state.
 */
#ifndef OPS_REPLAY_GATE_H
#define OPS_REPLAY_GATE_H

#include <stdbool.h>
#include <stdint.h>

#define OPS_REPLAY_WHY_BYTES 200u

struct ops_replay_canary {
    int64_t letters;
    int64_t failed;
    int64_t
        new_causes; /* of the failed, those with another fingerprint than they were set aside with */
    int64_t undecided;
};

enum ops_replay_gate {
    OPS_GATE_WAIT,
    OPS_GATE_PASS,
    OPS_GATE_STOP,      /* they fail again: the cause is not mended */
    OPS_GATE_UNDECIDED, /* the patience is over */
};

/* out_why: a sentence for all but OPS_GATE_WAIT. */
enum ops_replay_gate ops_replay_gate(const struct ops_replay_canary *canary, bool is_patience_over,
                                     char out_why[OPS_REPLAY_WHY_BYTES]);

#endif
