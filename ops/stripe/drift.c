#include "ops/stripe/drift.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/metrics_file.h"
#include "ops/pg_session.h"
#include "ops/stripe/drift_compare.h"
#include "ops/stripe/object_courier.h"
#include "ops/table.h"
#include "ops/when.h"
#include "shared/clock.h"
#include "shared/event/envelope.h"
#include "shared/http/form.h"

#define NOW_MARGIN_S    120 /* what is younger may be on its way */
#define RATE_DEFAULT    50
#define RATE_MAX        1000
#define SHOWN_DEFAULT   50
#define SHOWN_MAX       100000
#define ARENA_BYTES_MAX (64u * 1024u * 1024u)
#define QUERY_BYTES_MAX 2048u
#define EX_FOUND        1
#define EX_PARTIAL      3
#define US_PER_S        1000000

static const struct ops_column columns[] = {
    { .title = "KIND" }, { .title = "OBJECT" }, { .title = "STATE" }, { .title = "COLUMNS" }
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
    const char *metrics; /* NULL: no file */
    enum ops_output output;
};

struct drift {
    struct wish wish;
    struct ops_address address;
    struct ops_stripe_api *api;
    struct ops_pg_session *session;
    struct ops_object_courier *courier; /* when there is something to repair */
    struct ops_drift_scope scope;
    struct ops_table table;
    int64_t compared, missing, differing, extra, repaired;

    const struct ops_drift_kind *kind;     /* that is walked */
    char after[SL_EVENT_ID_BYTES_MAX + 1]; /* the last object of the last page; "": none */
    struct ops_drift_seam seam;

    struct ops_drift_page page;
    struct sl_arena arena; /* of its differences */
    struct ops_drift_difference differences[OPS_DRIFT_PAGE_MAX];
    size_t difference_count;
    int64_t date_s;
    int64_t elapsed_us;
};

static void drift_done(struct drift *drift);
static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool open_all(struct drift *drift, struct sl_err *err);
static bool walk(struct drift *drift, struct sl_err *err);
static bool ask_page(struct drift *drift, const struct sl_json **out_data, bool *out_has_more,
                     struct sl_err *err);
static bool take_page(struct drift *drift, const struct sl_json *data, bool has_more,
                      struct sl_err *err);
static bool read_page(struct drift *drift, const struct sl_json *data, int64_t *out_oldest_s,
                      struct sl_err *err);
static bool compare(struct drift *drift, struct sl_err *err);
static bool settle_differences(struct drift *drift, struct sl_err *err);
static bool settle_extra(struct drift *drift, const struct ops_pg_rows *rows, struct sl_err *err);
static bool repair_extra(struct drift *drift, const char *id, bool *out_is_done,
                         struct sl_err *err);
static bool repair_fetched(struct drift *drift, const struct sl_json *object, bool *out_is_done,
                           struct sl_err *err);
static bool repair(struct drift *drift, struct sl_span text, int64_t date_s, int64_t elapsed_us,
                   bool *out_is_done, struct sl_err *err);
static void show(struct drift *drift, const char *id, const char *state, const char *which);
static bool leave_metrics(const struct drift *drift, struct sl_err *err);
static int tell(const struct drift *drift);

int ops_drift(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(drift_done)
    struct drift drift = { .wish = {
                               .account = "", .rate = RATE_DEFAULT, .limit = SHOWN_DEFAULT } };
    ops_table_init(&drift.table, columns, SL_COUNT(columns));
    bool is_done = read_wish(&drift.wish, argc, argv, &err) && open_all(&drift, &err);
    size_t kind_count = 0;
    const struct ops_drift_kind *kinds = ops_drift_kinds(&kind_count);
    for (size_t i = 0; is_done && i < kind_count; i++) {
        drift.kind = &kinds[i];
        is_done = walk(&drift, &err);
    }
    if (!is_done || !ops_table_print(&drift.table, drift.wish.output, stdout, &err) ||
        !leave_metrics(&drift, &err)) {
        return ops_report("reconcile stripe --objects", &err);
    }
    return tell(&drift);
}

static void drift_done(struct drift *drift)
{
    ops_object_courier_free(drift->courier);
    ops_pg_session_free(drift->session);
    ops_stripe_api_free(drift->api);
    ops_table_done(&drift->table);
    ops_address_done(&drift->address);
    sl_arena_done(&drift->arena);
    ops_drift_seam_done(&drift->seam);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "objects", .kind = OPS_FLAG_SWITCH, .out = &wish->objects },
        { .name = "repair", .kind = OPS_FLAG_SWITCH, .out = &wish->repair },
        { .name = "dry-run", .letter = 'n', .kind = OPS_FLAG_UNDO, .out = &wish->repair },
        { .name = "since", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->since_text },
        { .name = "account", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->account },
        { .name = "rate", .kind = OPS_FLAG_COUNT, .out = &wish->rate, .min = 1, .max = RATE_MAX },
        { .name = "limit", .kind = OPS_FLAG_COUNT, .out = &wish->limit, .max = SHOWN_MAX },
        { .name = "metrics", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->metrics },
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
    ops_drift_seam_init(&drift->seam);
    if (!ops_address_open(&drift->address, err)) {
        return false;
    }
    drift->api = ops_stripe_api_new(&drift->address, 0, err);
    drift->session = drift->api == NULL ? NULL : ops_pg_session_here("sluice reconcile", true, err);
    if (drift->session != NULL && drift->wish.repair) {
        drift->courier = ops_object_courier_new(&drift->address, drift->api, drift->wish.rate, err);
        if (drift->courier == NULL) {
            return false;
        }
    }
    drift->scope = (struct ops_drift_scope){
        .session = drift->session,
        .account = drift->wish.account,
        .livemode = drift->api != NULL && ops_stripe_api_is_live(drift->api),
        .keeps_text = drift->wish.repair,
    };
    return drift->session != NULL;
}

static bool walk(struct drift *drift, struct sl_err *err)
{
    drift->after[0] = '\0';
    ops_drift_seam_begin(&drift->seam, drift->wish.until_s);
    for (bool has_more = true; has_more;) {
        const struct sl_json *data = NULL;
        if (!ask_page(drift, &data, &has_more, err) || !take_page(drift, data, has_more, err)) {
            return false;
        }
    }
    return true;
}

static bool ask_page(struct drift *drift, const struct sl_json **out_data, bool *out_has_more,
                     struct sl_err *err)
{
    const struct wish *wish = &drift->wish;
    SL_DONE(sl_buf_done) struct sl_buf query = { 0 };
    char path[64];
    snprintf(path, sizeof path, "/v1/%s", drift->kind->plural);
    sl_buf_init(&query, QUERY_BYTES_MAX);
    sl_form_put_int(&query, "limit", OPS_DRIFT_PAGE_MAX);
    sl_form_put_int(&query, "created[gte]", wish->since_s);
    sl_form_put_int(&query, "created[lte]", wish->until_s);
    if (strcmp(drift->kind->name, "subscription") == 0) {
        sl_form_put(&query, "status", SL_SPAN_LITERAL("all"));
    }
    if (drift->after[0] != '\0') {
        sl_form_put(&query, "starting_after", sl_span_of(drift->after));
    }
    const struct sl_json *root = NULL;
    if (!ops_stripe_api_get(drift->api, path, sl_buf_span(&query), wish->account, &root, err)) {
        return false;
    }
    const struct sl_json *data = sl_json_get(root, "data");
    if (data == NULL || data->type != SL_JSON_ARRAY || data->child_count > OPS_DRIFT_PAGE_MAX) {
        return sl_fail(err, SL_E_JSON_MALFORMED, "Stripe's answer is no page of %s",
                       drift->kind->plural);
    }
    *out_data = data;
    *out_has_more = sl_json_true(sl_json_get(root, "has_more")) && data->child_count > 0;
    return true;
}

/* The page is borrowed until the next question to Stripe, which repairing asks: that comes last. */
static bool take_page(struct drift *drift, const struct sl_json *data, bool has_more,
                      struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows extra = { 0 };
    int64_t oldest_s = drift->seam.second;
    if (!read_page(drift, data, &oldest_s, err)) {
        return false;
    }
    int64_t lower_s = has_more ? oldest_s : drift->wish.since_s - 1;
    return compare(drift, err) &&
           ops_drift_extra(&drift->scope, drift->kind, &drift->seam, &drift->page, lower_s, &extra,
                           err) &&
           ops_drift_seam_move(&drift->seam, &drift->page, lower_s, drift->kind->plural, err) &&
           settle_differences(drift, err) && settle_extra(drift, &extra, err);
}

static bool read_page(struct drift *drift, const struct sl_json *data, int64_t *out_oldest_s,
                      struct sl_err *err)
{
    struct ops_drift_page *page = &drift->page;
    page->count = 0;
    for (const struct sl_json *at = data->first; at != NULL; at = at->next) {
        const struct sl_json *id = sl_json_get(at, "id");
        if (id == NULL || id->type != SL_JSON_STRING || id->raw.bytes > SL_EVENT_ID_BYTES_MAX ||
            !sl_json_int(sl_json_get(at, "created"), out_oldest_s)) {
            return sl_fail(err, SL_E_JSON_MALFORMED, "Stripe lists an object without id or time");
        }
        page->objects[page->count++] = at;
    }
    if (page->count > 0) {
        snprintf(drift->after, sizeof drift->after, "%.*s",
                 SL_SPAN_ARGS(ops_drift_id(page->objects[page->count - 1])));
    }
    ops_stripe_api_heard(drift->api, &drift->date_s, &drift->elapsed_us);
    return true;
}

static bool compare(struct drift *drift, struct sl_err *err)
{
    drift->compared += (int64_t)drift->page.count;
    drift->difference_count = 0;
    sl_arena_reset(&drift->arena);
    if (drift->page.count > 0 &&
        !ops_drift_compare(&drift->scope, drift->kind, &drift->page, &drift->arena,
                           drift->differences, &drift->difference_count, err)) {
        return false;
    }
    for (size_t i = 0; i < drift->difference_count; i++) {
        *(drift->differences[i].is_missing ? &drift->missing : &drift->differing) += 1;
    }
    return true;
}

static bool settle_differences(struct drift *drift, struct sl_err *err)
{
    for (size_t i = 0; i < drift->difference_count; i++) {
        const struct ops_drift_difference *found = &drift->differences[i];
        bool is_done = false;
        if (drift->wish.repair &&
            !repair(drift, found->text, drift->date_s, drift->elapsed_us, &is_done, err)) {
            return false;
        }
        show(drift, found->id,
             is_done             ? "published"
             : found->is_missing ? "missing"
                                 : "differs",
             found->columns);
    }
    return true;
}

static bool settle_extra(struct drift *drift, const struct ops_pg_rows *rows, struct sl_err *err)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        const char *id = ops_pg_cell_text(rows, i, 0);
        bool is_done = false;
        drift->extra++;
        if (drift->wish.repair && !repair_extra(drift, id, &is_done, err)) {
            return false;
        }
        show(drift, id, is_done ? "published" : "extra", "");
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
        return repair_fetched(drift, object, out_is_done, err);
    }
    if (ops_stripe_api_status(drift->api) != 404) {
        return false;
    }
    *err = (struct sl_err){ 0 };
    return ops_stripe_api_gone(drift->api, drift->kind->name, id, &object, err) &&
           repair_fetched(drift, object, out_is_done, err);
}

static bool repair_fetched(struct drift *drift, const struct sl_json *object, bool *out_is_done,
                           struct sl_err *err)
{
    int64_t date_s = 0;
    int64_t elapsed_us = 0;
    ops_stripe_api_heard(drift->api, &date_s, &elapsed_us);
    struct sl_span text = sl_arena_copy(&drift->arena, object->raw);
    return text.data == NULL ? sl_fail(err, SL_E_MEMORY, "no memory for an object")
                             : repair(drift, text, date_s, elapsed_us, out_is_done, err);
}

static bool repair(struct drift *drift, struct sl_span text, int64_t date_s, int64_t elapsed_us,
                   bool *out_is_done, struct sl_err *err)
{
    const struct ops_object_seen seen = {
        .text = text,
        .account = drift->wish.account,
        .date_s = date_s,
        .elapsed_us = elapsed_us,
    };
    if (!ops_object_courier_send(drift->courier, &seen, out_is_done, err)) {
        return false;
    }
    drift->repaired += *out_is_done ? 1 : 0;
    return true;
}

static void show(struct drift *drift, const char *id, const char *state, const char *which)
{
    if (drift->table.row_count < (size_t)drift->wish.limit) {
        ops_table_add(&drift->table, (const char *const[]){ drift->kind->name, id, state, which });
    }
}

static bool leave_metrics(const struct drift *drift, struct sl_err *err)
{
    char labels[2 * SL_EVENT_ID_BYTES_MAX];
    const struct ops_metric metrics[] = {
        { "sluice_drift_compared_objects", "Objects at Stripe that were compared with their rows.",
          drift->compared },
        { "sluice_drift_missing_objects", "Of them, those that have no row.", drift->missing },
        { "sluice_drift_differing_objects", "Of them, those whose row says something else.",
          drift->differing },
        { "sluice_drift_extra_objects", "Rows that Stripe does not list.", drift->extra },
        { "sluice_drift_published_objects", "Of all these, those that were published now.",
          drift->repaired },
        { "sluice_drift_finished_timestamp_seconds", "When this was looked at.",
          sl_clock_wall_us() / US_PER_S },
    };
    if (drift->wish.metrics == NULL) {
        return true;
    }
    snprintf(labels, sizeof labels, "account=\"%.200s\"", drift->wish.account);
    return ops_metrics_file_write(drift->wish.metrics, labels, metrics, SL_COUNT(metrics), err);
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
