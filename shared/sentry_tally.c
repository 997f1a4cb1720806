#include "shared/sentry_tally.h"

#include <stdio.h>
#include <string.h>

static struct sl_sentry_slot *find(struct sl_sentry_tally *tally, const char *source,
                                   const char *type, const char *reason);
static bool is_part(const char *held, const char *given);

void sl_sentry_tally_add(struct sl_sentry_tally *tally, const char *source, const char *type,
                         const char *reason)
{
    source = source == NULL ? "other" : source;
    type = type == NULL ? "other" : type;
    reason = reason == NULL ? "other" : reason;
    find(tally, source, type, reason)->fresh++;
    tally->added++;
}

/* The slot of these words; a new one; or the last, when all are taken. */
static struct sl_sentry_slot *find(struct sl_sentry_tally *tally, const char *source,
                                   const char *type, const char *reason)
{
    struct sl_sentry_slot *room = NULL;
    for (size_t i = 0; i < SL_SENTRY_KEYS_MAX; i++) {
        struct sl_sentry_slot *slot = &tally->slots[i];
        if (!slot->is_used) {
            room = room == NULL ? slot : room;
        } else if (is_part(slot->report.type, type) && is_part(slot->report.reason, reason) &&
                   is_part(slot->report.source, source)) {
            return slot;
        }
    }
    if (room == NULL) {
        room = &tally->slots[SL_SENTRY_KEYS_MAX];
        source = type = reason = "other";
    }
    struct sl_sentry_report *report = &room->report;
    if (!room->is_used) {
        room->is_used = true;
        snprintf(report->source, sizeof report->source, "%s", source);
        snprintf(report->type, sizeof report->type, "%s", type);
        snprintf(report->reason, sizeof report->reason, "%s", reason);
    }
    return room;
}

/* Two words that differ only behind the cut count as one. */
static bool is_part(const char *held, const char *given)
{
    return strncmp(held, given, SL_SENTRY_PART_BYTES - 1) == 0;
}

void sl_sentry_tally_cut(struct sl_sentry_tally *tally, int64_t since_s)
{
    for (size_t i = 0; i < SL_COUNT(tally->slots); i++) {
        struct sl_sentry_slot *slot = &tally->slots[i];
        if (slot->fresh > 0 && slot->report.count == 0) {
            slot->report.count = slot->fresh;
            slot->report.since_s = since_s;
            slot->report.id[0] = '\0';
            slot->is_unsure = false;
            slot->fresh = 0;
        }
    }
}

struct sl_sentry_slot *sl_sentry_tally_take(struct sl_sentry_tally *tally)
{
    for (size_t i = 0; i < SL_COUNT(tally->slots); i++) {
        struct sl_sentry_slot *slot = &tally->slots[i];
        if (slot->report.count > 0 && !slot->is_running) {
            slot->is_running = true;
            return slot;
        }
    }
    return NULL;
}

void sl_sentry_tally_settle(struct sl_sentry_tally *tally, struct sl_sentry_slot *slot,
                            enum sl_sentry_fate fate)
{
    SL_ASSERT(slot->is_running);
    slot->is_running = false;
    switch (fate) {
    case SL_SENTRY_ACCEPTED:
        tally->accepted += slot->report.count;
        slot->report.count = 0;
        slot->is_used = slot->fresh > 0;
        return;
    case SL_SENTRY_REFUSED:
        if (slot->is_unsure) {
            return;
        }
        slot->fresh += slot->report.count;
        slot->report.count = 0;
        return;
    case SL_SENTRY_UNKNOWN:
        slot->is_unsure = true;
        return;
    }
}

uint64_t sl_sentry_tally_pending(const struct sl_sentry_tally *tally)
{
    return tally->added - tally->accepted;
}

enum sl_sentry_fate sl_sentry_fate_of(int status)
{
    if (status >= 200 && status < 300) {
        return SL_SENTRY_ACCEPTED;
    }
    return status >= 300 && status < 500 ? SL_SENTRY_REFUSED : SL_SENTRY_UNKNOWN;
}
