/*
 * sql_catalog - asks the database what a function takes.
 *
 * Threads: one owner.
 */
#ifndef CONSUMER_SQL_CATALOG_H
#define CONSUMER_SQL_CATALOG_H

#include "consumer/handlers/sql_signature.h"
#include "consumer/statements.h"

#define CON_SQL_CATALOG_PARAMS 2u

/* What the link has to prepare. */
void con_sql_catalog_statements(struct con_statements *statements);
/* The step that asks; params must outlive it, and borrow from function. */
struct sl_pg_step con_sql_catalog_step(const char *function,
                                       struct sl_pg_param params[CON_SQL_CATALOG_PARAMS]);
/* Its answer. As con_sql_signature_read. */
bool con_sql_catalog_read(const char *function, const struct sl_pg_result *result,
                          struct con_sql_signature *out, struct sl_buf *out_sql,
                          struct sl_err *err) SL_MUST;

#endif
