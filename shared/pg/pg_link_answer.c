#include "shared/pg/pg_link_parts.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "shared/pg/pg_text.h"
#include "shared/units.h"

/* Sessions lost in a row over prepared statements before it is a matter for people. */
#define STALE_SESSIONS_MAX 3u
#define DUPLICATE_STATEMENT                                                                        \
    "42P05" /* on a session that has just begun: somebody else's is behind it */
#define POOLED "; prepared statements do not last: is a transaction pooler in between?"

static const char *field(const PGresult *result, int code);

void sl_pg_describe(const struct sl_pg_link *link, const struct sl_pg_script *script,
                    struct sl_pg_error *out)
{
    const PGresult *failure = script->failure;
    char message[256];
    char step[80];
    int64_t position = 0;
    *out = (struct sl_pg_error){
        .constraint = field(failure, PG_DIAG_CONSTRAINT_NAME),
        .table = field(failure, PG_DIAG_TABLE_NAME),
        .column = field(failure, PG_DIAG_COLUMN_NAME),
        .detail = field(failure, PG_DIAG_MESSAGE_DETAIL),
        .step = script->failed_step,
    };
    snprintf(out->sqlstate, sizeof out->sqlstate, "%s", field(failure, PG_DIAG_SQLSTATE));
    if (sl_units_decimal(sl_span_of(field(failure, PG_DIAG_STATEMENT_POSITION)), 9, &position)) {
        out->position = (size_t)position;
    }
    const char *primary = field(failure, PG_DIAG_MESSAGE_PRIMARY);
    sl_pg_clean(link, primary[0] == '\0' ? PQresultErrorMessage(failure) : primary, message,
                sizeof message);
    sl_pg_text_cut_value(message, out->sqlstate);
    if (script->names[out->step] != NULL) {
        snprintf(step, sizeof step, "%s: ", script->names[out->step]);
    } else if (script->count > 1) {
        snprintf(step, sizeof step, "step %zu: ", out->step + 1);
    } else {
        step[0] = '\0';
    }

    enum sl_code code = sl_sqlstate_code(out->sqlstate);
    if (out->sqlstate[0] == '\0') {
        sl_fail(&out->err, SL_E_PG_UNREACHABLE, "%s%s", step, message);
    } else if (sl_pg_is_stale(failure)) {
        bool is_halt = link->stale_sessions >= STALE_SESSIONS_MAX;
        sl_fail(&out->err, is_halt ? SL_E_PG_HALT : SL_E_PG_SYSTEMIC, "%s%s (SQLSTATE %s)%s", step,
                message, out->sqlstate, is_halt ? POOLED : "; preparing anew");
    } else if (strcmp(out->sqlstate, DUPLICATE_STATEMENT) == 0) {
        sl_fail(&out->err, code, "%s%s (SQLSTATE %s)" POOLED, step, message, out->sqlstate);
    } else {
        const char *meaning = sl_sqlstate_meaning(out->sqlstate);
        sl_fail(&out->err, code, "%s%s (SQLSTATE %s)%s", step, message, out->sqlstate,
                meaning == NULL ? ", which shared/pg/sqlstate.def does not know" : "");
    }
}

bool sl_pg_ends_session(const PGresult *failure)
{
    const char *severity = field(failure, PG_DIAG_SEVERITY_NONLOCALIZED);
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 ||
           sl_pg_is_stale(failure) || sl_sqlstate_drops_session(field(failure, PG_DIAG_SQLSTATE));
}

/*
 * A prepared statement that is gone, or whose result no longer has the shape it was prepared with ("cached plan must not change result
 * type", 0A000; known by the server's function, since messages are translated): a new session prepares anew.
 */
bool sl_pg_is_stale(const PGresult *failure)
{
    return strcmp(field(failure, PG_DIAG_SQLSTATE), "26000") == 0 ||
           strcmp(field(failure, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery") == 0;
}

static const char *field(const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);
    return text == NULL ? "" : text;
}

void sl_pg_clean(const struct sl_pg_link *link, const char *message, char *out, size_t out_bytes)
{
    const char *const secrets[] = { sl_pg_option(link, "password"),
                                    sl_pg_option(link, "sslpassword") };
    sl_pg_text_clean(message, secrets, SL_COUNT(secrets), out, out_bytes);
}

void sl_pg_fail_from_conn(const struct sl_pg_link *link, struct sl_err *err)
{
    char message[300];
    char sqlstate[SL_SQLSTATE_BYTES];
    if (link->conn == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a database connection");
        return;
    }
    sl_pg_clean(link, PQerrorMessage(link->conn), message, sizeof message);
    sl_pg_text_take_sqlstate(message, sqlstate);
    if (sqlstate[0] == '\0') {
        sl_fail(err, SL_E_PG_UNREACHABLE, "%s",
                message[0] == '\0' ? "the database connection was lost" : message);
    } else {
        sl_fail(err, sl_sqlstate_code(sqlstate), "%s (SQLSTATE %s)", message, sqlstate);
    }
}

bool sl_pg_has_password(const char *conninfo)
{
    char *complaint = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &complaint);
    bool has_password = options == NULL;
    PQfreemem(complaint);
    for (const PQconninfoOption *at = options; at != NULL && at->keyword != NULL; at++) {
        /* '*' is libpq's mark for values that are not to be shown. */
        has_password = has_password || (at->val != NULL && strcmp(at->dispchar, "*") == 0);
    }
    PQconninfoFree(options);
    return has_password;
}

size_t sl_pg_rows(const struct sl_pg_result *result)
{
    return (size_t)PQntuples((const PGresult *)result);
}

size_t sl_pg_columns(const struct sl_pg_result *result)
{
    return (size_t)PQnfields((const PGresult *)result);
}

struct sl_span sl_pg_value(const struct sl_pg_result *result, size_t row, size_t column)
{
    const PGresult *rows = (const PGresult *)result;
    SL_ASSERT(row < sl_pg_rows(result));
    SL_ASSERT(column < sl_pg_columns(result));
    if (PQgetisnull(rows, (int)row, (int)column) != 0) {
        return (struct sl_span){ NULL, 0 };
    }
    return sl_span_make(PQgetvalue(rows, (int)row, (int)column),
                        (size_t)PQgetlength(rows, (int)row, (int)column));
}

int64_t sl_pg_changed(const struct sl_pg_result *result)
{
    int64_t rows = 0;
    if (result == NULL ||
        !sl_units_decimal(sl_span_of(PQcmdTuples((PGresult *)(uintptr_t)result)), 18, &rows)) {
        return 0;
    }
    return rows;
}
