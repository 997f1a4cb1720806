/*
 * billing_params - columns of many rows as the array parameters of a statement.
 *
 * Each call appends one parameter: one value per row, in the order of rows. All parameters of a batch share one buffer, which moves while it
 * grows; con_billing_params_end settles where they are.
 * Threads: one owner.
 */
#ifndef CONSUMER_BILLING_PARAMS_H
#define CONSUMER_BILLING_PARAMS_H

#include "consumer/billing/billing_rows.h"
#include "consumer/billing/billing_thin.h"
#include "shared/pg/pg_array.h"
#include "shared/pg/pg_link.h"

/* Of all statements together. */
#define CON_BILLING_PARAMS_MAX 256u

/* What every row has besides its table's columns. */
enum con_billing_field {
    CON_FIELD_ACCOUNT,
    CON_FIELD_LIVEMODE,
    CON_FIELD_ID,
    CON_FIELD_DELETED_AT,
    CON_FIELD_SRC_CREATED,
    CON_FIELD_SRC_PHASE,
    CON_FIELD_SRC_EVENT_ID,
};

struct con_billing_params {
    struct sl_buf bytes;
    struct sl_pg_array arrays[CON_BILLING_PARAMS_MAX];
    struct sl_pg_param items[CON_BILLING_PARAMS_MAX]; /* valid after end */
    size_t count;
};

/* bytes_max bounds all parameters together. */
void con_billing_params_init(struct con_billing_params *params, size_t bytes_max);
/* Accepts zeroed storage. */
void con_billing_params_done(struct con_billing_params *params);
/* Empties; gives back what an unusually large batch needed. */
void con_billing_params_reset(struct con_billing_params *params);

void con_billing_params_field(struct con_billing_params *params, enum con_billing_field field,
                              struct con_billing_row *const *rows, size_t count);
/* column: an index into con_billing_columns of the rows' table. */
void con_billing_params_column(struct con_billing_params *params, enum con_billing_table table,
                               size_t column, struct con_billing_row *const *rows, size_t count);

/* A parameter that the caller fills with one value per row, and ends. */
struct sl_pg_array *con_billing_params_begin(struct con_billing_params *params,
                                             enum sl_pg_type type);
/* The parameters of refetch_ask.sql. */
void con_billing_params_wishes(struct con_billing_params *params,
                               const struct con_billing_wish *wishes, size_t count);

/* One value for the whole statement, as an array of one. */
void con_billing_params_text(struct con_billing_params *params, struct sl_span text);
void con_billing_params_flag(struct con_billing_params *params, bool flag);

/* SL_E_LIMIT when they did not fit into bytes_max, SL_E_MEMORY. */
bool con_billing_params_end(struct con_billing_params *params, struct sl_err *err) SL_MUST;

#endif
