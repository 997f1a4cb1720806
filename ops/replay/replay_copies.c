#include "ops/replay/replay_copies.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/replay/replay_route.h"
#include "shared/digest.h"
#include "shared/event/envelope.h"

#define PORTION           25u /* letters of one query: the largest envelopes stay below an answer's limit */
#define ROUNDS_MAX        5 /* portions in a row of which the broker confirmed nothing */
#define TEXT_BYTES_MAX    255u
#define NUMBER_BYTES      24u
#define IDS_BYTES         (PORTION * NUMBER_BYTES)
#define PORTION_BYTES_MAX (PORTION * (SL_ENVELOPE_BYTES_MAX + 4096u))

_Static_assert(PORTION <= OPS_COURIER_BATCH_MAX, "a portion is one batch of the courier");

/* $2: at most so many; $3: only the canary. */
static const char portion_sql[] =
    "SELECT d.id, d.subsystem, d.event_id, d.type, d.routing_key, encode(d.envelope, 'hex')"
    " FROM sluice_replay_item i JOIN sluice_dead_letter d ON d.id = i.dead_letter_id"
    " WHERE i.run = $1 AND i.outcome IS NULL AND d.replay_run = $1 AND d.status = 'replaying'"
    " AND d.published_at IS NULL AND (i.is_canary OR $3::text = 'f')"
    " ORDER BY d.id LIMIT $2::text::bigint";
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

struct ops_replay_copies {
    struct ops_pg_session *session;
    struct ops_courier *courier;
    const struct ops_replay_run *run;
    int fruitless; /* portions in a row of which nothing was confirmed */
    struct ops_pg_rows rows;
    struct sl_buf bytes; /* the envelopes */
    struct ops_replay_route routes[PORTION];
    struct sl_amqp_header headers[PORTION][2];
    struct sl_amqp_message messages[PORTION];
    enum sl_publish_outcome outcomes[PORTION];
};

static bool read_portion(struct ops_replay_copies *copies, bool is_canary_only, int64_t rate,
                         struct sl_err *err);
static bool put_message(struct ops_replay_copies *copies, size_t row, struct sl_err *err);
static bool learn(struct ops_replay_copies *copies, size_t row, struct sl_err *err);
static bool mark(struct ops_replay_copies *copies, size_t *out_confirmed, struct sl_err *err);
static struct sl_span short_text(struct sl_span text);

struct ops_replay_copies *ops_replay_copies_new(struct ops_pg_session *session,
                                                struct ops_courier *courier,
                                                const struct ops_replay_run *run,
                                                struct sl_err *err)
{
    struct ops_replay_copies *copies = calloc(1, sizeof *copies);
    if (copies == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a portion of letters");
        return NULL;
    }
    copies->session = session;
    copies->courier = courier;
    copies->run = run;
    sl_buf_init(&copies->bytes, PORTION_BYTES_MAX);
    return copies;
}

void ops_replay_copies_free(struct ops_replay_copies *copies)
{
    if (copies == NULL) {
        return;
    }
    ops_pg_rows_done(&copies->rows);
    sl_buf_done(&copies->bytes);
    free(copies);
}

bool ops_replay_copies_send(struct ops_replay_copies *copies, bool is_canary_only, int64_t rate,
                            size_t *out_found, size_t *out_confirmed, struct sl_err *err)
{
    size_t confirmed = 0;
    if (!read_portion(copies, is_canary_only, rate, err)) {
        return false;
    }
    size_t count = copies->rows.row_count;
    if (count > 0 && (!ops_courier_send(copies->courier, copies->messages, count, 1000000 / rate,
                                        copies->outcomes, err) ||
                      !mark(copies, &confirmed, err))) {
        return false;
    }
    copies->fruitless = confirmed > 0 || count == 0 ? 0 : copies->fruitless + 1;
    if (copies->fruitless == ROUNDS_MAX) {
        return sl_fail(err, SL_E_AMQP_CLOSED, "the broker confirms nothing (%s)",
                       sl_publish_outcome_name(copies->outcomes[0]));
    }
    *out_found = count;
    *out_confirmed = confirmed;
    return true;
}

static bool read_portion(struct ops_replay_copies *copies, bool is_canary_only, int64_t rate,
                         struct sl_err *err)
{
    char room[NUMBER_BYTES];
    snprintf(room, sizeof room, "%" PRId64, rate < PORTION ? rate : PORTION);
    const struct sl_pg_param params[] = { ops_pg_param(copies->run->name), ops_pg_param(room),
                                          ops_pg_param(is_canary_only ? "t" : "f") };
    if (!ops_pg_query(copies->session, portion_sql, params, SL_COUNT(params), &copies->rows, err)) {
        return false;
    }
    size_t bytes = 0;
    for (size_t row = 0; row < copies->rows.row_count; row++) {
        bytes += ops_pg_cell(&copies->rows, row, ENVELOPE).bytes / 2;
    }
    sl_buf_reset(&copies->bytes);
    /* All at once: the messages borrow from it, so it must not move. */
    if (sl_buf_reserve(&copies->bytes, bytes) == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for %zu bytes of letters", bytes);
    }
    for (size_t row = 0; row < copies->rows.row_count; row++) {
        if (!put_message(copies, row, err) || !learn(copies, row, err)) {
            return false;
        }
    }
    return true;
}

static bool put_message(struct ops_replay_copies *copies, size_t row, struct sl_err *err)
{
    const struct ops_pg_rows *rows = &copies->rows;
    struct ops_replay_route *route = &copies->routes[row];
    struct sl_span key = ops_pg_cell(rows, row, KEY);
    struct sl_span hex = ops_pg_cell(rows, row, ENVELOPE);
    char *at = sl_buf_reserve(&copies->bytes, hex.bytes / 2);
    struct sl_span subsystem = copies->run->target[0] == '\0' ? ops_pg_cell(rows, row, SUBSYSTEM)
                                                              : sl_span_of(copies->run->target);
    if (!ops_replay_route(subsystem, key, route, err)) {
        return sl_err_wrap(err, "letter %s", ops_pg_cell_text(rows, row, ID));
    }
    if (at == NULL || !sl_hex_decode(hex, (uint8_t *)at, hex.bytes / 2)) {
        return sl_fail(err, SL_E_BUG, "letter %s: its bytes cannot be read",
                       ops_pg_cell_text(rows, row, ID));
    }
    sl_buf_commit(&copies->bytes, hex.bytes / 2);
    struct sl_amqp_header *headers = copies->headers[row];
    headers[0] = (struct sl_amqp_header){ .name = "sluice-replay-run",
                                          .text = sl_span_of(copies->run->name) };
    headers[1] = (struct sl_amqp_header){ .name = "sluice-orig-key", .text = key };
    copies->messages[row] = (struct sl_amqp_message){
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
static bool learn(struct ops_replay_copies *copies, size_t row, struct sl_err *err)
{
    struct sl_envelope event;
    struct sl_err why;
    if (ops_pg_cell(&copies->rows, row, EVENT).data != NULL ||
        !sl_envelope_decode(copies->messages[row].body, &event, &why)) {
        return true;
    }
    char occurred[NUMBER_BYTES];
    snprintf(occurred, sizeof occurred, "%" PRId64, event.occurred_at_s);
    const struct sl_pg_param params[] = {
        ops_pg_param(ops_pg_cell_text(&copies->rows, row, ID)),
        { .value = event.id },
        { .value = event.source },
        { .value = event.type },
        { .value = event.account },
        ops_pg_param(event.livemode ? "true" : "false"),
        { .value = event.object },
        ops_pg_param(occurred),
    };
    copies->messages[row].message_id = short_text(event.id);
    copies->messages[row].type = short_text(event.type);
    return ops_pg_query(copies->session, learn_sql, params, SL_COUNT(params), NULL, err);
}

static bool mark(struct ops_replay_copies *copies, size_t *out_confirmed, struct sl_err *err)
{
    char ids[IDS_BYTES] = "";
    size_t used = 0;
    *out_confirmed = 0;
    for (size_t row = 0; row < copies->rows.row_count; row++) {
        if (copies->outcomes[row] == SL_PUBLISH_CONFIRMED) {
            used += (size_t)snprintf(ids + used, sizeof ids - used, "%s%s", used == 0 ? "" : ",",
                                     ops_pg_cell_text(&copies->rows, row, ID));
            (*out_confirmed)++;
        } else if (copies->outcomes[row] == SL_PUBLISH_RETURNED) {
            return sl_fail(
                err, SL_E_AMQP_NOT_FOUND,
                "no queue takes letter %s, not even sluice.unrouted: sluice topology apply",
                ops_pg_cell_text(&copies->rows, row, ID));
        }
    }
    const struct sl_pg_param params[] = { ops_pg_param(ids), ops_pg_param(copies->run->name) };
    return used == 0 ||
           ops_pg_query(copies->session, mark_sql, params, SL_COUNT(params), NULL, err);
}
