/*
 * pg_table - the rows of a query as a table: one column of the answer is one column of the table, in order.
 *
 * Threads: no state.
 */
#ifndef OPS_PG_TABLE_H
#define OPS_PG_TABLE_H

#include <stdio.h>

#include "ops/pg_session.h"
#include "ops/table.h"

/* To stdout. The rows have exactly `count` columns. */
bool ops_pg_table_print(const struct ops_pg_rows *rows, const struct ops_column *columns,
                        size_t count, enum ops_output output, struct sl_err *err) SL_MUST;

/* The same to another stream. */
bool ops_pg_table_print_to(const struct ops_pg_rows *rows, const struct ops_column *columns,
                           size_t count, enum ops_output output, FILE *stream,
                           struct sl_err *err) SL_MUST;

#endif
