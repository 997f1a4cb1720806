#include "ops/dead/replay_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ops/dead/replay_route.h"
#include "shared/digest.h"
#include "shared/event/envelope.h"
#include "shared/units.h"

#define PORTION           25u /* letters of one query: the largest envelopes stay below an answer's limit */
#define PORTION_US        1000000 /* and no more than about a second's worth, so that a stop is soon */
#define ROUNDS_MAX        5       /* portions in a row of which the broker confirmed nothing */
#define DIGITS_MAX        18u
#define TEXT_BYTES_MAX    255u
#define NUMBER_BYTES      24u
#define IDS_BYTES         (PORTION * NUMBER_BYTES)
#define PORTION_BYTES_MAX (PORTION * (SL_ENVELOPE_BYTES_MAX + 4096u))

static const char lock_sql[] =
    "SELECT pg_try_advisory_lock(hashtextextended('sluice replay ' || $1::text, 0))";

static const char claim_sql[] =
    "UPDATE sluice_dead_letter SET status = 'replaying', replay_run = $14, published_at = NULL,"
    " replays = replays + 1, updated_at = now(),"
    " note = concat_ws(E'\\n', note, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\" ')"
    "  || $15::text)"
    " WHERE id IN (SELECT d.id FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
    "  AND d.status = 'open' ORDER BY d.id LIMIT $13::text::bigint FOR UPDATE SKIP LOCKED)";

static const char portion_sql[] =
    "SELECT id, subsystem, event_id, type, routing_key, encode(envelope, 'hex')"
    " FROM sluice_dead_letter WHERE replay_run = $1 AND status = 'replaying'"
    " AND published_at IS NULL ORDER BY id LIMIT $2::text::bigint";
enum { ID, SUBSYSTEM, EVENT, TYPE, KEY, ENVELOPE };

static const char mark_sql[] =
    "UPDATE sluice_dead_letter SET published_at = now()"
    " WHERE id = ANY (string_to_array($1, ',')::bigint[]) AND replay_run = $2 AND status = 'replaying'";

/* What could not be read when it was set aside, and can be now. */
static const char learn_sql[] =
    "UPDATE sluice_dead_letter d SET event_id = $2, source = $3, type = $4, account = $5,"
    " livemode = $6::text::boolean, object = $7, occurred_at = to_timestamp($8::text::bigint)"
    " WHERE d.id = $1::text::bigint AND NOT EXISTS (SELECT FROM sluice_dead_letter o"
    "  WHERE o.subsystem = d.subsystem AND o.event_id = $2 AND o.status IN ('open', 'replaying'))";

static const char close_sql[] = "SELECT sluice_dead_letter_close()";
static const char count_sql[] =
    "SELECT count(*) FILTER (WHERE status = 'replaying' AND published_at IS NULL),"
    " count(*) FILTER (WHERE status = 'replaying' AND published_at IS NOT NULL),"
    " count(*) FILTER (WHERE status = 'replayed'),"
    " count(*) FILTER (WHERE status IN ('open', 'discarded'))"
    " FROM sluice_dead_letter WHERE replay_run = $1";

/* Copies on their way out. */
struct portion {
    struct ops_pg_rows rows;
    struct sl_buf bytes; /* the envelopes */
    struct ops_replay_route routes[PORTION];
    struct sl_amqp_header headers[PORTION][2];
    struct sl_amqp_message messages[PORTION];
    enum sl_publish_outcome outcomes[PORTION];
};

static bool read_portion(struct ops_pg_session *session, const char *run, int64_t gap_us,
                         struct portion *portion, struct sl_err *err);
static bool put_message(struct portion *portion, size_t row, const char *run, struct sl_err *err);
static bool learn(struct ops_pg_session *session, struct portion *portion, size_t row,
                  struct sl_err *err);
static bool mark(struct ops_pg_session *session, const struct portion *portion, const char *run,
                 size_t *out_confirmed, struct sl_err *err);
static struct sl_span short_text(struct sl_span text);

bool ops_replay_name(char out_run[OPS_REPLAY_NAME_BYTES], struct sl_err *err)
{
    uint8_t random[3];
    char hex[2 * sizeof random + 1];
    char day[20];
    time_t now = time(NULL);
    struct tm parts;
    if (!sl_random_bytes(random, sizeof random) || gmtime_r(&now, &parts) == NULL ||
        strftime(day, sizeof day, "%Y%m%d-%H%M%S", &parts) == 0) {
        return sl_fail(err, SL_E_IO, "no random bytes for the run's name");
    }
    sl_hex_encode(random, sizeof random, hex);
    snprintf(out_run, OPS_REPLAY_NAME_BYTES, "%s-%s", day, hex);
    return true;
}

bool ops_replay_lock(struct ops_pg_session *session, const char *run, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(run);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_pg_query(session, lock_sql, &param, 1, &rows, err)) {
        return false;
    }
    return sl_span_is(ops_pg_cell(&rows, 0, 0), "t") ||
           sl_fail(err, SL_E_PG_CONTENTION,
                   "another process works on the run %s; it can be resumed when that has ended",
                   run);
}

bool ops_replay_claim(struct ops_pg_session *session, const struct ops_dead_filter *filter,
                      int64_t limit, const char *run, const char *note, int64_t *out_claimed,
                      struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 3];
    char limit_text[NUMBER_BYTES];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    snprintf(limit_text, sizeof limit_text, "%" PRId64, limit);
    ops_dead_filter_params(filter, params);
    params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(limit_text);
    params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(run);
    params[OPS_DEAD_FILTER_PARAMS + 2] = ops_pg_param(note);
    if (!ops_pg_query(session, claim_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    *out_claimed = rows.changed;
    return true;
}

bool ops_replay_publish(struct ops_pg_session *session, struct ops_courier *courier,
                        const char *run, int64_t gap_us, const volatile sig_atomic_t *stop,
                        void (*on_progress)(void *arg, int64_t published), void *arg,
                        struct sl_err *err)
{
    struct portion *portion = calloc(1, sizeof *portion);
    if (portion == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a portion of letters");
    }
    sl_buf_init(&portion->bytes, PORTION_BYTES_MAX);
    int64_t published = 0;
    int fruitless = 0;
    bool is_well = true;
    while (is_well && !*stop) {
        size_t confirmed = 0;
        is_well = read_portion(session, run, gap_us, portion, err);
        size_t count = portion->rows.row_count;
        if (!is_well || count == 0) {
            break;
        }
        is_well =
            ops_courier_send(courier, portion->messages, count, gap_us, portion->outcomes, err) &&
            mark(session, portion, run, &confirmed, err);
        published += (int64_t)confirmed;
        fruitless = confirmed > 0 ? 0 : fruitless + 1;
        if (is_well && fruitless == ROUNDS_MAX) {
            is_well = sl_fail(err, SL_E_AMQP_CLOSED, "the broker confirms nothing (%s)",
                              sl_publish_outcome_name(portion->outcomes[0]));
        }
        on_progress(arg, published);
    }
    ops_pg_rows_done(&portion->rows);
    sl_buf_done(&portion->bytes);
    free(portion);
    return is_well;
}

static bool read_portion(struct ops_pg_session *session, const char *run, int64_t gap_us,
                         struct portion *portion, struct sl_err *err)
{
    char room[NUMBER_BYTES];
    int64_t at_once = gap_us > 0 ? PORTION_US / gap_us : PORTION;
    at_once = at_once < 1 ? 1 : at_once > PORTION ? PORTION : at_once;
    snprintf(room, sizeof room, "%" PRId64, at_once);
    const struct sl_pg_param params[] = { ops_pg_param(run), ops_pg_param(room) };
    if (!ops_pg_query(session, portion_sql, params, SL_COUNT(params), &portion->rows, err)) {
        return false;
    }
    size_t bytes = 0;
    for (size_t row = 0; row < portion->rows.row_count; row++) {
        bytes += ops_pg_cell(&portion->rows, row, ENVELOPE).bytes / 2;
    }
    sl_buf_reset(&portion->bytes);
    /* All at once: the messages borrow from it, so it must not move. */
    if (sl_buf_reserve(&portion->bytes, bytes) == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for %zu bytes of letters", bytes);
    }
    for (size_t row = 0; row < portion->rows.row_count; row++) {
        if (!put_message(portion, row, run, err) || !learn(session, portion, row, err)) {
            return false;
        }
    }
    return true;
}

static bool put_message(struct portion *portion, size_t row, const char *run, struct sl_err *err)
{
    const struct ops_pg_rows *rows = &portion->rows;
    struct ops_replay_route *route = &portion->routes[row];
    struct sl_span key = ops_pg_cell(rows, row, KEY);
    struct sl_span hex = ops_pg_cell(rows, row, ENVELOPE);
    char *at = sl_buf_reserve(&portion->bytes, hex.bytes / 2);
    if (!ops_replay_route(ops_pg_cell(rows, row, SUBSYSTEM), key, route, err)) {
        return sl_err_wrap(err, "letter %s", ops_pg_cell_text(rows, row, ID));
    }
    if (at == NULL || !sl_hex_decode(hex, (uint8_t *)at, hex.bytes / 2)) {
        return sl_fail(err, SL_E_BUG, "letter %s: its bytes cannot be read",
                       ops_pg_cell_text(rows, row, ID));
    }
    sl_buf_commit(&portion->bytes, hex.bytes / 2);
    struct sl_amqp_header *headers = portion->headers[row];
    headers[0] = (struct sl_amqp_header){ .name = "sluice-replay-run", .text = sl_span_of(run) };
    headers[1] = (struct sl_amqp_header){ .name = "sluice-orig-key", .text = key };
    portion->messages[row] = (struct sl_amqp_message){
        .exchange = route->exchange,
        .routing_key = sl_span_of(route->key),
        .message_id = short_text(ops_pg_cell(rows, row, EVENT)),
        .type = short_text(ops_pg_cell(rows, row, TYPE)),
        .content_type = SL_SPAN_LITERAL("application/msgpack"),
        .app_id = SL_SPAN_LITERAL("sluice"),
        .timestamp_s = sl_clock_wall_us() / 1000000,
        .headers = headers,
        .header_count = key.data == NULL ? 1 : 2,
        .body = sl_span_make(at, hex.bytes / 2),
    };
    return true;
}

static struct sl_span short_text(struct sl_span text)
{
    return text.bytes <= TEXT_BYTES_MAX ? text : (struct sl_span){ 0 };
}

/* Without an id the inbox could never prove that the event was applied. */
static bool learn(struct ops_pg_session *session, struct portion *portion, size_t row,
                  struct sl_err *err)
{
    struct sl_envelope event;
    struct sl_err why;
    if (ops_pg_cell(&portion->rows, row, EVENT).data != NULL ||
        !sl_envelope_decode(portion->messages[row].body, &event, &why)) {
        return true;
    }
    char occurred[NUMBER_BYTES];
    snprintf(occurred, sizeof occurred, "%" PRId64, event.occurred_at_s);
    const struct sl_pg_param params[] = {
        ops_pg_param(ops_pg_cell_text(&portion->rows, row, ID)),
        { .value = event.id },
        { .value = event.source },
        { .value = event.type },
        { .value = event.account },
        ops_pg_param(event.livemode ? "true" : "false"),
        { .value = event.object },
        ops_pg_param(occurred),
    };
    portion->messages[row].message_id = short_text(event.id);
    portion->messages[row].type = short_text(event.type);
    return ops_pg_query(session, learn_sql, params, SL_COUNT(params), NULL, err);
}

static bool mark(struct ops_pg_session *session, const struct portion *portion, const char *run,
                 size_t *out_confirmed, struct sl_err *err)
{
    char ids[IDS_BYTES] = "";
    size_t used = 0;
    *out_confirmed = 0;
    for (size_t row = 0; row < portion->rows.row_count; row++) {
        if (portion->outcomes[row] == SL_PUBLISH_CONFIRMED) {
            used += (size_t)snprintf(ids + used, sizeof ids - used, "%s%s", used == 0 ? "" : ",",
                                     ops_pg_cell_text(&portion->rows, row, ID));
            (*out_confirmed)++;
        } else if (portion->outcomes[row] == SL_PUBLISH_RETURNED) {
            return sl_fail(
                err, SL_E_AMQP_NOT_FOUND,
                "no queue takes letter %s, not even sluice.unrouted: sluice topology apply",
                ops_pg_cell_text(&portion->rows, row, ID));
        }
    }
    const struct sl_pg_param params[] = { ops_pg_param(ids), ops_pg_param(run) };
    return used == 0 || ops_pg_query(session, mark_sql, params, SL_COUNT(params), NULL, err);
}

bool ops_replay_count(struct ops_pg_session *session, const char *run,
                      struct ops_replay_counts *out_counts, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(run);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    int64_t *const numbers[] = { &out_counts->unpublished, &out_counts->waiting,
                                 &out_counts->replayed, &out_counts->failed };
    if (!ops_pg_query(session, close_sql, NULL, 0, NULL, err) ||
        !ops_pg_query(session, count_sql, &param, 1, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < SL_COUNT(numbers); i++) {
        if (!sl_units_decimal(ops_pg_cell(&rows, 0, i), DIGITS_MAX, numbers[i])) {
            return sl_fail(err, SL_E_BUG, "a count is no number");
        }
    }
    return true;
}
