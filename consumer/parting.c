#include "consumer/parting.h"

#define RETURNS_ARE_FREE 4003u /* RabbitMQ 4.3 */
#define SHARE_OF                                                                                   \
    5 /* of the time there is, three fifths: the rest is for giving back and for last words */
#define SHARE 3

void con_parting_begin(struct con_parting *parting, unsigned version, int64_t drain_ms,
                       int64_t now_ms)
{
    int64_t parting_ms = version < RETURNS_ARE_FREE ? drain_ms * SHARE / SHARE_OF : 0;
    *parting = (struct con_parting){ .until_ms = now_ms + parting_ms, .well_ms = now_ms };
}

bool con_parting_is_over(struct con_parting *parting, bool can_work, int64_t now_ms)
{
    parting->well_ms = can_work ? now_ms : parting->well_ms;
    return now_ms >= parting->until_ms || now_ms - parting->well_ms >= CON_PARTING_HEAL_MS;
}
