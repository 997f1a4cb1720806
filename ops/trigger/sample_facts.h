/*
 * sample_facts - what is true about a sample customer at one step of the story.
 *
 * Decides only. Everything follows from the step, the customer's number, the run's name and the story's first second, so two events of one
 * customer never contradict each other.
 * Threads: no state.
 */
#ifndef OPS_SAMPLE_FACTS_H
#define OPS_SAMPLE_FACTS_H

#include "ops/trigger/sample.h"

#define OPS_SAMPLE_TEXT_BYTES 96u
#define OPS_SAMPLE_JSON_BYTES 512u

/* Everything a template can ask for. A time of 0 and a text that is empty are null where the place allows it. */
struct ops_sample_facts {
    char run[OPS_SAMPLE_TEXT_BYTES], event[OPS_SAMPLE_TEXT_BYTES], request[OPS_SAMPLE_TEXT_BYTES],
        idempotency_key[OPS_SAMPLE_TEXT_BYTES];
    char customer[OPS_SAMPLE_TEXT_BYTES], customer_number[OPS_SAMPLE_TEXT_BYTES],
        customer_name[OPS_SAMPLE_TEXT_BYTES];
    char email[OPS_SAMPLE_TEXT_BYTES], customer_currency[OPS_SAMPLE_TEXT_BYTES],
        invoice_prefix[OPS_SAMPLE_TEXT_BYTES];
    char default_payment_method[OPS_SAMPLE_TEXT_BYTES], subscription[OPS_SAMPLE_TEXT_BYTES];
    char subscription_item[OPS_SAMPLE_TEXT_BYTES], latest_invoice[OPS_SAMPLE_TEXT_BYTES],
        cancel_reason[OPS_SAMPLE_TEXT_BYTES];
    char plan[OPS_SAMPLE_TEXT_BYTES], price[OPS_SAMPLE_TEXT_BYTES], product[OPS_SAMPLE_TEXT_BYTES],
        currency[OPS_SAMPLE_TEXT_BYTES];
    char type[OPS_SAMPLE_TEXT_BYTES], status[OPS_SAMPLE_TEXT_BYTES], invoice[OPS_SAMPLE_TEXT_BYTES],
        number[OPS_SAMPLE_TEXT_BYTES];
    char line[OPS_SAMPLE_TEXT_BYTES], collection_method[OPS_SAMPLE_TEXT_BYTES],
        description[OPS_SAMPLE_TEXT_BYTES];
    char hosted_invoice_url[OPS_SAMPLE_TEXT_BYTES], invoice_pdf[OPS_SAMPLE_TEXT_BYTES],
        invoice_payment[OPS_SAMPLE_TEXT_BYTES];
    char payment_intent[OPS_SAMPLE_TEXT_BYTES];
    char pending_update[OPS_SAMPLE_JSON_BYTES], finalization_error[OPS_SAMPLE_JSON_BYTES],
        previous[OPS_SAMPLE_JSON_BYTES]; /* JSON */
    int64_t created, customer_created, subscription_created, next_invoice_sequence;
    int64_t period_start, period_end, trial_start, trial_end, cancel_at, canceled_at, ended_at;
    int64_t unit_amount, quantity, amount, amount_paid, amount_remaining, amount_overpaid;
    int64_t attempt_count, invoice_created, automatically_finalizes_at, due_date, finalized_at;
    int64_t paid_at, voided_at, marked_uncollectible_at, next_payment_attempt, ending_balance;
    bool delinquent, cancel_at_period_end, attempted, auto_advance;
};

/* out is zeroed. */
void ops_sample_imagine(const struct ops_sample *sample, struct ops_sample_facts *out);

/* The template that a step's event is written with. */
const char *ops_sample_step_file(size_t step);

#endif
