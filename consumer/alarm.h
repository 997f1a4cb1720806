/*
 * alarm - tells a section's on-trip that one of its breakers opened: a signed POST, or an event in Sentry; both name the owner. And tells Sentry of each event
 * that a section with fail_loud gives up.
 *
 * One per process; several workers whose breakers open for the same type within ALARM_QUIET_MS are one alarm. A POST that is not answered 2xx is tried again
 * after ALARM_WAIT_MS_MIN, doubled each time, at most ALARM_WAIT_MS_MAX, with the same idempotency key, until the answer comes or ALARM_TRIES_MAX are spent.
 * It lives in memory: a process that ends forgets what was not told, and its successor's breaker opens anew.
 * Bounds: ALARM_WAITING_MAX alarms; what finds no room is a line in the log.
 * Law: schemas/handlers.md.
 * Threads: one loop.
 */
#ifndef CONSUMER_ALARM_H
#define CONSUMER_ALARM_H

#include "consumer/targets.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/sentry/sentry.h"
#include "shared/subsystem/subsystem.h"

/* Below runbooks/: where a breaker that opened leads, in the log as in the alarm, and as the alert BreakerOpen does. */
#define CON_ALARM_PAGE "failure-spike.md"

struct con_alarm;

struct con_alarm_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    const struct sl_subsystem *const *subsystems;
    const struct con_target *targets; /* of the subsystems, by index */
    size_t subsystem_count;
    struct sl_sentry *sentry; /* NULL: no section has on-trip = sentry */
    struct sl_sentry *losses; /* for fail_loud; NULL: there is no Sentry */
};

struct con_alarm *con_alarm_new(const struct con_alarm_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_alarm_free(struct con_alarm *alarm);

/* A breaker opened by itself. why and code: of the failure that did it. Nothing happens when the section has no on-trip, or alarm is NULL. */
void con_alarm_tripped(struct con_alarm *alarm, const struct sl_subsystem *subsystem,
                       struct sl_span type, const struct sl_err *why, const char *code);

/* An event of this type was given up. Nothing happens without fail_loud, or when alarm is NULL. */
void con_alarm_given_up(struct con_alarm *alarm, const struct sl_subsystem *subsystem,
                        struct sl_span type);

SL_DEFINE_AUTO(struct con_alarm *, con_alarm_free)

#endif
