#include "ops/stripe/drift.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/pg_session.h"
#include "ops/stripe/stripe_api.h"
#include "ops/table.h"
#include "ops/trigger/courier.h"
#include "ops/when.h"
#include "shared/clock.h"
#include "shared/event/event_message.h"
#include "shared/http/form.h"
#include "shared/pg/pg_array.h"
#include "shared/stripe/stripe_observed.h"

#define NOW_MARGIN_S    120 /* what is younger may be on its way */
#define PAGE_MAX        100u
#define CARRIED_MAX     10000u /* objects of one second, across pages */
#define RATE_DEFAULT    50
#define RATE_MAX        1000
#define SHOWN_DEFAULT   50
#define SHOWN_MAX       100000
#define ARENA_BYTES_MAX (64u * 1024u * 1024u)
#define PAGE_BYTES_MAX  (32u * 1024u * 1024u)
#define EX_FOUND        1
#define EX_PARTIAL      3
#define US_PER_S        1000000

/* $1 a page of Stripe's objects, $2 account, $3 livemode. Of each object that is not as the row is: its place, state, and the columns that differ. */
#define COMPARE(table, row)                                                                                                       \
    "SELECT o.place - 1, CASE WHEN b.id IS NULL THEN 'missing' ELSE 'differs' END, CASE WHEN b.id IS NOT NULL THEN d.columns END" \
    " FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS o(value, place)"                                                    \
    " LEFT JOIN " table " b ON b.account = $2 AND b.livemode = $3::text::boolean"                                                 \
    " AND b.id = o.value ->> 'id'"                                                                                                \
    " LEFT JOIN LATERAL (SELECT " row " AS value) r ON b.id IS NOT NULL"                                                          \
    " LEFT JOIN LATERAL (SELECT string_agg(k, ', ' ORDER BY k) AS columns FROM ("                                                 \
    "SELECT k FROM jsonb_object_keys(o.value) k WHERE r.value ? k AND o.value -> k IS DISTINCT"                                   \
    " FROM r.value -> k AND k <> ALL ('{object,deleted,livemode,account,items,lines,payments,"                                    \
    "hosted_invoice_url,invoice_pdf}')"                                                                                           \
    " UNION ALL SELECT 'items' WHERE NOT coalesce((o.value #> '{items,has_more}')::boolean, true)"                                \
    " AND (SELECT jsonb_agg(jsonb_build_array(i -> 'id', i -> 'quantity') ORDER BY i ->> 'id')"                                   \
    " FROM jsonb_array_elements(o.value #> '{items,data}') i) IS DISTINCT FROM"                                                   \
    " (SELECT jsonb_agg(jsonb_build_array(i -> 'id', i -> 'quantity') ORDER BY i ->> 'id')"                                       \
    " FROM jsonb_array_elements(r.value #> '{items,data}') i)"                                                                    \
    " UNION ALL SELECT 'deleted_at' WHERE b.deleted_at IS NOT NULL"                                                               \
    " AND coalesce(o.value ->> 'status', '') <> ALL ('{canceled,incomplete_expired}')) x) d ON true"                              \
    " WHERE b.id IS NULL OR d.columns IS NOT NULL ORDER BY o.place"

/* $1 account, $2 livemode; created after $3 and up to $4; $5 what Stripe lists there. */
#define EXTRA(table)                                                                               \
    "SELECT id FROM " table " WHERE account = $1 AND livemode = $2::text::boolean AND deleted_at " \
    "IS NULL AND created > to_timestamp($3::text::bigint) AND created <= "                         \
    "to_timestamp($4::text::bigint) AND id <> ALL ($5::text[]) ORDER BY created DESC, id"

static const struct kind {
    const char *name;
    const char *plural;
    const char *compare;
    const char *extra;
} kinds[] = {
    { "customer", "customers",
      COMPARE("billing_customer", "billing_object('customer', to_jsonb(b))"),
      EXTRA("billing_customer") },
    { "subscription", "subscriptions",
      COMPARE("billing_subscription", "billing_subscription_object(b)"),
      EXTRA("billing_subscription") },
    { "invoice", "invoices", COMPARE("billing_invoice", "billing_object('invoice', to_jsonb(b))"),
      EXTRA("billing_invoice") },
};

static const struct ops_column columns[] = {
    { "KIND", false }, { "OBJECT", false }, { "STATE", false }, { "COLUMNS", false }
};

struct wish {
    bool objects;
    bool repair;
    const char *since_text;
    int64_t since_s;
    int64_t until_s;
    const char *account;
    int64_t rate;
    int64_t limit;
    enum ops_output output;
};

struct drift {
    struct wish wish;
    bool livemode;
    struct ops_address address;
    struct ops_stripe_api *api;
    struct ops_pg_session *session;
    struct ops_courier *courier; /* from the first repair on */
    struct sl_arena arena;       /* of an event that is published */
    struct ops_table table;
    const struct kind *kind; /* that is walked */
    struct sl_arena carried_texts;
    struct sl_span *carried; /* ids of the oldest second of the last page */
    size_t carried_count;
    char after[SL_EVENT_ID_BYTES_MAX + 1];
    int64_t upper_s; /* rows up to here have not been looked for */
    int64_t compared, missing, differing, extra, repaired;
};

static void drift_done(struct drift *drift);
static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool open_all(struct drift *drift, struct sl_err *err);
static bool walk(struct drift *drift, struct sl_err *err);
static bool take_page(struct drift *drift, const struct sl_json *data, bool has_more,
                      struct sl_err *err);
static bool compare(struct drift *drift, const struct sl_json *const *objects, size_t count,
                    struct sl_err *err);
static bool find_extra(struct drift *drift, const struct sl_json *const *objects, size_t count,
                       int64_t lower_s, struct sl_err *err);
static bool carry(struct drift *drift, const struct sl_json *const *objects, size_t count,
                  int64_t second, struct sl_err *err);
static bool repair_extra(struct drift *drift, const char *id, bool *out_is_done,
                         struct sl_err *err);
static bool repair(struct drift *drift, const struct sl_json *object, bool *out_is_done,
                   struct sl_err *err);
static void show(struct drift *drift, const char *id, const char *state, const char *which);
static int tell(const struct drift *drift);

int ops_drift(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(drift_done)
    struct drift drift = { .wish = {
                               .account = "", .rate = RATE_DEFAULT, .limit = SHOWN_DEFAULT } };
    ops_table_init(&drift.table, columns, SL_COUNT(columns));
    bool is_done = read_wish(&drift.wish, argc, argv, &err) && open_all(&drift, &err);
    for (size_t i = 0; is_done && i < SL_COUNT(kinds); i++) {
        drift.kind = &kinds[i];
        is_done = walk(&drift, &err);
    }
    if (!is_done || !ops_table_print(&drift.table, drift.wish.output, stdout, &err)) {
        return ops_report("reconcile stripe --objects", &err);
    }
    return tell(&drift);
}

static void drift_done(struct drift *drift)
{
    ops_courier_free(drift->courier);
    ops_pg_session_free(drift->session);
    ops_stripe_api_free(drift->api);
    ops_table_done(&drift->table);
    ops_address_done(&drift->address);
    sl_arena_done(&drift->arena);
    sl_arena_done(&drift->carried_texts);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "objects", .kind = OPS_FLAG_SWITCH, .out = &wish->objects },
        { .name = "repair", .kind = OPS_FLAG_SWITCH, .out = &wish->repair },
        { .name = "since", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->since_text },
        { .name = "account", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->account },
        { .name = "rate", .kind = OPS_FLAG_COUNT, .out = &wish->rate, .min = 1, .max = RATE_MAX },
        { .name = "limit", .kind = OPS_FLAG_COUNT, .out = &wish->limit, .max = SHOWN_MAX },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    int64_t now_s = sl_clock_wall_us() / US_PER_S;
    wish->until_s = now_s - NOW_MARGIN_S;
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err) &&
           (wish->since_text == NULL ||
            ops_when("since", wish->since_text, now_s, &wish->since_s, err));
}

static bool open_all(struct drift *drift, struct sl_err *err)
{
    sl_arena_init(&drift->arena, ARENA_BYTES_MAX);
    sl_arena_init(&drift->carried_texts, ARENA_BYTES_MAX);
    if (!ops_address_open(&drift->address, err)) {
        return false;
    }
    drift->api = ops_stripe_api_new(&drift->address, 0, err);
    drift->session = drift->api == NULL ? NULL : ops_pg_session_here("sluice reconcile", true, err);
    drift->livemode = drift->api != NULL && ops_stripe_api_is_live(drift->api);
    return drift->session != NULL;
}

static bool walk(struct drift *drift, struct sl_err *err)
{
    drift->after[0] = '\0';
    drift->upper_s = drift->wish.until_s;
    drift->carried_count = 0;
    char path[64];
    snprintf(path, sizeof path, "/v1/%s", drift->kind->plural);
    for (bool has_more = true; has_more;) {
        SL_DONE(sl_buf_done) struct sl_buf query = { 0 };
        sl_buf_init(&query, 2048);
        sl_form_put_int(&query, "limit", PAGE_MAX);
        sl_form_put_int(&query, "created[gte]", drift->wish.since_s);
        sl_form_put_int(&query, "created[lte]", drift->wish.until_s);
        if (strcmp(drift->kind->name, "subscription") == 0) {
            sl_form_put(&query, "status", SL_SPAN_LITERAL("all"));
        }
        if (drift->after[0] != '\0') {
            sl_form_put(&query, "starting_after", sl_span_of(drift->after));
        }
        const struct sl_json *root = NULL;
        if (!ops_stripe_api_get(drift->api, path, sl_buf_span(&query), drift->wish.account, &root,
                                err)) {
            return false;
        }
        const struct sl_json *data = sl_json_get(root, "data");
        if (data == NULL || data->type != SL_JSON_ARRAY || data->child_count > PAGE_MAX) {
            return sl_fail(err, SL_E_JSON_MALFORMED, "Stripe's answer is no page of %s",
                           drift->kind->plural);
        }
        has_more = sl_json_true(sl_json_get(root, "has_more")) && data->child_count > 0;
        if (!take_page(drift, data, has_more, err)) {
            return false;
        }
    }
    return true;
}

/* The page is borrowed until the next question to Stripe, which repairing an extra row asks: that comes last. */
static bool take_page(struct drift *drift, const struct sl_json *data, bool has_more,
                      struct sl_err *err)
{
    const struct sl_json *objects[PAGE_MAX];
    size_t count = 0;
    int64_t oldest_s = drift->upper_s;
    for (const struct sl_json *at = data->first; at != NULL; at = at->next) {
        const struct sl_json *id = sl_json_get(at, "id");
        if (id == NULL || id->type != SL_JSON_STRING || id->raw.bytes > SL_EVENT_ID_BYTES_MAX ||
            !sl_json_int(sl_json_get(at, "created"), &oldest_s)) {
            return sl_fail(err, SL_E_JSON_MALFORMED, "Stripe lists an object without id or time");
        }
        objects[count++] = at;
    }
    if (count > 0) {
        struct sl_span last = sl_json_get(objects[count - 1], "id")->raw;
        snprintf(drift->after, sizeof drift->after, "%.*s", (int)last.bytes - 2, last.data + 1);
    }
    int64_t lower_s = has_more ? oldest_s : drift->wish.since_s - 1;
    drift->compared += (int64_t)count;
    return (count == 0 || compare(drift, objects, count, err)) &&
           find_extra(drift, objects, count, lower_s, err);
}

static bool compare(struct drift *drift, const struct sl_json *const *objects, size_t count,
                    struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf page = { 0 };
    sl_buf_init(&page, PAGE_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        sl_buf_append_char(&page, i == 0 ? '[' : ',');
        sl_json_append_clean(objects[i], &page, NULL);
    }
    sl_buf_append_char(&page, ']');
    const struct sl_pg_param params[] = {
        { .value = sl_buf_span(&page) },
        ops_pg_param(drift->wish.account),
        ops_pg_param(drift->livemode ? "true" : "false"),
    };
    if (!sl_buf_ok(&page)) {
        return sl_fail(err, SL_E_LIMIT, "a page of Stripe's objects is too large");
    }
    if (!ops_pg_query(drift->session, drift->kind->compare, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.row_count; i++) {
        size_t place = (size_t)strtoull(ops_pg_cell_text(&rows, i, 0), NULL, 10);
        bool is_missing = sl_span_is(ops_pg_cell(&rows, i, 1), "missing");
        bool is_done = false;
        char id[SL_EVENT_ID_BYTES_MAX + 1];
        SL_ASSERT(place < count);
        struct sl_span raw = sl_json_get(objects[place], "id")->raw;
        snprintf(id, sizeof id, "%.*s", (int)raw.bytes - 2, raw.data + 1);
        *(is_missing ? &drift->missing : &drift->differing) += 1;
        if (drift->wish.repair && !repair(drift, objects[place], &is_done, err)) {
            return false;
        }
        show(drift, id, is_done ? "published" : ops_pg_cell_text(&rows, i, 1),
             ops_pg_cell_text(&rows, i, 2));
    }
    return true;
}

/* Rows created in (lower_s, upper_s] that are neither on this page nor in the second it shares with the one before. */
static bool find_extra(struct drift *drift, const struct sl_json *const *objects, size_t count,
                       int64_t lower_s, struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    struct sl_pg_array ids;
    char lower[24];
    char upper[24];
    sl_buf_init(&bytes, (PAGE_MAX + CARRIED_MAX) * (SL_EVENT_ID_BYTES_MAX + 16));
    sl_pg_array_begin(&ids, SL_PG_TEXT, &bytes);
    for (size_t i = 0; i < drift->carried_count; i++) {
        sl_pg_array_bytes(&ids, drift->carried[i]);
    }
    for (size_t i = 0; i < count; i++) {
        struct sl_span raw = sl_json_get(objects[i], "id")->raw;
        sl_pg_array_bytes(&ids, sl_span_make(raw.data + 1, raw.bytes - 2));
    }
    sl_pg_array_end(&ids);
    snprintf(lower, sizeof lower, "%" PRId64, lower_s);
    snprintf(upper, sizeof upper, "%" PRId64, drift->upper_s);
    const struct sl_pg_param params[] = {
        ops_pg_param(drift->wish.account),
        ops_pg_param(drift->livemode ? "true" : "false"),
        ops_pg_param(lower),
        ops_pg_param(upper),
        { .value = sl_pg_array_span(&ids), .is_binary = true },
    };
    if (!sl_buf_ok(&bytes)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a page of ids");
    }
    if (!ops_pg_query(drift->session, drift->kind->extra, params, SL_COUNT(params), &rows, err) ||
        !carry(drift, objects, count, lower_s, err)) {
        return false;
    }
    drift->upper_s = lower_s;
    for (size_t i = 0; i < rows.row_count; i++) {
        bool is_done = false;
        drift->extra++;
        if (drift->wish.repair &&
            !repair_extra(drift, ops_pg_cell_text(&rows, i, 0), &is_done, err)) {
            return false;
        }
        show(drift, ops_pg_cell_text(&rows, i, 0), is_done ? "published" : "extra", "");
    }
    return true;
}

/* Keeps the ids of the page's oldest second: the next page begins in it. */
static bool carry(struct drift *drift, const struct sl_json *const *objects, size_t count,
                  int64_t second, struct sl_err *err)
{
    if (second != drift->upper_s) {
        drift->carried_count = 0;
        sl_arena_reset(&drift->carried_texts);
        drift->carried = sl_arena_array(&drift->carried_texts, CARRIED_MAX, sizeof *drift->carried);
    }
    for (size_t i = 0; i < count; i++) {
        int64_t created_s = 0;
        struct sl_span raw = sl_json_get(objects[i], "id")->raw;
        if (!sl_json_int(sl_json_get(objects[i], "created"), &created_s) || created_s != second) {
            continue;
        }
        if (drift->carried == NULL || drift->carried_count == CARRIED_MAX) {
            return sl_fail(err, SL_E_LIMIT, "more than %u %s were created in one second",
                           CARRIED_MAX, drift->kind->plural);
        }
        drift->carried[drift->carried_count++] =
            sl_arena_copy(&drift->carried_texts, sl_span_make(raw.data + 1, raw.bytes - 2));
    }
    return true;
}

/* What Stripe does not know any more was deleted there. */
static bool repair_extra(struct drift *drift, const char *id, bool *out_is_done, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf path = { 0 };
    const struct sl_json *object = NULL;
    sl_buf_init(&path, 1024);
    sl_buf_printf(&path, "/v1/%s/", drift->kind->plural);
    sl_form_escape(&path, sl_span_of(id));
    if (ops_stripe_api_get(drift->api, sl_buf_span(&path).data, (struct sl_span){ 0 },
                           drift->wish.account, &object, err)) {
        return repair(drift, object, out_is_done, err);
    }
    if (ops_stripe_api_status(drift->api) != 404) {
        return false;
    }
    *err = (struct sl_err){ 0 };
    return ops_stripe_api_gone(drift->api, drift->kind->name, id, &object, err) &&
           repair(drift, object, out_is_done, err);
}

static bool repair(struct drift *drift, const struct sl_json *object, bool *out_is_done,
                   struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    struct sl_envelope event = { 0 };
    sl_buf_init(&body, PAGE_BYTES_MAX);
    sl_buf_init(&bytes, SL_ENVELOPE_BYTES_MAX);
    sl_arena_reset(&drift->arena);
    struct sl_stripe_observation seen = { .object = object,
                                          .account = drift->wish.account,
                                          .livemode = drift->livemode,
                                          .now_us = sl_clock_wall_us() };
    ops_stripe_api_heard(drift->api, &seen.date_s, &seen.elapsed_us);
    if (drift->courier == NULL) {
        drift->courier = ops_courier_new(&drift->address, err);
    }
    if (drift->courier == NULL || !sl_stripe_observed(&seen, &drift->arena, &body, &event, err) ||
        !sl_envelope_encode(&event, &bytes, err)) {
        return false;
    }
    struct sl_span key = sl_event_routing_key(&drift->arena, event.source, event.type);
    if (key.data == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a message");
    }
    const struct sl_amqp_message message = sl_event_message(&event, key, sl_buf_span(&bytes));
    enum sl_publish_outcome outcome = SL_PUBLISH_NACKED;
    if (!ops_courier_send(drift->courier, &message, 1, US_PER_S / drift->wish.rate, &outcome,
                          err)) {
        return false;
    }
    *out_is_done = outcome == SL_PUBLISH_CONFIRMED;
    drift->repaired += *out_is_done ? 1 : 0;
    return true;
}

static void show(struct drift *drift, const char *id, const char *state, const char *which)
{
    if (drift->table.row_count < (size_t)drift->wish.limit) {
        ops_table_add(&drift->table, (const char *const[]){ drift->kind->name, id, state, which });
    }
}

static int tell(const struct drift *drift)
{
    int64_t found = drift->missing + drift->differing + drift->extra;
    fprintf(stderr,
            "%" PRId64 " objects at Stripe compared: %" PRId64 " missing here, %" PRId64
            " differ, %" PRId64 " here that Stripe does not list, %" PRId64 " published\n",
            drift->compared, drift->missing, drift->differing, drift->extra, drift->repaired);
    if (found == 0) {
        return EX_OK;
    }
    if (!drift->wish.repair) {
        fputs("nothing was published; --repair publishes each of them as Stripe has it\n", stderr);
        return EX_FOUND;
    }
    return drift->repaired == found ? EX_OK : EX_PARTIAL;
}
