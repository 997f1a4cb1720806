#include "consumer/handlers/sql_signature.h"

#include "shared/nearest.h"

#define EXAMPLE "(event_id text, type text, body jsonb)"
/* Enough of what a function returns to know the words that mean something; the whole may be more than this process holds. */
#define ANSWER_CHARACTERS "16"

/* What a function may take. cast: how the column's array elements become the argument. */
static const struct offer {
    const char *name;
    enum con_event_column column;
    const char *types[2]; /* as format_type writes them */
    const char *array;    /* type of the parameter */
    const char *cast;
} offers[] = {
    { "event_id", CON_COLUMN_EVENT_ID, { "text", "character varying" }, "text[]", "" },
    { "type", CON_COLUMN_TYPE, { "text", "character varying" }, "text[]", "" },
    { "body", CON_COLUMN_BODY, { "jsonb", "json" }, "text[]", "::jsonb" },
    { "source", CON_COLUMN_SOURCE, { "text", "character varying" }, "text[]", "" },
    { "account", CON_COLUMN_ACCOUNT, { "text", "character varying" }, "text[]", "" },
    { "livemode", CON_COLUMN_LIVEMODE, { "boolean" }, "boolean[]", "" },
    { "object", CON_COLUMN_OBJECT, { "text", "character varying" }, "text[]", "" },
    { "occurred_at", CON_COLUMN_OCCURRED_AT, { "timestamp with time zone" }, "timestamptz[]", "" },
    { "received_at", CON_COLUMN_RECEIVED_AT, { "timestamp with time zone" }, "timestamptz[]", "" },
    { "attempt", CON_COLUMN_ATTEMPT, { "integer", "bigint" }, "bigint[]", "::integer" },
    { "raw", CON_COLUMN_RAW, { "bytea" }, "bytea[]", "" },
};

static bool check_function(const char *function, const struct con_sql_argument *arguments,
                           size_t count, struct sl_err *err);
static bool choose(const char *function, const struct con_sql_argument *argument, bool *chosen,
                   struct sl_err *err);
static void write_call(const char *function, const bool *chosen, const bool *is_json,
                       struct con_sql_signature *out, struct sl_buf *out_sql);

bool con_sql_signature_read(const char *function, const struct con_sql_argument *arguments,
                            size_t count, struct con_sql_signature *out, struct sl_buf *out_sql,
                            struct sl_err *err)
{
    bool chosen[SL_COUNT(offers)] = { false };
    bool is_json[SL_COUNT(offers)] = { false };
    if (!check_function(function, arguments, count, err)) {
        return false;
    }
    for (size_t i = 0; i < count && arguments[i].name.data != NULL; i++) {
        if (!choose(function, &arguments[i], chosen, err)) {
            return false;
        }
        for (size_t k = 0; k < SL_COUNT(offers); k++) {
            is_json[k] = is_json[k] || (sl_span_is(arguments[i].name, offers[k].name) &&
                                        sl_span_is(arguments[i].type, "json"));
        }
    }
    sl_buf_reset(out_sql);
    write_call(function, chosen, is_json, out, out_sql);
    return sl_buf_ok(out_sql) || sl_fail(err, SL_E_LIMIT, "the call of %s is too long", function);
}

static bool check_function(const char *function, const struct con_sql_argument *arguments,
                           size_t count, struct sl_err *err)
{
    if (count == 0) {
        return sl_fail(err, SL_E_PG_UNREADY, "there is no function %s; expected: %s" EXAMPLE,
                       function, function);
    }
    for (size_t i = 1; i < count; i++) {
        if (!sl_span_eq(arguments[i].function, arguments[0].function)) {
            return sl_fail(err, SL_E_PG_HALT,
                           "there is more than one function %s, and no way to tell which is meant",
                           function);
        }
    }
    if (!sl_span_is(arguments[0].kind, "f") || arguments[0].returns_set) {
        return sl_fail(err, SL_E_PG_HALT, "%s %s; expected: a function %s" EXAMPLE, function,
                       arguments[0].returns_set ? "returns a set" : "is not a plain function",
                       function);
    }
    return true;
}

static bool choose(const char *function, const struct con_sql_argument *argument, bool *chosen,
                   struct sl_err *err)
{
    const char *names[SL_COUNT(offers)];
    for (size_t i = 0; i < SL_COUNT(offers); i++) {
        names[i] = offers[i].name;
        if (!sl_span_is(argument->name, offers[i].name)) {
            continue;
        }
        bool fits = sl_span_is(argument->type, offers[i].types[0]) ||
                    (offers[i].types[1] != NULL && sl_span_is(argument->type, offers[i].types[1]));
        if (!fits) {
            return sl_fail(err, SL_E_PG_HALT, "%s takes %s as %.*s; expected: %s %s", function,
                           offers[i].name, SL_SPAN_ARGS(argument->type), offers[i].name,
                           offers[i].types[0]);
        }
        chosen[i] = true;
        return true;
    }
    if (argument->has_default) {
        return true;
    }
    const char *nearest = sl_nearest(argument->name, names, SL_COUNT(names));
    return sl_fail(err, SL_E_PG_HALT,
                   "%s takes \"%.*s\", which no event has%s%s%s; schemas/handlers.md lists what it "
                   "may take",
                   function, SL_SPAN_ARGS(argument->name), nearest == NULL ? "" : "; did you mean ",
                   nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

static void write_call(const char *function, const bool *chosen, const bool *is_json,
                       struct con_sql_signature *out, struct sl_buf *out_sql)
{
    struct con_sql_signature signature = { .column_count = 0 };
    const struct offer *params[SL_COUNT(offers) + 1];
    sl_buf_printf(out_sql, "SELECT e.place, pg_catalog.left(%s(", function);
    for (size_t i = 0; i < SL_COUNT(offers); i++) {
        if (chosen[i]) {
            sl_buf_printf(out_sql, "%s%s => e.%s%s", signature.column_count == 0 ? "" : ", ",
                          offers[i].name, offers[i].name, is_json[i] ? "::json" : offers[i].cast);
            params[signature.column_count] = &offers[i];
            signature.columns[signature.column_count++] = offers[i].column;
            signature.takes_raw = signature.takes_raw || offers[i].column == CON_COLUMN_RAW;
        }
    }
    if (signature.column_count == 0) { /* something has to say how many events there are */
        params[0] = &offers[0];
        signature.columns[signature.column_count++] = offers[0].column;
    }
    sl_buf_append_text(out_sql, ")::text, " ANSWER_CHARACTERS ") FROM unnest(");
    for (size_t i = 0; i < signature.column_count; i++) {
        sl_buf_printf(out_sql, "%s$%zu::%s", i == 0 ? "" : ", ", i + 1, params[i]->array);
    }
    sl_buf_append_text(out_sql, ") WITH ORDINALITY AS e(");
    for (size_t i = 0; i < signature.column_count; i++) {
        sl_buf_printf(out_sql, "%s, ", params[i]->name);
    }
    sl_buf_append_text(out_sql, "place) ORDER BY e.place");
    *out = signature;
}
