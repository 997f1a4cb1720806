#include "ops/topology/topology_plan.h"

#include <stdio.h>

#include "tests/support/claims.h"

struct fixture {
    struct sl_subsystems subsystems;
    struct sl_arena arena;
    struct ops_topology_plan plan;
};

static void add(struct fixture *fixture, const char *name, bool enabled, const char *binding)
{
    struct sl_subsystem *item = &fixture->subsystems.items[fixture->subsystems.count++];
    snprintf(item->name, sizeof item->name, "%s", name);
    snprintf(item->queue, sizeof item->queue, "sluice.%s", name);
    item->enabled = enabled;
    snprintf(item->bindings[0], sizeof item->bindings[0], "%s", binding);
    item->binding_count = 1;
}

static void make(struct fixture *fixture)
{
    struct sl_err err = { 0 };
    sl_arena_init(&fixture->arena, OPS_TOPOLOGY_ARENA_BYTES);
    CU_ASSERT_TRUE_FATAL(
        ops_topology_plan_make(&fixture->subsystems, &fixture->arena, &fixture->plan, &err));
}

static const struct sl_amqp_declare *find(const struct fixture *fixture,
                                          enum sl_amqp_declare_kind kind, const char *name)
{
    for (size_t i = 0; i < fixture->plan.count; i++) {
        const struct sl_amqp_declare *declare = &fixture->plan.steps[i].declare;
        if (declare->kind == kind && strcmp(declare->name, name) == 0) {
            return declare;
        }
    }
    return NULL;
}

static bool has_binding(const struct fixture *fixture, enum sl_amqp_declare_kind kind,
                        const char *source, const char *key, const char *destination)
{
    for (size_t i = 0; i < fixture->plan.count; i++) {
        const struct sl_amqp_declare *declare = &fixture->plan.steps[i].declare;
        if (declare->kind == kind && strcmp(declare->name, destination) == 0 &&
            strcmp(declare->source, source) == 0 && strcmp(declare->routing_key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* "a=b c=5 …" in the order of the law. */
static void arguments_text(const struct sl_amqp_declare *declare, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < declare->argument_count; i++) {
        const struct sl_amqp_header *argument = &declare->arguments[i];
        if (argument->text.data != NULL) {
            used += (size_t)snprintf(out + used, room - used, "%s%s=%.*s", i == 0 ? "" : " ",
                                     argument->name, SL_SPAN_ARGS(argument->text));
        } else {
            used += (size_t)snprintf(out + used, room - used, "%s%s=%lld", i == 0 ? "" : " ",
                                     argument->name, (long long)argument->number);
        }
    }
}

static void check_arguments(const struct fixture *fixture, enum sl_amqp_declare_kind kind,
                            const char *name, const char *expected)
{
    const struct sl_amqp_declare *declare = find(fixture, kind, name);
    char text[1024];
    CU_ASSERT_PTR_NOT_NULL_FATAL(declare);
    arguments_text(declare, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

CLAIM(topology_plan__queues_have_exactly_the_arguments_of_the_law)
{
    struct fixture fixture = { 0 };
    add(&fixture, "billing", true, "stripe.#");
    make(&fixture);
    check_arguments(&fixture, SL_AMQP_DECLARE_QUEUE, "sluice.billing",
                    "x-queue-type=quorum x-dead-letter-exchange=sluice.parked "
                    "x-dead-letter-routing-key=billing x-dead-letter-strategy=at-least-once "
                    "x-overflow=reject-publish x-delivery-limit=20");
    check_arguments(&fixture, SL_AMQP_DECLARE_QUEUE, "sluice.billing.replay",
                    "x-queue-type=quorum x-dead-letter-exchange=sluice.parked "
                    "x-dead-letter-routing-key=billing x-dead-letter-strategy=at-least-once "
                    "x-overflow=reject-publish x-delivery-limit=20");
    check_arguments(&fixture, SL_AMQP_DECLARE_QUEUE, "sluice.billing.parked",
                    "x-queue-type=quorum x-overflow=reject-publish x-delivery-limit=1000000");
    check_arguments(&fixture, SL_AMQP_DECLARE_QUEUE, "sluice.unrouted",
                    "x-queue-type=quorum x-overflow=reject-publish x-delivery-limit=1000000");
    check_arguments(&fixture, SL_AMQP_DECLARE_QUEUE, "sluice.delay.00",
                    "x-queue-type=quorum x-dead-letter-exchange=sluice.due "
                    "x-dead-letter-strategy=at-least-once x-overflow=reject-publish "
                    "x-message-ttl=1000");
    check_arguments(&fixture, SL_AMQP_DECLARE_QUEUE, "sluice.delay.19",
                    "x-queue-type=quorum x-dead-letter-exchange=sluice.delay.18 "
                    "x-dead-letter-strategy=at-least-once x-overflow=reject-publish "
                    "x-message-ttl=524288000");
    sl_arena_done(&fixture.arena);
}

CLAIM(topology_plan__every_exchange_but_the_last_resort_has_it_as_alternate)
{
    struct fixture fixture = { 0 };
    make(&fixture);
    size_t exchanges = 0;
    for (size_t i = 0; i < fixture.plan.count; i++) {
        const struct sl_amqp_declare *declare = &fixture.plan.steps[i].declare;
        if (declare->kind != SL_AMQP_DECLARE_EXCHANGE) {
            continue;
        }
        exchanges++;
        bool is_last_resort = strcmp(declare->name, "sluice.unrouted") == 0;
        check_arguments(&fixture, SL_AMQP_DECLARE_EXCHANGE, declare->name,
                        is_last_resort ? "" : "alternate-exchange=sluice.unrouted");
    }
    CU_ASSERT_EQUAL(exchanges, 4 + SL_DELAY_LEVELS);
    CU_ASSERT_STRING_EQUAL(find(&fixture, SL_AMQP_DECLARE_EXCHANGE, "sluice.events")->type,
                           "topic");
    CU_ASSERT_STRING_EQUAL(find(&fixture, SL_AMQP_DECLARE_EXCHANGE, "sluice.parked")->type,
                           "direct");
    CU_ASSERT_STRING_EQUAL(find(&fixture, SL_AMQP_DECLARE_EXCHANGE, "sluice.unrouted")->type,
                           "fanout");
    sl_arena_done(&fixture.arena);
}

CLAIM(topology_plan__a_subsystem_that_is_not_enabled_gets_nothing)
{
    struct fixture fixture = { 0 };
    add(&fixture, "billing", true, "stripe.#");
    add(&fixture, "transcode", false, "music.#");
    make(&fixture);
    CU_ASSERT_PTR_NOT_NULL(find(&fixture, SL_AMQP_DECLARE_QUEUE, "sluice.billing"));
    for (size_t i = 0; i < fixture.plan.count; i++) {
        CU_ASSERT_PTR_NULL(strstr(fixture.plan.steps[i].declare.name, "transcode"));
    }
    sl_arena_done(&fixture.arena);
}

CLAIM(topology_plan__bindings_lead_where_the_law_says)
{
    struct fixture fixture = { 0 };
    add(&fixture, "billing", true, "stripe.#");
    make(&fixture);
    CU_ASSERT_TRUE(
        has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.events", "stripe.#", "sluice.billing"));
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.parked", "billing",
                               "sluice.billing.parked"));
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.due",
                               "*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.events.stripe.#",
                               "sluice.billing"));
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.due",
                               "*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.billing",
                               "sluice.billing"));
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.due",
                               "*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.billing.replay",
                               "sluice.billing.replay"));
    CU_ASSERT_TRUE(
        has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.unrouted", "", "sluice.unrouted"));
    CU_ASSERT_TRUE(
        has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.delay.19", "1.#", "sluice.delay.19"));
    CU_ASSERT_TRUE(
        has_binding(&fixture, SL_AMQP_BIND_EXCHANGE, "sluice.delay.19", "0.#", "sluice.delay.18"));
    CU_ASSERT_TRUE(
        has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.delay.17", "*.*.1.#", "sluice.delay.17"));
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_EXCHANGE, "sluice.delay.00",
                               "*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.0.#", "sluice.due"));
    sl_arena_done(&fixture.arena);
}

CLAIM(topology_plan__nothing_is_bound_before_both_ends_are_there)
{
    struct fixture fixture = { 0 };
    add(&fixture, "billing", true, "stripe.#");
    add(&fixture, "email-digest", true, "stripe.invoice.#");
    make(&fixture);
    for (size_t i = 0; i < fixture.plan.count; i++) {
        const struct sl_amqp_declare *binding = &fixture.plan.steps[i].declare;
        if (binding->source == NULL) {
            continue;
        }
        enum sl_amqp_declare_kind end = binding->kind == SL_AMQP_BIND_EXCHANGE
                                            ? SL_AMQP_DECLARE_EXCHANGE
                                            : SL_AMQP_DECLARE_QUEUE;
        bool has_source = false;
        bool has_destination = false;
        for (size_t j = 0; j < i; j++) {
            const struct sl_amqp_declare *before = &fixture.plan.steps[j].declare;
            has_source = has_source || (before->kind == SL_AMQP_DECLARE_EXCHANGE &&
                                        strcmp(before->name, binding->source) == 0);
            has_destination = has_destination ||
                              (before->kind == end && strcmp(before->name, binding->name) == 0);
        }
        CU_ASSERT_TRUE(has_source && has_destination);
    }
    sl_arena_done(&fixture.arena);
}

/* Else what waits for a way that was gone is given up a moment before it is there. */
CLAIM(topology_plan__the_last_resort_takes_nothing_before_every_way_is_there)
{
    struct fixture fixture = { 0 };
    add(&fixture, "billing", true, "stripe.#");
    make(&fixture);
    const struct sl_amqp_declare *last = &fixture.plan.steps[fixture.plan.count - 1].declare;
    CU_ASSERT_EQUAL(last->kind, SL_AMQP_BIND_QUEUE);
    CU_ASSERT_STRING_EQUAL(last->name, "sluice.unrouted");
    sl_arena_done(&fixture.arena);
}

CLAIM(topology_plan__the_most_subsystems_there_can_be_fit)
{
    static struct fixture fixture;
    for (size_t i = 0; i < SL_SUBSYSTEMS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "sub-%zu", i);
        add(&fixture, name, true, "a.#");
        struct sl_subsystem *item = &fixture.subsystems.items[i];
        item->binding_count = SL_SUBSYSTEM_BINDINGS_MAX;
        for (size_t j = 0; j < SL_SUBSYSTEM_BINDINGS_MAX; j++) {
            memset(item->bindings[j], 'a', SL_SUBSYSTEM_BINDING_BYTES - 1);
        }
    }
    make(&fixture);
    sl_arena_done(&fixture.arena);
}

static void delay(struct fixture *fixture, const char *type, int64_t wait_ms)
{
    struct sl_subsystem_delays *delays =
        &fixture->subsystems.items[fixture->subsystems.count - 1].delays;
    delays->items[delays->count].type = type;
    delays->items[delays->count].wait_ms = wait_ms;
    delays->count++;
}

CLAIM(topology_plan__a_delay_for_all_types_is_a_queue_in_front)
{
    struct fixture fixture = { 0 };
    add(&fixture, "digest", true, "stripe.#");
    delay(&fixture, NULL, 300000);
    make(&fixture);
    check_arguments(&fixture, SL_AMQP_DECLARE_QUEUE, "sluice.digest.first.300",
                    "x-queue-type=quorum x-dead-letter-exchange=sluice.due "
                    "x-dead-letter-routing-key=0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.digest "
                    "x-dead-letter-strategy=at-least-once x-overflow=reject-publish "
                    "x-message-ttl=300000");
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.events", "stripe.#",
                               "sluice.digest.first.300"));
    CU_ASSERT_FALSE(
        has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.events", "stripe.#", "sluice.digest"));
    CU_ASSERT_PTR_NULL(find(&fixture, SL_AMQP_DECLARE_EXCHANGE, "sluice.digest.first"));
    sl_arena_done(&fixture.arena);
}

CLAIM(topology_plan__delays_of_some_types_are_sorted_out_and_the_rest_goes_straight_on)
{
    struct fixture fixture = { 0 };
    add(&fixture, "sim", true, "internal.#");
    delay(&fixture, "networkTypeChange", 1800000);
    delay(&fixture, "sim.swap", 1800000);
    make(&fixture);
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_EXCHANGE, "sluice.events", "internal.#",
                               "sluice.sim.first"));
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.sim.first",
                               "*.networkTypeChange", "sluice.sim.first.1800"));
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.sim.first", "*.sim.swap",
                               "sluice.sim.first.1800"));
    check_arguments(&fixture, SL_AMQP_DECLARE_EXCHANGE, "sluice.sim.first",
                    "alternate-exchange=sluice.sim.rest");
    CU_ASSERT_TRUE(has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.sim.rest", "", "sluice.sim"));
    CU_ASSERT_FALSE(
        has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.events", "internal.#", "sluice.sim"));
    sl_arena_done(&fixture.arena);
}

CLAIM(topology_plan__a_type_can_be_spared_the_delay_of_all_others)
{
    struct fixture fixture = { 0 };
    add(&fixture, "sim", true, "internal.#");
    delay(&fixture, NULL, 60000);
    delay(&fixture, "urgent", 0);
    make(&fixture);
    CU_ASSERT_TRUE(
        has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.sim.first", "*.urgent", "sluice.sim"));
    CU_ASSERT_TRUE(
        has_binding(&fixture, SL_AMQP_BIND_QUEUE, "sluice.sim.rest", "", "sluice.sim.first.60"));
    sl_arena_done(&fixture.arena);
}
