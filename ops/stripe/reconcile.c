#include "ops/stripe/reconcile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "ops/broker.h"
#include "ops/commands.h"
#include "ops/pg_session.h"
#include "ops/stripe/drift.h"
#include "ops/stripe/stripe_page.h"
#include "ops/table.h"
#include "ops/trigger/courier.h"
#include "ops/when.h"
#include "shared/clock.h"
#include "shared/event/event_message.h"
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
#define FORGETS_SOON_S    (INT64_C(25) * 24 * 3600)
#define YIELD_MS_MAX      (10 * 60 * 1000)
#define YIELD_LOOK_NS     500000000
#define ARENA_BYTES_MAX   (8u * 1024u * 1024u)
#define MS_PER_S          1000
#define US_PER_S          1000000
#define EX_FOUND          1
#define EX_PARTIAL        3

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
    "  -o table|json|ndjson|csv  for people (default) or for programs\n"
    "  --objects         the objects themselves, not events: what Stripe has against the tables; takes --since (everything when not\n"
    "                    given), --account, --rate, --limit and -o\n"
    "  --repair          with --objects: publish each object that drifted, as Stripe has it\n"
    "Exit status: 0 nothing is missing, or all of it was published; 1 something is missing; 3 some could not be published;\n"
    "75 live events did not drain.\n";

/* $1 ids, $2 subsystem. */
static const char known_sql[] =
    "SELECT CASE WHEN EXISTS (SELECT FROM sluice_inbox i WHERE i.event_id = w.id AND i.subsystem = $2) THEN 'applied'"
    " WHEN EXISTS (SELECT FROM sluice_dead_letter d WHERE d.event_id = w.id AND d.subsystem = $2"
    " AND d.status IN ('open', 'replaying')) THEN 'dead' ELSE 'missing' END"
    " FROM unnest($1::text[]) WITH ORDINALITY AS w(id, place) ORDER BY place";

static const struct ops_column columns[] = { { "EVENT", false },
                                             { "TYPE", false },
                                             { "CREATED", false },
                                             { "OBJECT", false },
                                             { "STATE", false } };

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
    bool dry_run;
    int64_t rate;
    int64_t batch;
    int64_t window_ms;
    int64_t limit;
    enum ops_output output;
};

struct counts {
    int64_t listed;
    int64_t applied;
    int64_t dead;
    int64_t missing;
    int64_t published;
    int64_t forgotten_soon; /* missing, and older than FORGETS_SOON_S */
};

struct reconcile {
    struct wish wish;
    struct ops_address address;
    struct ops_stripe_api *api;
    struct ops_pg_session *session;
    struct ops_courier *courier; /* from the first missing event on */
    struct ops_broker *broker;
    struct sl_arena arena;
    struct ops_stripe_page page;
    struct ops_table table;
    struct counts counts;
    int64_t since_yield; /* published since live events were last waited for */
};

static void reconcile_done(struct reconcile *reconcile);
static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool read_times(struct wish *wish, struct sl_err *err);
static bool open_all(struct reconcile *reconcile, struct sl_err *err);
static bool walk(struct reconcile *reconcile, struct sl_err *err);
static bool walk_window(struct reconcile *reconcile, const struct ops_stripe_window *window,
                        struct sl_err *err);
static bool take_page(struct reconcile *reconcile, struct sl_err *err);
static bool ask_known(struct reconcile *reconcile, struct ops_pg_rows *out_rows,
                      struct sl_err *err);
static bool publish(struct reconcile *reconcile, const struct sl_envelope *const *events,
                    size_t count, struct sl_err *err);
static bool open_broker(struct reconcile *reconcile, struct sl_err *err);
static bool yield_to_live(struct reconcile *reconcile, struct sl_err *err);
static void show(struct reconcile *reconcile, const struct sl_envelope *event, const char *state);
static int tell(struct reconcile *reconcile);

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
    if (!ops_table_print(&reconcile.table, reconcile.wish.output, stdout, &err)) {
        return ops_report("reconcile stripe", &err);
    }
    return tell(&reconcile);
}

static void reconcile_done(struct reconcile *reconcile)
{
    ops_courier_free(reconcile->courier);
    ops_broker_free(reconcile->broker);
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
        { .name = "yes", .letter = 'y', .kind = OPS_FLAG_SWITCH, .out = &wish->yes },
        { .name = "dry-run", .letter = 'n', .kind = OPS_FLAG_SWITCH, .out = &wish->dry_run },
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
            reconcile->counts.missing++;
            reconcile->counts.forgotten_soon +=
                reconcile->wish.now_s - event->occurred_at_s > FORGETS_SOON_S ? 1 : 0;
            missing[missing_count++] = event;
        }
    }
    if (reconcile->wish.yes && !reconcile->wish.dry_run) {
        return publish(reconcile, missing, missing_count, err);
    }
    for (size_t i = 0; i < missing_count; i++) {
        show(reconcile, missing[i], "missing");
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
    sl_clock_rfc3339(event->occurred_at_s * US_PER_S, created);
    ops_table_add(&reconcile->table, (const char *const[]){ id, type, created, object, state });
}

/* Publishing ------------------------------------------------------------------------------------ */

static bool publish(struct reconcile *reconcile, const struct sl_envelope *const *events,
                    size_t count, struct sl_err *err)
{
    for (size_t first = 0; first < count; first += OPS_COURIER_BATCH_MAX) {
        size_t portion =
            count - first < OPS_COURIER_BATCH_MAX ? count - first : OPS_COURIER_BATCH_MAX;
        struct sl_amqp_message messages[OPS_COURIER_BATCH_MAX] = { 0 };
        enum sl_publish_outcome outcomes[OPS_COURIER_BATCH_MAX];
        SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
        size_t ends[OPS_COURIER_BATCH_MAX] = { 0 };
        sl_buf_init(&bytes, portion * (size_t)SL_ENVELOPE_BYTES_MAX);
        if (!open_broker(reconcile, err) || !yield_to_live(reconcile, err)) {
            return false;
        }
        for (size_t i = 0; i < portion; i++) {
            if (!sl_envelope_encode(events[first + i], &bytes, err)) {
                return false;
            }
            ends[i] = bytes.used_bytes;
        }
        for (size_t i = 0; i < portion; i++) { /* the buffer has stopped moving */
            size_t start = i == 0 ? 0 : ends[i - 1];
            const struct sl_envelope *event = events[first + i];
            struct sl_span key =
                sl_event_routing_key(&reconcile->arena, event->source, event->type);
            if (key.data == NULL) {
                return sl_fail(err, SL_E_MEMORY, "no memory for a page of messages");
            }
            messages[i] =
                sl_event_message(event, key, sl_span_make(bytes.data + start, ends[i] - start));
        }
        if (!ops_courier_send(reconcile->courier, messages, portion,
                              US_PER_S / reconcile->wish.rate, outcomes, err)) {
            return false;
        }
        for (size_t i = 0; i < portion; i++) {
            bool is_confirmed = outcomes[i] == SL_PUBLISH_CONFIRMED;
            reconcile->counts.published += is_confirmed ? 1 : 0;
            reconcile->since_yield += is_confirmed ? 1 : 0;
            show(reconcile, events[first + i],
                 is_confirmed ? "published" : sl_publish_outcome_name(outcomes[i]));
        }
    }
    return true;
}

static bool open_broker(struct reconcile *reconcile, struct sl_err *err)
{
    if (reconcile->courier != NULL) {
        return true;
    }
    reconcile->broker = ops_broker_new(&reconcile->address, 0, err);
    reconcile->courier =
        reconcile->broker == NULL ? NULL : ops_courier_new(&reconcile->address, err);
    return reconcile->courier != NULL;
}

/* After each batch, until no more than a batch waits in the subsystem's queue: live events come first. */
static bool yield_to_live(struct reconcile *reconcile, struct sl_err *err)
{
    const struct wish *wish = &reconcile->wish;
    if (reconcile->since_yield < wish->batch) {
        return true;
    }
    char queue[128];
    snprintf(queue, sizeof queue, "sluice.%s", wish->subsystem);
    const struct sl_amqp_declare ask = { .kind = SL_AMQP_DECLARE_QUEUE,
                                         .passive = true,
                                         .name = queue };
    static const struct timespec pause = { .tv_nsec = YIELD_LOOK_NS };
    int64_t until_ms = sl_clock_mono_ms() + YIELD_MS_MAX;
    for (;;) {
        struct sl_amqp_declared found = { 0 };
        if (ops_broker_declare(reconcile->broker, &ask, &found, err) != OPS_DECLARED) {
            return false;
        }
        if ((int64_t)found.message_count <= wish->batch) {
            reconcile->since_yield = 0;
            return true;
        }
        if (sl_clock_mono_ms() >= until_ms) {
            return sl_fail(err, SL_E_DEADLINE,
                           "%" PRId64 " events wait in %s and do not drain: see "
                           "runbooks/queue-backlog.md",
                           (int64_t)found.message_count, queue);
        }
        (void)nanosleep(&pause, NULL);
    }
}

static int tell(struct reconcile *reconcile)
{
    const struct counts *counts = &reconcile->counts;
    bool is_acting = reconcile->wish.yes && !reconcile->wish.dry_run;
    fprintf(stderr,
            "%" PRId64 " listed by Stripe: %" PRId64 " applied, %" PRId64 " dead letters, %" PRId64
            " missing, %" PRId64 " published\n",
            counts->listed, counts->applied, counts->dead, counts->missing, counts->published);
    if (counts->forgotten_soon > 0) {
        fprintf(stderr,
                "%" PRId64 " of the missing are older than 25 days: Stripe forgets them after 30\n",
                counts->forgotten_soon);
    }
    if (counts->dead > 0) {
        fputs("dead letters are not published again here: sluice dead groups\n", stderr);
    }
    if (counts->missing == 0) {
        return EX_OK;
    }
    if (!is_acting) {
        fputs("nothing was published; --yes publishes what is missing\n", stderr);
        return EX_FOUND;
    }
    return counts->published == counts->missing ? EX_OK : EX_PARTIAL;
}
