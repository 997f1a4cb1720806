#include "ops/replay/rehearsal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "ops/pg_table.h"
#include "ops/replay/replay_queues.h"
#include "ops/replay/replay_route.h"
#include "ops/replay/replay_run.h"
#include "ops/trigger/courier.h"
#include "shared/digest.h"
#include "shared/event/envelope.h"
#include "shared/units.h"

#define DIGITS_MAX     18u
#define NUMBER_BYTES   24u
#define COPY_BYTES     (OPS_REPLAY_NAME_BYTES + NUMBER_BYTES)
#define COPIES_BYTES   (OPS_REHEARSAL_LETTERS_MAX * (COPY_BYTES + 1u))
#define TEXT_BYTES_MAX 255u
#define LOOK_EVERY_NS  100000000
#define EX_PARTIAL     3

/* $13: the letters that a run would take. */
#define CHOSEN_SQL                                                                                 \
    "WITH chosen AS (SELECT d.* FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE                   \
    "  AND d.status = 'open' ORDER BY d.id LIMIT $13::text::bigint)"

static const char left_sql[] = CHOSEN_SQL
    " SELECT count(*) FILTER (WHERE subsystem = 'unrouted'),"
    " count(*) FILTER (WHERE subsystem <> 'unrouted' AND error_class = 'crash') FROM chosen";

/* $14: so many. */
static const char sample_sql[] = CHOSEN_SQL
    ", ranked AS (SELECT id, subsystem, row_number() OVER (PARTITION BY subsystem, fingerprint, type ORDER BY id) AS turn"
    "  FROM chosen WHERE subsystem <> 'unrouted' AND error_class <> 'crash')"
    " SELECT id FROM ranked ORDER BY turn, id LIMIT $14::text::bigint";

static const char targets_sql[] =
    "SELECT DISTINCT coalesce($2::text, d.subsystem) FROM sluice_dead_letter d"
    " WHERE d.id = ANY (string_to_array($1, ',')::bigint[])";

static const char letter_sql[] =
    "SELECT subsystem, event_id, type, routing_key, encode(envelope, 'hex')"
    " FROM sluice_dead_letter WHERE id = $1::text::bigint";
enum { SUBSYSTEM, EVENT, TYPE, KEY, ENVELOPE };

static const char answered_sql[] =
    "SELECT count(*) FROM sluice_rehearsal WHERE copy = ANY (string_to_array($1, ','))";

#define ANSWERS_SQL                                                                                \
    " FROM unnest(string_to_array($1, ',')) AS c(copy)"                                            \
    " JOIN sluice_dead_letter d ON d.id = split_part(c.copy, '/', 2)::bigint"                      \
    " LEFT JOIN sluice_rehearsal r ON r.copy = c.copy"
static const char rows_sql[] =
    "SELECT coalesce(r.outcome, 'no answer'), coalesce(r.subsystem, d.subsystem), d.type, r.error_class, r.error_code,"
    " r.constraint_name, count(*), min(d.id), min(r.error)" ANSWERS_SQL
    " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 7 DESC, 8";
static const struct ops_column columns[] = {
    { .title = "OUTCOME" },
    { .title = "SUBSYSTEM" },
    { .title = "TYPE" },
    { .title = "CLASS" },
    { .title = "CODE" },
    { .title = "CONSTRAINT" },
    { .title = "LETTERS", .is_number = true },
    { .title = "SAMPLE", .is_number = true },
    { .title = "ERROR" },
};
static const char counts_sql[] =
    "SELECT count(*) FILTER (WHERE r.outcome = 'applied'),"
    " count(*) FILTER (WHERE r.outcome IN ('stale', 'ignored', 'duplicate')),"
    " count(*) FILTER (WHERE r.outcome = 'failed'), count(*) FILTER (WHERE r.outcome = 'untried'),"
    " count(*) FILTER (WHERE r.outcome IS NULL)" ANSWERS_SQL;
enum { APPLIED, NO_CHANGE, FAILED, UNTRIED, SILENT, COUNTS };

static const char forget_sql[] =
    "DELETE FROM sluice_rehearsal WHERE copy = ANY (string_to_array($1, ','))";

struct stage {
    struct ops_pg_session *session;
    const struct ops_rehearsal_wish *wish;
    char name[OPS_REPLAY_NAME_BYTES];
    struct ops_pg_rows sample;
    char ids[OPS_REHEARSAL_LETTERS_MAX * NUMBER_BYTES];
    char copies[COPIES_BYTES];
    struct sl_buf bytes; /* an envelope */
};

static void stage_done(struct stage *stage);
static bool choose(struct stage *stage, struct sl_err *err);
static bool check_queues(struct stage *stage, const struct ops_address *address,
                         struct sl_err *err);
static bool send_all(struct stage *stage, const struct ops_address *address, struct sl_err *err);
static bool send_one(struct stage *stage, struct ops_courier *courier, size_t row,
                     struct sl_err *err);
static bool await_answers(struct stage *stage, struct sl_err *err);
static bool tell(struct stage *stage, int *out_status, struct sl_err *err);
static void tell_counts(const int64_t counts[COUNTS]);
static bool read_number(const struct ops_pg_rows *rows, size_t column, int64_t *out,
                        struct sl_err *err);
static struct sl_span short_text(struct sl_span text);

bool ops_rehearse(struct ops_pg_session *session, const struct ops_address *address,
                  const struct ops_rehearsal_wish *wish, int *out_status, struct sl_err *err)
{
    SL_DONE(stage_done) struct stage stage = { .session = session, .wish = wish };
    sl_buf_init(&stage.bytes, SL_ENVELOPE_BYTES_MAX + 4096u);
    SL_ASSERT(wish->letters <= OPS_REHEARSAL_LETTERS_MAX);
    if (!ops_replay_name(stage.name, err) || !choose(&stage, err)) {
        return false;
    }
    if (stage.sample.row_count == 0) {
        fputs("none of them can be rehearsed\n", stderr);
        *out_status = EX_TEMPFAIL;
        return true;
    }
    return check_queues(&stage, address, err) && send_all(&stage, address, err) &&
           await_answers(&stage, err) && tell(&stage, out_status, err);
}

static void stage_done(struct stage *stage)
{
    ops_pg_rows_done(&stage->sample);
    sl_buf_done(&stage->bytes);
}

/* The sample, and what is left out of it. */
static bool choose(struct stage *stage, struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 2];
    char limit[NUMBER_BYTES];
    char letters[NUMBER_BYTES];
    int64_t homeless = 0;
    int64_t deadly = 0;
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows left = { 0 };
    snprintf(limit, sizeof limit, "%" PRId64, stage->wish->limit);
    snprintf(letters, sizeof letters, "%" PRId64, stage->wish->letters);
    ops_dead_filter_params(stage->wish->filter, params);
    params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(limit);
    params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(letters);
    if (!ops_pg_query(stage->session, left_sql, params, OPS_DEAD_FILTER_PARAMS + 1, &left, err) ||
        !read_number(&left, 0, &homeless, err) || !read_number(&left, 1, &deadly, err) ||
        !ops_pg_query(stage->session, sample_sql, params, SL_COUNT(params), &stage->sample, err)) {
        return false;
    }
    if (homeless > 0) {
        fprintf(stderr, "%" PRId64 " of them were bound to no queue: not rehearsed\n", homeless);
    }
    if (deadly > 0) {
        fprintf(stderr,
                "%" PRId64 " of them are of class crash, and would end a consumer again: not "
                "rehearsed\n",
                deadly);
    }
    size_t used = 0;
    size_t copies_used = 0;
    for (size_t row = 0; row < stage->sample.row_count; row++) {
        const char *id = ops_pg_cell_text(&stage->sample, row, 0);
        const char *comma = row == 0 ? "" : ",";
        used += (size_t)snprintf(stage->ids + used, sizeof stage->ids - used, "%s%s", comma, id);
        copies_used +=
            (size_t)snprintf(stage->copies + copies_used, sizeof stage->copies - copies_used,
                             "%s%s/%s", comma, stage->name, id);
    }
    return true;
}

static bool check_queues(struct stage *stage, const struct ops_address *address, struct sl_err *err)
{
    const struct sl_pg_param params[] = { ops_pg_param(stage->ids),
                                          { .value = sl_span_of(stage->wish->target) } };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows targets = { 0 };
    SL_AUTO(ops_broker_free) struct ops_broker *broker = ops_broker_new(address, 0, err);
    return broker != NULL &&
           ops_pg_query(stage->session, targets_sql, params, SL_COUNT(params), &targets, err) &&
           ops_replay_queues_are_consumed(broker, &targets, err);
}

static bool send_all(struct stage *stage, const struct ops_address *address, struct sl_err *err)
{
    SL_AUTO(ops_courier_free) struct ops_courier *courier = ops_courier_new(address, err);
    fprintf(stderr, "rehearsing %zu letters, each in a transaction that is rolled back\n",
            stage->sample.row_count);
    for (size_t row = 0; courier != NULL && row < stage->sample.row_count; row++) {
        if (!send_one(stage, courier, row, err)) {
            return sl_err_wrap(err, "letter %s", ops_pg_cell_text(&stage->sample, row, 0));
        }
    }
    return courier != NULL;
}

/* One at a time: an envelope can be large. */
static bool send_one(struct stage *stage, struct ops_courier *courier, size_t row,
                     struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(ops_pg_cell_text(&stage->sample, row, 0));
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows letter = { 0 };
    struct ops_replay_route route;
    char copy[COPY_BYTES];
    if (!ops_pg_query(stage->session, letter_sql, &param, 1, &letter, err)) {
        return false;
    }
    if (letter.row_count == 0) {
        return true; /* gone meanwhile: it has no answer */
    }
    struct sl_span key = ops_pg_cell(&letter, 0, KEY);
    struct sl_span hex = ops_pg_cell(&letter, 0, ENVELOPE);
    struct sl_span subsystem = stage->wish->target == NULL ? ops_pg_cell(&letter, 0, SUBSYSTEM)
                                                           : sl_span_of(stage->wish->target);
    sl_buf_reset(&stage->bytes);
    char *bytes = sl_buf_reserve(&stage->bytes, hex.bytes / 2);
    if (!ops_replay_route(subsystem, key, &route, err)) {
        return false;
    }
    if (bytes == NULL || !sl_hex_decode(hex, (uint8_t *)bytes, hex.bytes / 2)) {
        return sl_fail(err, SL_E_BUG, "its bytes cannot be read");
    }
    snprintf(copy, sizeof copy, "%s/%.*s", stage->name, SL_SPAN_ARGS(param.value));
    const struct sl_amqp_header headers[] = {
        { .name = "sluice-rehearsal", .text = sl_span_of(copy) },
        { .name = "sluice-orig-key", .text = key },
    };
    const struct sl_amqp_message message = {
        .exchange = route.exchange,
        .routing_key = sl_span_of(route.key),
        .message_id = short_text(ops_pg_cell(&letter, 0, EVENT)),
        .type = short_text(ops_pg_cell(&letter, 0, TYPE)),
        .content_type = SL_SPAN_LITERAL("application/msgpack"),
        .app_id = SL_SPAN_LITERAL("sluice"),
        .timestamp_s = sl_clock_wall_us() / 1000000,
        .headers = headers,
        .header_count = key.data == NULL ? 1 : 2,
        .body = sl_span_make(bytes, hex.bytes / 2),
    };
    enum sl_publish_outcome outcome = SL_PUBLISH_LOST;
    return ops_courier_send(courier, &message, 1, 0, &outcome, err) &&
           (outcome == SL_PUBLISH_CONFIRMED ||
            sl_fail(err, SL_E_AMQP_CLOSED, "the broker did not take its copy: %s",
                    sl_publish_outcome_name(outcome)));
}

static struct sl_span short_text(struct sl_span text)
{
    return text.bytes <= TEXT_BYTES_MAX ? text : (struct sl_span){ 0 };
}

static bool await_answers(struct stage *stage, struct sl_err *err)
{
    static const struct timespec pause = { .tv_nsec = LOOK_EVERY_NS };
    const struct sl_pg_param param = ops_pg_param(stage->copies);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    int64_t until_ms = sl_clock_mono_ms() + stage->wish->wait_ms;
    for (;;) {
        int64_t answered = 0;
        if (!ops_pg_query(stage->session, answered_sql, &param, 1, &rows, err) ||
            !read_number(&rows, 0, &answered, err)) {
            return false;
        }
        if ((size_t)answered == stage->sample.row_count || sl_clock_mono_ms() >= until_ms) {
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static bool tell(struct stage *stage, int *out_status, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(stage->copies);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows counted = { 0 };
    int64_t counts[COUNTS] = { 0 };
    if (!ops_pg_query(stage->session, rows_sql, &param, 1, &rows, err) ||
        !ops_pg_query(stage->session, counts_sql, &param, 1, &counted, err)) {
        return false;
    }
    for (size_t i = 0; i < COUNTS; i++) {
        if (!read_number(&counted, i, &counts[i], err)) {
            return false;
        }
    }
    if (!ops_pg_query(stage->session, forget_sql, &param, 1, NULL, err) ||
        !ops_pg_table_print(&rows, columns, SL_COUNT(columns), stage->wish->output, err)) {
        return false;
    }
    tell_counts(counts);
    *out_status = counts[FAILED] > 0                     ? EX_PARTIAL
                  : counts[UNTRIED] + counts[SILENT] > 0 ? EX_TEMPFAIL
                                                         : EX_OK;
    return true;
}

static void tell_counts(const int64_t counts[COUNTS])
{
    static const char *const words[COUNTS] = { "would be applied", "would change nothing",
                                               "would fail again", "cannot be tried",
                                               "have no answer" };
    const char *comma = "";
    for (size_t i = 0; i < COUNTS; i++) {
        if (counts[i] > 0) {
            fprintf(stderr, "%s%" PRId64 " %s", comma, counts[i], words[i]);
            comma = ", ";
        }
    }
    fputs("; everything was rolled back\n", stderr);
}

static bool read_number(const struct ops_pg_rows *rows, size_t column, int64_t *out,
                        struct sl_err *err)
{
    return sl_units_decimal(ops_pg_cell(rows, 0, column), DIGITS_MAX, out) ||
           sl_fail(err, SL_E_BUG, "a count is no number");
}
