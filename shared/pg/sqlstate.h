/*
 * sqlstate - what a Postgres error means for the work that met it.
 *
 * Decides only. Six verdicts, as error codes of ours:
 *   SL_E_PG_CONTENTION  others were in the way: run the same batch again
 *   SL_E_PG_SYSTEMIC    the database is away or unwell: nobody's event is at fault
 *   SL_E_PG_UNREADY     the schema, or the credentials, are not there yet: wait, but not for ever
 *   SL_E_PG_ITEM        one event of the batch, which may pass later
 *   SL_E_PG_PERMANENT   one event of the batch, which never passes
 *   SL_E_PG_HALT        our schema, configuration or program: a person must act
 * Law: shared/pg/sqlstate.def.
 * Threads: constant data.
 */
#ifndef SHARED_SQLSTATE_H
#define SHARED_SQLSTATE_H

#include "shared/err.h"

#define SL_SQLSTATE_BYTES 6u /* five characters and a NUL */

/* The longest prefix in the table wins; SL_E_PG_SYSTEMIC for what is unknown, and for NULL or "" (no SQLSTATE: the connection failed). */
enum sl_code sl_sqlstate_code(const char *sqlstate);

/* The session is of no further use after this error, although the server may have left it open. */
bool sl_sqlstate_drops_session(const char *sqlstate);

/* A few words for people; NULL when no row fits, so that the caller can say that the table has to grow. */
const char *sl_sqlstate_meaning(const char *sqlstate);

#endif
