/*
 * gameday_takers - the subsystems that take a game day's events, and what each is owed.
 *
 * Decides only: sections, the scenario's storm and the time there is in; whose books are read, and the place that each event has there, out.
 * Left out, and named: a subsystem that lets these events wait longer than the game day does.
 * Threads: no state.
 */
#ifndef OPS_GAMEDAY_TAKERS_H
#define OPS_GAMEDAY_TAKERS_H

#include "ops/gameday/gameday_wave.h"
#include "shared/subsystem/subsystems.h"

struct ops_gameday_taker {
    const struct sl_subsystem *section;
    struct ops_gameday_place
        *steady; /* owned, one for each event of that wave; NULL before they are laid */
    struct ops_gameday_place *storm;
    struct ops_gameday_ledger ledger;
};

struct ops_gameday_takers {
    struct ops_gameday_taker items[SL_SUBSYSTEMS_MAX];
    size_t count;
    const struct sl_subsystem *left_out[SL_SUBSYSTEMS_MAX];
    size_t left_out_count;
};

/*
 * only: the one that is asked for, whatever it waits; NULL: all that are enabled and take one of the types. False with SL_E_CONFIG when nobody is left.
 * Zeroed storage, which borrows the sections; release with ops_gameday_takers_done.
 */
bool ops_gameday_takers_choose(struct ops_gameday_takers *takers,
                               const struct sl_subsystems *subsystems,
                               const struct sl_subsystem *only, enum ops_gameday_storm storm,
                               int64_t drain_ms, struct sl_err *err) SL_MUST;
/* Makes the places of the events that were sent. */
bool ops_gameday_takers_lay(struct ops_gameday_takers *takers,
                            const struct ops_gameday_wave *steady,
                            const struct ops_gameday_wave *storm, struct sl_err *err) SL_MUST;
void ops_gameday_takers_done(struct ops_gameday_takers *takers);

/* Of the i-th event of a wave of this kind. */
enum ops_gameday_expect ops_gameday_expect_of(const struct sl_subsystem *section,
                                              enum ops_gameday_storm kind, uint64_t i);

#endif
