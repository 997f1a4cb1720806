#include "publisher/facts/event_facts.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/claims.h"

#define SHA256_BYTES 71 /* "sha256:" and 64 digits */

static bool read_facts(struct sl_json_parser *parser, struct sl_arena *arena, struct sl_span body,
                       struct sl_envelope *out_facts, struct sl_err *err)
{
    struct sl_sources sources;
    sl_sources_default(&sources);
    const struct pub_received received = { .body = body };
    return pub_event_facts(parser, arena, &sources.items[0].facts, &received, out_facts, err);
}

struct facts_row {
    const char *body;
    const char *id; /* NULL: the body's digest */
    const char *type;
    const char *account;
    const char *object;
    int64_t occurred_at_s;
    bool livemode;
};

CLAIM(event_facts__are_read_as_the_table_says_and_never_refused)
{
    static const struct facts_row rows[] = {
        { "{\"id\":\"evt_1\",\"type\":\"invoice.paid\",\"created\":1700000000,\"livemode\":true,"
          "\"account\":\"acct_1\",\"data\":{\"object\":{\"id\":\"in_1\"}}}",
          "evt_1", "invoice.paid", "acct_1", "in_1", 1700000000, true },
        { "{\"id\":\"evt_1\"}", "evt_1", "unparsed", "", NULL, 0, false },
        { "{\"id\":\"evt_1\",\"type\":7,\"created\":\"x\"}", "evt_1", "unparsed", "", NULL, 0,
          false },
        { "{\"id\":\"evt_1\",\"type\":\"a\\u0000b\"}", "evt_1", "unparsed", "", NULL, 0, false },
        { "{\"id\":\"evt_1\",\"type\":\"t\",\"created\":-1}", "evt_1", "t", "", NULL, 0, false },
        { "{\"id\":\"evt_1\",\"type\":\"t\",\"created\":99999999999999}", "evt_1", "t", "", NULL, 0,
          false },
        { "{\"id\":\"evt_1\",\"type\":\"t\",\"created\":123456789012345678901234567890}", "evt_1",
          "t", "", NULL, 0, false },
        { "{\"id\":\"evt_1\",\"type\":\"t\",\"account\":null}", "evt_1", "t", "", NULL, 0, false },
        { "{\"id\":\"evt_1\",\"type\":\"t\",\"data\":{\"object\":{\"object\":\"invoice\"}}}",
          "evt_1", "t", "", NULL, 0, false },
        { "{\"id\":\"\",\"type\":\"t\"}", NULL, "unparsed", "", NULL, 0, false },
        { "{\"id\":\"two words\",\"type\":\"t\"}", NULL, "unparsed", "", NULL, 0, false },
        { "{\"id\":\"evt_1\",\"type\":\"t\",\"account\":7}", NULL, "unparsed", "", NULL, 0, false },
        { "[1,2]", NULL, "unparsed", "", NULL, 0, false },
        { "} not json ][", NULL, "unparsed", "", NULL, 0, false },
        { "\xFF\xFE", NULL, "unparsed", "", NULL, 0, false },
    };
    struct sl_json_parser *parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
    CU_ASSERT_PTR_NOT_NULL_FATAL(parser);
    SL_DONE(sl_arena_done) struct sl_arena arena;
    sl_arena_init(&arena, 1024 * 1024);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const struct facts_row *row = &rows[i];
        struct sl_envelope facts = { 0 };
        struct sl_err err = { 0 };
        CU_ASSERT_FATAL(read_facts(parser, &arena, sl_span_of(row->body), &facts, &err));
        bool has_id = row->id != NULL ? sl_span_is(facts.id, row->id)
                                      : sl_span_starts_with(facts.id, "sha256:") &&
                                            facts.id.bytes == SHA256_BYTES;
        bool is_right = has_id && sl_span_is(facts.type, row->type) &&
                        sl_span_is(facts.account, row->account) &&
                        sl_span_eq(facts.object, sl_span_of(row->object)) &&
                        facts.occurred_at_s == row->occurred_at_s &&
                        facts.livemode == row->livemode && sl_span_is(facts.body, row->body);
        if (!is_right) {
            printf("%s -> id %.*s type %.*s at %lld\n", row->body, SL_SPAN_ARGS(facts.id),
                   SL_SPAN_ARGS(facts.type), (long long)facts.occurred_at_s);
            CU_FAIL("facts differ");
        }
        sl_arena_reset(&arena);
    }
    sl_json_parser_free(parser);
}

CLAIM(event_facts__ten_thousand_levels_of_nesting_keep_their_id)
{
    SL_DONE(sl_buf_done) struct sl_buf body;
    sl_buf_init(&body, 64 * 1024);
    sl_buf_append_text(
        &body, "{\"id\":\"evt_deep\",\"type\":\"t\",\"data\":{\"object\":{\"id\":\"x\",\"deep\":");
    for (int i = 0; i < 10000; i++) {
        sl_buf_append_char(&body, '[');
    }
    for (int i = 0; i < 10000; i++) {
        sl_buf_append_char(&body, ']');
    }
    sl_buf_append_text(&body, "}}}");
    struct sl_json_parser *parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
    SL_DONE(sl_arena_done) struct sl_arena arena;
    sl_arena_init(&arena, 1024 * 1024);
    struct sl_envelope facts = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(read_facts(parser, &arena, sl_buf_span(&body), &facts, &err));
    CU_ASSERT(sl_span_is(facts.id, "evt_deep"));
    CU_ASSERT(sl_span_is(facts.object, "x"));
    sl_json_parser_free(parser);
}
