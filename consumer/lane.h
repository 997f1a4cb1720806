/*
 * lane - the hold lane of a subsystem: what its type breakers mean for the deliveries in its workers' hands.
 *
 * Owns the breakers (breaker.h decides), tells the log and the gauges of their changes, and makes the departures of what is held: to a delay level of the broker, with the
 * attempt unspent and the headers as they were.
 * All workers of the subsystem have one, so what fails for one of them is held for all, and one probe is let through. What another process's breakers did is
 * heard of (con_lane_obey).
 * Law: while a breaker is open nothing of its type is given up. What fails of it is held like what was not tried.
 * Refuses: publishing (onward does).
 * Threads: one loop.
 */
#ifndef CONSUMER_LANE_H
#define CONSUMER_LANE_H

#include "consumer/alarm.h"
#include "consumer/batch.h"
#include "consumer/event.h"
#include "consumer/orders.h"
#include "shared/json/json_write.h"
#include "shared/log.h"
#include "shared/metrics.h"
#include "shared/subsystem/subsystems.h"

struct con_lane;

struct con_lane_opts {
    struct sl_log *log; /* borrowed, as everything here */
    struct sl_metrics *metrics;
    const struct sl_subsystem *subsystem;
    struct con_alarm *alarm; /* told of breakers that open by themselves; NULL: nobody is */
};

struct con_lane *con_lane_new(const struct con_lane_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_lane_free(struct con_lane *lane);

/* What operators have set, and which breakers are open elsewhere: breakers, and events to park, which are not held, so that they can be. Borrowed until the next call. */
void con_lane_obey(struct con_lane *lane, const struct con_order *order);

/* Before a transaction of that turn: what waits for it of open types is LEAVING, but for a probe of each that is due. Returns how many. */
size_t con_lane_divert(struct con_lane *lane, struct con_batch *batch, enum con_turn turn);

/* An event was applied. */
void con_lane_passed(struct con_lane *lane, const struct con_event *event);
/* An event failed by itself, for a reason that says something about its type. Returns its departure when it is held; NULL: its fate is its own. */
struct con_departure *con_lane_failed(struct con_lane *lane, const struct con_delivery *delivery,
                                      const struct con_event *event);
/*
 * So many events of a batch failed like this one that its type is at fault. True: the batch goes on; what failed is held back, or goes its way, since an operator
 * keeps the breaker closed. False: there is no breaker left for it.
 */
bool con_lane_trip(struct con_lane *lane, const struct con_event *event);

/* Writes the breakers that are not closed into an array that is begun, CON_LANE_SHOWN_MAX of them at most. */
#define CON_LANE_SHOWN_MAX 16u
void con_lane_show(const struct con_lane *lane, struct sl_json_writer *json);

#endif
