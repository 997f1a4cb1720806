/*
 * billing_apply - a batch of Stripe events as the statements that write them.
 *
 * Decides only: it never talks to Postgres. The worker's transaction, with what this file has to do with each step:
 *
 *     con_billing_read      once per batch: JSON -> rows. Sets the verdict of events that need no table (IGNORED) or can never pass (DEAD).
 *     BEGIN; claim          the worker, claim.sql: every event that is not DEAD, verdict "ignored" when IGNORED, else "applied".
 *                           Those not claimed become DUPLICATE.
 *     con_billing_plan      the events of a range that are still PENDING -> steps.
 *     run the steps         in order, as one pipeline; the rows a step returns go to con_billing_written.
 *     con_billing_again     plans what the answers ask for, until it plans nothing: rows that met an equal of their second are looked up (the
 *                           answers go to con_billing_twin), and those that were the last of it are written.
 *                           After them come the questions to Stripe (refetch_ask.sql), where there are any: objects that the events name and
 *                           do not carry, that nothing puts in order, or whose lists were sent in part.
 *     con_billing_settle    PENDING -> APPLIED or STALE. The worker corrects the inbox rows of the STALE ones with verdict.sql.
 *     COMMIT
 *
 * When the transaction fails, the worker sets what it claimed and settled back to PENDING and plans again, the same range or a part of it;
 * con_billing_read is not repeated. A step is named by its file in consumer/sql without ".sql", and its parameters are binary arrays; a step
 * without a name is a setting of the transaction.
 *
 * A verdict does not depend on how events were cut into batches, with one exception: of several events about one object in one batch, those
 * that were the newest when they arrived are APPLIED if the newest of all was written, even where the database already held one between
 * them. What the rows hold in the end never depends on it.
 *
 * Threads: one owner.
 */
#ifndef CONSUMER_BILLING_APPLY_H
#define CONSUMER_BILLING_APPLY_H

#include "consumer/event.h"
#include "shared/pg/pg_link.h"

/* The step that con_billing_again plans first. */
#define CON_BILLING_TWINS_STEP "twins"
/* The last one, if any. */
#define CON_BILLING_ASK_STEP "refetch_ask"

/* Whether Stripe can be asked, and about what. */
struct con_billing_asks {
    bool is_on;
    bool livemode; /* of the key: objects of the other mode are not asked about */
};

struct con_billing;

/* param_bytes_max bounds all parameters of a batch together; subsystem is whose inbox rows are looked up (borrowed). NULL: no memory. */
struct con_billing *con_billing_new(size_t param_bytes_max, const char *subsystem,
                                    const struct con_billing_asks *asks) SL_MUST;
/* Accepts NULL. */
void con_billing_free(struct con_billing *billing);

/*
 * Reads the events whose verdict is PENDING. Rows live in the arena until the worker resets it, which ends the batch.
 * *out_replaced (may be NULL): characters that Postgres cannot hold, replaced. False only when there is no memory (SL_E_MEMORY).
 */
bool con_billing_read(struct con_billing *billing, struct sl_arena *arena, struct con_event *events,
                      size_t count, size_t *out_replaced, struct sl_err *err) SL_MUST;

/*
 * Plans events[first .. first + count) of the batch that was read, as far as they are PENDING. SL_E_LIMIT: the parameters pass
 * param_bytes_max; plan fewer. SL_E_MEMORY.
 */
bool con_billing_plan(struct con_billing *billing, size_t first, size_t count,
                      struct sl_err *err) SL_MUST;

/* The steps of the plan, none when nothing is to be written. Borrowed until the next plan. */
const struct sl_pg_step *con_billing_steps(const struct con_billing *billing, size_t *out_count);

/*
 * One row that a step returned: columns account, livemode ("t"/"f"), id, late ("t"/"f"). Steps that return no rows need no call.
 * False: the row is of nothing that the plan had (SL_E_BUG).
 */
bool con_billing_written(struct con_billing *billing, size_t step, struct sl_span account,
                         struct sl_span livemode, struct sl_span id, struct sl_span late,
                         struct sl_err *err) SL_MUST;

/* Replaces the steps by those that follow from what they returned; none when all is done. Errors as con_billing_plan. */
bool con_billing_again(struct con_billing *billing, struct sl_err *err) SL_MUST;

/* One row that the step CON_BILLING_TWINS_STEP returned; root NULL when its body was left out. All borrowed until the batch ends. SL_E_BUG, SL_E_MEMORY. */
bool con_billing_twin(struct con_billing *billing, size_t place, struct sl_span event_id,
                      struct sl_span type, const struct sl_json *root, struct sl_err *err) SL_MUST;

/*
 * Sets the verdicts of the events that were planned. Returns how many objects have events of one second that previous_attributes could not put
 * in order (webhooks, or Stripe's answer, may still bring what is missing; until then the greatest event id stands).
 */
size_t con_billing_settle(struct con_billing *billing);

SL_DEFINE_AUTO(struct con_billing *, con_billing_free)

#endif
