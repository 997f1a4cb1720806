#include "publisher/broker.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "tests/support/claims.h"

/* Nobody listens there: what a change does while no broker can be reached. With brokers: tests/integration/control.test.mjs. */
#define NOWHERE   "amqp://u:p@127.0.0.1:1/one"
#define LONG_MS   3600000
#define ELSEWHERE "amqp://u:p@127.0.0.1:1/two"

struct world {
    struct sl_loop *loop;
    struct sl_amqp_url first;
    struct pub_broker *broker;
    unsigned downs;
    unsigned ups;
    unsigned degradeds;
};

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    ((struct world *)arg)->ups++;
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    struct world *world = arg;
    (void)why;
    (void)wait_ms;
    CU_ASSERT_PTR_EQUAL(link, pub_broker_link(world->broker));
    world->downs++;
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    (void)link;
    (void)is_blocked;
    (void)reason;
    (void)arg;
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    (void)cookie;
    (void)outcome;
    (void)arg;
}

static void on_degraded(void *arg)
{
    struct world *world = arg;
    CU_ASSERT_EQUAL(pub_broker_outage(world->broker), PUB_OUTAGE_DEGRADED);
    world->degradeds++;
}

static struct sl_amqp_url url_of(const char *text)
{
    struct sl_amqp_url url = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(sl_amqp_url_parse(text, &url, &err));
    return url;
}

static void open_world(struct world *world, int64_t degraded_after_ms)
{
    struct sl_err err = { 0 };
    *world = (struct world){ .loop = sl_loop_new(&err), .first = url_of(NOWHERE) };
    world->broker =
        pub_broker_new(&(struct pub_broker_opts){ .link = { .loop = world->loop,
                                                            .url = &world->first,
                                                            .connection_name = "test",
                                                            .confirms = true,
                                                            .arg = world,
                                                            .on_up = on_up,
                                                            .on_down = on_down,
                                                            .on_blocked = on_blocked,
                                                            .on_settled = on_settled },
                                                  .degraded_after_ms = degraded_after_ms,
                                                  .on_degraded = on_degraded },
                       &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->broker);
}

static void close_world(struct world *world)
{
    pub_broker_free(world->broker);
    sl_amqp_url_done(&world->first);
    sl_loop_free(world->loop);
}

static void run_until_downs(struct world *world, unsigned downs)
{
    int64_t until_ms = sl_clock_mono_ms() + 60000;
    while (world->downs < downs && sl_clock_mono_ms() < until_ms) {
        event_base_loop(sl_loop_base(world->loop), EVLOOP_ONCE);
    }
    CU_ASSERT(world->downs >= downs);
}

CLAIM(broker__a_change_to_nowhere_leaves_the_link_in_use)
{
    struct world world;
    struct sl_err err = { 0 };
    open_world(&world, LONG_MS);
    struct sl_amqp_link *used = pub_broker_link(world.broker);
    CU_ASSERT_FALSE(pub_broker_is_changing(world.broker));
    CU_ASSERT(pub_broker_away_since_us(world.broker) > 0);
    int64_t since_us = pub_broker_away_since_us(world.broker);
    struct sl_amqp_url url = url_of(ELSEWHERE);
    CU_ASSERT(pub_broker_change(world.broker, &url, &err));
    CU_ASSERT_EQUAL(url.host_count, 0); /* taken over */
    CU_ASSERT(pub_broker_is_changing(world.broker));
    run_until_downs(&world, 2); /* of the link in use only */
    CU_ASSERT_PTR_EQUAL(pub_broker_link(world.broker), used);
    CU_ASSERT_EQUAL(pub_broker_away_since_us(world.broker), since_us);
    CU_ASSERT_EQUAL(world.ups, 0);
    close_world(&world);
}

CLAIM(broker__a_newer_change_replaces_one_that_is_not_up)
{
    struct world world;
    struct sl_err err = { 0 };
    open_world(&world, LONG_MS);
    for (unsigned i = 0; i < 5; i++) {
        struct sl_amqp_url url = url_of(ELSEWHERE);
        CU_ASSERT(pub_broker_change(world.broker, &url, &err));
        CU_ASSERT_EQUAL(url.host_count, 0);
    }
    run_until_downs(&world, 1);
    CU_ASSERT(pub_broker_is_changing(world.broker));
    close_world(&world);
}

CLAIM(broker__away_for_too_long_is_said_once_and_it_is_tried_on)
{
    struct world world;
    open_world(&world, 30);
    CU_ASSERT_EQUAL(pub_broker_outage(world.broker), PUB_OUTAGE_WAITING);
    int64_t until_ms = sl_clock_mono_ms() + 60000;
    while (world.degradeds == 0 && sl_clock_mono_ms() < until_ms) {
        event_base_loop(sl_loop_base(world.loop), EVLOOP_ONCE);
    }
    unsigned downs = world.downs;
    run_until_downs(&world, downs + 2);
    CU_ASSERT_EQUAL(world.degradeds, 1);
    CU_ASSERT_EQUAL(pub_broker_outage(world.broker), PUB_OUTAGE_DEGRADED);
    close_world(&world);
}

CLAIM(broker__nothing_is_fine)
{
    pub_broker_free(NULL);
    CU_ASSERT_PTR_NULL(pub_broker_link(NULL));
}
