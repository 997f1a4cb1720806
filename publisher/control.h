/*
 * control - what an operator can ask of a running publisher, and tell it: the commands of its control socket.
 *
 *     status                                      everything below, and the state of the broker link
 *     pause {source|null, answer, for_ms}         refuse a source's webhooks, or all
 *     resume {source|null}
 *     log-level {level}                           until the next reload
 *     degraded-log-level {level}                  until the next reload
 *     journal-replay {rate}                       publish what is journaled now; rate until the next restart
 *     metrics                                     what /metrics says, as one text
 *
 * Works with broker and database both down.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_CONTROL_H
#define PUBLISHER_CONTROL_H

#include "publisher/guard/gate.h"
#include "publisher/levels.h"
#include "publisher/outage.h"
#include "publisher/source.h"
#include "shared/control/control.h"
#include "shared/journal/journal.h"
#include "shared/metrics.h"

#define PUB_PROGRAM "sluice-publisher"

/* The state of affairs, as far as others know it. */
struct pub_control_view {
    enum pub_outage outage;
    bool is_changing_broker;
    int64_t away_since_us; /* wall clock; 0: the broker takes publishes */
    size_t waiting;        /* requests not answered */
    bool is_draining;
    uint64_t sentry_pending;
    struct sl_journal_stats journal; /* zeroed without one */
    int64_t replay_rate;             /* events a second at most */
};

struct pub_control {
    struct pub_gate *gate; /* all borrowed */
    struct pub_levels *levels;
    const struct pub_sources *sources;
    struct sl_metrics *metrics;
    const char *service;
    void (*look)(void *arg, struct pub_control_view *out_view);
    /* rate 0: as before */
    bool (*replay)(void *arg, int64_t rate, struct sl_err *err);
    void *arg;
    int64_t started_ms; /* monotonic */
};

/* The commands for sl_control_new; their arg is a struct pub_control *. */
const struct sl_control_command *pub_control_commands(size_t *out_count);

#endif
