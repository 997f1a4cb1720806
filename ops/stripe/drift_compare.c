#include "ops/stripe/drift_compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/event/envelope.h"
#include "shared/pg/pg_array.h"

#define PAGE_BYTES_MAX (32u * 1024u * 1024u)

/* The rows of a list in an object, as far as they are compared. */
#define LISTED(value, list, field)                                                                 \
    "SELECT i ->> 'id', i ->> 'quantity', i ->> '" field "' FROM jsonb_array_elements(" value      \
    " #> '{" list ",data}') i"

/* Everything that Stripe lists must be in the row; and nothing else, when Stripe lists all of it. */
#define LIST_DIFFERS(list, field)                                                                  \
    " UNION ALL SELECT '" list "' WHERE jsonb_typeof(o.value #> '{" list ",data}') = 'array'"      \
    " AND (EXISTS (" LISTED("o.value", list, field) " EXCEPT " LISTED(                             \
        "r.value", list,                                                                           \
        field) ")"                                                                                 \
               " OR (o.value #>> '{" list ",has_more}' = 'false' AND EXISTS (" LISTED(             \
                   "r.value", list, field) " EXCEPT " LISTED("o.value", list, field) ")))"

/* $1 a page of Stripe's objects, $2 account, $3 livemode. Of each object that is not as the row is: its place, state, and the columns that differ. */
#define COMPARE(table, row, lists)                                                                                                \
    "SELECT o.place - 1, CASE WHEN b.id IS NULL THEN 'missing' ELSE 'differs' END, CASE WHEN b.id IS NOT NULL THEN d.columns END" \
    " FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS o(value, place)"                                                    \
    " LEFT JOIN " table " b ON b.account = $2 AND b.livemode = $3::text::boolean"                                                 \
    " AND b.id = o.value ->> 'id'"                                                                                                \
    " LEFT JOIN LATERAL (SELECT " row " AS value) r ON b.id IS NOT NULL"                                                          \
    " LEFT JOIN LATERAL (SELECT string_agg(k, ', ' ORDER BY k) AS columns FROM ("                                                 \
    "SELECT k FROM jsonb_object_keys(o.value) k WHERE r.value ? k AND o.value -> k IS DISTINCT"                                   \
    " FROM r.value -> k AND k <> ALL ('{object,deleted,livemode,account,items,lines,payments,"                                    \
    "hosted_invoice_url,invoice_pdf}')" lists                                                                                     \
    " UNION ALL SELECT 'deleted_at' WHERE b.deleted_at IS NOT NULL"                                                               \
    " AND coalesce(o.value ->> 'status', '') <> ALL ('{canceled,incomplete_expired}')) x) d ON true"                              \
    " WHERE b.id IS NULL OR d.columns IS NOT NULL ORDER BY o.place"

/* $1 account, $2 livemode; created after $3 and up to $4; $5 what Stripe lists there. */
#define EXTRA(table)                                                                               \
    "SELECT id FROM " table " WHERE account = $1 AND livemode = $2::text::boolean AND deleted_at " \
    "IS NULL AND created > to_timestamp($3::text::bigint) AND created <= "                         \
    "to_timestamp($4::text::bigint) AND id <> ALL ($5::text[]) ORDER BY created DESC, id"

static const struct ops_drift_kind kinds[] = {
    { "customer", "customers",
      COMPARE("billing_customer", "billing_object('customer', to_jsonb(b))", ""),
      EXTRA("billing_customer") },
    { "subscription", "subscriptions",
      COMPARE("billing_subscription", "billing_subscription_object(b)",
              LIST_DIFFERS("items", "id")),
      EXTRA("billing_subscription") },
    { "invoice", "invoices",
      COMPARE("billing_invoice", "billing_invoice_object(b)", LIST_DIFFERS("lines", "amount")),
      EXTRA("billing_invoice") },
};

static bool write_page(const struct ops_drift_page *page, struct sl_buf *out, struct sl_err *err);
static bool take_difference(const struct ops_drift_scope *scope, const struct ops_drift_page *page,
                            const struct ops_pg_rows *rows, size_t row, struct sl_arena *arena,
                            struct ops_drift_difference *out_difference);
static bool write_ids(const struct ops_drift_seam *seam, const struct ops_drift_page *page,
                      struct sl_pg_array *ids, struct sl_buf *bytes, struct sl_err *err);

const struct ops_drift_kind *ops_drift_kinds(size_t *out_count)
{
    *out_count = SL_COUNT(kinds);
    return kinds;
}

bool ops_drift_compare(const struct ops_drift_scope *scope, const struct ops_drift_kind *kind,
                       const struct ops_drift_page *page, struct sl_arena *arena,
                       struct ops_drift_difference *out_differences, size_t *out_count,
                       struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, PAGE_BYTES_MAX);
    if (!write_page(page, &text, err)) {
        return false;
    }
    const struct sl_pg_param params[] = {
        { .value = sl_buf_span(&text) },
        ops_pg_param(scope->account),
        ops_pg_param(scope->livemode ? "true" : "false"),
    };
    if (!ops_pg_query(scope->session, kind->compare, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    SL_ASSERT(rows.row_count <= page->count);
    for (size_t i = 0; i < rows.row_count; i++) {
        if (!take_difference(scope, page, &rows, i, arena, &out_differences[i])) {
            return sl_fail(err, SL_E_MEMORY, "no memory for a page of differences");
        }
    }
    *out_count = rows.row_count;
    return true;
}

static bool write_page(const struct ops_drift_page *page, struct sl_buf *out, struct sl_err *err)
{
    for (size_t i = 0; i < page->count; i++) {
        sl_buf_append_char(out, i == 0 ? '[' : ',');
        sl_json_append_clean(page->objects[i], out, NULL);
    }
    sl_buf_append_char(out, ']');
    return sl_buf_ok(out) || sl_fail(err, SL_E_LIMIT, "a page of Stripe's objects is too large");
}

/* False without memory. */
static bool take_difference(const struct ops_drift_scope *scope, const struct ops_drift_page *page,
                            const struct ops_pg_rows *rows, size_t row, struct sl_arena *arena,
                            struct ops_drift_difference *out_difference)
{
    size_t place = (size_t)strtoull(ops_pg_cell_text(rows, row, 0), NULL, 10);
    SL_ASSERT(place < page->count);
    const struct sl_json *object = page->objects[place];
    *out_difference = (struct ops_drift_difference){
        .id = sl_arena_copy(arena, ops_drift_id(object)).data,
        .columns = sl_arena_copy(arena, sl_span_of(ops_pg_cell_text(rows, row, 2))).data,
        .is_missing = sl_span_is(ops_pg_cell(rows, row, 1), "missing"),
        .text = scope->keeps_text ? sl_arena_copy(arena, object->raw) : (struct sl_span){ 0 },
    };
    return out_difference->id != NULL && out_difference->columns != NULL &&
           (!scope->keeps_text || out_difference->text.data != NULL);
}

bool ops_drift_extra(const struct ops_drift_scope *scope, const struct ops_drift_kind *kind,
                     const struct ops_drift_seam *seam, const struct ops_drift_page *page,
                     int64_t lower_s, struct ops_pg_rows *out_rows, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    struct sl_pg_array ids;
    char lower[24];
    char upper[24];
    if (!write_ids(seam, page, &ids, &bytes, err)) {
        return false;
    }
    snprintf(lower, sizeof lower, "%" PRId64, lower_s);
    snprintf(upper, sizeof upper, "%" PRId64, seam->second);
    const struct sl_pg_param params[] = {
        ops_pg_param(scope->account),
        ops_pg_param(scope->livemode ? "true" : "false"),
        ops_pg_param(lower),
        ops_pg_param(upper),
        { .value = sl_pg_array_span(&ids), .is_binary = true },
    };
    return ops_pg_query(scope->session, kind->extra, params, SL_COUNT(params), out_rows, err);
}

static bool write_ids(const struct ops_drift_seam *seam, const struct ops_drift_page *page,
                      struct sl_pg_array *ids, struct sl_buf *bytes, struct sl_err *err)
{
    sl_buf_init(bytes, (OPS_DRIFT_PAGE_MAX + OPS_DRIFT_CARRIED_MAX) * (SL_EVENT_ID_BYTES_MAX + 16));
    sl_pg_array_begin(ids, SL_PG_TEXT, bytes);
    for (size_t i = 0; i < seam->count; i++) {
        sl_pg_array_bytes(ids, seam->ids[i]);
    }
    for (size_t i = 0; i < page->count; i++) {
        sl_pg_array_bytes(ids, ops_drift_id(page->objects[i]));
    }
    sl_pg_array_end(ids);
    return sl_buf_ok(bytes) || sl_fail(err, SL_E_MEMORY, "no memory for a page of ids");
}
