#include "consumer/handlers/http_outage.h"

void con_outage_passed(struct con_outage *outage)
{
    bool is_in_doubt = outage->is_in_doubt;
    *outage = (struct con_outage){ .is_in_doubt = is_in_doubt };
}

void con_outage_failed(struct con_outage *outage, uint64_t event, bool is_reached)
{
    outage->is_in_doubt = true;
    outage->is_unreachable = outage->is_unreachable || !is_reached;
    for (size_t i = 0; i < outage->failed_count; i++) {
        if (outage->failed[i] == event) {
            return;
        }
    }
    if (outage->failed_count < CON_OUTAGE_EVENTS) {
        outage->failed[outage->failed_count++] = event;
    }
}

bool con_outage_ended(struct con_outage *outage, bool has_passed)
{
    bool is_in_doubt = outage->is_in_doubt && !has_passed;
    bool is_unreachable = outage->is_unreachable;
    bool was_away = outage->is_away;
    outage->is_in_doubt = false;
    outage->is_unreachable = false;
    if (!is_in_doubt) {
        return false;
    }
    outage->is_away = was_away || is_unreachable || outage->failed_count == CON_OUTAGE_EVENTS;
    if (outage->is_away && was_away && !is_unreachable) {
        outage->patience_spent++;
    }
    return outage->is_away && outage->patience_spent <= CON_OUTAGE_PATIENCE;
}

void con_outage_halted(struct con_outage *outage)
{
    outage->is_away = true;
}
