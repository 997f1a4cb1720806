#include "consumer/delivery.h"
#include "consumer/departure.h"
#include "consumer/letter.h"
#include "tests/support/claims.h"

static struct sl_buf message; /* an encoded envelope */

static struct sl_span envelope(const char *id)
{
    struct sl_envelope event = {
        .id = sl_span_of(id),
        .source = SL_SPAN_LITERAL("stripe"),
        .type = SL_SPAN_LITERAL("invoice.paid"),
        .account = SL_SPAN_LITERAL(""),
        .occurred_at_s = 1700000000,
        .received_at_us = 1700000001000000,
        .body = SL_SPAN_LITERAL("{\"id\":\"evt_1\"}"),
    };
    sl_buf_done(&message);
    sl_buf_init(&message, SL_ENVELOPE_BYTES_MAX);
    struct sl_err why;
    CU_ASSERT_TRUE_FATAL(sl_envelope_encode(&event, &message, &why));
    return sl_buf_span(&message);
}

static struct sl_amqp_header headers[8];

static struct sl_amqp_delivery delivery_from(const char *exchange, const char *key,
                                             struct sl_span body, size_t header_count)
{
    return (struct sl_amqp_delivery){
        .tag = 7,
        .message = { .exchange = exchange,
                     .routing_key = sl_span_of(key),
                     .headers = headers,
                     .header_count = header_count,
                     .body = body },
    };
}

CLAIM(letter__what_a_consumer_gave_up_keeps_its_reason)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 65536);
    headers[0] = (struct sl_amqp_header){ "sluice-error-class", SL_SPAN_LITERAL("permanent"), 0 };
    headers[1] = (struct sl_amqp_header){ "sluice-error-code", SL_SPAN_LITERAL("22003"), 0 };
    headers[2] = (struct sl_amqp_header){ "sluice-error", SL_SPAN_LITERAL("out of range"), 0 };
    headers[3] = (struct sl_amqp_header){ "sluice-attempt", { NULL, 0 }, 3 };
    headers[4] = (struct sl_amqp_header){ "sluice-first-failed-at", { NULL, 0 }, 1700000002000 };
    headers[5] =
        (struct sl_amqp_header){ "sluice-orig-key", SL_SPAN_LITERAL("stripe.invoice.paid"), 0 };
    struct sl_amqp_delivery delivery =
        delivery_from("sluice.parked", "billing", envelope("evt_1"), 6);
    struct con_letter *letter = con_letter_read(&delivery, &arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(letter);
    CU_ASSERT_EQUAL(letter->tag, 7);
    CU_ASSERT_TRUE(sl_span_is(letter->subsystem, "billing"));
    CU_ASSERT_TRUE(sl_span_is(letter->reason, "permanent"));
    CU_ASSERT_TRUE(sl_span_is(letter->error_code, "22003"));
    CU_ASSERT_TRUE(sl_span_is(letter->error, "out of range"));
    CU_ASSERT_TRUE(sl_span_is(letter->routing_key, "stripe.invoice.paid"));
    CU_ASSERT_EQUAL(letter->attempts, 3);
    CU_ASSERT_EQUAL(letter->first_failed_ms, 1700000002000);
    CU_ASSERT_TRUE(letter->has_event);
    CU_ASSERT_TRUE(sl_span_is(letter->event.id, "evt_1"));
    CU_ASSERT_EQUAL(strlen(letter->fingerprint), 16);
    sl_buf_done(&message);
}

CLAIM(letter__what_the_broker_gave_up_is_a_crash)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 65536);
    headers[0] =
        (struct sl_amqp_header){ "x-first-death-reason", SL_SPAN_LITERAL("delivery_limit"), 0 };
    struct sl_amqp_delivery delivery =
        delivery_from("sluice.parked", "billing", envelope("evt_2"), 1);
    struct con_letter *letter = con_letter_read(&delivery, &arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(letter);
    CU_ASSERT_TRUE(sl_span_is(letter->reason, "exhausted"));
    CU_ASSERT_TRUE(sl_span_is(letter->error_class, "crash"));
    CU_ASSERT_TRUE(sl_span_is(letter->error_code, "delivery_limit"));
    sl_buf_done(&message);
}

CLAIM(letter__what_no_queue_wanted_is_unrouted)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 65536);
    struct sl_amqp_delivery delivery =
        delivery_from("sluice.events", "acme.thing", envelope("evt_3"), 0);
    struct con_letter *letter = con_letter_read(&delivery, &arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(letter);
    CU_ASSERT_TRUE(sl_span_is(letter->subsystem, "unrouted"));
    CU_ASSERT_TRUE(sl_span_is(letter->reason, "unrouted"));
    CU_ASSERT_TRUE(sl_span_is(letter->routing_key, "acme.thing"));
    sl_buf_done(&message);
}

CLAIM(letter__bytes_that_are_no_message_are_kept_without_an_event)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 65536);
    headers[0] = (struct sl_amqp_header){ "sluice-error-class", SL_SPAN_LITERAL("decode"), 0 };
    struct sl_amqp_delivery delivery =
        delivery_from("sluice.parked", "bill\xffing", SL_SPAN_LITERAL("\x00\xff rubbish"), 1);
    struct con_letter *letter = con_letter_read(&delivery, &arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(letter);
    CU_ASSERT_FALSE(letter->has_event);
    CU_ASSERT_TRUE(sl_span_is(letter->reason, "undecodable"));
    CU_ASSERT_TRUE(sl_span_is(letter->subsystem, "bill\xEF\xBF\xBDing"));
    CU_ASSERT_EQUAL(letter->bytes.bytes, 10);
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    sl_buf_init(&bytes, 65536);
    struct sl_pg_param params[CON_LETTER_PARAMS];
    struct sl_err why;
    CU_ASSERT_TRUE(con_letter_params(letter, 1, false, &bytes, params, &why));
}

CLAIM(letter__two_of_one_event_are_the_same_row)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 65536);
    struct sl_amqp_delivery delivery = delivery_from("sluice.parked", "a", envelope("evt_1"), 0);
    struct con_letter *one = con_letter_read(&delivery, &arena);
    struct con_letter *again = con_letter_read(&delivery, &arena);
    delivery.message.routing_key = SL_SPAN_LITERAL("b");
    struct con_letter *elsewhere = con_letter_read(&delivery, &arena);
    delivery = delivery_from("sluice.parked", "a", envelope("evt_2"), 0);
    struct con_letter *other = con_letter_read(&delivery, &arena);
    delivery = delivery_from("sluice.parked", "a", SL_SPAN_LITERAL("rubbish"), 0);
    struct con_letter *rubbish = con_letter_read(&delivery, &arena);
    CU_ASSERT_TRUE(con_letter_same(one, again));
    CU_ASSERT_FALSE(con_letter_same(one, elsewhere));
    CU_ASSERT_FALSE(con_letter_same(one, other));
    CU_ASSERT_FALSE(con_letter_same(one, rubbish));
    CU_ASSERT_TRUE(con_letter_same(rubbish, rubbish));
    sl_buf_done(&message);
}

CLAIM(letter__without_memory_there_is_none)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 64);
    struct sl_amqp_delivery delivery = delivery_from("sluice.parked", "a", envelope("evt_1"), 0);
    CU_ASSERT_PTR_NULL(con_letter_read(&delivery, &arena));
    sl_buf_done(&message);
}

/* What a consumer writes as a dead letter, the parker reads back. */
CLAIM(departure__its_message_survives_the_way_to_the_parker)
{
    struct con_batch batch;
    struct con_delivery *taken[1];
    con_batch_init(&batch, 1);
    struct con_arrival arrival = { .tag = 1,
                                   .bytes = envelope("evt_9"),
                                   .routing_key = SL_SPAN_LITERAL("stripe.invoice.paid"),
                                   .attempt = 2,
                                   .traceparent = SL_SPAN_LITERAL("00-aa-bb-01") };
    CU_ASSERT_TRUE_FATAL(con_batch_hold(&batch, &arrival, 0));
    CU_ASSERT_EQUAL_FATAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 1, 0), 1);
    struct sl_envelope event;
    struct sl_err why;
    CU_ASSERT_TRUE_FATAL(sl_envelope_decode(taken[0]->bytes, &event, &why));
    sl_fail(&why, SL_E_PG_PERMANENT, "number out of range");
    taken[0]->departure = con_departure_new(taken[0], &event, &why, "22003",
                                            (struct con_fate){ 0, "permanent" }, 1700000003000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(taken[0]->departure);
    CU_ASSERT_STRING_EQUAL(taken[0]->departure->error_class, "permanent");
    CU_ASSERT_STRING_EQUAL(taken[0]->departure->error_code, "22003");
    CU_ASSERT_EQUAL(strlen(taken[0]->departure->body_sha256), 64);

    struct con_departure_message sent;
    con_departure_message(taken[0], "billing", &sent);
    CU_ASSERT_STRING_EQUAL(sent.message.exchange, "sluice.parked");
    CU_ASSERT_TRUE(sl_span_is(sent.message.routing_key, "billing"));
    CU_ASSERT_TRUE(sl_span_is(sent.message.message_id, "evt_9"));
    CU_ASSERT_TRUE(sl_span_eq(sent.message.body, taken[0]->bytes));
    CU_ASSERT_EQUAL(sent.message.header_count, 7);

    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 65536);
    struct sl_amqp_delivery received = { .tag = 1, .message = sent.message };
    CU_ASSERT_TRUE(sl_span_is(con_delivery_text(&received, "traceparent"), "00-aa-bb-01"));
    struct con_letter *letter = con_letter_read(&received, &arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(letter);
    CU_ASSERT_TRUE(sl_span_is(letter->reason, "permanent"));
    CU_ASSERT_TRUE(sl_span_is(letter->routing_key, "stripe.invoice.paid"));
    CU_ASSERT_EQUAL(letter->attempts, 2);
    CU_ASSERT_EQUAL(letter->first_failed_ms, 1700000003000);
    con_batch_done(&batch);
    sl_buf_done(&message);
}

CLAIM(departure__a_message_that_cannot_be_read_names_our_own_error)
{
    struct con_delivery delivery = { .bytes = SL_SPAN_LITERAL("rubbish"),
                                     .attempt = 1,
                                     .first_failed_ms = 5 };
    struct sl_err why;
    sl_fail(&why, SL_E_EVENT_VERSION, "version 9");
    delivery.departure = con_departure_new(&delivery, NULL, &why, "",
                                           (struct con_fate){ 0, "version" }, 1700000003000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(delivery.departure);
    CU_ASSERT_STRING_EQUAL(delivery.departure->error_class, "version");
    CU_ASSERT_STRING_EQUAL(delivery.departure->error_code, "event.version");
    CU_ASSERT_EQUAL(delivery.departure->first_failed_ms, 5);
    CU_ASSERT_PTR_NULL(delivery.departure->event_id.data);
    con_departure_free(delivery.departure);
}

CLAIM(delivery__numbers_may_be_written_as_text_and_nonsense_is_none)
{
    headers[0] = (struct sl_amqp_header){ "sluice-attempt", SL_SPAN_LITERAL("4"), 0 };
    headers[1] = (struct sl_amqp_header){ "sluice-first-failed-at", SL_SPAN_LITERAL("soon"), 0 };
    struct sl_amqp_delivery delivery = delivery_from("sluice.events", "k", SL_SPAN_LITERAL("b"), 2);
    CU_ASSERT_EQUAL(con_delivery_arrival(&delivery).attempt, 4);
    CU_ASSERT_EQUAL(con_delivery_arrival(&delivery).first_failed_ms, 0);
    headers[0] = (struct sl_amqp_header){ "sluice-attempt", { NULL, 0 }, -1 };
    CU_ASSERT_EQUAL(con_delivery_arrival(&delivery).attempt, 1);
    CU_ASSERT_PTR_NULL(con_delivery_text(&delivery, "nothing").data);
}
