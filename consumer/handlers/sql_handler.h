/*
 * sql_handler - events to a Postgres function of the operator's, in the transaction of their inbox rows, as a handler (handler.h).
 *
 * One statement calls it for a whole slice. Before the first batch, and again after the database refused the call as such, the catalogue says what
 * the function takes (sql_signature); while it is missing or takes something else, everything is held and a person is called.
 * The section's errors.SQLSTATE say what a failure means where shared/pg/sqlstate.def would say otherwise.
 * Law: schemas/handlers.md. A body that is not JSON fails for good, unless the function takes the raw bytes and can judge itself.
 * Threads: one owner.
 */
#ifndef CONSUMER_SQL_HANDLER_H
#define CONSUMER_SQL_HANDLER_H

#include "consumer/handler.h"

bool con_sql_handler_init(struct con_handler *handler, const struct sl_subsystem *subsystem,
                          struct sl_err *err) SL_MUST;

#endif
