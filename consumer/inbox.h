/*
 * inbox - events as the parameters of claim.sql and verdict.sql, and the answer of the claim.
 *
 * Decides only. Text that only describes an event (source, type, object) is made fit for Postgres; what identifies it (id, account) is
 * sent as it is, because two different ids must never become one: an id that Postgres refuses makes the event a dead letter.
 * Threads: no state.
 */
#ifndef CONSUMER_INBOX_H
#define CONSUMER_INBOX_H

#include "consumer/event.h"
#include "shared/arena.h"
#include "shared/pg_link.h"

#define CON_INBOX_CLAIM_PARAMS   11u
#define CON_INBOX_VERDICT_PARAMS 6u

/* Some events of a batch, each named by its index. */
struct con_inbox_events {
    struct con_event *events;
    const size_t *indexes;
    size_t count;
};

/* The parameters' bytes are written into `bytes`, which is emptied first and must outlive them. SL_E_LIMIT at its ceiling. */
bool con_inbox_claim(const struct con_inbox_events *chosen, const char *subsystem,
                     struct sl_arena *arena, struct sl_buf *bytes,
                     struct sl_pg_param out_params[CON_INBOX_CLAIM_PARAMS],
                     struct sl_err *err) SL_MUST;

/* Chosen events whose place is not in the answer become DUPLICATE. SL_E_BUG for a place that was not given. */
bool con_inbox_claimed(const struct con_inbox_events *chosen, const struct sl_pg_result *result,
                       struct sl_err *err) SL_MUST;

/* The same for the STALE ones among the chosen; *out_count is how many they are. */
bool con_inbox_stale(const struct con_inbox_events *chosen, const char *subsystem,
                     struct sl_buf *bytes, struct sl_pg_param out_params[CON_INBOX_VERDICT_PARAMS],
                     size_t *out_count, struct sl_err *err) SL_MUST;

#endif
