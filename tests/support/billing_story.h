/*
 * billing_story - Stripe events written as JSON, for the tests of consumer/billing_*.
 *
 * Single quotes stand for double quotes, so that stories stay readable. Fails the test on text that is not JSON.
 */
#ifndef TESTS_SUPPORT_BILLING_STORY_H
#define TESTS_SUPPORT_BILLING_STORY_H

#include "consumer/billing/billing_rows.h"
#include "consumer/event.h"
#include "tests/support/claims.h"

struct story {
    struct sl_arena arena;
    struct sl_json_parser *parser;
};

static inline void story_init(struct story *story)
{
    *story = (struct story){ .parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX) };
    sl_arena_init(&story->arena, 64u << 20);
    CU_ASSERT_FATAL(story->parser != NULL);
}

static inline void story_done(struct story *story)
{
    sl_json_parser_free(story->parser);
    sl_arena_done(&story->arena);
}

static inline const struct sl_json *story_json(struct story *story, const char *text)
{
    char *body = sl_arena_alloc(&story->arena, strlen(text) + 1);
    CU_ASSERT_FATAL(body != NULL);
    for (size_t i = 0; text[i] != '\0'; i++) {
        body[i] = text[i] == '\'' ? '"' : text[i];
    }
    struct sl_err err = { 0 };
    const struct sl_json *root = sl_json_parse(story->parser, &story->arena, sl_span_of(body),
                                               CON_BILLING_JSON_DEPTH, 100000, &err);
    if (root == NULL) {
        fprintf(stderr, "not JSON: %s: %s\n", text, err.text);
    }
    CU_ASSERT_FATAL(root != NULL);
    return root;
}

/* An event around data.object, at a second of the story's day. */
static inline struct con_event story_event(struct story *story, const char *id, const char *type,
                                           int64_t created_s, const char *object)
{
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, SL_EVENT_BODY_BYTES_MAX);
    sl_buf_printf(&body, "{'data':{'object':%s}}", object);
    return (struct con_event){
        .envelope = {
            .id = sl_span_of(id),
            .source = SL_SPAN_LITERAL("stripe"),
            .type = sl_span_of(type),
            .account = SL_SPAN_LITERAL(""),
            .occurred_at_s = created_s,
            .received_at_us = 1800000000000000,
        },
        .json = story_json(story, body.data),
        .verdict = CON_PENDING,
    };
}

#endif
