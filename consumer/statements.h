/*
 * statements - the SQL of consumer/sql, as statements for a link to prepare.
 *
 * A file claim.sql is the prepared statement "claim".
 * Threads: constant data.
 */
#ifndef CONSUMER_STATEMENTS_H
#define CONSUMER_STATEMENTS_H

#include "shared/pg/pg_link.h"

#define CON_STATEMENTS_MAX 32u

struct con_statements {
    struct sl_pg_statement items[CON_STATEMENTS_MAX];
    size_t count;
};

/* Adds the statement of that name; the name is borrowed. It is a bug of ours when there is no such file. */
void con_statements_add(struct con_statements *statements, const char *name);
/* The SQL of that name, for a statement that is not prepared; constant. Likewise a bug when there is none. */
const char *con_statements_text(const char *name);

#endif
