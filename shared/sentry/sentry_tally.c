#include "shared/sentry/sentry_tally.h"

#include <string.h>

static struct sl_sentry_slot *find(struct sl_sentry_tally *tally, struct sl_span source,
                                   struct sl_span type, struct sl_span reason);
static struct sl_span part_of(struct sl_span text);
static void hold(char part[SL_SENTRY_PART_BYTES], struct sl_span text);

void sl_sentry_tally_add(struct sl_sentry_tally *tally, struct sl_span source, struct sl_span type,
                         struct sl_span reason)
{
    find(tally, part_of(source), part_of(type), part_of(reason))->fresh++;
    tally->added++;
}

/* Two words that differ only behind the cut count as one. */
static struct sl_span part_of(struct sl_span text)
{
    if (text.data == NULL) {
        return SL_SPAN_LITERAL("other");
    }
    return sl_span_make(text.data,
                        text.bytes < SL_SENTRY_PART_BYTES ? text.bytes : SL_SENTRY_PART_BYTES - 1);
}

/* The slot of these words; a new one; or the last, when all are taken. */
static struct sl_sentry_slot *find(struct sl_sentry_tally *tally, struct sl_span source,
                                   struct sl_span type, struct sl_span reason)
{
    struct sl_sentry_slot *room = NULL;
    for (size_t i = 0; i < SL_SENTRY_KEYS_MAX; i++) {
        struct sl_sentry_slot *slot = &tally->slots[i];
        if (!slot->is_used) {
            room = room == NULL ? slot : room;
        } else if (sl_span_is(type, slot->report.type) && sl_span_is(reason, slot->report.reason) &&
                   sl_span_is(source, slot->report.source)) {
            return slot;
        }
    }
    if (room == NULL) {
        room = &tally->slots[SL_SENTRY_KEYS_MAX];
        source = type = reason = SL_SPAN_LITERAL("other");
    }
    if (!room->is_used) {
        room->is_used = true;
        hold(room->report.source, source);
        hold(room->report.type, type);
        hold(room->report.reason, reason);
    }
    return room;
}

static void hold(char part[SL_SENTRY_PART_BYTES], struct sl_span text)
{
    memcpy(part, text.data, text.bytes);
    part[text.bytes] = '\0';
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
