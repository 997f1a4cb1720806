/*
 * gameday_wave - one stream of events, and what each of them was answered.
 *
 * Good events are sample customers of their own run (livemode false), signing up one after the other. Poison has an object whose id is no text. Events of a
 * retry storm are good customers called "Game Day".
 * Threads: the loop's.
 */
#ifndef OPS_GAMEDAY_WAVE_H
#define OPS_GAMEDAY_WAVE_H

#include "ops/gameday/gameday_ledger.h"
#include "ops/gameday/gameday_scenario.h"
#include "ops/trigger/signed_sample.h"

/* Of poison: seldom sent, so that a breaker or a park order for it holds nobody else's events back. */
#define OPS_GAMEDAY_POISON_TYPE "customer.subscription.pending_update_expired"

struct ops_gameday_wave {
    enum ops_gameday_storm kind; /* NONE and PRODUCER: good events */
    struct ops_signed_sample sample;
    struct ops_gameday_fate *fates; /* owned: one for each of the first `sent` events */
    uint64_t sent;
    uint64_t count_max;
    uint64_t degraded;         /* answers other than 200 so far */
    int64_t slowest_us;        /* answer; 0 until the wave has ended */
    struct ops_volley *volley; /* NULL: not begun */
    bool has_ended;
};

/* The type of the i-th event of a wave of this kind; they come again after type_count. */
const char *ops_gameday_type(enum ops_gameday_storm kind, uint64_t i);
uint64_t ops_gameday_type_count(enum ops_gameday_storm kind);

struct ops_gameday_wave_opts {
    enum ops_gameday_storm kind;
    const struct ops_address *address; /* for the signing secret */
    uint64_t count_max;
};

/* Zeroed storage; release with ops_gameday_wave_done, also after a failure. */
bool ops_gameday_wave_init(struct ops_gameday_wave *wave, const struct ops_gameday_wave_opts *opts,
                           struct sl_err *err) SL_MUST;
bool ops_gameday_wave_begin(struct ops_gameday_wave *wave, struct sl_loop *loop, const char *url,
                            uint64_t rate_per_s, uint64_t concurrency, struct sl_err *err) SL_MUST;
/* Sends no more; has_ended is true once everything is answered. */
void ops_gameday_wave_stop(struct ops_gameday_wave *wave);
/* True when it never began, too. */
bool ops_gameday_wave_is_over(const struct ops_gameday_wave *wave);
/* Gives the sending up, as it is: the loop is to be freed, the fates stay. */
void ops_gameday_wave_drop(struct ops_gameday_wave *wave);
/* The same, after it was over. False when an event could not be made. */
bool ops_gameday_wave_end(struct ops_gameday_wave *wave, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void ops_gameday_wave_done(struct ops_gameday_wave *wave);

#endif
