#include "ops/requeue/requeue_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/digest.h"

#define NUMBER_BYTES   24u
#define SQL_BYTES_MAX  16384u
#define SOURCE_DEFAULT "internal"

static const char read_only_sql[] = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";

/* Before and after the section's own SELECT. $1, $2: the time; $3 the subsystem; $4: at most so many. */
static const char before_sql[] =
    "WITH bounds AS (SELECT $1::timestamptz AS from_at, $2::timestamptz AS to_at),"
    " wanted AS (SELECT to_jsonb(x) AS r FROM (";
static const char after_sql[] =
    ") AS x),"
    " bounded AS (SELECT r FROM wanted, bounds WHERE (r ->> 'at') IS NULL"
    "  OR ((r ->> 'at')::timestamptz >= from_at AND (r ->> 'at')::timestamptz < to_at) LIMIT $4::text::bigint)"
    " SELECT r ->> 'event_id', coalesce(r ->> 'type', a.type), coalesce(r ->> 'source', a.source),"
    "  coalesce(r ->> 'account', a.account, ''), coalesce((r ->> 'livemode')::boolean, a.livemode, false),"
    "  coalesce(r ->> 'object', a.object),"
    "  floor(coalesce(extract(epoch FROM coalesce((r ->> 'occurred_at')::timestamptz, a.occurred_at)), 0))::bigint,"
    "  encode(coalesce(convert_to(r ->> 'body', 'UTF8'), a.body), 'hex'),"
    "  EXISTS (SELECT FROM sluice_inbox k WHERE k.event_id = r ->> 'event_id' AND k.subsystem = $3)"
    " FROM bounded LEFT JOIN LATERAL (SELECT i.type, i.source, i.account, i.livemode, i.object, i.occurred_at, i.body"
    "  FROM sluice_inbox i WHERE i.event_id = r ->> 'event_id' AND i.body IS NOT NULL AND r ->> 'body' IS NULL LIMIT 1) a ON true";
enum { ID, TYPE, SOURCE, ACCOUNT, LIVEMODE, OBJECT, OCCURRED, BODY, KNOWN };

const char *ops_requeue_state_name(enum ops_requeue_state state)
{
    static const char *const names[] = { [OPS_REQUEUE_WANTED] = "to publish",
                                         [OPS_REQUEUE_KNOWN] = "known",
                                         [OPS_REQUEUE_INCOMPLETE] = "incomplete" };
    return names[state];
}

bool ops_requeue_ask(struct ops_pg_session *session, const struct ops_requeue_question *question,
                     struct ops_pg_rows *out_rows, struct sl_err *err)
{
    char limit[NUMBER_BYTES];
    snprintf(limit, sizeof limit, "%" PRId64, question->limit);
    SL_DONE(sl_buf_done) struct sl_buf sql = { 0 };
    sl_buf_init(&sql, SQL_BYTES_MAX);
    sl_buf_printf(&sql, "%s%s%s", before_sql, question->query, after_sql);
    if (!sl_buf_ok(&sql)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a query");
    }
    const struct sl_pg_param params[] = { ops_pg_param(question->from), ops_pg_param(question->to),
                                          ops_pg_param(question->subsystem), ops_pg_param(limit) };
    if (!ops_pg_query(session, read_only_sql, NULL, 0, NULL, err) ||
        !ops_pg_query(session, sql.data, params, SL_COUNT(params), out_rows, err)) {
        return sl_err_wrap(err, "requeue_query of [%s]", question->subsystem);
    }
    return true;
}

bool ops_requeue_read(const struct ops_pg_rows *rows, size_t row, int64_t now_us,
                      struct sl_arena *arena, struct ops_requeue_row *out, struct sl_err *err)
{
    struct sl_span hex = ops_pg_cell(rows, row, BODY);
    struct sl_span source = ops_pg_cell(rows, row, SOURCE);
    *out = (struct ops_requeue_row){
        .event = { .id = ops_pg_cell(rows, row, ID),
                   .source = source.data == NULL ? SL_SPAN_LITERAL(SOURCE_DEFAULT) : source,
                   .type = ops_pg_cell(rows, row, TYPE),
                   .account = ops_pg_cell(rows, row, ACCOUNT),
                   .livemode = ops_pg_cell_text(rows, row, LIVEMODE)[0] == 't',
                   .object = ops_pg_cell(rows, row, OBJECT),
                   .occurred_at_s = strtoll(ops_pg_cell_text(rows, row, OCCURRED), NULL, 10),
                   .received_at_us = now_us,
                   .content_type = SL_SPAN_LITERAL("application/json") },
        .state = OPS_REQUEUE_WANTED,
    };
    if (out->event.id.bytes == 0 || out->event.type.bytes == 0 || hex.data == NULL) {
        out->state = OPS_REQUEUE_INCOMPLETE;
        return true;
    }
    if (ops_pg_cell_text(rows, row, KNOWN)[0] == 't') {
        out->state = OPS_REQUEUE_KNOWN;
        return true;
    }
    char *body = sl_arena_alloc(arena, hex.bytes / 2 + 1);
    if (body == NULL || !sl_hex_decode(hex, (uint8_t *)body, hex.bytes / 2)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for an event of %zu bytes", hex.bytes / 2);
    }
    out->event.body = sl_span_make(body, hex.bytes / 2);
    return true;
}
