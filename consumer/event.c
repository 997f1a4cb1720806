#include "consumer/event.h"

const char *con_verdict_name(enum con_verdict verdict)
{
    switch (verdict) {
    case CON_PENDING:
        return "pending";
    case CON_APPLIED:
        return "applied";
    case CON_STALE:
        return "stale";
    case CON_IGNORED:
        return "ignored";
    case CON_DUPLICATE:
        return "duplicate";
    case CON_DEAD:
        return "dead_lettered";
    case CON_BLAMED:
        return "blamed";
    case CON_HELD:
        return "held";
    case CON_DONE:
        return "done";
    }
    return "pending";
}
