/*
 * pg_text - messages of libpq and of the server, made fit for a log line.
 *
 * Decides only: first line, no secret, no value of an event.
 * Threads: no state.
 */
#ifndef SHARED_PG_TEXT_H
#define SHARED_PG_TEXT_H

#include <stddef.h>

#include "shared/pg/sqlstate.h"

/*
 * The first line of a message, with every occurrence of a secret replaced by "***". Secrets may be NULL or empty.
 * out is always terminated.
 */
void sl_pg_text_clean(const char *message, const char *const *secrets, size_t secret_count,
                      char *out, size_t out_bytes);

/*
 * Server messages of class 22 end in the value that was refused, `invalid input syntax for type bigint: "x"`: cuts it off in place.
 * Others are left as they are.
 */
void sl_pg_text_cut_value(char *message, const char *sqlstate);

/*
 * The SQLSTATE in a failed connection attempt, which libpq gives only within the (verbose) text: `…: FATAL:  28P01: password
 * authentication failed …`. Takes it out of the text; "" when there is none.
 */
void sl_pg_text_take_sqlstate(char *message, char out_sqlstate[SL_SQLSTATE_BYTES]);

#endif
