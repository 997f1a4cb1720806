#include "ops/trigger/sample_facts.h"

#include <stdio.h>

#define TRIAL_S       (14 * 86400)
#define PERIOD_S      (30 * 86400)
#define FINALIZES_S   3600 /* Stripe finalizes a draft about an hour after it was created */
#define OVERPAID      500
#define LATE_INVOICE  2u /* the one that is sent, falls due and is never paid */
#define EXTRA_INVOICE 5u /* the one that is paid with too much */

enum state {
    CUSTOMER_NEW,
    CUSTOMER_PAYING,
    SUB_TRIALING,
    SUB_ACTIVE,
    SUB_UPDATE_PENDING,
    SUB_PAST_DUE,
    SUB_PAUSED,
    SUB_CANCELING,
    SUB_CANCELED,
    INVOICE_DRAFT,
    INVOICE_NOTED,
    INVOICE_STUCK,
    INVOICE_OPEN,
    INVOICE_TRIED,
    INVOICE_PAID,
    INVOICE_OVERPAID,
    INVOICE_LOST,
    INVOICE_VOID,
    INVOICE_PAYMENT,
    STATES,
};

struct step {
    const char *type;
    enum state state;
    unsigned invoice;
    const char *previous;
};

static const struct step story[] = {
#define STEP(type_, state_, invoice_, previous_) { type_, state_, invoice_, previous_ },
#include "ops/trigger/sample_story.def"
#undef STEP
};

/* What each state shows: the template it is written with, and the object's own status. */
static const struct {
    const char *file;
    const char *status;
} looks[STATES] = {
    [CUSTOMER_NEW] = { "customer.json", "" },
    [CUSTOMER_PAYING] = { "customer.json", "" },
    [SUB_TRIALING] = { "subscription.json", "trialing" },
    [SUB_ACTIVE] = { "subscription.json", "active" },
    [SUB_UPDATE_PENDING] = { "subscription.json", "active" },
    [SUB_PAST_DUE] = { "subscription.json", "past_due" },
    [SUB_PAUSED] = { "subscription.json", "paused" },
    [SUB_CANCELING] = { "subscription.json", "active" },
    [SUB_CANCELED] = { "subscription.json", "canceled" },
    [INVOICE_DRAFT] = { "invoice.json", "draft" },
    [INVOICE_NOTED] = { "invoice.json", "draft" },
    [INVOICE_STUCK] = { "invoice.json", "draft" },
    [INVOICE_OPEN] = { "invoice.json", "open" },
    [INVOICE_TRIED] = { "invoice.json", "open" },
    [INVOICE_PAID] = { "invoice.json", "paid" },
    [INVOICE_OVERPAID] = { "invoice.json", "paid" },
    [INVOICE_LOST] = { "invoice.json", "uncollectible" },
    [INVOICE_VOID] = { "invoice.json", "void" },
    [INVOICE_PAYMENT] = { "invoice_payment.json", "paid" },
};

static const struct {
    const char *plan;
    const char *price;
    const char *product;
    int64_t unit_amount; /* in the smallest currency unit */
} plans[] = {
    { "starter", "price_1SsampleStarterMonth", "prod_SampleStarter", 1500 },
    { "team", "price_1SsampleTeamMonth0000", "prod_SampleTeam000", 4900 },
    { "business", "price_1SsampleBusinessMonth", "prod_SampleBusiness", 19900 },
};

static void imagine_customer(const struct ops_sample *sample, struct ops_sample_facts *facts);
static void imagine_subscription(const struct ops_sample *sample, struct ops_sample_facts *facts);
static void imagine_invoice(const struct ops_sample *sample, struct ops_sample_facts *facts);
static void imagine_payment(const struct ops_sample *sample, struct ops_sample_facts *facts);
static int64_t time_of(const struct ops_sample *sample, const char *type, unsigned invoice);
static unsigned newest_invoice(const struct ops_sample *sample);
static void invoice_id(const struct ops_sample *sample, unsigned invoice,
                       char out[OPS_SAMPLE_TEXT_BYTES]);

void ops_sample_imagine(const struct ops_sample *sample, struct ops_sample_facts *facts)
{
    const struct step *step = &story[sample->step];
    unsigned long long number = sample->number;
    snprintf(facts->run, OPS_SAMPLE_TEXT_BYTES, "%s", sample->run);
    snprintf(facts->event, OPS_SAMPLE_TEXT_BYTES, "evt_1S%s%010llu", sample->run, number);
    snprintf(facts->request, OPS_SAMPLE_TEXT_BYTES, "req_%s%010llu", sample->run, number);
    snprintf(facts->idempotency_key, OPS_SAMPLE_TEXT_BYTES, "sample-%s-%llu", sample->run, number);
    snprintf(facts->type, OPS_SAMPLE_TEXT_BYTES, "%s", step->type);
    snprintf(facts->status, OPS_SAMPLE_TEXT_BYTES, "%s", looks[step->state].status);
    snprintf(facts->currency, OPS_SAMPLE_TEXT_BYTES, "eur");
    facts->created = sample->story_s + (int64_t)sample->step;
    if (step->previous != NULL) {
        snprintf(facts->previous, sizeof facts->previous, ",\n    \"previous_attributes\": %s",
                 step->previous);
    }
    imagine_customer(sample, facts);
    imagine_subscription(sample, facts);
    if (step->invoice > 0) {
        imagine_invoice(sample, facts);
        imagine_payment(sample, facts);
    }
}

static void imagine_customer(const struct ops_sample *sample, struct ops_sample_facts *facts)
{
    unsigned long long n = sample->customer;
    enum state state = story[sample->step].state;
    snprintf(facts->customer, OPS_SAMPLE_TEXT_BYTES, "cus_%s%06llu", sample->run, n);
    snprintf(facts->customer_number, OPS_SAMPLE_TEXT_BYTES, "%04llu", n);
    snprintf(facts->customer_name, OPS_SAMPLE_TEXT_BYTES, "Customer %04llu", n);
    snprintf(facts->email, OPS_SAMPLE_TEXT_BYTES, "customer-%04llu.%s@example.com", n, sample->run);
    snprintf(facts->invoice_prefix, OPS_SAMPLE_TEXT_BYTES, "SMPL%04llu", n);
    if (state != CUSTOMER_NEW) {
        snprintf(facts->default_payment_method, OPS_SAMPLE_TEXT_BYTES, "pm_1S%s%06llu", sample->run,
                 n);
        snprintf(facts->customer_currency, OPS_SAMPLE_TEXT_BYTES, "eur");
    }
    facts->customer_created = time_of(sample, "customer.created", 0);
    facts->next_invoice_sequence = 1 + (int64_t)newest_invoice(sample);
}

static void imagine_subscription(const struct ops_sample *sample, struct ops_sample_facts *facts)
{
    unsigned long long n = sample->customer;
    enum state state = story[sample->step].state;
    size_t plan = (size_t)(n % SL_COUNT(plans));
    snprintf(facts->subscription, OPS_SAMPLE_TEXT_BYTES, "sub_1S%s%06llu", sample->run, n);
    snprintf(facts->subscription_item, OPS_SAMPLE_TEXT_BYTES, "si_%s%06llu", sample->run, n);
    snprintf(facts->plan, OPS_SAMPLE_TEXT_BYTES, "%s", plans[plan].plan);
    snprintf(facts->price, OPS_SAMPLE_TEXT_BYTES, "%s", plans[plan].price);
    snprintf(facts->product, OPS_SAMPLE_TEXT_BYTES, "%s", plans[plan].product);
    facts->unit_amount = plans[plan].unit_amount;
    facts->quantity = 1 + (int64_t)(n % 4);

    facts->subscription_created = time_of(sample, "customer.subscription.created", 0);
    if (facts->subscription_created == 0) {
        facts->subscription_created = facts->created;
    }
    facts->trial_start = facts->subscription_created;
    facts->trial_end = time_of(sample, "invoice.created", 1);
    facts->period_start = facts->trial_end;
    facts->period_end = facts->trial_end + PERIOD_S;
    if (state == SUB_TRIALING || facts->trial_end == 0) {
        facts->trial_end = facts->trial_start + TRIAL_S;
        facts->period_start = facts->trial_start;
        facts->period_end = facts->trial_end;
    }
    unsigned newest = newest_invoice(sample);
    if (newest > 0) {
        invoice_id(sample, newest, facts->latest_invoice);
    }
    if (state == SUB_CANCELING || state == SUB_CANCELED) {
        snprintf(facts->cancel_reason, OPS_SAMPLE_TEXT_BYTES, "cancellation_requested");
        facts->canceled_at = facts->created;
        facts->ended_at = state == SUB_CANCELED ? facts->created : 0;
        facts->cancel_at = state == SUB_CANCELING ? facts->period_end : 0;
        facts->cancel_at_period_end = state == SUB_CANCELING;
    }
    snprintf(facts->pending_update, sizeof facts->pending_update, "null");
    if (state == SUB_UPDATE_PENDING) {
        snprintf(facts->pending_update, sizeof facts->pending_update,
                 "{ \"billing_cycle_anchor\": null, \"expires_at\": %lld, \"subscription_items\": "
                 "null, \"trial_end\": null, \"trial_from_plan\": null }",
                 (long long)facts->created + 82800);
    }
}

static void imagine_invoice(const struct ops_sample *sample, struct ops_sample_facts *facts)
{
    const struct step *step = &story[sample->step];
    bool is_open = step->state == INVOICE_OPEN || step->state == INVOICE_TRIED;
    bool is_draft = step->state == INVOICE_DRAFT || step->state == INVOICE_NOTED;
    bool is_late = step->invoice == LATE_INVOICE;
    invoice_id(sample, step->invoice, facts->invoice);
    snprintf(facts->line, OPS_SAMPLE_TEXT_BYTES, "il_1S%s%06llu%02u", sample->run,
             (unsigned long long)sample->customer, step->invoice);
    snprintf(facts->collection_method, OPS_SAMPLE_TEXT_BYTES, "%s",
             is_late ? "send_invoice" : "charge_automatically");
    facts->invoice_created = time_of(sample, "invoice.created", step->invoice);
    facts->period_start = facts->invoice_created;
    facts->period_end = facts->invoice_created + PERIOD_S;
    facts->finalized_at = time_of(sample, "invoice.finalized", step->invoice);
    facts->paid_at = time_of(sample, "invoice.paid", step->invoice);
    facts->voided_at = time_of(sample, "invoice.voided", step->invoice);
    facts->marked_uncollectible_at = time_of(sample, "invoice.marked_uncollectible", step->invoice);
    facts->automatically_finalizes_at = is_draft ? facts->invoice_created + FINALIZES_S : 0;
    facts->next_payment_attempt =
        (is_draft || is_open) && !is_late ? facts->invoice_created + FINALIZES_S : 0;
    facts->due_date = is_late ? facts->invoice_created + PERIOD_S : 0;

    facts->amount = facts->unit_amount * facts->quantity;
    facts->amount_paid = facts->paid_at > 0 ? facts->amount : 0;
    facts->amount_remaining = facts->amount - facts->amount_paid;
    facts->amount_overpaid = step->state == INVOICE_OVERPAID ? OVERPAID : 0;
    facts->attempted =
        facts->paid_at > 0 || step->state == INVOICE_TRIED || step->state == INVOICE_LOST;
    facts->attempt_count = facts->attempted ? 1 : 0;
    facts->auto_advance = is_draft || is_open;
    facts->ending_balance = facts->finalized_at > 0 ? 0 : -1;
    if (facts->finalized_at > 0) {
        snprintf(facts->number, OPS_SAMPLE_TEXT_BYTES, "%s-%04u", facts->invoice_prefix,
                 step->invoice);
        snprintf(facts->hosted_invoice_url, OPS_SAMPLE_TEXT_BYTES,
                 "https://invoice.example.com/i/%s", facts->invoice);
        snprintf(facts->invoice_pdf, OPS_SAMPLE_TEXT_BYTES, "https://invoice.example.com/i/%s/pdf",
                 facts->invoice);
    }
    if (is_late && step->state != INVOICE_DRAFT) {
        snprintf(facts->description, OPS_SAMPLE_TEXT_BYTES, "Payable within 30 days");
    }
    snprintf(facts->finalization_error, sizeof facts->finalization_error, "%s",
             step->state != INVOICE_STUCK
                 ? "null"
                 : "{ \"code\": \"customer_tax_location_invalid\", \"message\": \"The customer's "
                   "address is not one taxes can be calculated for.\", \"type\": "
                   "\"invalid_request_error\" }");
}

static void imagine_payment(const struct ops_sample *sample, struct ops_sample_facts *facts)
{
    const struct step *step = &story[sample->step];
    unsigned long long n = sample->customer;
    snprintf(facts->invoice_payment, OPS_SAMPLE_TEXT_BYTES, "inpay_1S%s%06llu%02u", sample->run, n,
             step->invoice);
    snprintf(facts->payment_intent, OPS_SAMPLE_TEXT_BYTES, "pi_3S%s%06llu%02u", sample->run, n,
             step->invoice);
    if (step->state == INVOICE_PAYMENT && step->invoice == EXTRA_INVOICE) {
        facts->amount_paid += OVERPAID;
    }
}

/* When something has happened in the story up to now; 0 when it has not. */
static int64_t time_of(const struct ops_sample *sample, const char *type, unsigned invoice)
{
    for (size_t i = 0; i <= sample->step; i++) {
        if (story[i].invoice == invoice && strcmp(story[i].type, type) == 0) {
            return sample->story_s + (int64_t)i;
        }
    }
    return 0;
}

static unsigned newest_invoice(const struct ops_sample *sample)
{
    unsigned newest = 0;
    for (size_t i = 0; i <= sample->step; i++) {
        newest = story[i].invoice > newest ? story[i].invoice : newest;
    }
    return newest;
}

static void invoice_id(const struct ops_sample *sample, unsigned invoice,
                       char out[OPS_SAMPLE_TEXT_BYTES])
{
    snprintf(out, OPS_SAMPLE_TEXT_BYTES, "in_1S%s%06llu%02u", sample->run,
             (unsigned long long)sample->customer, invoice);
}

const char *ops_sample_step_file(size_t step)
{
    SL_ASSERT(step < SL_COUNT(story));
    return looks[story[step].state].file;
}

size_t ops_sample_step_count(void)
{
    return SL_COUNT(story);
}

const char *ops_sample_step_type(size_t step)
{
    SL_ASSERT(step < SL_COUNT(story));
    return story[step].type;
}
