#include "ops/stripe/reconcile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/commands.h"
#include "ops/pg_session.h"
#include "ops/stripe/drift.h"
#include "ops/stripe/forgetting.h"
#include "ops/stripe/reconcile_publish.h"
#include "ops/stripe/reconcile_tell.h"
#include "ops/stripe/stripe_page.h"
#include "ops/table.h"
#include "ops/when.h"
#include "shared/clock.h"
#include "shared/pg/pg_array.h"

#define NOW_MARGIN_S      120 /* younger events may be on their way */
#define WINDOW_MS_DEFAULT (3600 * 1000)
#define WINDOW_MS_MIN     (60 * 1000)
#define WINDOW_MS_MAX     (INT64_C(30) * 24 * 3600 * 1000)
#define RATE_DEFAULT      50
#define RATE_MAX          1000
#define BATCH_DEFAULT     500
#define BATCH_MAX         10000
#define SHOWN_DEFAULT     50
#define SHOWN_MAX         100000
#define ARENA_BYTES_MAX   (8u * 1024u * 1024u)
#define MS_PER_S          1000
#define US_PER_S          1000000

const char ops_reconcile_usage[] =
    "  --since T         how far back: a time, or how long ago such as 2h (required; Stripe lists 30 days)\n"
    "  --until T         up to when (2m ago: what is younger may be on its way)\n"
    "  --type T          only events of this type\n"
    "  --account A       of this connected account; default: the own one\n"
    "  --undelivered     only what Stripe itself says it could not deliver\n"
    "  --subsystem S     whose inbox is asked (billing)\n"
    "  --yes             publish what is missing; without it nothing is changed\n"
    "  --dry-run         say only what is missing, also beside --yes\n"
    "  --rate N          events published a second (50)\n"
    "  --batch N         events after which live ones are waited for (500)\n"
    "  --window D        Stripe is asked for so much time at once (1h)\n"
    "  --limit N         lines shown (50); everything is counted and published\n"
    "  --metrics FILE    leave the figures there, for Prometheus' node exporter\n" OPS_USAGE_ROWS
    "  --objects         the objects themselves, not events: what Stripe has against the tables; takes --since (everything when not\n"
    "                    given), --account, --rate, --limit, --metrics and -o\n"
    "  --repair          with --objects: publish each object that drifted, as Stripe has it\n"
    "Exit status: 0 nothing is missing, or all of it was published; 1 something is missing; 3 some could not be published;\n"
    "4 something is missing that Stripe forgets within five days (it is older than 25; from 20 on a line says so); 75 live\n"
    "events did not drain.\n";

/* $1 ids, $2 subsystem. */
static const char known_sql[] =
    "SELECT CASE WHEN EXISTS (SELECT FROM sluice_inbox i WHERE i.event_id = w.id AND i.subsystem = $2) THEN 'applied'"
    " WHEN EXISTS (SELECT FROM sluice_dead_letter d WHERE d.event_id = w.id AND d.subsystem = $2"
    " AND d.status IN ('open', 'replaying')) THEN 'dead' ELSE 'missing' END"
    " FROM unnest($1::text[]) WITH ORDINALITY AS w(id, place) ORDER BY place";

static const struct ops_column columns[] = { { .title = "EVENT" },
                                             { .title = "TYPE" },
                                             { .title = "CREATED" },
                                             { .title = "OBJECT" },
                                             { .title = "STATE" } };

struct wish {
    const char *since_text;
    const char *until_text;
    int64_t since_s;
    int64_t until_s;
    int64_t now_s;
    const char *type;
    const char *account;
    const char *subsystem;
    bool only_undelivered;
    bool yes;
    int64_t rate;
    int64_t batch;
    int64_t window_ms;
    int64_t limit;
    const char *metrics; /* NULL: no file */
    enum ops_output output;
};

struct reconcile {
    struct wish wish;
    struct ops_address address;
    struct ops_stripe_api *api;
    struct ops_pg_session *session;
    struct ops_reconcile_publisher publisher;
    struct sl_arena arena;
    struct ops_stripe_page page;
    struct ops_table table;
    struct ops_reconcile_counts counts;
};

static void reconcile_done(struct reconcile *reconcile);
static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool read_times(struct wish *wish, struct sl_err *err);
static bool open_all(struct reconcile *reconcile, struct sl_err *err);
static bool walk(struct reconcile *reconcile, struct sl_err *err);
static bool walk_window(struct reconcile *reconcile, const struct ops_stripe_window *window,
                        struct sl_err *err);
static bool take_page(struct reconcile *reconcile, struct sl_err *err);
static bool publish(struct reconcile *reconcile, const struct sl_envelope *const *events,
                    size_t count, struct sl_err *err);
static bool ask_known(struct reconcile *reconcile, struct ops_pg_rows *out_rows,
                      struct sl_err *err);
static void show(struct reconcile *reconcile, const struct sl_envelope *event, const char *state);

int ops_reconcile(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--objects") == 0) {
            return ops_drift(argc, argv);
        }
    }
    struct sl_err err = { 0 };
    SL_DONE(reconcile_done)
    struct reconcile reconcile = { .wish = {
                                       .account = "",
                                       .subsystem = "billing",
                                       .rate = RATE_DEFAULT,
                                       .batch = BATCH_DEFAULT,
                                       .window_ms = WINDOW_MS_DEFAULT,
                                       .limit = SHOWN_DEFAULT,
                                   } };
    ops_table_init(&reconcile.table, columns, SL_COUNT(columns));
    if (!read_wish(&reconcile.wish, argc, argv, &err) || !open_all(&reconcile, &err)) {
        return ops_report("reconcile stripe", &err);
    }
    if (!walk(&reconcile, &err)) {
        if (reconcile.counts.published > 0) {
            (void)sl_err_wrap(&err, "after %" PRId64 " were published; run it again to go on",
                              reconcile.counts.published);
        }
        return ops_report("reconcile stripe", &err);
    }
    const struct ops_reconcile_metrics metrics = {
        .path = reconcile.wish.metrics,
        .account = reconcile.wish.account,
        .subsystem = reconcile.wish.subsystem,
        .now_s = reconcile.wish.now_s,
    };
    if (!ops_table_print(&reconcile.table, reconcile.wish.output, stdout, &err) ||
        !ops_reconcile_leave_metrics(&reconcile.counts, &metrics, &err)) {
        return ops_report("reconcile stripe", &err);
    }
    return ops_reconcile_tell(&reconcile.counts, reconcile.wish.yes);
}

static void reconcile_done(struct reconcile *reconcile)
{
    ops_reconcile_publisher_done(&reconcile->publisher);
    ops_pg_session_free(reconcile->session);
    ops_stripe_api_free(reconcile->api);
    ops_table_done(&reconcile->table);
    ops_address_done(&reconcile->address);
    sl_arena_done(&reconcile->arena);
}

/* The wish -------------------------------------------------------------------------------------- */

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "since", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->since_text },
        { .name = "until", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->until_text },
        { .name = "type", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->type },
        { .name = "account", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->account },
        { .name = "subsystem", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->subsystem },
        { .name = "undelivered", .kind = OPS_FLAG_SWITCH, .out = &wish->only_undelivered },
        OPS_FLAGS_MEANT(wish->yes),
        { .name = "rate", .kind = OPS_FLAG_COUNT, .out = &wish->rate, .min = 1, .max = RATE_MAX },
        { .name = "batch",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->batch,
          .min = 1,
          .max = BATCH_MAX },
        { .name = "window",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->window_ms,
          .min = WINDOW_MS_MIN,
          .max = WINDOW_MS_MAX },
        { .name = "limit", .kind = OPS_FLAG_COUNT, .out = &wish->limit, .max = SHOWN_MAX },
        { .name = "metrics", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->metrics },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err) &&
           read_times(wish, err);
}

static bool read_times(struct wish *wish, struct sl_err *err)
{
    wish->now_s = sl_clock_wall_us() / US_PER_S;
    wish->until_s = wish->now_s - NOW_MARGIN_S;
    if (wish->since_text == NULL) {
        return sl_fail(err, SL_E_USAGE, "say how far back with --since, such as --since 2h");
    }
    if (!ops_when("since", wish->since_text, wish->now_s, &wish->since_s, err) ||
        (wish->until_text != NULL &&
         !ops_when("until", wish->until_text, wish->now_s, &wish->until_s, err))) {
        return false;
    }
    if (wish->since_s >= wish->until_s) {
        return sl_fail(err, SL_E_USAGE, "--since has to be before --until (2m ago when not given)");
    }
    if (wish->now_s - wish->since_s > OPS_STRIPE_KEEPS_S) {
        fputs("Stripe lists the events of 30 days: what is older cannot be reconciled\n", stderr);
        wish->since_s = wish->now_s - OPS_STRIPE_KEEPS_S;
    }
    return true;
}

static bool open_all(struct reconcile *reconcile, struct sl_err *err)
{
    sl_arena_init(&reconcile->arena, ARENA_BYTES_MAX);
    reconcile->publisher = (struct ops_reconcile_publisher){
        .address = &reconcile->address,
        .arena = &reconcile->arena,
        .subsystem = reconcile->wish.subsystem,
        .rate = reconcile->wish.rate,
        .batch = reconcile->wish.batch,
    };
    if (!ops_address_open(&reconcile->address, err)) {
        return false;
    }
    reconcile->api = ops_stripe_api_new(&reconcile->address, 0, err);
    reconcile->session =
        reconcile->api == NULL ? NULL : ops_pg_session_here("sluice reconcile", true, err);
    return reconcile->session != NULL;
}

/* Windows and pages ----------------------------------------------------------------------------- */

static bool walk(struct reconcile *reconcile, struct sl_err *err)
{
    const struct wish *wish = &reconcile->wish;
    int64_t step_s = wish->window_ms / MS_PER_S;
    for (int64_t from_s = wish->since_s; from_s < wish->until_s; from_s += step_s) {
        int64_t to_s = from_s + step_s;
        const struct ops_stripe_window window = {
            .from_s = from_s,
            .to_s = to_s < wish->until_s ? to_s : wish->until_s,
            .type = wish->type,
            .account = wish->account,
            .only_undelivered = wish->only_undelivered,
        };
        if (!walk_window(reconcile, &window, err)) {
            return false;
        }
    }
    return true;
}

static bool walk_window(struct reconcile *reconcile, const struct ops_stripe_window *window,
                        struct sl_err *err)
{
    reconcile->page = (struct ops_stripe_page){ 0 };
    do {
        if (!ops_stripe_page_next(reconcile->api, window, &reconcile->arena, &reconcile->page,
                                  err) ||
            !take_page(reconcile, err)) {
            return false;
        }
    } while (reconcile->page.has_more);
    return true;
}

static bool take_page(struct reconcile *reconcile, struct sl_err *err)
{
    const struct ops_stripe_page *page = &reconcile->page;
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    const struct sl_envelope *missing[OPS_STRIPE_PAGE_MAX];
    size_t missing_count = 0;
    if (page->count > 0 && !ask_known(reconcile, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < page->count; i++) {
        const struct sl_envelope *event = &page->events[i];
        struct sl_span state = ops_pg_cell(&rows, i, 0);
        reconcile->counts.listed++;
        if (sl_span_is(state, "applied")) {
            reconcile->counts.applied++;
        } else if (sl_span_is(state, "dead")) {
            reconcile->counts.dead++;
            show(reconcile, event, "dead letter");
        } else {
            ops_reconcile_count_missing(&reconcile->counts, event->occurred_at_s,
                                        reconcile->wish.now_s);
            missing[missing_count++] = event;
        }
    }
    if (reconcile->wish.yes) {
        return publish(reconcile, missing, missing_count, err);
    }
    for (size_t i = 0; i < missing_count; i++) {
        show(reconcile, missing[i], "missing");
    }
    return true;
}

static bool publish(struct reconcile *reconcile, const struct sl_envelope *const *events,
                    size_t count, struct sl_err *err)
{
    enum sl_publish_outcome outcomes[OPS_COURIER_BATCH_MAX];
    for (size_t first = 0; first < count; first += OPS_COURIER_BATCH_MAX) {
        size_t left = count - first;
        size_t portion = left < OPS_COURIER_BATCH_MAX ? left : OPS_COURIER_BATCH_MAX;
        if (!ops_reconcile_publish(&reconcile->publisher, events + first, portion, outcomes, err)) {
            return false;
        }
        for (size_t i = 0; i < portion; i++) {
            bool is_confirmed = outcomes[i] == SL_PUBLISH_CONFIRMED;
            reconcile->counts.published += is_confirmed ? 1 : 0;
            show(reconcile, events[first + i],
                 is_confirmed ? "published" : sl_publish_outcome_name(outcomes[i]));
        }
    }
    return true;
}

static bool ask_known(struct reconcile *reconcile, struct ops_pg_rows *out_rows, struct sl_err *err)
{
    const struct ops_stripe_page *page = &reconcile->page;
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    struct sl_pg_array ids;
    sl_buf_init(&bytes, OPS_STRIPE_PAGE_MAX * (SL_EVENT_ID_BYTES_MAX + 16));
    sl_pg_array_begin(&ids, SL_PG_TEXT, &bytes);
    for (size_t i = 0; i < page->count; i++) {
        sl_pg_array_bytes(&ids, page->events[i].id);
    }
    sl_pg_array_end(&ids);
    if (!sl_buf_ok(&bytes)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a page of ids");
    }
    const struct sl_pg_param params[] = {
        { .value = sl_pg_array_span(&ids), .is_binary = true },
        ops_pg_param(reconcile->wish.subsystem),
    };
    return ops_pg_query(reconcile->session, known_sql, params, SL_COUNT(params), out_rows, err) &&
           (out_rows->row_count == page->count ||
            sl_fail(err, SL_E_BUG, "the inbox answered %zu of %zu ids", out_rows->row_count,
                    page->count));
}

static void show(struct reconcile *reconcile, const struct sl_envelope *event, const char *state)
{
    if (reconcile->table.row_count >= (size_t)reconcile->wish.limit) {
        return;
    }
    char id[SL_EVENT_ID_BYTES_MAX + 1];
    char type[SL_EVENT_TYPE_BYTES_MAX + 1];
    char object[SL_EVENT_ID_BYTES_MAX + 1];
    char created[SL_RFC3339_BYTES];
    snprintf(id, sizeof id, "%.*s", SL_SPAN_ARGS(event->id));
    snprintf(type, sizeof type, "%.*s", SL_SPAN_ARGS(event->type));
    snprintf(object, sizeof object, "%.*s", (int)event->object.bytes,
             event->object.data == NULL ? "" : event->object.data);
    sl_clock_rfc3339_s(event->occurred_at_s, created);
    ops_table_add(&reconcile->table, (const char *const[]){ id, type, created, object, state });
}
