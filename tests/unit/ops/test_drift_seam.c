#include "ops/stripe/drift_seam.h"

#include <stdio.h>

#include "shared/json/json.h"
#include "tests/support/claims.h"

#define BYTES_MAX (4u * 1024u * 1024u)

/* Objects as Stripe lists them: ids o<first> and on, all created in one second. */
struct list {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_buf text;
    struct ops_drift_page page;
};

static void list_init(struct list *list)
{
    *list = (struct list){ .parser = sl_json_parser_new(BYTES_MAX) };
    CU_ASSERT_PTR_NOT_NULL_FATAL(list->parser);
    sl_arena_init(&list->arena, BYTES_MAX);
    sl_buf_init(&list->text, BYTES_MAX);
}

static void list_done(struct list *list)
{
    sl_json_parser_free(list->parser);
    sl_arena_done(&list->arena);
    sl_buf_done(&list->text);
}

static const struct ops_drift_page *listed(struct list *list, size_t first, size_t count,
                                           int64_t created_s)
{
    struct sl_err err = { 0 };
    sl_buf_reset(&list->text);
    for (size_t i = 0; i < count; i++) {
        sl_buf_printf(&list->text, "%s{\"id\":\"o%zu\",\"created\":%lld}", i == 0 ? "[" : ",",
                      first + i, (long long)created_s);
    }
    sl_buf_append_text(&list->text, "]");
    sl_arena_reset(&list->arena);
    const struct sl_json *all =
        sl_json_parse(list->parser, &list->arena, sl_buf_span(&list->text), 8, 10000, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    list->page.count = 0;
    for (const struct sl_json *at = all->first; at != NULL; at = at->next) {
        list->page.objects[list->page.count++] = at;
    }
    return &list->page;
}

static bool move(struct ops_drift_seam *seam, const struct ops_drift_page *page, int64_t second,
                 struct sl_err *err)
{
    return ops_drift_seam_move(seam, page, second, "customers", err);
}

CLAIM(drift_seam__only_the_oldest_second_of_a_page_is_carried_to_the_next)
{
    SL_DONE(list_done) struct list list;
    SL_DONE(ops_drift_seam_done) struct ops_drift_seam seam = { 0 };
    struct sl_err err = { 0 };
    list_init(&list);
    ops_drift_seam_init(&seam);
    ops_drift_seam_begin(&seam, 100);
    CU_ASSERT_TRUE(move(&seam, listed(&list, 0, 3, 90), 90, &err));
    CU_ASSERT_EQUAL(seam.second, 90);
    CU_ASSERT_EQUAL_FATAL(seam.count, 3);
    CU_ASSERT(sl_span_is(seam.ids[0], "o0") && sl_span_is(seam.ids[2], "o2"));
    CU_ASSERT_TRUE(move(&seam, listed(&list, 3, 2, 90), 80, &err));
    CU_ASSERT_EQUAL(seam.count, 0); /* the second went on, and none of this page is in it */
}

CLAIM(drift_seam__a_second_that_fills_several_pages_is_carried_whole)
{
    SL_DONE(list_done) struct list list;
    SL_DONE(ops_drift_seam_done) struct ops_drift_seam seam = { 0 };
    struct sl_err err = { 0 };
    list_init(&list);
    ops_drift_seam_init(&seam);
    ops_drift_seam_begin(&seam, 90); /* nothing is older than the last second looked at */
    for (size_t at = 0; at < 300; at += OPS_DRIFT_PAGE_MAX) {
        CU_ASSERT_TRUE_FATAL(move(&seam, listed(&list, at, OPS_DRIFT_PAGE_MAX, 90), 90, &err));
    }
    CU_ASSERT_EQUAL_FATAL(seam.count, 300);
    CU_ASSERT(sl_span_is(seam.ids[299], "o299"));
    ops_drift_seam_begin(&seam, 90);
    CU_ASSERT_EQUAL(seam.count, 0); /* the next kind of objects */
}

CLAIM(drift_seam__more_than_fit_into_a_second_is_an_error_not_a_guess)
{
    SL_DONE(list_done) struct list list;
    SL_DONE(ops_drift_seam_done) struct ops_drift_seam seam = { 0 };
    struct sl_err err = { 0 };
    list_init(&list);
    ops_drift_seam_init(&seam);
    ops_drift_seam_begin(&seam, 100);
    const struct ops_drift_page *page = listed(&list, 0, OPS_DRIFT_PAGE_MAX, 90);
    for (size_t at = 0; at < OPS_DRIFT_CARRIED_MAX; at += OPS_DRIFT_PAGE_MAX) {
        CU_ASSERT_TRUE_FATAL(move(&seam, page, 90, &err));
    }
    CU_ASSERT_FALSE(move(&seam, page, 90, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_LIMIT);
}
