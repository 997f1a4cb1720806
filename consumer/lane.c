#include "consumer/lane.h"

#include <stdlib.h>

#include "consumer/breaker.h"
#include "consumer/departure.h"
#include "shared/clock.h"
#include "shared/digest.h"

#define US_PER_MS 1000

struct con_lane {
    struct con_lane_opts opts;
    struct con_breakers *breakers;
    const struct con_order *order;
    struct sl_series *gauges[CON_BREAKER_STATES]; /* of open and half-open types */
};

static void force(struct con_lane *lane, struct sl_span type, enum con_force wanted);
static void hear(struct con_lane *lane, const struct con_elsewhere *elsewhere);
static bool may_be_tried(struct con_lane *lane, const struct con_delivery *delivery,
                         struct sl_span *out_type, int64_t now_ms);
static struct con_departure *hold(const struct con_lane *lane, const struct con_delivery *delivery,
                                  struct sl_span type);
static void tell_opened(struct con_lane *lane, const struct con_event *event);
static void show(struct con_lane *lane);
static int64_t now(void);

struct con_lane *con_lane_new(const struct con_lane_opts *opts, struct sl_err *err)
{
    const struct sl_subsystem *subsystem = opts->subsystem;
    struct con_lane *lane = calloc(1, sizeof *lane);
    if (lane != NULL) {
        lane->opts = *opts;
        lane->breakers = con_breakers_new(&(struct con_breaker_policy){
            .ratio = subsystem->breaker_ratio,
            .samples = subsystem->breaker_samples,
            .consecutive = subsystem->breaker_consecutive,
            .window_ms = subsystem->breaker_window_ms,
            .probe_ms = subsystem->breaker_probe_ms,
        });
    }
    if (lane == NULL || lane->breakers == NULL) {
        free(lane);
        sl_fail(err, SL_E_MEMORY, "no memory for breakers");
        return NULL;
    }
    for (enum con_breaker_state i = CON_BREAKER_OPEN; i < CON_BREAKER_STATES; i++) {
        lane->gauges[i] = sl_metrics_series(opts->metrics, SL_M_CIRCUIT_STATE, subsystem->name,
                                            con_breaker_state_name(i));
    }
    return lane;
}

void con_lane_free(struct con_lane *lane)
{
    if (lane == NULL) {
        return;
    }
    for (enum con_breaker_state i = CON_BREAKER_OPEN; i < CON_BREAKER_STATES; i++) {
        sl_series_set(lane->gauges[i], 0);
    }
    con_breakers_free(lane->breakers);
    free(lane);
}

void con_lane_obey(struct con_lane *lane, const struct con_order *order)
{
    lane->order = order;
    int64_t wall_us = sl_clock_wall_us();
    for (size_t i = 0; i < CON_ORDER_BREAKERS_MAX; i++) {
        const char *type = con_order_breaker(order, i, wall_us);
        if (type != NULL) { /* known or not */
            force(lane, sl_span_of(type), con_order_force(order, sl_span_of(type), wall_us));
        }
    }
    for (size_t i = 0; i < con_breakers_known(lane->breakers); i++) {
        struct sl_span type = con_breakers_view(lane->breakers, i).type;
        force(lane, type, con_order_force(order, type, wall_us));
    }
    for (size_t i = 0; i < CON_ELSEWHERE_MAX; i++) {
        hear(lane, con_order_elsewhere(order, i));
    }
    show(lane);
}

static void force(struct con_lane *lane, struct sl_span type, enum con_force wanted)
{
    switch (con_breakers_force(lane->breakers, type, wanted, now())) {
    case CON_BREAKER_SAME:
        return;
    case CON_BREAKER_OPENED:
        sl_warn(
            lane->opts.log, "breaker.opened",
            "an operator wants it so; this type waits in the broker, unspent, until it is closed",
            sl_str("subsystem", lane->opts.subsystem->name), sl_text("event_type", type));
        return;
    case CON_BREAKER_CLOSES:
        sl_info(lane->opts.log, "breaker.closed",
                "an operator wants it so; this type is tried again, and what was held comes back",
                sl_str("subsystem", lane->opts.subsystem->name), sl_text("event_type", type));
        return;
    }
}

/* Its owner was told by the process that saw the failures. */
static void hear(struct con_lane *lane, const struct con_elsewhere *elsewhere)
{
    if (elsewhere != NULL && con_breakers_heard(lane->breakers, sl_span_of(elsewhere->type),
                                                elsewhere->since_ms, now()) == CON_BREAKER_OPENED) {
        sl_warn(
            lane->opts.log, "breaker.opened",
            "it has opened in another consumer; this type waits in the broker, unspent, but for a probe now and then",
            sl_str("runbook", CON_ALARM_PAGE), sl_str("subsystem", lane->opts.subsystem->name),
            sl_str("event_type", elsewhere->type));
    }
}

void con_lane_show(const struct con_lane *lane, struct sl_json_writer *json)
{
    int64_t to_wall_ms = sl_clock_wall_us() / US_PER_MS - now();
    size_t shown = 0;
    for (size_t i = 0; i < con_breakers_known(lane->breakers) && shown < CON_LANE_SHOWN_MAX; i++) {
        struct con_breaker_view view = con_breakers_view(lane->breakers, i);
        if (view.state == CON_BREAKER_CLOSED) {
            continue;
        }
        sl_json_put_object(json, NULL);
        sl_json_put_text(json, "type", view.type);
        sl_json_put_text(json, "state", sl_span_of(con_breaker_state_name(view.state)));
        sl_json_put_int(json, "since_ms", view.since_ms + to_wall_ms);
        if (lane->opts.subsystem->refuse_when_open) {
            sl_json_put_bool(json, "refuse", true);
        }
        if (view.force == CON_FORCE_NONE) {
            sl_json_put_int(json, "probe_ms", view.probe_at_ms + to_wall_ms);
        }
        sl_json_object_end(json);
        shown++;
    }
}

/* Without memory a delivery is tried: early is better than never. */
size_t con_lane_divert(struct con_lane *lane, struct con_batch *batch, enum con_turn turn)
{
    if (!con_breakers_is_any_open(lane->breakers)) {
        return 0;
    }
    size_t count = 0;
    int64_t now_ms = now();
    for (struct con_delivery *delivery = batch->first; delivery != NULL;
         delivery = delivery->next) {
        struct sl_span type = { 0 };
        if (delivery->state != CON_DELIVERY_WAITING || delivery->turn != turn ||
            may_be_tried(lane, delivery, &type, now_ms)) {
            continue;
        }
        struct con_departure *departure = hold(lane, delivery, type);
        if (departure != NULL) {
            con_batch_divert(batch, delivery, departure);
            count++;
        }
    }
    show(lane);
    return count;
}

static bool may_be_tried(struct con_lane *lane, const struct con_delivery *delivery,
                         struct sl_span *out_type, int64_t now_ms)
{
    struct sl_envelope event;
    struct sl_err why;
    if (!sl_envelope_decode(delivery->bytes, &event, &why)) {
        return true;
    }
    if (lane->order != NULL && con_order_parks(lane->order, &event, sl_clock_wall_us()) != NULL) {
        return true;
    }
    *out_type = event.type;
    return con_breakers_admit(lane->breakers, event.type, now_ms) != CON_ADMIT_NOT;
}

static struct con_departure *hold(const struct con_lane *lane, const struct con_delivery *delivery,
                                  struct sl_span type)
{
    uint64_t random = 0;
    bool is_random = sl_random_bytes(&random, sizeof random);
    int64_t wait_s = con_breakers_hold_s(lane->breakers, type, is_random ? random : 0);
    struct con_departure *departure = con_departure_early(delivery, wait_s);
    if (departure != NULL) {
        departure->is_held = true;
    }
    return departure;
}

void con_lane_passed(struct con_lane *lane, const struct con_event *event)
{
    struct sl_span type = event->envelope.type;
    if (con_breakers_passed(lane->breakers, type, now()) == CON_BREAKER_CLOSES) {
        sl_info(
            lane->opts.log, "breaker.closed",
            "an event of this type was applied; it is tried again, and what was held comes back",
            sl_str("subsystem", lane->opts.subsystem->name), sl_text("event_type", type));
        show(lane);
    }
}

struct con_departure *con_lane_failed(struct con_lane *lane, const struct con_delivery *delivery,
                                      const struct con_event *event)
{
    struct sl_span type = event->envelope.type;
    if (con_breakers_failed(lane->breakers, type, delivery->attempt, now()) == CON_BREAKER_OPENED) {
        tell_opened(lane, event);
    }
    show(lane);
    return con_breakers_state(lane->breakers, type) == CON_BREAKER_CLOSED
               ? NULL
               : hold(lane, delivery, type);
}

bool con_lane_trip(struct con_lane *lane, const struct con_event *event)
{
    struct sl_span type = event->envelope.type;
    if (con_breakers_trip(lane->breakers, type, now()) == CON_BREAKER_OPENED) {
        tell_opened(lane, event);
        show(lane);
    }
    return con_breakers_state(lane->breakers, type) != CON_BREAKER_CLOSED ||
           con_breakers_is_held_closed(lane->breakers, type);
}

static void tell_opened(struct con_lane *lane, const struct con_event *event)
{
    sl_error(
        lane->opts.log, "breaker.opened",
        "so many events of this type fail that it is not tried for now; they wait in the broker, unspent, and the other types flow",
        sl_str("error_code", sl_code_name(event->why.code)), sl_str("error", event->why.text),
        sl_str("runbook", CON_ALARM_PAGE), sl_str("subsystem", lane->opts.subsystem->name),
        sl_text("event_type", event->envelope.type), sl_str("code", event->code),
        sl_int("probe_ms", lane->opts.subsystem->breaker_probe_ms));
    con_alarm_tripped(lane->opts.alarm, lane->opts.subsystem, event->envelope.type, &event->why,
                      event->code);
}

static void show(struct con_lane *lane)
{
    for (enum con_breaker_state i = CON_BREAKER_OPEN; i < CON_BREAKER_STATES; i++) {
        sl_series_set(lane->gauges[i], (int64_t)con_breakers_count(lane->breakers, i));
    }
}

static int64_t now(void)
{
    return sl_clock_mono_us() / US_PER_MS;
}
