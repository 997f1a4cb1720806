#include "ops/stripe/stripe_page.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/http/form.h"

#define QUERY_BYTES_MAX 2048u

static bool put_query(const struct ops_stripe_window *window, const struct ops_stripe_page *page,
                      struct sl_buf *query);
static bool read_event(const struct sl_json *event, struct sl_arena *arena,
                       struct sl_envelope *out_envelope, struct sl_err *err);

bool ops_stripe_page_next(struct ops_stripe_api *api, const struct ops_stripe_window *window,
                          struct sl_arena *arena, struct ops_stripe_page *page, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf query = { 0 };
    sl_buf_init(&query, QUERY_BYTES_MAX);
    if (!put_query(window, page, &query)) {
        return sl_fail(err, SL_E_LIMIT, "the question for a page of events is too long");
    }
    sl_arena_reset(arena);
    page->count = 0;
    const struct sl_json *root = NULL;
    if (!ops_stripe_api_get(api, "/v1/events", sl_buf_span(&query), window->account, &root, err)) {
        return false;
    }
    const struct sl_json *data = sl_json_get(root, "data");
    if (data == NULL || data->type != SL_JSON_ARRAY || data->child_count > OPS_STRIPE_PAGE_MAX) {
        return sl_fail(err, SL_E_JSON_MALFORMED, "Stripe's answer is no page of events");
    }
    for (const struct sl_json *event = data->first; event != NULL; event = event->next) {
        if (!read_event(event, arena, &page->events[page->count++], err)) {
            return false;
        }
    }
    page->has_more = sl_json_true(sl_json_get(root, "has_more")) && page->count > 0;
    if (page->has_more) {
        snprintf(page->last_id, sizeof page->last_id, "%.*s",
                 SL_SPAN_ARGS(page->events[page->count - 1].id));
    }
    return true;
}

static bool put_query(const struct ops_stripe_window *window, const struct ops_stripe_page *page,
                      struct sl_buf *query)
{
    sl_form_put_int(query, "limit", OPS_STRIPE_PAGE_MAX);
    sl_form_put_int(query, "created[gte]", window->from_s);
    sl_form_put_int(query, "created[lt]", window->to_s);
    if (window->type != NULL) {
        sl_form_put(query, "type", sl_span_of(window->type));
    }
    if (window->only_undelivered) {
        sl_form_put(query, "delivery_success", SL_SPAN_LITERAL("false"));
    }
    if (page->last_id[0] != '\0') {
        sl_form_put(query, "starting_after", sl_span_of(page->last_id));
    }
    return sl_buf_ok(query);
}

static bool read_event(const struct sl_json *event, struct sl_arena *arena,
                       struct sl_envelope *out_envelope, struct sl_err *err)
{
    *out_envelope = (struct sl_envelope){
        .id = sl_json_text(sl_json_get(event, "id"), arena, true, NULL),
        .source = SL_SPAN_LITERAL("stripe"),
        .type = sl_json_text(sl_json_get(event, "type"), arena, true, NULL),
        .account = sl_json_text(sl_json_get(event, "account"), arena, true, NULL),
        .livemode = sl_json_true(sl_json_get(event, "livemode")),
        .object = sl_json_text(sl_json_at(event, "data.object.id"), arena, true, NULL),
        .received_at_us = sl_clock_wall_us(),
        .content_type = SL_SPAN_LITERAL("application/json"),
        .body = event->raw,
    };
    if (out_envelope->account.data == NULL) {
        out_envelope->account = SL_SPAN_LITERAL("");
    }
    int64_t created_s = 0;
    if (out_envelope->id.bytes == 0 || out_envelope->id.bytes > SL_EVENT_ID_BYTES_MAX ||
        out_envelope->type.bytes == 0 || !sl_json_int(sl_json_get(event, "created"), &created_s)) {
        return sl_fail(err, SL_E_JSON_MALFORMED, "Stripe lists an event without id, type or time");
    }
    out_envelope->occurred_at_s = created_s;
    return true;
}
