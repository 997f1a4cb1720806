/*
 * event_columns - facts of some events as parameter arrays of a set-based statement, one array a column.
 *
 * Decides only. Text that only describes an event (source, type, object) is made fit for Postgres; what identifies it (id, account) is
 * sent as it is, because two different ids must never become one: an id that Postgres refuses makes the event a dead letter.
 * Threads: no state.
 */
#ifndef CONSUMER_EVENT_COLUMNS_H
#define CONSUMER_EVENT_COLUMNS_H

#include "consumer/event.h"
#include "shared/arena.h"
#include "shared/pg/pg_array.h"
#include "shared/pg/pg_link.h"

enum con_event_column {
    CON_COLUMN_EVENT_ID,
    CON_COLUMN_TYPE,
    CON_COLUMN_BODY, /* text that jsonb takes; NULL when the body is not JSON */
    CON_COLUMN_SOURCE,
    CON_COLUMN_ACCOUNT,
    CON_COLUMN_LIVEMODE,
    CON_COLUMN_OBJECT,
    CON_COLUMN_OCCURRED_AT,
    CON_COLUMN_RECEIVED_AT,
    CON_COLUMN_ATTEMPT,
    CON_COLUMN_RAW,     /* the received bytes */
    CON_COLUMN_VERDICT, /* as it will be if nothing more is said: what is PENDING is applied */
    CON_COLUMN_NOTHING, /* NULL for every event, as bytea */
    CON_EVENT_COLUMNS
};

/* Some events of a batch, each named by its index. */
struct con_chosen_events {
    struct con_event *events;
    const size_t *indexes;
    size_t count;
};

/*
 * The parameters' bytes are written into `bytes`, which is emptied first and must outlive them; out_params has room for one per column.
 * SL_E_LIMIT at its ceiling.
 */
bool con_event_columns_params(const enum con_event_column *columns, size_t column_count,
                              const struct con_chosen_events *chosen, struct sl_arena *arena,
                              struct sl_buf *bytes, struct sl_pg_param *out_params,
                              struct sl_err *err) SL_MUST;

#endif
