#include "consumer/tally.h"

#define PERCENT 100u

static bool is_over(size_t count, size_t events, size_t percent);

void con_tally_init(struct con_tally *tally, size_t events)
{
    *tally = (struct con_tally){ .events = events };
}

enum con_tally_finding con_tally_add(struct con_tally *tally, const char *fingerprint, bool is_item)
{
    tally->item_count += is_item ? 1 : 0;
    size_t kind = 0;
    while (kind < tally->kind_count && strcmp(tally->kinds[kind].fingerprint, fingerprint) != 0) {
        kind++;
    }
    if (kind == tally->kind_count && kind < CON_TALLY_KINDS_MAX) {
        memcpy(tally->kinds[kind].fingerprint, fingerprint, CON_FINGERPRINT_BYTES);
        tally->kind_count++;
    }
    bool is_same = kind < CON_TALLY_KINDS_MAX &&
                   is_over(++tally->kinds[kind].count, tally->events, CON_TALLY_SAME_PERCENT);
    if (is_same) {
        return CON_TALLY_ALIKE;
    }
    bool is_many = is_item && is_over(tally->item_count, tally->events, CON_TALLY_ITEM_PERCENT);
    return is_many ? CON_TALLY_MANY : CON_TALLY_FEW;
}

static bool is_over(size_t count, size_t events, size_t percent)
{
    return count >= CON_TALLY_EVENTS_MIN && count * PERCENT > events * percent;
}
