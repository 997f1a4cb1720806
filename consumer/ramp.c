#include "consumer/ramp.h"

void con_ramp_lost(struct con_ramp *ramp)
{
    ramp->limit = 1;
}

void con_ramp_passed(struct con_ramp *ramp, size_t full)
{
    ramp->limit *= CON_RAMP_STEP;
    if (ramp->limit >= full) {
        ramp->limit = 0;
    }
}

void con_ramp_end(struct con_ramp *ramp)
{
    ramp->limit = 0;
}

size_t con_ramp_room(const struct con_ramp *ramp, size_t full)
{
    return ramp->limit == 0 || ramp->limit > full ? full : ramp->limit;
}
