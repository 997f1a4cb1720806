/*
 * breaker - which event types of one subsystem fail so much that they are not tried for now, while the other types flow.
 *
 * Decides only, by a clock given from outside. Each type has a breaker of its own:
 *   closed     its events are tried. It opens when, of those tried within the window, `ratio` percent failed (`samples` were tried at least), when
 *              `consecutive` failed in a row, or when it is tripped
 *   open       its events are held, unspent. Every probe_ms one of them is let through
 *   half-open  that one is being tried: it passes, the breaker closes; it fails, the breaker is open for another probe_ms. A probe that is never heard of
 *              again is followed by another one after probe_ms
 * Law: the window moves with the clock alone, so failures count although nothing ever succeeded, and old ones are forgotten although nothing arrives. While closed
 * an event counts as failed once, with its first try: one bad event that is tried again opens nothing by itself.
 * An operator can force a breaker: open, nothing is let through, not even a probe; closed, nothing opens it. When the force ends, an open one lets its next event through.
 * What another process's breaker did is heard once: when it has opened anew, this one opens too, and closes by its own probe.
 * CON_BREAKER_TYPES_MAX types are known; of more than that the closed one that was used least recently is forgotten. When all are open a further type is
 * always tried.
 * Source: compose/subsystems.conf names the thresholds (breaker_*).
 * Threads: one owner.
 */
#ifndef CONSUMER_BREAKER_H
#define CONSUMER_BREAKER_H

#include <stdint.h>

#include "consumer/orders.h"
#include "shared/err.h"
#include "shared/span.h"

#define CON_BREAKER_TYPES_MAX   256u
#define CON_BREAKER_HOLD_MAX    5 /* a held event comes back after so many probe intervals at most */
#define CON_BREAKER_WINDOW_CUTS 10 /* the window moves in steps of a tenth */

enum con_breaker_state { CON_BREAKER_CLOSED, CON_BREAKER_OPEN, CON_BREAKER_HALF_OPEN };
#define CON_BREAKER_STATES 3u
const char *con_breaker_state_name(enum con_breaker_state state);

struct con_breaker_policy {
    int64_t ratio; /* percent */
    int64_t samples;
    int64_t consecutive;
    int64_t window_ms;
    int64_t probe_ms;
};

enum con_admission { CON_ADMIT, CON_ADMIT_PROBE, CON_ADMIT_NOT };

enum con_breaker_change { CON_BREAKER_SAME, CON_BREAKER_OPENED, CON_BREAKER_CLOSES };

struct con_breakers;

/* NULL without memory. */
struct con_breakers *con_breakers_new(const struct con_breaker_policy *policy) SL_MUST;
/* Accepts NULL. */
void con_breakers_free(struct con_breakers *breakers);

/* Whether any type is not closed: while none is, everything is admitted. */
bool con_breakers_is_any_open(const struct con_breakers *breakers);
/* Types in a state; closed ones are not counted. */
size_t con_breakers_count(const struct con_breakers *breakers, enum con_breaker_state state);
enum con_breaker_state con_breakers_state(const struct con_breakers *breakers, struct sl_span type);
/* An operator says that this type is to be tried, whatever becomes of it. */
bool con_breakers_is_held_closed(const struct con_breakers *breakers, struct sl_span type);

/* May an event of this type be tried now? CON_ADMIT_PROBE: it is the one that is let through. */
enum con_admission con_breakers_admit(struct con_breakers *breakers, struct sl_span type,
                                      int64_t now_ms);
/* How long a held event of this type stays away, in whole seconds, lengthened by up to a quarter at random; longer the more probes have failed. */
int64_t con_breakers_hold_s(const struct con_breakers *breakers, struct sl_span type,
                            uint64_t random);

/* An event of this type was applied. */
enum con_breaker_change con_breakers_passed(struct con_breakers *breakers, struct sl_span type,
                                            int64_t now_ms);
/* An event of this type failed by itself, in its attempt-th try. */
enum con_breaker_change con_breakers_failed(struct con_breakers *breakers, struct sl_span type,
                                            int64_t attempt, int64_t now_ms);
/* Opens it, whatever was counted. */
enum con_breaker_change con_breakers_trip(struct con_breakers *breakers, struct sl_span type,
                                          int64_t now_ms);

/* Another process's breaker of this type is open, since that time of its own clock (> 0). Opens this one, unless that opening was heard of before. */
enum con_breaker_change con_breakers_heard(struct con_breakers *breakers, struct sl_span type,
                                           int64_t since_ms, int64_t now_ms);

/* One that is known, as people see it. */
struct con_breaker_view {
    struct sl_span type; /* borrowed until the next call */
    enum con_breaker_state state;
    enum con_force force;
    int64_t since_ms; /* not closed: since when */
    int64_t
        probe_at_ms; /* not closed and not forced: not before then the next one is let through */
};
size_t con_breakers_known(const struct con_breakers *breakers);
struct con_breaker_view con_breakers_view(const struct con_breakers *breakers, size_t i);

/* What an operator wants from now on. */
enum con_breaker_change con_breakers_force(struct con_breakers *breakers, struct sl_span type,
                                           enum con_force force, int64_t now_ms);

#endif
