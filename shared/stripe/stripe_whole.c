#include "shared/stripe/stripe_whole.h"

#include <stdio.h>

#include "shared/http/form.h"

#define PAGE_MAX 100 /* Stripe's limit */

static const char *member_of(const struct sl_json *object, struct sl_arena *arena);
static bool append(struct sl_stripe_whole *whole, const struct sl_json *list,
                   struct sl_arena *arena);
static bool copy_id(const struct sl_json *object, struct sl_arena *arena,
                    char out[SL_EVENT_ID_BYTES_MAX + 1]);
static void put_key(struct sl_buf *out, struct sl_span key);
static void put_list(const struct sl_stripe_whole *whole, const struct sl_json *list,
                     struct sl_buf *out);

bool sl_stripe_whole_begin(struct sl_stripe_whole *whole, const struct sl_json *object,
                           struct sl_arena *arena)
{
    sl_stripe_whole_done(whole);
    sl_buf_init(&whole->rows, SL_EVENT_BODY_BYTES_MAX);
    const char *member = member_of(object, arena);
    const struct sl_json *list = member == NULL ? NULL : sl_json_get(object, member);
    bool is_missing = sl_json_true(sl_json_get(list, "has_more")) &&
                      copy_id(object, arena, whole->owner) && append(whole, list, arena) &&
                      whole->last[0] != '\0';
    whole->member = is_missing ? member : NULL;
    return is_missing;
}

static const char *member_of(const struct sl_json *object, struct sl_arena *arena)
{
    struct sl_span kind = sl_json_text(sl_json_get(object, "object"), arena, true, NULL);
    return sl_span_is(kind, "subscription") ? "items"
           : sl_span_is(kind, "invoice")    ? "lines"
                                            : NULL;
}

void sl_stripe_whole_done(struct sl_stripe_whole *whole)
{
    sl_buf_done(&whole->rows);
    *whole = (struct sl_stripe_whole){ 0 };
}

void sl_stripe_whole_ask(const struct sl_stripe_whole *whole, struct sl_buf *path,
                         struct sl_buf *query)
{
    sl_buf_reset(path);
    sl_buf_reset(query);
    sl_form_put_int(query, "limit", PAGE_MAX);
    sl_form_put(query, "starting_after", sl_span_of(whole->last));
    if (whole->member[0] == 'i') {
        sl_buf_append_text(path, "/v1/subscription_items");
        sl_form_put(query, "subscription", sl_span_of(whole->owner));
    } else {
        sl_buf_append_text(path, "/v1/invoices/");
        sl_form_escape(path, sl_span_of(whole->owner));
        sl_buf_append_text(path, "/lines");
    }
}

bool sl_stripe_whole_take(struct sl_stripe_whole *whole, const struct sl_json *page,
                          struct sl_arena *arena, bool *out_has_more, struct sl_err *err)
{
    const struct sl_json *data = sl_json_get(page, "data");
    bool has_more = sl_json_true(sl_json_get(page, "has_more"));
    if (data == NULL || data->type != SL_JSON_ARRAY || (has_more && data->child_count == 0)) {
        return sl_fail(err, SL_E_JSON_MALFORMED, "Stripe's answer is no page of %s", whole->member);
    }
    if (!append(whole, page, arena)) {
        return sl_fail(err, sl_buf_ok(&whole->rows) ? SL_E_JSON_MALFORMED : SL_E_LIMIT,
                       "the %s of %s do not fit into an event", whole->member, whole->owner);
    }
    *out_has_more = has_more;
    return true;
}

/* False: an element has no id, or there is no room. */
static bool append(struct sl_stripe_whole *whole, const struct sl_json *list,
                   struct sl_arena *arena)
{
    const struct sl_json *data = sl_json_get(list, "data");
    for (const struct sl_json *at = data == NULL ? NULL : data->first; at != NULL; at = at->next) {
        if (!copy_id(at, arena, whole->last)) {
            return false;
        }
        sl_buf_append_text(&whole->rows, whole->rows.used_bytes == 0 ? "" : ",");
        sl_buf_append_span(&whole->rows, at->raw);
    }
    return sl_buf_ok(&whole->rows);
}

static bool copy_id(const struct sl_json *object, struct sl_arena *arena,
                    char out[SL_EVENT_ID_BYTES_MAX + 1])
{
    struct sl_span id = sl_json_text(sl_json_get(object, "id"), arena, true, NULL);
    if (id.bytes == 0 || id.bytes > SL_EVENT_ID_BYTES_MAX) {
        return false;
    }
    snprintf(out, SL_EVENT_ID_BYTES_MAX + 1, "%.*s", SL_SPAN_ARGS(id));
    return true;
}

bool sl_stripe_whole_write(const struct sl_stripe_whole *whole, const struct sl_json *object,
                           struct sl_buf *out, struct sl_err *err)
{
    sl_buf_reset(out);
    for (const struct sl_json *at = object->first; at != NULL; at = at->next) {
        sl_buf_append_char(out, at == object->first ? '{' : ',');
        put_key(out, at->key);
        if (sl_span_is(at->key, whole->member)) {
            put_list(whole, at, out);
        } else {
            sl_buf_append_span(out, at->raw);
        }
    }
    sl_buf_append_char(out, '}');
    return sl_buf_ok(out) ||
           sl_fail(err, SL_E_LIMIT, "%s does not fit into an event", whole->owner);
}

static void put_list(const struct sl_stripe_whole *whole, const struct sl_json *list,
                     struct sl_buf *out)
{
    for (const struct sl_json *at = list->first; at != NULL; at = at->next) {
        sl_buf_append_char(out, at == list->first ? '{' : ',');
        put_key(out, at->key);
        if (sl_span_is(at->key, "data")) {
            sl_buf_append_char(out, '[');
            sl_buf_append_span(out, sl_buf_span(&whole->rows));
            sl_buf_append_char(out, ']');
        } else if (sl_span_is(at->key, "has_more")) {
            sl_buf_append_text(out, "false");
        } else {
            sl_buf_append_span(out, at->raw);
        }
    }
    sl_buf_append_char(out, '}');
}

static void put_key(struct sl_buf *out, struct sl_span key)
{
    sl_buf_append_char(out, '"');
    sl_buf_append_span(out, key);
    sl_buf_append_text(out, "\":");
}
