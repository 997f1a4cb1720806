#include "ops/replay/replay_gate.h"

#include <inttypes.h>
#include <stdio.h>

#define FAILED_PERCENT_MAX 5

enum ops_replay_gate ops_replay_gate(const struct ops_replay_canary *canary, bool is_patience_over,
                                     char out_why[OPS_REPLAY_WHY_BYTES])
{
    if (canary->new_causes > 0) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES,
                 "canary: %" PRId64 " of %" PRId64 " failed for a cause they did not have before",
                 canary->new_causes, canary->letters);
        return OPS_GATE_STOP;
    }
    if (canary->failed * 100 > canary->letters * FAILED_PERCENT_MAX) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES, "canary: %" PRId64 " of %" PRId64 " failed again",
                 canary->failed, canary->letters);
        return OPS_GATE_STOP;
    }
    if (canary->undecided == 0) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES, "canary: %" PRId64 " of %" PRId64 " were applied",
                 canary->letters - canary->failed, canary->letters);
        return OPS_GATE_PASS;
    }
    if (!is_patience_over) {
        return OPS_GATE_WAIT;
    }
    snprintf(out_why, OPS_REPLAY_WHY_BYTES,
             "canary: %" PRId64 " of %" PRId64 " are not decided yet", canary->undecided,
             canary->letters);
    return OPS_GATE_UNDECIDED;
}
