#include "ops/trigger/sample.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/json_shape.h"
#include "ops/trigger/sample_facts.h"
#include "shared/embed.h"

extern const struct sl_embedded embedded_samples[];
extern const size_t embedded_samples_count;

#define SIGNUP_STEPS 10u
#define SIGNUPS      2u /* between two customers of `all` that live the whole story */
#define PIECES_MAX   192u
#define PAGES_MAX    8u

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
#define PLACE(kind_, field_) { #field_, kind_, offsetof(struct ops_sample_facts, field_) },
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
    struct book_page pages[PAGES_MAX];
    size_t page_count;
};

static const struct book_page *find_page(const struct ops_sample_book *book, const char *file);
static bool open_page(struct book_page *page, const char *file, struct sl_err *err);
static const struct place *find_place(struct sl_span name);
static void put(const struct place *place, const struct ops_sample_facts *facts,
                struct sl_buf *out);

struct ops_sample_book *ops_sample_book_new(struct sl_err *err)
{
    SL_AUTO(ops_sample_book_free) struct ops_sample_book *book = calloc(1, sizeof *book);
    if (book == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the sample templates");
        return NULL;
    }
    for (size_t step = 0; step < ops_sample_step_count(); step++) {
        const char *file = ops_sample_step_file(step);
        if (find_page(book, file) != NULL) {
            continue;
        }
        SL_ASSERT(book->page_count < PAGES_MAX);
        if (!open_page(&book->pages[book->page_count], file, err)) {
            return NULL;
        }
        book->page_count++;
    }
    return SL_TAKE(book);
}

void ops_sample_book_free(struct ops_sample_book *book)
{
    free(book);
}

static const struct book_page *find_page(const struct ops_sample_book *book, const char *file)
{
    for (size_t i = 0; i < book->page_count; i++) {
        if (strcmp(book->pages[i].file, file) == 0) {
            return &book->pages[i];
        }
    }
    return NULL;
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
    SL_ASSERT(sample->step < ops_sample_step_count());
    SL_ASSERT(strlen(sample->run) == OPS_SAMPLE_RUN_BYTES);
    SL_DONE(sl_buf_done) struct sl_buf filled = { 0 };
    struct ops_sample_facts facts = { 0 };
    sl_buf_init(&filled, OPS_SAMPLE_BYTES_MAX);
    ops_sample_imagine(sample, &facts);
    const struct book_page *page = find_page(book, ops_sample_step_file(sample->step));
    SL_ASSERT(page != NULL);
    for (size_t i = 0; i < page->piece_count; i++) {
        sl_buf_append_span(&filled, page->pieces[i].before);
        if (page->pieces[i].place != NULL) {
            put(page->pieces[i].place, &facts, &filled);
        }
    }
    bool fits = sl_buf_ok(&filled) && ops_json_reshape(sl_buf_span(&filled), OPS_JSON_TWO, out);
    return fits || sl_fail(err, SL_E_LIMIT, "a sample event does not fit");
}

static void put(const struct place *place, const struct ops_sample_facts *facts, struct sl_buf *out)
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

bool ops_sample_find(const char *word, size_t *out_first, size_t *out_count)
{
    if (strcmp(word, "all") == 0 || strcmp(word, "signup") == 0) {
        *out_first = 0;
        *out_count = strcmp(word, "all") == 0 ? ops_sample_step_count() : SIGNUP_STEPS;
        return true;
    }
    for (size_t step = 0; step < ops_sample_step_count(); step++) {
        if (strcmp(word, ops_sample_step_type(step)) == 0) {
            *out_first = step;
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
    for (size_t step = 0; step < ops_sample_step_count(); step++) {
        size_t first = 0;
        size_t count = 0;
        bool known = ops_sample_find(ops_sample_step_type(step), &first, &count);
        if (known && first == step && left-- == 0) {
            return ops_sample_step_type(step);
        }
    }
    return NULL;
}

void ops_sample_seat(size_t first, size_t count, uint64_t i, struct ops_sample_seat *out)
{
    SL_ASSERT(count > 0);
    if (count < ops_sample_step_count()) {
        *out = (struct ops_sample_seat){ .customer = i / count + 1,
                                         .step = first + (size_t)(i % count),
                                         .last_step = first + count - 1 };
        return;
    }
    uint64_t round = count + SIGNUPS * SIGNUP_STEPS;
    uint64_t at = i % round;
    uint64_t past =
        at < count ? 0 : 1 + (at - count) / SIGNUP_STEPS; /* customers of this round before */
    out->customer = i / round * (1 + SIGNUPS) + past + 1;
    out->step = (size_t)(past == 0 ? at : (at - count) % SIGNUP_STEPS);
    out->last_step = (past == 0 ? count : SIGNUP_STEPS) - 1;
}
