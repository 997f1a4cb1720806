/*
 * fate - what becomes of an event that failed by itself: another try after a wait, or the dead letters.
 *
 * Decides only. An item error may pass later and is tried again until `attempts` tries are spent; anything else that is the event's own fault can
 * never pass and is parked at once. Two item errors are given less: a unique key other than the inbox's is tried once more only (SQLSTATE 23505), and
 * an event that alone is too large for a statement (class 54) not at all.
 * Law: the wait before try n + 1 is backoff * 2^(n - 1), lengthened by 0 to 25 % at random so that what failed together does not come back
 * together, rounded up to seconds, at most SL_DELAY_S_MAX. A target that names its own wait (retry_after_s) gets at least that.
 * Source: schemas/topology.md for the delays; shared/pg/sqlstate.def for the classes.
 * Threads: no state.
 */
#ifndef CONSUMER_FATE_H
#define CONSUMER_FATE_H

#include <stdint.h>

#include "shared/err.h"

#define CON_CLASS_PARKED "parked by operator"

struct con_fate_policy {
    int64_t attempts;   /* tries in all, at least 1 */
    int64_t backoff_ms; /* before the second try */
    int64_t
        backoff_max_ms; /* longest wait, before it is lengthened; 0: as long as the delay levels reach */
};

/* One failed try. */
struct con_try {
    enum sl_code code;
    const char *sqlstate;  /* "" when the database did not say */
    bool has_event;        /* the message could be read */
    int64_t attempt;       /* which try it was, from 1 */
    int64_t retry_after_s; /* what the target asked for; 0: nothing */
};

struct con_fate {
    int64_t wait_s; /* until the next try; 0: parked */
    /* Word of sluice-error-class: decode (no event could be read), version, item (it may pass later), permanent, CON_CLASS_PARKED. */
    const char *error_class;
};

/* random: any number, used for the lengthening. */
struct con_fate con_fate_decide(const struct con_try *failed, const struct con_fate_policy *policy,
                                uint64_t random);

#endif
