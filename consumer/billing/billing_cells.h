/*
 * billing_cells - the columns of the billing tables: their kind, where Stripe has them, and how one value is read.
 *
 * Decides only. Per column the places are tried newest first, and the first that holds something other than null counts, so objects from
 * before and after API version 2025-03-31 become the same row. Absent and null are NULL.
 * Refuses guessing: a value of the wrong kind, or a number that the column cannot hold, is SL_E_EVENT_MALFORMED naming the field, never a
 * row that lies.
 * Text that Postgres cannot hold (U+0000, lone surrogates) becomes U+FFFD and is counted.
 * Threads: no shared state.
 */
#ifndef CONSUMER_BILLING_CELLS_H
#define CONSUMER_BILLING_CELLS_H

#include "consumer/billing/billing_event.h"

enum con_cell_kind {
    CON_CELL_TEXT,    /* string */
    CON_CELL_REF,     /* id: a string, or an expanded object with a string `id` */
    CON_CELL_INT,     /* bigint */
    CON_CELL_DECIMAL, /* numeric: a JSON number or a string that spells one; sent as text */
    CON_CELL_BOOL,
    CON_CELL_TIME, /* seconds since 1970 */
    CON_CELL_JSON, /* jsonb, sent as text */
};

#define CON_COLUMN_PLACES 3

struct con_column {
    const char *name; /* in the table and in the statement */
    enum con_cell_kind kind;
    const char *places[CON_COLUMN_PLACES]; /* "a.b.c"; none: the row builder derives it */
};

struct con_columns {
    const struct con_column *items; /* in the order of the statement's parameters */
    size_t count;
};
struct con_columns con_billing_columns(enum con_billing_table table);

/* Place of a column among those of its table; the column exists. */
size_t con_billing_column_index(enum con_billing_table table, const char *name);

struct con_cell {
    bool is_set; /* false: NULL */
    union {
        struct sl_span text; /* TEXT, REF, DECIMAL, JSON */
        int64_t number;      /* INT, TIME */
        bool flag;           /* BOOL */
    };
};

/* What the cells of one object are read with. */
struct con_cell_reader {
    struct sl_arena *arena;
    const char *where; /* path of the object, for error texts: "invoice.lines.data" */
    bool is_listed;    /* the object is in a list, at `position` */
    size_t position;
    struct sl_buf *scratch; /* where JSON values are cleaned, one after the other */
    size_t *replaced;       /* characters replaced; may be NULL */
};

/* Reads the column from object. A stored text borrows from the tree or lives in the arena. */
bool con_billing_cell_read(const struct con_cell_reader *reader, const struct con_column *column,
                           const struct sl_json *object, struct con_cell *out_cell,
                           struct sl_err *err) SL_MUST;
/* Any JSON value as text for a jsonb column. */
bool con_billing_cell_json(const struct con_cell_reader *reader, const struct sl_json *value,
                           struct con_cell *out_cell, struct sl_err *err) SL_MUST;

#endif
