#include "ops/sample.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/embed.h"

extern const struct sl_embedded embedded_samples[];
extern const size_t embedded_samples_count;

#define SIGNUP_STEPS  10u
#define PIECES_MAX    192u
#define TEXT_BYTES    96u
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
#include "ops/sample_story.def"
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

/* Everything a template can ask for. A time of 0 and a text that is empty are null where the place allows it. */
struct facts {
    char run[TEXT_BYTES], event[TEXT_BYTES], request[TEXT_BYTES], idempotency_key[TEXT_BYTES];
    char customer[TEXT_BYTES], customer_number[TEXT_BYTES], customer_name[TEXT_BYTES];
    char email[TEXT_BYTES], customer_currency[TEXT_BYTES], invoice_prefix[TEXT_BYTES];
    char default_payment_method[TEXT_BYTES], subscription[TEXT_BYTES];
    char subscription_item[TEXT_BYTES], latest_invoice[TEXT_BYTES], cancel_reason[TEXT_BYTES];
    char plan[TEXT_BYTES], price[TEXT_BYTES], product[TEXT_BYTES], currency[TEXT_BYTES];
    char type[TEXT_BYTES], status[TEXT_BYTES], invoice[TEXT_BYTES], number[TEXT_BYTES];
    char line[TEXT_BYTES], collection_method[TEXT_BYTES], description[TEXT_BYTES];
    char hosted_invoice_url[TEXT_BYTES], invoice_pdf[TEXT_BYTES], invoice_payment[TEXT_BYTES];
    char payment_intent[TEXT_BYTES];
    char pending_update[512], finalization_error[512], previous[512]; /* JSON */
    int64_t created, customer_created, subscription_created, next_invoice_sequence;
    int64_t period_start, period_end, trial_start, trial_end, cancel_at, canceled_at, ended_at;
    int64_t unit_amount, quantity, amount, amount_paid, amount_remaining, amount_overpaid;
    int64_t attempt_count, invoice_created, automatically_finalizes_at, due_date, finalized_at;
    int64_t paid_at, voided_at, marked_uncollectible_at, next_payment_attempt, ending_balance;
    bool delinquent, cancel_at_period_end, attempted, auto_advance;
};

enum place_kind {
    TEXT,    /* as it is: stands between quotes in the template, or is JSON */
    QUOTED,  /* quoted here; null when empty */
    NUMBER,  /* digits */
    TIME,    /* digits; null when 0 */
    BALANCE, /* digits; null when negative */
    FLAG,    /* true or false */
};

static const struct place {
    const char *name;
    enum place_kind kind;
    size_t offset;
} places[] = {
#define PLACE(kind_, field_) { #field_, kind_, offsetof(struct facts, field_) },
    PLACE(TEXT, run) PLACE(TEXT, event) PLACE(TEXT, request) PLACE(TEXT, idempotency_key) PLACE(
        TEXT, type) PLACE(NUMBER, created) PLACE(TEXT, previous) PLACE(TEXT, customer)
        PLACE(TEXT, customer_number) PLACE(TEXT, customer_name) PLACE(TEXT, email) PLACE(
            QUOTED, customer_currency) PLACE(TEXT, invoice_prefix)
            PLACE(QUOTED, default_payment_method) PLACE(NUMBER, customer_created) PLACE(
                FLAG, delinquent) PLACE(NUMBER, next_invoice_sequence) PLACE(TEXT, subscription)
                PLACE(TEXT, subscription_item) PLACE(QUOTED, latest_invoice) PLACE(
                    QUOTED, cancel_reason) PLACE(TEXT, plan) PLACE(TEXT, price) PLACE(TEXT, product)
                    PLACE(TEXT, currency) PLACE(TEXT, status) PLACE(TEXT, pending_update)
                        PLACE(NUMBER, subscription_created) PLACE(NUMBER, period_start) PLACE(
                            NUMBER, period_end) PLACE(TIME, trial_start) PLACE(TIME, trial_end)
                            PLACE(TIME, cancel_at) PLACE(TIME, canceled_at) PLACE(TIME, ended_at)
                                PLACE(FLAG, cancel_at_period_end) PLACE(NUMBER, unit_amount) PLACE(
                                    NUMBER, quantity) PLACE(TEXT, invoice) PLACE(QUOTED, number)
                                    PLACE(TEXT, line) PLACE(TEXT, collection_method) PLACE(
                                        QUOTED, description) PLACE(QUOTED, hosted_invoice_url)
                                        PLACE(QUOTED, invoice_pdf) PLACE(TEXT, finalization_error)
                                            PLACE(NUMBER, amount) PLACE(NUMBER, amount_paid) PLACE(
                                                NUMBER, amount_remaining) PLACE(NUMBER,
                                                                                amount_overpaid)
                                                PLACE(NUMBER, attempt_count) PLACE(
                                                    FLAG, attempted) PLACE(FLAG, auto_advance)
                                                    PLACE(NUMBER, invoice_created) PLACE(
                                                        TIME, automatically_finalizes_at)
                                                        PLACE(TIME, due_date) PLACE(
                                                            TIME, finalized_at) PLACE(TIME, paid_at)
                                                            PLACE(TIME, voided_at) PLACE(
                                                                TIME, marked_uncollectible_at)
                                                                PLACE(TIME, next_payment_attempt)
                                                                    PLACE(BALANCE, ending_balance)
                                                                        PLACE(TEXT, invoice_payment)
                                                                            PLACE(TEXT,
                                                                                  payment_intent)
#undef PLACE
};

struct piece {
    struct sl_span before;     /* bytes of the template up to the place */
    const struct place *place; /* NULL in the last piece */
};

struct book_page {
    const char *file;
    struct piece pieces[PIECES_MAX];
    size_t piece_count;
};

struct ops_sample_book {
    struct book_page pages[STATES]; /* by state; several states share a template */
};

static bool open_page(struct book_page *page, const char *file, struct sl_err *err);
static const struct place *find_place(struct sl_span name);
static void imagine(const struct ops_sample *sample, struct facts *facts);
static void imagine_customer(const struct ops_sample *sample, struct facts *facts);
static void imagine_subscription(const struct ops_sample *sample, struct facts *facts);
static void imagine_invoice(const struct ops_sample *sample, struct facts *facts);
static void imagine_payment(const struct ops_sample *sample, struct facts *facts);
static int64_t time_of(const struct ops_sample *sample, const char *type, unsigned invoice);
static unsigned newest_invoice(const struct ops_sample *sample);
static void invoice_id(const struct ops_sample *sample, unsigned invoice, char out[TEXT_BYTES]);
static void put(const struct place *place, const struct facts *facts, struct sl_buf *out);

struct ops_sample_book *ops_sample_book_new(struct sl_err *err)
{
    SL_AUTO(ops_sample_book_free) struct ops_sample_book *book = calloc(1, sizeof *book);
    if (book == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the sample templates");
        return NULL;
    }
    for (size_t state = 0; state < STATES; state++) {
        if (!open_page(&book->pages[state], looks[state].file, err)) {
            return NULL;
        }
    }
    return SL_TAKE(book);
}

void ops_sample_book_free(struct ops_sample_book *book)
{
    free(book);
}

static bool open_page(struct book_page *page, const char *file, struct sl_err *err)
{
    struct sl_span rest = { 0 };
    for (size_t i = 0; i < embedded_samples_count; i++) {
        if (strcmp(embedded_samples[i].name, file) == 0) {
            rest = sl_embedded_span(&embedded_samples[i]);
        }
    }
    if (rest.data == NULL) {
        return sl_fail(err, SL_E_BUG, "template %s is not compiled in", file);
    }
    page->file = file;
    while (page->piece_count < PIECES_MAX) {
        struct piece *piece = &page->pieces[page->piece_count++];
        const char *open = memmem(rest.data, rest.bytes, "{{", 2);
        if (open == NULL) {
            piece->before = rest;
            return true;
        }
        size_t before = (size_t)(open - rest.data);
        const char *name = open + 2;
        const char *close = memmem(name, rest.bytes - before - 2, "}}", 2);
        struct sl_span place = sl_span_make(name, close == NULL ? 0 : (size_t)(close - name));
        piece->before = sl_span_make(rest.data, before);
        piece->place = find_place(place);
        if (piece->place == NULL) {
            return sl_fail(err, SL_E_BUG, "template %s: nothing fills {{%.*s}}", file,
                           SL_SPAN_ARGS(place));
        }
        rest = sl_span_make(close + 2, rest.bytes - (size_t)(close + 2 - rest.data));
    }
    return sl_fail(err, SL_E_BUG, "template %s has more than %u places", file, PIECES_MAX - 1);
}

static const struct place *find_place(struct sl_span name)
{
    for (size_t i = 0; i < SL_COUNT(places); i++) {
        if (sl_span_is(name, places[i].name)) {
            return &places[i];
        }
    }
    return NULL;
}

bool ops_sample_write(const struct ops_sample_book *book, const struct ops_sample *sample,
                      struct sl_buf *out, struct sl_err *err)
{
    SL_ASSERT(sample->step < SL_COUNT(story));
    SL_ASSERT(strlen(sample->run) == OPS_SAMPLE_RUN_BYTES);
    struct facts facts = { 0 };
    imagine(sample, &facts);
    const struct book_page *page = &book->pages[story[sample->step].state];
    for (size_t i = 0; i < page->piece_count; i++) {
        sl_buf_append_span(out, page->pieces[i].before);
        if (page->pieces[i].place != NULL) {
            put(page->pieces[i].place, &facts, out);
        }
    }
    return sl_buf_ok(out) || sl_fail(err, SL_E_LIMIT, "a sample event does not fit");
}

/* ---- the facts ---- */

static void imagine(const struct ops_sample *sample, struct facts *facts)
{
    const struct step *step = &story[sample->step];
    unsigned long long number = sample->number;
    snprintf(facts->run, TEXT_BYTES, "%s", sample->run);
    snprintf(facts->event, TEXT_BYTES, "evt_1S%s%010llu", sample->run, number);
    snprintf(facts->request, TEXT_BYTES, "req_%s%010llu", sample->run, number);
    snprintf(facts->idempotency_key, TEXT_BYTES, "sample-%s-%llu", sample->run, number);
    snprintf(facts->type, TEXT_BYTES, "%s", step->type);
    snprintf(facts->status, TEXT_BYTES, "%s", looks[step->state].status);
    snprintf(facts->currency, TEXT_BYTES, "eur");
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

static void imagine_customer(const struct ops_sample *sample, struct facts *facts)
{
    unsigned long long n = sample->customer;
    enum state state = story[sample->step].state;
    snprintf(facts->customer, TEXT_BYTES, "cus_%s%06llu", sample->run, n);
    snprintf(facts->customer_number, TEXT_BYTES, "%04llu", n);
    snprintf(facts->customer_name, TEXT_BYTES, "Customer %04llu", n);
    snprintf(facts->email, TEXT_BYTES, "customer-%04llu.%s@example.com", n, sample->run);
    snprintf(facts->invoice_prefix, TEXT_BYTES, "SMPL%04llu", n);
    if (state != CUSTOMER_NEW) {
        snprintf(facts->default_payment_method, TEXT_BYTES, "pm_1S%s%06llu", sample->run, n);
        snprintf(facts->customer_currency, TEXT_BYTES, "eur");
    }
    facts->customer_created = time_of(sample, "customer.created", 0);
    facts->next_invoice_sequence = 1 + (int64_t)newest_invoice(sample);
}

static void imagine_subscription(const struct ops_sample *sample, struct facts *facts)
{
    unsigned long long n = sample->customer;
    enum state state = story[sample->step].state;
    size_t plan = (size_t)(n % SL_COUNT(plans));
    snprintf(facts->subscription, TEXT_BYTES, "sub_1S%s%06llu", sample->run, n);
    snprintf(facts->subscription_item, TEXT_BYTES, "si_%s%06llu", sample->run, n);
    snprintf(facts->plan, TEXT_BYTES, "%s", plans[plan].plan);
    snprintf(facts->price, TEXT_BYTES, "%s", plans[plan].price);
    snprintf(facts->product, TEXT_BYTES, "%s", plans[plan].product);
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
        snprintf(facts->cancel_reason, TEXT_BYTES, "cancellation_requested");
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

static void imagine_invoice(const struct ops_sample *sample, struct facts *facts)
{
    const struct step *step = &story[sample->step];
    bool is_open = step->state == INVOICE_OPEN || step->state == INVOICE_TRIED;
    bool is_draft = step->state == INVOICE_DRAFT || step->state == INVOICE_NOTED;
    bool is_late = step->invoice == LATE_INVOICE;
    invoice_id(sample, step->invoice, facts->invoice);
    snprintf(facts->line, TEXT_BYTES, "il_1S%s%06llu%02u", sample->run,
             (unsigned long long)sample->customer, step->invoice);
    snprintf(facts->collection_method, TEXT_BYTES, "%s",
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
        snprintf(facts->number, TEXT_BYTES, "%s-%04u", facts->invoice_prefix, step->invoice);
        snprintf(facts->hosted_invoice_url, TEXT_BYTES, "https://invoice.example.com/i/%s",
                 facts->invoice);
        snprintf(facts->invoice_pdf, TEXT_BYTES, "https://invoice.example.com/i/%s/pdf",
                 facts->invoice);
    }
    if (is_late && step->state != INVOICE_DRAFT) {
        snprintf(facts->description, TEXT_BYTES, "Payable within 30 days");
    }
    snprintf(facts->finalization_error, sizeof facts->finalization_error, "%s",
             step->state != INVOICE_STUCK
                 ? "null"
                 : "{ \"code\": \"customer_tax_location_invalid\", \"message\": \"The customer's "
                   "address is not one taxes can be calculated for.\", \"type\": "
                   "\"invalid_request_error\" }");
}

static void imagine_payment(const struct ops_sample *sample, struct facts *facts)
{
    const struct step *step = &story[sample->step];
    unsigned long long n = sample->customer;
    snprintf(facts->invoice_payment, TEXT_BYTES, "inpay_1S%s%06llu%02u", sample->run, n,
             step->invoice);
    snprintf(facts->payment_intent, TEXT_BYTES, "pi_3S%s%06llu%02u", sample->run, n, step->invoice);
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

static void invoice_id(const struct ops_sample *sample, unsigned invoice, char out[TEXT_BYTES])
{
    snprintf(out, TEXT_BYTES, "in_1S%s%06llu%02u", sample->run,
             (unsigned long long)sample->customer, invoice);
}

static void put(const struct place *place, const struct facts *facts, struct sl_buf *out)
{
    const char *at = (const char *)facts + place->offset;
    int64_t number = 0;
    switch (place->kind) {
    case TEXT:
        sl_buf_append_text(out, at);
        return;
    case QUOTED:
        if (*at == '\0') {
            sl_buf_append_text(out, "null");
        } else {
            sl_buf_printf(out, "\"%s\"", at);
        }
        return;
    case FLAG:
        sl_buf_append_text(out, *(const bool *)at ? "true" : "false");
        return;
    case NUMBER:
    case TIME:
    case BALANCE:
        memcpy(&number, at, sizeof number);
        if ((place->kind == TIME && number == 0) || (place->kind == BALANCE && number < 0)) {
            sl_buf_append_text(out, "null");
        } else {
            sl_buf_printf(out, "%lld", (long long)number);
        }
        return;
    }
}

/* ---- words ---- */

size_t ops_sample_step_count(void)
{
    return SL_COUNT(story);
}

const char *ops_sample_step_type(size_t step)
{
    SL_ASSERT(step < SL_COUNT(story));
    return story[step].type;
}

bool ops_sample_find(const char *word, size_t *out_first, size_t *out_count)
{
    if (strcmp(word, "all") == 0 || strcmp(word, "signup") == 0) {
        *out_first = 0;
        *out_count = strcmp(word, "all") == 0 ? SL_COUNT(story) : SIGNUP_STEPS;
        return true;
    }
    for (size_t i = 0; i < SL_COUNT(story); i++) {
        if (strcmp(word, story[i].type) == 0) {
            *out_first = i;
            *out_count = 1;
            return true;
        }
    }
    return false;
}

const char *ops_sample_word(const void *unused, size_t i)
{
    (void)unused;
    static const char *const stories[] = { "signup", "all" };
    if (i < SL_COUNT(stories)) {
        return stories[i];
    }
    size_t left = i - SL_COUNT(stories);
    for (size_t step = 0; step < SL_COUNT(story); step++) {
        size_t first = 0;
        size_t count = 0;
        bool known = ops_sample_find(story[step].type, &first, &count);
        if (known && first == step && left-- == 0) {
            return story[step].type;
        }
    }
    return NULL;
}
