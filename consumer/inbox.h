/*
 * inbox - events as the parameters of claim.sql and verdict.sql, and the answer of the claim.
 *
 * Decides only.
 * Threads: no state.
 */
#ifndef CONSUMER_INBOX_H
#define CONSUMER_INBOX_H

#include "consumer/event_columns.h"

#define CON_INBOX_CLAIM_PARAMS   11u
#define CON_INBOX_VERDICT_PARAMS 6u

/*
 * The parameters' bytes are written into `bytes`, which is emptied first and must outlive them. archives: with the received bytes. Notes in each
 * event with which verdict it is claimed. SL_E_LIMIT at the ceiling of bytes.
 */
bool con_inbox_claim(const struct con_chosen_events *chosen, const char *subsystem, bool archives,
                     struct sl_arena *arena, struct sl_buf *bytes,
                     struct sl_pg_param out_params[CON_INBOX_CLAIM_PARAMS],
                     struct sl_err *err) SL_MUST;

/* Chosen events whose place is not in the answer become DUPLICATE. SL_E_BUG for a place that was not given. */
bool con_inbox_claimed(const struct con_chosen_events *chosen, const struct sl_pg_result *result,
                       struct sl_err *err) SL_MUST;

/* The same for those whose verdict is now another than they were claimed with; *out_count is how many they are. */
bool con_inbox_corrections(const struct con_chosen_events *chosen, const char *subsystem,
                           struct sl_arena *arena, struct sl_buf *bytes,
                           struct sl_pg_param out_params[CON_INBOX_VERDICT_PARAMS],
                           size_t *out_count, struct sl_err *err) SL_MUST;

#endif
