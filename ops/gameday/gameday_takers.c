#include "ops/gameday/gameday_takers.h"

#include <inttypes.h>
#include <stdlib.h>

#define SOURCE "stripe" /* of every sample */

static bool takes_any(const struct sl_subsystem *section, enum ops_gameday_storm kind);
static int64_t longest_wait_ms(const struct sl_subsystem *section, enum ops_gameday_storm kind);
static bool takes(const struct sl_subsystem *section, const char *type);
static struct ops_gameday_place *lay(const struct sl_subsystem *section,
                                     const struct ops_gameday_wave *wave);

bool ops_gameday_takers_choose(struct ops_gameday_takers *takers,
                               const struct sl_subsystems *subsystems,
                               const struct sl_subsystem *only, enum ops_gameday_storm storm,
                               int64_t drain_ms, struct sl_err *err)
{
    for (size_t i = 0; i < subsystems->count; i++) {
        const struct sl_subsystem *section = &subsystems->items[i];
        bool is_asked_for = only == section;
        bool takes_some = takes_any(section, OPS_GAMEDAY_STORM_NONE) || takes_any(section, storm);
        if (!takes_some || !(is_asked_for || (only == NULL && section->enabled))) {
            continue;
        }
        bool is_too_late = longest_wait_ms(section, OPS_GAMEDAY_STORM_NONE) >= drain_ms ||
                           longest_wait_ms(section, storm) >= drain_ms;
        if (is_too_late && !is_asked_for) {
            takers->left_out[takers->left_out_count++] = section;
        } else {
            takers->items[takers->count++] = (struct ops_gameday_taker){ .section = section };
        }
    }
    if (takers->count == 0) {
        return sl_fail(
            err, SL_E_CONFIG,
            only == NULL
                ? "no subsystem takes the events of a game day (stripe.customer.created and what "
                  "follows a signup) within the time of --drain: there would be no ledger"
                : "this subsystem takes none of the events of a game day (its bindings): there "
                  "would be no ledger");
    }
    return true;
}

static bool takes_any(const struct sl_subsystem *section, enum ops_gameday_storm kind)
{
    for (uint64_t i = 0; i < ops_gameday_type_count(kind); i++) {
        if (takes(section, ops_gameday_type(kind, i))) {
            return true;
        }
    }
    return false;
}

static int64_t longest_wait_ms(const struct sl_subsystem *section, enum ops_gameday_storm kind)
{
    int64_t longest_ms = 0;
    for (uint64_t i = 0; i < ops_gameday_type_count(kind); i++) {
        const char *type = ops_gameday_type(kind, i);
        int64_t wait_ms =
            takes(section, type) ? sl_subsystem_delay_ms(section, sl_span_of(type)) : 0;
        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
    }
    return longest_ms;
}

static bool takes(const struct sl_subsystem *section, const char *type)
{
    return sl_subsystem_takes(section, sl_span_of(SOURCE), sl_span_of(type));
}

enum ops_gameday_expect ops_gameday_expect_of(const struct sl_subsystem *section,
                                              enum ops_gameday_storm kind, uint64_t i)
{
    if (!takes(section, ops_gameday_type(kind, i))) {
        return OPS_GAMEDAY_NOTHING;
    }
    if (kind != OPS_GAMEDAY_STORM_POISON) {
        return OPS_GAMEDAY_ROW;
    }
    /* An object whose id is no text cannot be a row of the mirror; another handler may not even look at it. */
    return section->handler == SL_HANDLER_BILLING ? OPS_GAMEDAY_LETTER : OPS_GAMEDAY_EITHER;
}

bool ops_gameday_takers_lay(struct ops_gameday_takers *takers,
                            const struct ops_gameday_wave *steady,
                            const struct ops_gameday_wave *storm, struct sl_err *err)
{
    for (size_t i = 0; i < takers->count; i++) {
        struct ops_gameday_taker *taker = &takers->items[i];
        taker->steady = lay(taker->section, steady);
        taker->storm = lay(taker->section, storm);
        if (taker->steady == NULL || taker->storm == NULL) {
            return sl_fail(err, SL_E_MEMORY, "no memory for the ledger of %" PRIu64 " events",
                           steady->sent + storm->sent);
        }
    }
    return true;
}

static struct ops_gameday_place *lay(const struct sl_subsystem *section,
                                     const struct ops_gameday_wave *wave)
{
    struct ops_gameday_place *places = calloc(wave->sent + 1, sizeof *places);
    for (uint64_t i = 0; places != NULL && i < wave->sent; i++) {
        places[i].expect = (uint8_t)ops_gameday_expect_of(section, wave->kind, i);
    }
    return places;
}

void ops_gameday_takers_done(struct ops_gameday_takers *takers)
{
    for (size_t i = 0; i < takers->count; i++) {
        free(takers->items[i].steady);
        free(takers->items[i].storm);
    }
    *takers = (struct ops_gameday_takers){ 0 };
}
