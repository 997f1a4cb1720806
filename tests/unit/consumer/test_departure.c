#include "consumer/departure.h"

#include <stdio.h>

#include "consumer/delivery.h"
#include "tests/support/claims.h"

static struct sl_amqp_header arriving[8];

static struct con_delivery delivery_of(const struct con_arrival *arrival)
{
    return (struct con_delivery){
        .tag = arrival->tag,
        .bytes = arrival->bytes,
        .routing_key = arrival->routing_key,
        .message_id = arrival->message_id,
        .type = arrival->type,
        .replay_run = arrival->replay_run,
        .traceparent = arrival->traceparent,
        .timestamp_s = arrival->timestamp_s,
        .attempt = arrival->attempt,
        .first_failed_ms = arrival->first_failed_ms,
    };
}

static struct con_delivery first_delivery(size_t header_count)
{
    struct sl_amqp_delivery delivery = {
        .tag = 9,
        .message = { .exchange = "sluice.events",
                     .routing_key = SL_SPAN_LITERAL("stripe.invoice.paid"),
                     .message_id = SL_SPAN_LITERAL("evt_9"),
                     .type = SL_SPAN_LITERAL("invoice.paid"),
                     .timestamp_s = 1700000000,
                     .headers = arriving,
                     .header_count = header_count,
                     .body = SL_SPAN_LITERAL("the envelope") },
    };
    struct con_arrival arrival = con_delivery_arrival(&delivery);
    return delivery_of(&arrival);
}

static const struct sl_envelope envelope = { .id = { "evt_9", 5 }, .type = { "invoice.paid", 12 } };

static void depart(struct con_delivery *delivery, const char *error, int64_t wait_s,
                   struct con_departure_message *out)
{
    struct sl_err why;
    sl_fail(&why, SL_E_PG_ITEM, "%s", error);
    struct con_fate fate = { .wait_s = wait_s, .error_class = "item" };
    delivery->departure =
        con_departure_new(delivery, &envelope, &why, "23503", fate, 1700000009000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(delivery->departure);
    con_departure_message(delivery, "billing", out);
}

static const struct sl_amqp_header *header(const struct con_departure_message *copy,
                                           const char *name)
{
    for (size_t i = 0; i < copy->message.header_count; i++) {
        if (strcmp(copy->message.headers[i].name, name) == 0) {
            return &copy->message.headers[i];
        }
    }
    return NULL;
}

static bool header_is(const struct con_departure_message *copy, const char *name, const char *text)
{
    const struct sl_amqp_header *found = header(copy, name);
    return found != NULL && sl_span_is(found->text, text);
}

CLAIM(departure__the_next_try_finds_its_number_and_its_history)
{
    struct con_delivery delivery = first_delivery(0);
    struct con_departure_message copy;
    depart(&delivery, "the parent is missing", 5, &copy);
    CU_ASSERT_STRING_EQUAL(copy.message.exchange, "sluice.delay.02");
    CU_ASSERT_TRUE(sl_delay_is_key(copy.message.routing_key));
    CU_ASSERT_TRUE(sl_span_is(copy.message.message_id, "evt_9"));
    CU_ASSERT_TRUE(sl_span_is(copy.message.type, "invoice.paid"));
    CU_ASSERT_EQUAL(copy.message.timestamp_s, 1700000000);
    CU_ASSERT_TRUE(sl_span_is(copy.message.body, "the envelope"));
    CU_ASSERT_EQUAL(header(&copy, "sluice-attempt")->number, 2);
    CU_ASSERT_EQUAL(header(&copy, "sluice-first-failed-at")->number, 1700000009000);
    CU_ASSERT_TRUE(header_is(&copy, "sluice-error-class", "item"));
    CU_ASSERT_TRUE(header_is(&copy, "sluice-error-code", "23503"));
    CU_ASSERT_TRUE(header_is(&copy, "sluice-error", "the parent is missing"));
    CU_ASSERT_TRUE(header_is(&copy, "sluice-orig-key", "stripe.invoice.paid"));
    con_departure_free(delivery.departure);
}

CLAIM(departure__a_copy_of_a_replay_comes_back_to_the_queue_of_replays)
{
    struct con_delivery delivery = first_delivery(0);
    struct con_departure_message copy;
    delivery.turn = CON_TURN_REPLAY;
    depart(&delivery, "the parent is missing", 5, &copy);
    CU_ASSERT_STRING_EQUAL(copy.message.exchange, "sluice.delay.02");
    CU_ASSERT_TRUE(sl_delay_is_replay_key(copy.message.routing_key));
    con_departure_free(delivery.departure);
    depart(&delivery, "no", 0, &copy);
    CU_ASSERT_TRUE(sl_span_is(copy.message.routing_key, "billing"));
    con_departure_free(delivery.departure);
}

CLAIM(departure__a_later_try_keeps_what_the_first_one_knew)
{
    arriving[0] = (struct sl_amqp_header){ .name = "sluice-attempt", .number = 4 };
    arriving[1] =
        (struct sl_amqp_header){ .name = "sluice-first-failed-at", .number = 1600000000000 };
    arriving[2] = (struct sl_amqp_header){ "sluice-orig-key", SL_SPAN_LITERAL("stripe.first"), 0 };
    arriving[3] = (struct sl_amqp_header){ "traceparent", SL_SPAN_LITERAL("00-0af7-b7ad-01"), 0 };
    arriving[4] = (struct sl_amqp_header){ "sluice-replay-run", SL_SPAN_LITERAL("run-7"), 0 };
    struct con_delivery delivery = first_delivery(5);
    struct con_departure_message copy;
    depart(&delivery, "still missing", 0, &copy);
    CU_ASSERT_STRING_EQUAL(copy.message.exchange, "sluice.parked");
    CU_ASSERT_TRUE(sl_span_is(copy.message.routing_key, "billing"));
    CU_ASSERT_EQUAL(header(&copy, "sluice-attempt")->number, 4);
    CU_ASSERT_EQUAL(header(&copy, "sluice-first-failed-at")->number, 1600000000000);
    CU_ASSERT_TRUE(header_is(&copy, "sluice-orig-key", "stripe.first"));
    CU_ASSERT_TRUE(header_is(&copy, "traceparent", "00-0af7-b7ad-01"));
    CU_ASSERT_TRUE(header_is(&copy, "sluice-replay-run", "run-7"));
    con_departure_free(delivery.departure);
}

CLAIM(departure__headers_of_the_broker_and_of_strangers_stay_behind)
{
    arriving[0] = (struct sl_amqp_header){ "x-death", SL_SPAN_LITERAL("a table, once"), 0 };
    arriving[1] = (struct sl_amqp_header){ "x-first-death-queue", SL_SPAN_LITERAL("q"), 0 };
    arriving[2] = (struct sl_amqp_header){ .name = "x-delivery-count", .number = 3 };
    arriving[3] = (struct sl_amqp_header){ "team", SL_SPAN_LITERAL("blue"), 0 };
    struct con_delivery delivery = first_delivery(4);
    struct con_departure_message copy;
    depart(&delivery, "no", 1, &copy);
    for (size_t i = 0; i < copy.message.header_count; i++) {
        const char *name = copy.message.headers[i].name;
        CU_ASSERT_TRUE(strncmp(name, "sluice-", 7) == 0 || strcmp(name, "traceparent") == 0);
    }
    con_departure_free(delivery.departure);
}

CLAIM(departure__texts_of_any_length_stay_within_the_budget)
{
    static char huge[100000];
    memset(huge, 'h', sizeof huge - 1);
    arriving[0] = (struct sl_amqp_header){ "sluice-orig-key", sl_span_of(huge), 0 };
    arriving[1] = (struct sl_amqp_header){ "traceparent", sl_span_of(huge), 0 };
    arriving[2] = (struct sl_amqp_header){ "sluice-replay-run", sl_span_of(huge), 0 };
    struct con_delivery delivery = first_delivery(3);
    struct con_departure_message copy;
    depart(&delivery, huge, 1, &copy);
    CU_ASSERT_TRUE(copy.headers.used_bytes <= CON_HEADERS_BYTES_MAX);
    CU_ASSERT_PTR_NOT_NULL(header(&copy, "sluice-error"));
    con_departure_free(delivery.departure);
}

CLAIM(headers__what_does_not_fit_is_left_out_and_what_fits_is_not)
{
    static char long_text[CON_HEADERS_BYTES_MAX];
    memset(long_text, 'l', sizeof long_text);
    struct con_headers headers = { 0 };
    struct sl_span text = sl_span_make(long_text, sizeof long_text);
    con_headers_text(&headers, "first", text, 3000);
    con_headers_text(&headers, "second", text, 3000);
    con_headers_number(&headers, "third", 3);
    CU_ASSERT_EQUAL(headers.count, 2);
    CU_ASSERT_STRING_EQUAL(headers.items[1].name, "third");
    CU_ASSERT_EQUAL(headers.items[0].text.bytes, 3000);
}

CLAIM(headers__a_text_is_cut_between_two_characters)
{
    struct con_headers headers = { 0 };
    con_headers_text(&headers, "name", SL_SPAN_LITERAL("caf\xC3\xA9 noir"), 4);
    CU_ASSERT_TRUE(sl_span_is(headers.items[0].text, "caf"));
}

CLAIM(departure__what_came_too_early_has_no_failure_and_spends_no_attempt)
{
    struct con_delivery delivery = first_delivery(0);
    struct con_departure_message copy;
    delivery.departure = con_departure_early(&delivery, 1800);
    CU_ASSERT_PTR_NOT_NULL_FATAL(delivery.departure);
    con_departure_message(&delivery, "sim", &copy);
    CU_ASSERT_STRING_EQUAL(copy.message.exchange, "sluice.delay.10");
    CU_ASSERT_EQUAL(header(&copy, "sluice-attempt")->number, 1);
    CU_ASSERT_TRUE(header_is(&copy, "sluice-orig-key", "stripe.invoice.paid"));
    CU_ASSERT_PTR_NULL(header(&copy, "sluice-error"));
    CU_ASSERT_PTR_NULL(header(&copy, "sluice-error-class"));
    CU_ASSERT_PTR_NULL(header(&copy, "sluice-first-failed-at"));
    con_departure_free(delivery.departure);
}

CLAIM(departure__a_key_lost_on_the_way_is_made_again_from_the_envelope)
{
    struct con_delivery delivery = first_delivery(0);
    delivery.routing_key = (struct sl_span){ 0 };
    const struct sl_envelope odd = { .id = SL_SPAN_LITERAL("evt_9"),
                                     .source = SL_SPAN_LITERAL("stripe"),
                                     .type = SL_SPAN_LITERAL("what is this?") };
    struct sl_err why;
    struct con_departure_message copy;
    sl_fail(&why, SL_E_PG_ITEM, "no");
    delivery.departure =
        con_departure_new(&delivery, &odd, &why, "", (struct con_fate){ 1, "item" }, 1);
    con_departure_message(&delivery, "billing", &copy);
    CU_ASSERT_TRUE(header_is(&copy, "sluice-orig-key", "stripe.other"));
    con_departure_free(delivery.departure);
}

static int64_t early_s(const char *key, int64_t timestamp_s, size_t header_count)
{
    const struct sl_amqp_delivery delivery = { .message = { .routing_key = sl_span_of(key),
                                                            .timestamp_s = timestamp_s,
                                                            .headers = arriving,
                                                            .header_count = header_count } };
    return con_delivery_early_s(&delivery, 60000, 1700000100000);
}

CLAIM(delivery__what_comes_before_its_delay_is_over_is_early_by_the_rest_of_it)
{
    CU_ASSERT_EQUAL(early_s("internal.x", 1700000090, 0), 50);
    CU_ASSERT_EQUAL(early_s("internal.x", 1700000040, 0), 0); /* it waited while nobody consumed */
    CU_ASSERT_EQUAL(early_s("internal.x", 0, 0), 60);
    CU_ASSERT_EQUAL(early_s("internal.x", 1800000000, 0), 60); /* a clock that is wrong */
    struct sl_delay_route route;
    sl_delay_route(0, "sim", &route);
    CU_ASSERT_EQUAL(early_s(route.key, 1700000090, 0), 0);
    arriving[0] = (struct sl_amqp_header){ .name = "sluice-attempt", .number = 2 };
    CU_ASSERT_EQUAL(early_s("internal.x", 1700000090, 1), 0);
    arriving[0] = (struct sl_amqp_header){ "sluice-replay-run", SL_SPAN_LITERAL("run"), 0 };
    CU_ASSERT_EQUAL(early_s("internal.x", 1700000090, 1), 0);
}
