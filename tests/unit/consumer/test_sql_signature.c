#include "consumer/handlers/sql_signature.h"

#include "tests/support/claims.h"

#define ARGUMENTS_MAX 6u

/* "name type" each, "?" before a name: it has a default; "" ends the list. */
static bool read_one(const char *const *list, const char *kind, bool returns_set,
                     struct con_sql_signature *out, struct sl_buf *sql, struct sl_err *err)
{
    struct con_sql_argument arguments[ARGUMENTS_MAX] = { 0 };
    size_t count = 0;
    for (; list[count] != NULL; count++) {
        struct sl_span type = sl_span_of(list[count]);
        struct sl_span name = { 0 };
        struct con_sql_argument *argument = &arguments[count];
        argument->function = SL_SPAN_LITERAL("1");
        argument->kind = sl_span_of(kind);
        argument->returns_set = returns_set;
        if (type.bytes > 0) {
            (void)sl_span_split(&type, ' ', &name);
            argument->has_default = name.data[0] == '?';
            name = argument->has_default ? sl_span_make(name.data + 1, name.bytes - 1) : name;
            argument->name = name;
            argument->type = type;
        }
    }
    return con_sql_signature_read("app.f", arguments, count, out, sql, err);
}

CLAIM(sql_signature__a_function_is_called_by_name_with_what_it_takes)
{
    static const struct {
        const char *arguments[ARGUMENTS_MAX];
        const char *sql;
        bool takes_raw;
    } cases[] = {
        { { "event_id text", "type text", "body jsonb" },
          "SELECT e.place, pg_catalog.left(app.f(event_id => e.event_id, type => e.type, body => e.body::jsonb)::text, 16) FROM "
          "unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS e(event_id, type, body, "
          "place) ORDER BY e.place",
          false },
        { { "raw bytea", "attempt bigint", "?own integer" },
          "SELECT e.place, pg_catalog.left(app.f(attempt => e.attempt::integer, raw => e.raw)::text, 16) FROM "
          "unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS e(attempt, raw, place) ORDER BY "
          "e.place",
          true },
        { { "body json", "account character varying" },
          "SELECT e.place, pg_catalog.left(app.f(body => e.body::json, account => e.account)::text, 16) FROM unnest($1::text[], "
          "$2::text[]) WITH ORDINALITY AS e(body, account, place) ORDER BY e.place",
          false },
        { { "" },
          "SELECT e.place, pg_catalog.left(app.f()::text, 16) FROM unnest($1::text[]) WITH ORDINALITY AS e(event_id, place) "
          "ORDER BY e.place",
          false },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct con_sql_signature signature = { 0 };
        struct sl_buf sql;
        struct sl_err err = { 0 };
        sl_buf_init(&sql, 4096);
        CU_ASSERT_TRUE(read_one(cases[i].arguments, "f", false, &signature, &sql, &err));
        CU_ASSERT_STRING_EQUAL(err.text, "");
        CU_ASSERT_STRING_EQUAL(sl_buf_span(&sql).data, cases[i].sql);
        CU_ASSERT_EQUAL(signature.takes_raw, cases[i].takes_raw);
        sl_buf_done(&sql);
    }
}

CLAIM(sql_signature__what_cannot_be_called_is_said_with_what_is_expected)
{
    static const struct {
        const char *arguments[ARGUMENTS_MAX];
        const char *kind;
        bool returns_set;
        const char *expected;
    } cases[] = {
        { { NULL },
          "f",
          false,
          "there is no function app.f; expected: app.f(event_id text, type text, body jsonb)" },
        { { "event_id text" },
          "p",
          false,
          "app.f is not a plain function; expected: a function app.f(event_id text, type text, body "
          "jsonb)" },
        { { "event_id text" },
          "f",
          true,
          "app.f returns a set; expected: a function app.f(event_id text, type text, body jsonb)" },
        { { "body text" }, "f", false, "app.f takes body as text; expected: body jsonb" },
        { { "event_id uuid" },
          "f",
          false,
          "app.f takes event_id as uuid; expected: event_id text" },
        { { "evnt_id text" },
          "f",
          false,
          "app.f takes \"evnt_id\", which no event has; did you mean event_id?; schemas/handlers.md "
          "lists what it may take" },
        { { "total integer" },
          "f",
          false,
          "app.f takes \"total\", which no event has; schemas/handlers.md lists what it may take" },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct con_sql_signature signature = { 0 };
        struct sl_buf sql;
        struct sl_err err = { 0 };
        sl_buf_init(&sql, 4096);
        CU_ASSERT_FALSE(read_one(cases[i].arguments, cases[i].kind, cases[i].returns_set,
                                 &signature, &sql, &err));
        CU_ASSERT_STRING_EQUAL(err.text, cases[i].expected);
        bool is_missing = strstr(err.text, "there is no function") != NULL;
        CU_ASSERT_EQUAL(err.code, is_missing ? SL_E_PG_UNREADY : SL_E_PG_HALT);
        sl_buf_done(&sql);
    }
}

CLAIM(sql_signature__two_functions_of_one_name_are_one_too_many)
{
    const struct con_sql_argument arguments[] = {
        { .function = SL_SPAN_LITERAL("1"), .kind = SL_SPAN_LITERAL("f") },
        { .function = SL_SPAN_LITERAL("2"), .kind = SL_SPAN_LITERAL("f") },
    };
    struct con_sql_signature signature = { 0 };
    struct sl_buf sql;
    struct sl_err err = { 0 };
    sl_buf_init(&sql, 4096);
    CU_ASSERT_FALSE(con_sql_signature_read("f", arguments, 2, &signature, &sql, &err));
    CU_ASSERT_STRING_EQUAL(err.text,
                           "there is more than one function f, and no way to tell which is meant");
    sl_buf_done(&sql);
}
