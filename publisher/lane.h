/*
 * lane - one event loop with everything that takes requests in it: door, guard, reception, routes, intake with its link to the broker, and what the API needs.
 *
 * The first lane runs in the main thread and owns what there is once: journal, drop log and replay (intake.h), the metrics port. Others have a thread each.
 * What all share is given to them: pauses, floods, rates and the limits of connections hold for the publisher, not for a loop.
 * Law: a lane is touched by its own thread, or by the main thread while it holds the lanes (lanes.h), before it starts, and after it has ended.
 */
#ifndef PUBLISHER_LANE_H
#define PUBLISHER_LANE_H

#include <stdatomic.h>

#include "publisher/config.h"
#include "publisher/doors.h"
#include "publisher/routes.h"

/* What the lanes have in common; all borrowed. */
struct pub_common {
    const struct pub_config *config;
    const char *service;
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct pub_levels *levels;
    struct sl_sentry *sentry; /* NULL: none; counts for every loop */
    struct pub_gate *gate;
    struct pub_flood *flood;
    struct pub_board *board;
    struct sl_http_totals *totals;
    _Atomic size_t *batches;
    struct sl_health health;         /* public port: without metrics */
    struct sl_health private_health; /* metrics port */
};

struct pub_lane {
    const struct pub_common *common;
    size_t number;
    struct pub_lane *first; /* itself for the first */
    struct sl_loop *loop;
    struct sl_mailbox *mailbox;
    struct pub_intake *intake;
    struct pub_keyring
        keyrings[SL_SOURCES_MAX]; /* of all but the first, which uses the configuration's */
    struct pub_sources sources;
    struct pub_reception reception;
    struct pub_guard guard;
    struct sl_json_parser *parser;
    struct pub_events_api events;
    struct pub_reader *reader;     /* NULL: no database is configured */
    struct pub_breakers *breakers; /* likewise */
    struct pub_billing_api billing;
    struct sl_stripe_client *stripe; /* with the key that may write; NULL: none is configured */
    struct sl_stripe_client *stripe_reads; /* with one that need not; NULL: the other serves */
    struct pub_billing_writes writes;
    struct pub_routes routes;
    struct pub_doors doors;
    _Atomic bool is_drained;
};

/* Connects to the broker, and listens: requests are taken once the loop runs. first: itself for the first lane, whose loop is given. */
bool pub_lane_open(struct pub_lane *lane, const struct pub_common *common, size_t number,
                   struct pub_lane *first, struct sl_loop *loop, struct sl_err *err) SL_MUST;
/* In two steps, for the journal tells every lane what became of its events: see pub_lanes_done. Accept zeroed or half-opened storage. */
void pub_lane_close_doors(struct pub_lane *lane);
void pub_lane_done(struct pub_lane *lane);

/* Stops taking requests; is_drained once all are answered. */
void pub_lane_drain(struct pub_lane *lane);

#endif
