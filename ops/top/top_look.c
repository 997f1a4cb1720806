#include "ops/top/top_look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/daemon.h"
#include "ops/exposition.h"
#include "ops/fetch.h"
#include "ops/publisher_page.h"
#include "shared/clock.h"
#include "shared/rfc3339.h"
#include "shared/units.h"

#define PATIENCE_MS    2000
#define PAGE_BYTES_MAX (4u * 1024u * 1024u)
#define BASE_MS        60000 /* a p95 is of what came since the last change of the base but one */
#define DIGITS_MAX     18u
#define US_PER_S       INT64_C(1000000)
#define LAG            "sluice_event_lag_seconds_bucket"

/* Per enabled subsystem, and a row "" of the whole server. */
static const char database_sql[] =
    "WITH live AS (SELECT c.subsystem, b.type, b.database, b.code FROM sluice_consumer c,"
    "  jsonb_to_recordset(c.breakers) AS b(type text, database boolean, code text)"
    "  WHERE c.seen_at > now() - interval '15 seconds'),"
    " held AS (SELECT subsystem, type FROM live WHERE NOT coalesce(database, false)"
    "  UNION SELECT subsystem, substr(name, 9) FROM sluice_control WHERE name LIKE 'breaker %' AND value #>> '{}' = 'open'"
    "   AND (expires_at IS NULL OR expires_at > now()))"
    " SELECT s.name, (SELECT count(DISTINCT type) FROM held h WHERE h.subsystem = s.name),"
    "  (SELECT min(type) FROM held h WHERE h.subsystem = s.name),"
    "  (SELECT count(*) FROM sluice_dead_letter d WHERE d.subsystem = s.name AND d.status = 'open'"
    "    AND d.created_at > now() - interval '1 hour'), NULL, NULL"
    " FROM unnest(string_to_array($1, ',')) AS s(name)"
    " UNION ALL SELECT '', count(*), (SELECT min(coalesce(code, 'open')) FROM live WHERE database),"
    "  (SELECT setting::bigint FROM pg_settings WHERE name = 'max_connections'),"
    "  (extract(epoch FROM max(clock_timestamp() - xact_start) FILTER (WHERE state <> 'idle' AND pid <> pg_backend_pid())) * 1000)::bigint,"
    "  NULL FROM pg_stat_activity WHERE backend_type = 'client backend'";
enum { NAME, BREAKERS, BREAKER, LETTERS, LONGEST };

struct ops_top_eyes {
    const struct ops_address *address;
    const struct sl_subsystems *subsystems;
    const char *state_dir;
    struct ops_queue_eyes queue_eyes;
    struct ops_queue_look then;
    struct ops_top_answers answers_then;
    int64_t then_ms; /* monotonic; 0: no look yet */
    int64_t base_ms;
    struct ops_top_buckets base[SL_SUBSYSTEMS_MAX];
    struct ops_top_buckets next_base[SL_SUBSYSTEMS_MAX];
    struct ops_top_buckets now[SL_SUBSYSTEMS_MAX];
};

static void begin(struct ops_top_eyes *eyes, struct ops_top_look *look);
static void ask_database(struct ops_top_eyes *eyes, struct ops_top_look *look);
static void read_database(const struct ops_pg_rows *rows, struct ops_top_look *look);
static int64_t number_at(const struct ops_pg_rows *rows, size_t row, size_t column);
static void ask_publisher(struct ops_top_eyes *eyes, struct ops_top_look *look);
static void read_status(struct ops_daemon *daemon, struct ops_top_publisher *publisher);
static int64_t int_at(const struct sl_json *root, const char *path);
static void read_answers(struct sl_span page, struct ops_top_answers *answers);
static void ask_consumer(struct ops_top_eyes *eyes, struct ops_top_look *look);
static void read_lags(struct ops_top_eyes *eyes, const struct ops_top_look *look,
                      struct sl_span page);
static void compare(struct ops_top_eyes *eyes, struct ops_top_look *look);

struct ops_top_eyes *ops_top_eyes_new(const struct ops_address *address,
                                      const struct sl_subsystems *subsystems, const char *state_dir,
                                      struct sl_err *err)
{
    struct ops_top_eyes *eyes = calloc(1, sizeof *eyes);
    if (eyes == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a look");
        return NULL;
    }
    eyes->address = address;
    eyes->subsystems = subsystems;
    eyes->state_dir = state_dir;
    eyes->queue_eyes.patience_ms = PATIENCE_MS;
    return eyes;
}

void ops_top_eyes_free(struct ops_top_eyes *eyes)
{
    if (eyes != NULL) {
        ops_queue_eyes_done(&eyes->queue_eyes);
        free(eyes);
    }
}

void ops_top_look(struct ops_top_eyes *eyes, struct ops_top_look *out_look)
{
    begin(eyes, out_look);
    ops_queue_look(&eyes->queue_eyes, eyes->address, eyes->subsystems, NULL, &out_look->queues);
    for (size_t i = 0; i < out_look->queues.count; i++) {
        out_look->items[i].facts = &out_look->queues.items[i];
    }
    ask_database(eyes, out_look);
    ask_publisher(eyes, out_look);
    ask_consumer(eyes, out_look);
    compare(eyes, out_look);
}

static void begin(struct ops_top_eyes *eyes, struct ops_top_look *look)
{
    const struct ops_top_answers unknown = { OPS_UNKNOWN, OPS_UNKNOWN, OPS_UNKNOWN, OPS_UNKNOWN };
    *look = (struct ops_top_look){
        .at_us = sl_clock_wall_us(),
        .publisher = { .inflight = OPS_UNKNOWN,
                       .pauses = OPS_UNKNOWN,
                       .journal_events = OPS_UNKNOWN,
                       .journal_bytes = OPS_UNKNOWN,
                       .journal_quota_bytes = OPS_UNKNOWN,
                       .journal_oldest_s = OPS_UNKNOWN,
                       .answers = unknown },
        .database = { .sessions = OPS_UNKNOWN,
                      .sessions_max = OPS_UNKNOWN,
                      .longest_ms = OPS_UNKNOWN },
    };
    for (size_t i = 0; i < SL_SUBSYSTEMS_MAX; i++) {
        look->items[i] = (struct ops_top_item){ .new_letters = OPS_UNKNOWN,
                                                .breakers = OPS_UNKNOWN,
                                                .p95_ms = OPS_UNKNOWN };
        eyes->now[i].count = 0;
    }
}

/* Database -------------------------------------------------------------------------------------- */

static void ask_database(struct ops_top_eyes *eyes, struct ops_top_look *look)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    char names[SL_SUBSYSTEMS_MAX * (SL_SUBSYSTEM_NAME_BYTES + 1)] = "";
    size_t used = 0;
    for (size_t i = 0; i < look->queues.count; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ",",
                                 look->queues.items[i].subsystem->name);
    }
    const struct sl_pg_param param = ops_pg_param(names);
    look->database.err = look->queues.pg_err;
    if (eyes->queue_eyes.session == NULL || look->database.err.code != SL_E_NONE) {
        return; /* the look at the queues has asked for it already */
    }
    if (ops_pg_query(eyes->queue_eyes.session, database_sql, &param, 1, &rows,
                     &look->database.err)) {
        read_database(&rows, look);
    }
}

static void read_database(const struct ops_pg_rows *rows, struct ops_top_look *look)
{
    for (size_t row = 0; row < rows->row_count; row++) {
        if (ops_pg_cell(rows, row, NAME).bytes == 0) {
            look->database.sessions = number_at(rows, row, BREAKERS);
            look->database.sessions_max = number_at(rows, row, LETTERS);
            look->database.longest_ms = number_at(rows, row, LONGEST);
            snprintf(look->database.breaker, OPS_TOP_TEXT_BYTES, "%s",
                     ops_pg_cell_text(rows, row, BREAKER));
            continue;
        }
        for (size_t i = 0; i < look->queues.count; i++) {
            struct ops_top_item *item = &look->items[i];
            if (sl_span_is(ops_pg_cell(rows, row, NAME), item->facts->subsystem->name)) {
                item->breakers = number_at(rows, row, BREAKERS);
                item->new_letters = number_at(rows, row, LETTERS);
                snprintf(item->breaker, OPS_TOP_TEXT_BYTES, "%s",
                         ops_pg_cell_text(rows, row, BREAKER));
            }
        }
    }
}

static int64_t number_at(const struct ops_pg_rows *rows, size_t row, size_t column)
{
    int64_t number = 0;
    return sl_units_decimal(ops_pg_cell(rows, row, column), DIGITS_MAX, &number) ? number
                                                                                 : OPS_UNKNOWN;
}

/* Publisher ------------------------------------------------------------------------------------- */

static void ask_publisher(struct ops_top_eyes *eyes, struct ops_top_look *look)
{
    SL_DONE(ops_daemon_done) struct ops_daemon status = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf page = { 0 };
    struct sl_err why = { 0 };
    sl_buf_init(&page, PAGE_BYTES_MAX);
    const struct ops_daemon_where where = { .program = OPS_PUBLISHER,
                                            .state_dir = eyes->state_dir,
                                            .timeout_ms = PATIENCE_MS };
    if (!ops_daemon_ask(&status, &where, SL_SPAN_LITERAL("{\"command\":\"status\"}"),
                        &look->publisher.err)) {
        return;
    }
    read_status(&status, &look->publisher);
    if (ops_publisher_page(eyes->state_dir, PATIENCE_MS, &page, &why)) {
        read_answers(sl_buf_span(&page), &look->publisher.answers);
    }
}

static void read_status(struct ops_daemon *daemon, struct ops_top_publisher *publisher)
{
    const struct sl_json *root = daemon->root;
    int64_t oldest_s = 0;
    snprintf(publisher->version, OPS_TOP_TEXT_BYTES, "%s",
             ops_daemon_text(daemon, sl_json_get(root, "version")));
    snprintf(publisher->broker, OPS_TOP_TEXT_BYTES, "%s",
             ops_daemon_text(daemon, sl_json_at(root, "broker.state")));
    snprintf(publisher->journal, OPS_TOP_TEXT_BYTES, "%s",
             ops_daemon_text(daemon, sl_json_at(root, "journal.state")));
    publisher->is_draining = sl_json_true(sl_json_get(root, "draining"));
    publisher->inflight = int_at(root, "inflight");
    publisher->pauses = (int64_t)sl_json_get(root, "paused")->child_count;
    publisher->journal_events = int_at(root, "journal.events");
    publisher->journal_bytes = int_at(root, "journal.bytes");
    publisher->journal_quota_bytes = int_at(root, "journal.quota_bytes");
    const char *oldest = ops_daemon_text(daemon, sl_json_at(root, "journal.oldest"));
    if (sl_rfc3339_parse(sl_span_of(oldest), &oldest_s)) {
        publisher->journal_oldest_s = sl_clock_wall_us() / US_PER_S - oldest_s;
    }
}

static int64_t int_at(const struct sl_json *root, const char *path)
{
    int64_t number = 0;
    return sl_json_int(sl_json_at(root, path), &number) ? number : OPS_UNKNOWN;
}

static void read_answers(struct sl_span page, struct ops_top_answers *answers)
{
    int64_t *const into[] = { [OPS_ANSWERED_200] = &answers->confirmed,
                              [OPS_ANSWERED_202] = &answers->kept,
                              [OPS_ANSWERED_503] = &answers->refused,
                              [OPS_ANSWERED_4XX] = &answers->rejected };
    struct ops_sample sample = { 0 };
    *answers = (struct ops_top_answers){ 0 };
    while (ops_sample_next(&page, &sample)) {
        if (sl_span_is(sample.name, OPS_RECEIVED_METRIC)) {
            *into[ops_answered(ops_sample_label(&sample, "outcome"))] += sample.value;
        }
    }
}

/* Consumer -------------------------------------------------------------------------------------- */

static void ask_consumer(struct ops_top_eyes *eyes, struct ops_top_look *look)
{
    struct sl_err why = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf page = { 0 };
    char url[OPS_URL_BYTES];
    char metrics[OPS_URL_BYTES + 16];
    int status = 0;
    sl_buf_init(&page, PAGE_BYTES_MAX);
    if (!ops_address_consumer(eyes->address, NULL, url, &why)) {
        return;
    }
    snprintf(metrics, sizeof metrics, "%s/metrics", url);
    const struct ops_fetch fetch = { .url = metrics, .timeout_ms = PATIENCE_MS / 2 };
    if (ops_fetch(&fetch, &status, &page, &why) && status == 200) {
        read_lags(eyes, look, sl_buf_span(&page));
    }
}

static void read_lags(struct ops_top_eyes *eyes, const struct ops_top_look *look,
                      struct sl_span page)
{
    struct ops_sample sample = { 0 };
    while (ops_sample_next(&page, &sample)) {
        if (!sl_span_is(sample.name, LAG)) {
            continue;
        }
        struct sl_span subsystem = ops_sample_label(&sample, "subsystem");
        struct sl_span bound = ops_sample_label(&sample, "le");
        for (size_t i = 0; i < look->queues.count; i++) {
            struct ops_top_buckets *buckets = &eyes->now[i];
            if (!sl_span_is(subsystem, look->queues.items[i].subsystem->name) ||
                buckets->count == OPS_TOP_BUCKETS_MAX) {
                continue;
            }
            bool is_last = sl_span_is(bound, "+Inf");
            buckets->bound_us[buckets->count] =
                is_last ? INT64_MAX : (int64_t)(strtod(bound.data, NULL) * (double)US_PER_S + 0.5);
            buckets->seen[buckets->count++] = sample.value;
        }
    }
}

/* ----------------------------------------------------------------------------------------------- */

static void compare(struct ops_top_eyes *eyes, struct ops_top_look *look)
{
    int64_t now_ms = sl_clock_mono_ms();
    bool is_first = eyes->then_ms == 0;
    look->took_ms = is_first ? 0 : now_ms - eyes->then_ms;
    const struct ops_top_answers *then = &eyes->answers_then;
    const struct ops_top_answers *now = &look->publisher.answers;
    look->answers_milli = (struct ops_top_answers){
        .confirmed = ops_top_rate_milli(then->confirmed, now->confirmed, look->took_ms),
        .kept = ops_top_rate_milli(then->kept, now->kept, look->took_ms),
        .refused = ops_top_rate_milli(then->refused, now->refused, look->took_ms),
        .rejected = ops_top_rate_milli(then->rejected, now->rejected, look->took_ms),
    };
    if (is_first || now_ms - eyes->base_ms >= BASE_MS) {
        memcpy(eyes->base, is_first ? eyes->now : eyes->next_base, sizeof eyes->base);
        memcpy(eyes->next_base, eyes->now, sizeof eyes->next_base);
        eyes->base_ms = now_ms;
    }
    for (size_t i = 0; i < look->queues.count; i++) {
        struct ops_top_item *item = &look->items[i];
        item->flow = ops_queue_flow(&eyes->then.items[i], &look->queues.items[i], look->took_ms);
        item->p95_ms = ops_top_p95_ms(&eyes->base[i], &eyes->now[i]);
    }
    eyes->then = look->queues;
    eyes->answers_then = *now;
    eyes->then_ms = now_ms;
}
