/*
 * The broker link against a real RabbitMQ. Needs AMQP_URL; skipped (77) without it. Outages are in the product tests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/amqp_link.h"
#include "shared/clock.h"
#include "tests/support/claims.h"

#define PATIENCE_MS 20000
#define MANY        10000u
#define SKIPPED     77

static const char *broker_url(void)
{
    const char *url = getenv("AMQP_URL");
    if (url == NULL) {
        puts("AMQP_URL is not set: skipped");
        exit(SKIPPED);
    }
    return url;
}

/* Each claim has a queue of its own; the broker is private and thrown away. */
static char queue[64];

static void new_queue(void)
{
    static unsigned number;
    snprintf(queue, sizeof queue, "sluice.test.amqp_link.%d.%u", (int)getpid(), number++);
}

/* One link, and everything it told. */
struct world {
    struct sl_loop *loop;
    struct sl_timer *patience;
    struct sl_amqp_url url;
    struct sl_amqp_link *link;
    unsigned ups;
    unsigned downs;
    struct sl_err down;
    unsigned outcomes[SL_PUBLISH_LOST + 1];
    unsigned deliveries;
    unsigned redelivered;
    uint64_t last_tag;
    uint64_t body_bytes;
    bool acks;
    unsigned declared;
    unsigned refused;
    struct sl_err refusal;
    struct sl_amqp_declared answer;
    const unsigned *waits_for; /* the loop stops once it holds at_least */
    unsigned at_least;
    bool is_late;
};

static void look(struct world *world)
{
    if (world->waits_for != NULL && *world->waits_for >= world->at_least) {
        sl_loop_stop(world->loop);
    }
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct world *world = arg;
    world->ups++;
    look(world);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    (void)wait_ms;
    struct world *world = arg;
    world->downs++;
    world->down = *why;
    look(world);
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    (void)cookie;
    struct world *world = arg;
    world->outcomes[outcome]++;
    look(world);
}

static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg)
{
    struct world *world = arg;
    struct sl_err err = { 0 };
    world->deliveries++;
    world->redelivered += delivery->redelivered ? 1 : 0;
    world->last_tag = delivery->tag;
    world->body_bytes += delivery->message.body.bytes;
    if (world->acks) {
        CU_ASSERT(sl_amqp_ack(link, delivery->tag, false, &err));
    }
    look(world);
}

static void on_declared(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                        const struct sl_err *err, void *arg)
{
    (void)link;
    struct world *world = arg;
    if (err == NULL) {
        world->declared++;
        world->answer = *declared;
    } else {
        world->refused++;
        world->refusal = *err;
    }
    look(world);
}

static void on_patience(void *arg)
{
    struct world *world = arg;
    world->is_late = true;
    sl_loop_stop(world->loop);
}

/* Runs until *number is at least so much; fails the claim after PATIENCE_MS. */
static void until(struct world *world, const unsigned *number, unsigned at_least)
{
    struct sl_err err = { 0 };
    world->waits_for = number;
    world->at_least = at_least;
    world->is_late = false;
    sl_timer_arm(world->patience, PATIENCE_MS);
    while (*number < at_least && !world->is_late) {
        CU_ASSERT_FATAL(sl_loop_run(world->loop, &err));
    }
    world->waits_for = NULL;
    CU_ASSERT_FATAL(!world->is_late);
}

static void open_world(struct world *world, const char *url)
{
    struct sl_err err = { 0 };
    *world = (struct world){ 0 };
    world->loop = sl_loop_new(&err);
    world->patience = sl_timer_new(world->loop, on_patience, world);
    CU_ASSERT_FATAL(sl_amqp_url_parse(url, &world->url, &err));
    world->link = sl_amqp_link_new(&(struct sl_amqp_link_opts){ .loop = world->loop,
                                                                .url = &world->url,
                                                                .connection_name = "test_amqp_link",
                                                                .confirms = true,
                                                                .publishes_max = MANY,
                                                                .arg = world,
                                                                .on_up = on_up,
                                                                .on_down = on_down,
                                                                .on_settled = on_settled,
                                                                .on_delivery = on_delivery },
                                   &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->link);
}

static void close_world(struct world *world)
{
    sl_amqp_link_free(world->link);
    sl_timer_free(world->patience);
    sl_loop_free(world->loop);
    sl_amqp_url_done(&world->url);
}

static void declare(struct world *world, const struct sl_amqp_declare *what)
{
    struct sl_err err = { 0 };
    unsigned before = world->declared + world->refused;
    CU_ASSERT_FATAL(sl_amqp_declare(world->link, what, on_declared, world, &err));
    const unsigned *number = &world->declared;
    world->waits_for = NULL;
    sl_timer_arm(world->patience, PATIENCE_MS);
    world->is_late = false;
    while (world->declared + world->refused == before && !world->is_late) {
        world->waits_for = number;
        world->at_least = 0; /* stop at every event */
        CU_ASSERT_FATAL(sl_loop_run(world->loop, &err));
    }
    world->waits_for = NULL;
    CU_ASSERT_FATAL(!world->is_late);
}

static const struct sl_amqp_header quorum[] = { { .name = "x-queue-type",
                                                  .text = { "quorum", 6 } } };

static void declare_queue(struct world *world)
{
    declare(world, &(struct sl_amqp_declare){ .kind = SL_AMQP_DECLARE_QUEUE,
                                              .name = queue,
                                              .arguments = quorum,
                                              .argument_count = 1 });
}

static bool publish(struct world *world, const char *exchange, const char *key, unsigned n,
                    struct sl_span body)
{
    struct sl_err err = { 0 };
    char id[32];
    snprintf(id, sizeof id, "evt_%u", n);
    return sl_amqp_publish(world->link,
                           &(struct sl_amqp_message){ .exchange = exchange,
                                                      .routing_key = sl_span_of(key),
                                                      .message_id = sl_span_of(id),
                                                      .type = SL_SPAN_LITERAL("test"),
                                                      .content_type = SL_SPAN_LITERAL("text/plain"),
                                                      .app_id = SL_SPAN_LITERAL("sluice"),
                                                      .timestamp_s = 1700000000,
                                                      .body = body },
                           n, &err);
}

CLAIM(amqp_link__ten_thousand_publishes_are_confirmed_and_consumed_once_each)
{
    new_queue();
    struct world world;
    open_world(&world, broker_url());
    until(&world, &world.ups, 1);
    declare_queue(&world);
    char body[3200];
    memset(body, 'x', sizeof body);
    for (unsigned n = 0; n < MANY; n++) {
        while (!publish(&world, "", queue, n, sl_span_make(body, sizeof body))) {
            until(&world, &world.outcomes[SL_PUBLISH_CONFIRMED],
                  world.outcomes[SL_PUBLISH_CONFIRMED] + 1);
        }
    }
    until(&world, &world.outcomes[SL_PUBLISH_CONFIRMED], MANY);
    struct sl_err err = { 0 };
    world.acks = true;
    CU_ASSERT_FATAL(sl_amqp_consume(world.link, queue, 200, &err));
    until(&world, &world.deliveries, MANY);
    CU_ASSERT_EQUAL(world.redelivered, 0);
    CU_ASSERT_EQUAL(world.body_bytes, (uint64_t)MANY * sizeof body);
    close_world(&world); /* takes the last acknowledgements with it */

    open_world(&world, broker_url());
    until(&world, &world.ups, 1);
    for (int64_t end_ms = sl_clock_mono_ms() + PATIENCE_MS; sl_clock_mono_ms() < end_ms;) {
        declare(&world, &(struct sl_amqp_declare){
                            .kind = SL_AMQP_DECLARE_QUEUE, .name = queue, .passive = true });
        if (world.answer.message_count == 0) {
            break;
        }
    }
    CU_ASSERT_EQUAL(world.answer.message_count, 0);
    close_world(&world);
}

CLAIM(amqp_link__a_message_of_several_frames_arrives_whole)
{
    new_queue();
    struct world world;
    open_world(&world, broker_url());
    until(&world, &world.ups, 1);
    declare_queue(&world);
    const size_t sizes[] = { 0, 1, 131064, 131065, 262128, 1048576 };
    struct sl_err err = { 0 };
    char *body = calloc(1, 1048576);
    world.acks = true;
    CU_ASSERT_FATAL(sl_amqp_consume(world.link, queue, 10, &err));
    uint64_t total = 0;
    for (unsigned i = 0; i < SL_COUNT(sizes); i++) {
        CU_ASSERT_FATAL(publish(&world, "", queue, i, sl_span_make(body, sizes[i])));
        until(&world, &world.deliveries, i + 1);
        total += sizes[i];
        CU_ASSERT_EQUAL(world.body_bytes, total);
    }
    free(body);
    until(&world, &world.outcomes[SL_PUBLISH_CONFIRMED], SL_COUNT(sizes));
    close_world(&world);
}

CLAIM(amqp_link__what_no_queue_takes_is_returned_and_never_confirmed)
{
    new_queue();
    struct world world;
    open_world(&world, broker_url());
    until(&world, &world.ups, 1);
    declare_queue(&world);
    for (unsigned n = 0; n < 100; n++) {
        CU_ASSERT_FATAL(
            publish(&world, "", n % 2 == 0 ? "no.such.queue" : queue, n, SL_SPAN_LITERAL("x")));
    }
    until(&world, &world.outcomes[SL_PUBLISH_CONFIRMED], 50);
    until(&world, &world.outcomes[SL_PUBLISH_RETURNED], 50);
    CU_ASSERT_EQUAL(sl_amqp_link_inflight(world.link), 0);
    close_world(&world);
}

CLAIM(amqp_link__a_missing_exchange_loses_everything_in_flight_and_the_link_comes_back)
{
    new_queue();
    struct world world;
    open_world(&world, broker_url());
    until(&world, &world.ups, 1);
    for (unsigned n = 0; n < 10; n++) {
        CU_ASSERT_FATAL(publish(&world, "no.such.exchange", "key", n, SL_SPAN_LITERAL("x")));
    }
    until(&world, &world.outcomes[SL_PUBLISH_LOST], 10);
    until(&world, &world.downs, 1);
    CU_ASSERT_EQUAL(world.down.code, SL_E_AMQP_NOT_FOUND);
    until(&world, &world.ups, 2);
    declare_queue(&world);
    CU_ASSERT_FATAL(publish(&world, "", queue, 11, SL_SPAN_LITERAL("x")));
    until(&world, &world.outcomes[SL_PUBLISH_CONFIRMED], 1);
    close_world(&world);
}

CLAIM(amqp_link__refused_declarations_say_what_the_broker_said)
{
    new_queue();
    struct world world;
    open_world(&world, broker_url());
    until(&world, &world.ups, 1);
    declare_queue(&world);
    declare(&world, &(struct sl_amqp_declare){
                        .kind = SL_AMQP_DECLARE_QUEUE, .name = "no.such.queue", .passive = true });
    CU_ASSERT_EQUAL(world.refusal.code, SL_E_AMQP_NOT_FOUND);
    until(&world, &world.ups, 2);
    declare(&world, &(struct sl_amqp_declare){ .kind = SL_AMQP_DECLARE_QUEUE, .name = queue });
    CU_ASSERT_EQUAL(world.refusal.code, SL_E_AMQP_PRECONDITION);
    CU_ASSERT_PTR_NOT_NULL(strstr(world.refusal.text, "x-queue-type"));
    until(&world, &world.ups, 3);
    close_world(&world);
}

CLAIM(amqp_link__a_wrong_password_is_an_operators_matter_and_never_printed)
{
    char url[256];
    snprintf(url, sizeof url, "%s", broker_url());
    char *at = strchr(url, '@');
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at[-1] = at[-1] == 'x' ? 'y' : 'x';
    struct world world;
    open_world(&world, url);
    until(&world, &world.downs, 1);
    CU_ASSERT_EQUAL(world.down.code, SL_E_AMQP_REFUSED);
    CU_ASSERT_PTR_NULL(strstr(world.down.text, world.url.password));
    CU_ASSERT(sl_amqp_link_has_tried(world.link));
    close_world(&world);
}

CLAIM(amqp_link__unacknowledged_deliveries_come_again_after_a_new_connection)
{
    new_queue();
    struct world world;
    open_world(&world, broker_url());
    until(&world, &world.ups, 1);
    declare_queue(&world);
    struct sl_err err = { 0 };
    for (unsigned n = 0; n < 5; n++) {
        CU_ASSERT_FATAL(publish(&world, "", queue, n, SL_SPAN_LITERAL("x")));
    }
    CU_ASSERT_FATAL(sl_amqp_consume(world.link, queue, 10, &err));
    until(&world, &world.deliveries, 5);
    close_world(&world);

    open_world(&world, broker_url());
    until(&world, &world.ups, 1);
    world.acks = true;
    CU_ASSERT_FATAL(sl_amqp_consume(world.link, queue, 10, &err));
    until(&world, &world.deliveries, 5);
    CU_ASSERT(world.redelivered >= 5);
    close_world(&world);
}
