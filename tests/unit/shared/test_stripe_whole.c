#include "shared/stripe/stripe_whole.h"

#include "tests/support/claims.h"

static struct sl_arena arena;
static struct sl_json_parser *parser;

static const struct sl_json *json(const char *text)
{
    char *body = sl_arena_alloc(&arena, strlen(text) + 1);
    struct sl_err err = { 0 };
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    for (size_t i = 0; text[i] != '\0'; i++) {
        body[i] = text[i] == '\'' ? '"' : text[i];
    }
    const struct sl_json *root = sl_json_parse(parser, &arena, sl_span_of(body), 4, 10000, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    return root;
}

static void init(void)
{
    sl_arena_init(&arena, 8u << 20);
    parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
}

static void done(void)
{
    sl_arena_done(&arena);
    sl_json_parser_free(parser);
}

/* "path?query" of the next page. */
static const char *next(const struct sl_stripe_whole *whole, char room[256])
{
    SL_DONE(sl_buf_done) struct sl_buf path = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf query = { 0 };
    sl_buf_init(&path, 256);
    sl_buf_init(&query, 256);
    sl_stripe_whole_ask(whole, &path, &query);
    snprintf(room, 256, "%s?%s", sl_buf_span(&path).data, sl_buf_span(&query).data);
    return room;
}

CLAIM(stripe_whole__pages_become_one_list_and_nothing_else_changes)
{
    init();
    SL_DONE(sl_stripe_whole_done) struct sl_stripe_whole whole = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    struct sl_err err = { 0 };
    char room[256];
    bool has_more = false;
    sl_buf_init(&out, 4096);
    const struct sl_json *invoice =
        json("{'id':'in_1', 'object':'invoice','a':1.0,'lines':{'object':'list','data':"
             "[{'id':'il_1'},{'id':'il_2'}],'has_more':true,'url':'/u'},'z':[ ]}");
    CU_ASSERT_TRUE(sl_stripe_whole_begin(&whole, invoice, &arena));
    CU_ASSERT_STRING_EQUAL(next(&whole, room),
                           "/v1/invoices/in_1/lines?limit=100&starting_after=il_2");
    CU_ASSERT_TRUE(sl_stripe_whole_take(
        &whole, json("{'data':[{'id':'il_3','x':{}}],'has_more':true}"), &arena, &has_more, &err));
    CU_ASSERT_TRUE(has_more);
    CU_ASSERT_STRING_EQUAL(next(&whole, room),
                           "/v1/invoices/in_1/lines?limit=100&starting_after=il_3");
    CU_ASSERT_TRUE(sl_stripe_whole_take(&whole, json("{'data':[],'has_more':false}"), &arena,
                                        &has_more, &err));
    CU_ASSERT_FALSE(has_more);
    CU_ASSERT_TRUE(sl_stripe_whole_write(&whole, invoice, &out, &err));
    CU_ASSERT_STRING_EQUAL(
        sl_buf_span(&out).data,
        "{\"id\":\"in_1\",\"object\":\"invoice\",\"a\":1.0,\"lines\":{\"object\":\"list\",\"data\":"
        "[{\"id\":\"il_1\"},{\"id\":\"il_2\"},{\"id\":\"il_3\",\"x\":{}}],\"has_more\":false,\"url\":\"/u\"},\"z\":[ ]}");
    done();
}

CLAIM(stripe_whole__items_of_a_subscription_have_a_list_of_their_own)
{
    init();
    SL_DONE(sl_stripe_whole_done) struct sl_stripe_whole whole = { 0 };
    char room[256];
    CU_ASSERT_TRUE(sl_stripe_whole_begin(
        &whole,
        json(
            "{'id':'sub_1','object':'subscription','items':{'data':[{'id':'si_1'}],'has_more':true}}"),
        &arena));
    CU_ASSERT_STRING_EQUAL(
        next(&whole, room),
        "/v1/subscription_items?limit=100&starting_after=si_1&subscription=sub_1");
    done();
}

CLAIM(stripe_whole__an_object_that_is_whole_or_has_no_list_needs_nothing)
{
    static const char *const objects[] = {
        "{'id':'sub_1','object':'subscription','items':{'data':[{'id':'si_1'}],'has_more':false}}",
        "{'id':'sub_1','object':'subscription'}",
        "{'id':'cus_1','object':'customer','items':{'data':[{'id':'si_1'}],'has_more':true}}",
        "{'id':'in_1','object':'invoice','lines':{'data':[],'has_more':true}}", /* nowhere to go on */
        "{'id':'in_1','object':'invoice','lines':{'data':[{}],'has_more':true}}",
    };
    init();
    for (size_t i = 0; i < SL_COUNT(objects); i++) {
        SL_DONE(sl_stripe_whole_done) struct sl_stripe_whole whole = { 0 };
        CU_ASSERT_FALSE(sl_stripe_whole_begin(&whole, json(objects[i]), &arena));
    }
    done();
}

CLAIM(stripe_whole__what_is_no_page_or_too_much_is_refused)
{
    init();
    SL_DONE(sl_stripe_whole_done) struct sl_stripe_whole whole = { 0 };
    struct sl_err err = { 0 };
    bool has_more = false;
    CU_ASSERT_TRUE(sl_stripe_whole_begin(
        &whole,
        json("{'id':'in_1','object':'invoice','lines':{'data':[{'id':'il_1'}],'has_more':true}}"),
        &arena));
    CU_ASSERT_FALSE(sl_stripe_whole_take(&whole, json("{'error':{}}"), &arena, &has_more, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_JSON_MALFORMED);
    CU_ASSERT_FALSE(
        sl_stripe_whole_take(&whole, json("{'data':[],'has_more':true}"), &arena, &has_more, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_JSON_MALFORMED);
    char *large = sl_arena_alloc(&arena, 700000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(large);
    int head = snprintf(large, 700000, "{'data':[{'id':'il_2','x':'");
    memset(large + head, 'x', 600000);
    memcpy(large + head + 600000, "'}]}", 5);
    CU_ASSERT_TRUE(sl_stripe_whole_take(&whole, json(large), &arena, &has_more, &err));
    CU_ASSERT_FALSE(sl_stripe_whole_take(&whole, json(large), &arena, &has_more, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_LIMIT);
    done();
}
