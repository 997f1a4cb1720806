#include "consumer/handlers/sql_catalog.h"

void con_sql_catalog_statements(struct con_statements *statements)
{
    con_statements_add(statements, "function");
}

struct sl_pg_step con_sql_catalog_step(const char *function,
                                       struct sl_pg_param params[CON_SQL_CATALOG_PARAMS])
{
    struct sl_span name = sl_span_of(function);
    struct sl_span schema = sl_span_of("");
    if (memchr(name.data, '.', name.bytes) != NULL) {
        (void)sl_span_split(&name, '.', &schema);
    }
    params[0] = (struct sl_pg_param){ .value = schema };
    params[1] = (struct sl_pg_param){ .value = name };
    return (struct sl_pg_step){ .name = "function",
                                .params = params,
                                .param_count = CON_SQL_CATALOG_PARAMS };
}

bool con_sql_catalog_read(const char *function, const struct sl_pg_result *result,
                          struct con_sql_signature *out, struct sl_buf *out_sql, struct sl_err *err)
{
    struct con_sql_argument arguments[CON_SQL_ARGUMENTS_MAX];
    size_t count = sl_pg_rows(result);
    if (count > CON_SQL_ARGUMENTS_MAX) {
        return sl_fail(err, SL_E_PG_HALT, "%s: the functions of that name take too many arguments",
                       function);
    }
    for (size_t i = 0; i < count; i++) {
        arguments[i] = (struct con_sql_argument){
            .function = sl_pg_value(result, i, 0),
            .kind = sl_pg_value(result, i, 1),
            .returns_set = sl_span_is(sl_pg_value(result, i, 2), "t"),
            .name = sl_pg_value(result, i, 3),
            .type = sl_pg_value(result, i, 4),
            .has_default = sl_span_is(sl_pg_value(result, i, 5), "t"),
        };
    }
    return con_sql_signature_read(function, arguments, count, out, out_sql, err);
}
