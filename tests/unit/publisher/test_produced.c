#include "publisher/facts/produced.h"

#include <stdio.h>

#include "publisher/batch.h"
#include "tests/support/claims.h"

#define NOW_S INT64_C(1700000000)

static struct sl_json_parser *parser;
static struct sl_arena arena;
static struct sl_sources sources;

static const char *read(const char *body, struct pub_production *out)
{
    if (parser == NULL) {
        parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
        sl_arena_init(&arena, 16 * 1024 * 1024);
    }
    sl_arena_reset(&arena);
    sl_sources_default(&sources);
    const struct pub_production_opts opts = {
        .parser = parser, .arena = &arena, .sources = &sources, .received_at_us = NOW_S * 1000000
    };
    return pub_production_read(&opts, sl_span_of(body), out);
}

__attribute__((destructor)) static void done(void)
{
    sl_json_parser_free(parser);
    sl_arena_done(&arena);
}

CLAIM(produced__both_forms_say_the_same_facts)
{
    static const struct {
        const char *body;
        const char *source;
        const char *account;
        const char *object;
        int64_t occurred_at_s;
        int64_t deliver_at_s;
        bool livemode;
    } rows[] = {
        { "{\"id\":\"e1\",\"type\":\"order.created\"}", "internal", "", NULL, 0, 0, true },
        { "{\"id\":\"e1\",\"type\":\"order.created\",\"source\":\"shop\",\"account\":\"a\",\"object\":\"o_1\","
          "\"livemode\":false,\"occurred_at\":1699999999,\"deliver_at\":\"2023-11-14T22:14:20Z\",\"data\":{\"x\":[]}}",
          "shop", "a", "o_1", 1699999999, 1700000060, false },
        { "{\"id\":\"e1\",\"type\":\"order.created\",\"occurred_at\":1699999999123,\"deliver_at\":null}",
          "internal", "", NULL, 1699999999, 0, true },
        { "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"/orders\",\"type\":\"order.created\"}",
          "internal", "/orders", NULL, 0, 0, true },
        { "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"/orders\",\"type\":\"order.created\",\"subject\":\"o_1\","
          "\"time\":\"2023-11-14T22:13:19Z\",\"deliverat\":\"2023-11-14T22:14:20Z\",\"dataschema\":\"x\",\"mine\":1}",
          "internal", "/orders", "o_1", 1699999999, 1700000060, true },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct pub_production made = { 0 };
        CU_ASSERT_PTR_NULL_FATAL(read(rows[i].body, &made));
        CU_ASSERT_FALSE(made.is_batch);
        CU_ASSERT_EQUAL_FATAL(made.count, 1);
        const struct sl_envelope *envelope = &made.items[0].envelope;
        if (made.items[0].fault != NULL) {
            printf("row %zu: %s\n", i, made.items[0].fault);
        }
        CU_ASSERT_PTR_NULL_FATAL(made.items[0].fault);
        CU_ASSERT_TRUE(sl_span_is(envelope->id, "e1"));
        CU_ASSERT_TRUE(sl_span_is(envelope->type, "order.created"));
        CU_ASSERT_TRUE(sl_span_is(envelope->source, rows[i].source));
        CU_ASSERT_TRUE(sl_span_is(envelope->account, rows[i].account));
        CU_ASSERT_TRUE(sl_span_eq(envelope->object, sl_span_of(rows[i].object)));
        CU_ASSERT_EQUAL(envelope->occurred_at_s, rows[i].occurred_at_s);
        CU_ASSERT_EQUAL(envelope->deliver_at_s, rows[i].deliver_at_s);
        CU_ASSERT_EQUAL(envelope->livemode, rows[i].livemode);
        CU_ASSERT_TRUE(sl_span_is(envelope->body, rows[i].body));
    }
}

CLAIM(produced__a_wrong_event_says_what_is_wrong_and_spoils_no_neighbour)
{
    static const struct {
        const char *event;
        const char *fault;
    } rows[] = {
        { "7", "an event is an object" },
        { "{}", "id: " },
        { "{\"id\":\"\",\"type\":\"t\"}", "id: " },
        { "{\"id\":7,\"type\":\"t\"}", "id: " },
        { "{\"id\":\"two words\",\"type\":\"t\"}", "id: " },
        { "{\"id\":\"a\\r\\nb\",\"type\":\"t\"}", "id: " },
        { "{\"id\":\"e\"}", "type: " },
        { "{\"id\":\"e\",\"type\":\"\"}", "type: " },
        { "{\"id\":\"e\",\"type\":\"t\",\"livemode\":\"yes\"}", "livemode: " },
        { "{\"id\":\"e\",\"type\":\"t\",\"source\":\"stripe\"}",
          "source: that is a webhook source" },
        { "{\"id\":\"e\",\"type\":\"t\",\"source\":\"Shop\"}", "source: " },
        { "{\"id\":\"e\",\"type\":\"t\",\"source\":\"a.b\"}", "source: " },
        { "{\"id\":\"e\",\"type\":\"t\",\"deliverAt\":1}", "an event has the keys" },
        { "{\"id\":\"e\",\"type\":\"t\",\"deliver_at\":\"soon\"}", "deliver_at: seconds" },
        { "{\"id\":\"e\",\"type\":\"t\",\"deliver_at\":1701048576}", "deliver_at: at most" },
        { "{\"id\":\"e\",\"type\":\"t\",\"occurred_at\":\"yesterday\"}", "occurred_at: " },
        { "{\"id\":\"e\",\"type\":\"t\",\"occurred_at\":-1}", "occurred_at: " },
        { "{\"id\":\"e\",\"type\":\"t\",\"account\":7}", "account: " },
        { "{\"id\":\"e\",\"type\":\"t\",\"object\":\"\"}", "object: " },
        { "{\"specversion\":\"0.3\",\"id\":\"e\",\"type\":\"t\",\"source\":\"/s\"}",
          "specversion: " },
        { "{\"specversion\":\"1.0\",\"id\":\"e\",\"type\":\"t\"}", "source: a URI" },
        { "{\"specversion\":\"1.0\",\"id\":\"e\",\"type\":\"t\",\"source\":\"/s\",\"time\":\"x\"}",
          "time: " },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        char body[512];
        struct pub_production made = { 0 };
        snprintf(body, sizeof body,
                 "[{\"id\":\"a\",\"type\":\"t\"},%s,{\"id\":\"b\",\"type\":\"t\"}]", rows[i].event);
        CU_ASSERT_PTR_NULL_FATAL(read(body, &made));
        CU_ASSERT_EQUAL_FATAL(made.count, 3);
        CU_ASSERT_PTR_NULL(made.items[0].fault);
        CU_ASSERT_PTR_NULL(made.items[2].fault);
        CU_ASSERT_PTR_NOT_NULL_FATAL(made.items[1].fault);
        CU_ASSERT_EQUAL(strncmp(made.items[1].fault, rows[i].fault, strlen(rows[i].fault)), 0);
    }
}

CLAIM(produced__what_is_no_event_at_all_is_one_fault)
{
    static const char *const bodies[] = {
        "",
        "}",
        "\"text\"",
        "7",
        "null",
        "[]",
        "{\"events\":[]}",
        "{\"events\":{}}",
        "{\"events\":7}",
    };
    for (size_t i = 0; i < SL_COUNT(bodies); i++) {
        struct pub_production made = { 0 };
        CU_ASSERT_PTR_NOT_NULL(read(bodies[i], &made));
    }
    static char many[501 * 24];
    size_t used = 0;
    for (int i = 0; i < 501; i++) {
        used += (size_t)snprintf(many + used, sizeof many - used, "%c{\"id\":\"e\"}",
                                 i == 0 ? '[' : ',');
    }
    snprintf(many + used, sizeof many - used, "]");
    struct pub_production made = { 0 };
    CU_ASSERT_PTR_NOT_NULL(read(many, &made));
    CU_ASSERT_PTR_NULL(read("{\"events\":[{\"id\":\"e\",\"type\":\"t\"}]}", &made));
    CU_ASSERT_TRUE(made.is_batch);
}

CLAIM(batch__is_200_only_when_all_are_confirmed)
{
    static const struct {
        enum pub_answer answers[3];
        int status;
    } rows[] = {
        { { PUB_CONFIRMED, PUB_CONFIRMED, PUB_CONFIRMED }, 200 },
        { { PUB_JOURNALED, PUB_JOURNALED, PUB_DROPPED }, 202 },
        { { PUB_CONFIRMED, PUB_JOURNALED, PUB_CONFIRMED }, 207 },
        { { PUB_CONFIRMED, PUB_CONFIRMED, PUB_MALFORMED }, 207 },
        { { PUB_CONFIRMED, PUB_UNAVAILABLE, PUB_CONFIRMED }, 207 },
        { { PUB_MALFORMED, PUB_MALFORMED, PUB_MALFORMED }, 400 },
        { { PUB_UNAVAILABLE, PUB_OVERLOADED, PUB_UNAVAILABLE }, 503 },
        { { PUB_MALFORMED, PUB_UNAVAILABLE, PUB_UNAVAILABLE }, 207 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(pub_batch_status(rows[i].answers, 3), rows[i].status);
    }
}
