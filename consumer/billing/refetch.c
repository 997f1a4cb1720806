#include "consumer/billing/refetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/billing/refetch_rows.h"
#include "consumer/statements.h"
#include "consumer/watch.h"
#include "shared/clock.h"
#include "shared/stripe/stripe_observed.h"
#include "shared/units.h"

#define REFETCH_ROUND    8u
#define REFETCH_POLL_MS  1000
#define REFETCH_TAKEN_MS 120000 /* longer than a call with all its pages may take */
#define REFETCH_CALL_MS  20000
#define DIGITS_MAX       18u
#define PARAMS_BYTES_MAX (64u * 1024u)

struct con_refetch {
    struct con_refetch_opts opts;
    char connection_name[160];
    struct con_statements statements;
    struct con_watch watch;
    struct sl_pg_link *pg;
    struct sl_amqp_link *amqp;
    struct sl_stripe_client *stripe;
    struct sl_json_parser *parser;
    struct sl_timer *timer;
    struct con_questioner questioner;
    struct con_billing_params params;
    struct con_refetch_slot slots[REFETCH_ROUND];
    size_t taken; /* slots in use */
    size_t ended;
    int64_t orphans_due_ms; /* monotonic */
    uint64_t rounds;        /* a publish that an earlier round began is not this one's */
    bool is_busy;
};

static bool open_links(struct con_refetch *refetch, struct sl_err *err);
static void on_amqp_up(struct sl_amqp_link *link, void *arg);
static void on_amqp_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                         void *arg);
static void on_amqp_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg);
static void on_timer(void *arg);
static void rest(struct con_refetch *refetch, int64_t wait_ms);
static void take(struct con_refetch *refetch);
static void on_taken(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                     const struct sl_pg_error *error, void *arg);
static void on_answered(struct con_question *question, const struct sl_json *object,
                        const char *outcome);
static void publish(struct con_refetch_slot *slot, const struct sl_json *object);
static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
static void end(struct con_refetch_slot *slot, const char *outcome);
static void note(struct con_refetch *refetch);
static void on_noted(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                     const struct sl_pg_error *error, void *arg);
static void tell(const struct con_refetch_slot *slot);
static void count(const struct con_refetch *refetch, const char *outcome, int64_t number);

struct con_refetch *con_refetch_new(const struct con_refetch_opts *opts, struct sl_err *err)
{
    struct con_refetch *refetch = calloc(1, sizeof *refetch);
    if (refetch == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for questions to Stripe");
        return NULL;
    }
    refetch->opts = *opts;
    for (size_t i = 0; i < REFETCH_ROUND; i++) {
        refetch->slots[i].refetch = refetch;
        con_question_init(&refetch->slots[i].question, &refetch->questioner);
    }
    con_billing_params_init(&refetch->params, PARAMS_BYTES_MAX);
    if (!open_links(refetch, err)) {
        con_refetch_free(refetch);
        return NULL;
    }
    sl_timer_arm(refetch->timer, REFETCH_POLL_MS);
    return refetch;
}

static bool open_links(struct con_refetch *refetch, struct sl_err *err)
{
    const struct con_refetch_opts *opts = &refetch->opts;
    snprintf(refetch->connection_name, sizeof refetch->connection_name, "%s/refetch/%d",
             opts->service, (int)getpid());
    con_statements_add(&refetch->statements, "refetch_ask");
    con_statements_add(&refetch->statements, "refetch_orphans");
    con_statements_add(&refetch->statements, "refetch_known");
    con_statements_add(&refetch->statements, "refetch_take");
    con_statements_add(&refetch->statements, "refetch_note");
    con_watch_init(&refetch->watch, opts->log, opts->metrics, true, "refetch", "publish");
    refetch->timer = sl_timer_new(opts->loop, on_timer, refetch);
    refetch->parser = sl_json_parser_new(CON_QUESTION_BYTES_MAX);
    if (refetch->timer == NULL || refetch->parser == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for questions to Stripe");
    }
    refetch->stripe = sl_stripe_client_new(
        &(struct sl_stripe_client_opts){
            .loop = opts->loop,
            .base = opts->base,
            .key = opts->key,
            .budget_ms = REFETCH_CALL_MS,
        },
        err);
    if (refetch->stripe == NULL) {
        return false;
    }
    refetch->questioner = (struct con_questioner){ .stripe = refetch->stripe,
                                                   .parser = refetch->parser,
                                                   .livemode = opts->livemode,
                                                   .on_answered = on_answered };
    refetch->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = opts->loop,
            .conninfo = opts->database_url,
            .application_name = refetch->connection_name,
            .statements = refetch->statements.items,
            .statement_count = refetch->statements.count,
            .arg = refetch,
        },
        err);
    if (refetch->pg == NULL) {
        return false;
    }
    refetch->amqp = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){
            .loop = opts->loop,
            .url = opts->amqp,
            .connection_name = refetch->connection_name,
            .confirms = true,
            .arg = refetch,
            .on_up = on_amqp_up,
            .on_down = on_amqp_down,
            .on_papers = on_amqp_papers,
            .on_settled = on_settled,
        },
        err);
    return refetch->amqp != NULL;
}

void con_refetch_free(struct con_refetch *refetch)
{
    if (refetch == NULL) {
        return;
    }
    sl_stripe_client_free(refetch->stripe);
    sl_amqp_link_free(refetch->amqp);
    sl_pg_link_free(refetch->pg);
    sl_timer_free(refetch->timer);
    sl_json_parser_free(refetch->parser);
    con_billing_params_done(&refetch->params);
    for (size_t i = 0; i < REFETCH_ROUND; i++) {
        con_question_done(&refetch->slots[i].question);
    }
    free(refetch);
}

static void on_amqp_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    con_watch_up(&((struct con_refetch *)arg)->watch);
}

static void on_amqp_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                         void *arg)
{
    (void)link;
    con_watch_down(&((struct con_refetch *)arg)->watch, why, wait_ms);
}

static void on_amqp_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg)
{
    (void)link;
    con_watch_papers(&((struct con_refetch *)arg)->watch, why);
}

/* Taking ----------------------------------------------------------------------------------------- */

/* Nothing is taken that could not be published. */
static void on_timer(void *arg)
{
    struct con_refetch *refetch = arg;
    if (!refetch->is_busy && sl_pg_link_is_up(refetch->pg) &&
        sl_amqp_link_state(refetch->amqp) == SL_AMQP_UP) {
        take(refetch);
    } else {
        rest(refetch, REFETCH_POLL_MS);
    }
}

static void rest(struct con_refetch *refetch, int64_t wait_ms)
{
    refetch->is_busy = false;
    sl_timer_arm(refetch->timer, wait_ms);
}

static void take(struct con_refetch *refetch)
{
    char most[24];
    char taken_ms[24];
    char orphan_ms[24];
    int64_t now_ms = sl_clock_mono_ms();
    size_t skipped = now_ms < refetch->orphans_due_ms ? 1 : 0;
    snprintf(most, sizeof most, "%u", REFETCH_ROUND);
    snprintf(taken_ms, sizeof taken_ms, "%d", REFETCH_TAKEN_MS);
    struct sl_span livemode = sl_span_of(refetch->opts.livemode ? "true" : "false");
    const struct sl_pg_param known[] = { { .value = livemode },
                                         { .value = sl_span_of(refetch->opts.subsystem) } };
    const struct sl_pg_param taken[] = { { .value = livemode },
                                         { .value = sl_span_of(most) },
                                         { .value = sl_span_of(taken_ms) } };
    snprintf(orphan_ms, sizeof orphan_ms, "%" PRId64, refetch->opts.orphan_ms);
    const struct sl_pg_param orphans[] = { known[0], known[1], { .value = sl_span_of(orphan_ms) } };
    const struct sl_pg_step steps[] = {
        { .name = "refetch_orphans", .params = orphans, .param_count = SL_COUNT(orphans) },
        { .name = "refetch_known", .params = known, .param_count = SL_COUNT(known) },
        { .name = "refetch_take", .params = taken, .param_count = SL_COUNT(taken) },
    };
    refetch->is_busy = true;
    refetch->rounds++;
    if (skipped == 0) {
        refetch->orphans_due_ms = now_ms + refetch->opts.orphan_ms;
    }
    if (!sl_pg_run(refetch->pg, steps + skipped, SL_COUNT(steps) - skipped, on_taken, refetch,
                   NULL)) {
        rest(refetch, REFETCH_POLL_MS);
    }
}

static void on_taken(struct sl_pg_link *link, struct sl_pg_result *const *results,
                     size_t step_count, const struct sl_pg_error *error, void *arg)
{
    (void)link;
    struct con_refetch *refetch = arg;
    if (error != NULL) {
        sl_log_err(refetch->opts.log, SL_WARN, "billing.refetch_failed",
                   "cannot look for what Stripe is to be asked, trying again", &error->err);
        rest(refetch, REFETCH_POLL_MS);
        return;
    }
    int64_t known = 0;
    const struct sl_pg_result *known_rows = results[step_count - 2];
    const struct sl_pg_result *taken_rows = results[step_count - 1];
    if (sl_units_decimal(sl_pg_value(known_rows, 0, 0), DIGITS_MAX, &known) && known > 0) {
        count(refetch, "known", known);
    }
    refetch->taken = 0;
    refetch->ended = 0;
    for (size_t row = 0; row < sl_pg_rows(taken_rows) && row < REFETCH_ROUND; row++) {
        refetch->taken +=
            con_refetch_row_read(&refetch->slots[refetch->taken], taken_rows, row) ? 1 : 0;
    }
    if (refetch->taken == 0) {
        rest(refetch, REFETCH_POLL_MS);
    }
    size_t taken = refetch->taken;
    for (size_t i = 0; i < taken; i++) {
        con_question_ask(&refetch->slots[i].question);
    }
}

/* Publishing ------------------------------------------------------------------------------------- */

static void on_answered(struct con_question *question, const struct sl_json *object,
                        const char *outcome)
{
    struct con_refetch_slot *slot = (struct con_refetch_slot *)question;
    if (object == NULL) {
        end(slot, outcome);
    } else {
        publish(slot, object);
    }
}

static void publish(struct con_refetch_slot *slot, const struct sl_json *object)
{
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    struct con_refetch *refetch = slot->refetch;
    struct sl_envelope event = { 0 };
    sl_buf_init(&body, SL_ENVELOPE_BYTES_MAX);
    sl_buf_init(&bytes, SL_ENVELOPE_BYTES_MAX);
    const struct sl_stripe_observation seen = {
        .object = object,
        .account = slot->question.account,
        .livemode = refetch->opts.livemode,
        .date_s = slot->question.date_s,
        .elapsed_us = slot->question.elapsed_us,
        .now_us = sl_clock_wall_us(),
    };
    bool is_made =
        sl_stripe_observed(&seen, &slot->question.arena, &body, &event, &slot->question.why) &&
        sl_envelope_encode(&event, &bytes, &slot->question.why);
    struct sl_span key = { 0 };
    if (is_made) {
        key = sl_event_routing_key(&slot->question.arena, event.source, event.type);
    }
    if (!is_made || key.data == NULL) {
        end(slot, NULL);
        return;
    }
    const struct sl_amqp_message message = sl_event_message(&event, key, sl_buf_span(&bytes));
    uint64_t cookie = refetch->rounds * REFETCH_ROUND + (uint64_t)(slot - refetch->slots);
    if (!sl_amqp_publish(refetch->amqp, &message, cookie, &slot->question.why)) {
        end(slot, NULL);
    }
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    struct con_refetch *refetch = arg;
    struct con_refetch_slot *slot = &refetch->slots[cookie % REFETCH_ROUND];
    if (cookie / REFETCH_ROUND != refetch->rounds || slot->has_ended) {
        return;
    }
    if (outcome != SL_PUBLISH_CONFIRMED) {
        sl_fail(&slot->question.why, SL_E_AMQP_NOT_UP, "what Stripe says was not published: %s",
                sl_publish_outcome_name(outcome));
    }
    end(slot, outcome == SL_PUBLISH_CONFIRMED ? "published" : NULL);
}

/* Noting ----------------------------------------------------------------------------------------- */

static void end(struct con_refetch_slot *slot, const char *outcome)
{
    struct con_refetch *refetch = slot->refetch;
    slot->has_ended = true;
    slot->outcome = outcome;
    refetch->ended++;
    if (refetch->ended == refetch->taken) {
        note(refetch);
    }
}

static void note(struct con_refetch *refetch)
{
    struct con_billing_wish found[REFETCH_ROUND];
    size_t found_count = 0;
    for (size_t i = 0; i < refetch->taken; i++) {
        if (refetch->slots[i].question.found.kind != NULL) {
            found[found_count++] = refetch->slots[i].question.found;
        }
    }
    struct con_billing_params *params = &refetch->params;
    con_billing_params_reset(params);
    con_billing_params_wishes(params, found, found_count);
    size_t asked = params->count;
    con_refetch_rows_put(refetch->slots, refetch->taken, params);
    if (!con_billing_params_end(params, NULL)) {
        rest(refetch, REFETCH_POLL_MS); /* they come again when their time is over */
        return;
    }
    struct sl_pg_param notes[SL_PG_PARAMS_MAX] = {
        { .value = sl_span_of(refetch->opts.livemode ? "true" : "false") }
    };
    size_t note_count = params->count - asked;
    memcpy(notes + 1, params->items + asked, note_count * sizeof notes[0]);
    const struct sl_pg_step steps[] = {
        { .name = "refetch_note", .params = notes, .param_count = note_count + 1 },
        { .name = "refetch_ask", .params = params->items, .param_count = asked },
    };
    if (!sl_pg_run(refetch->pg, steps, found_count == 0 ? 1 : 2, on_noted, refetch, NULL)) {
        rest(refetch, REFETCH_POLL_MS);
    }
}

static void on_noted(struct sl_pg_link *link, struct sl_pg_result *const *results,
                     size_t step_count, const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)step_count;
    struct con_refetch *refetch = arg;
    for (size_t i = 0; error == NULL && i < refetch->taken; i++) {
        tell(&refetch->slots[i]);
    }
    rest(refetch, error == NULL && refetch->taken == REFETCH_ROUND ? 0 : REFETCH_POLL_MS);
}

static void tell(const struct con_refetch_slot *slot)
{
    const struct con_refetch *refetch = slot->refetch;
    count(refetch, slot->outcome == NULL ? "failed" : slot->outcome, 1);
    if (slot->outcome == NULL) {
        sl_log_err(refetch->opts.log, SL_WARN, "billing.refetch_failed",
                   "Stripe could not be asked how an object is, trying again", &slot->question.why,
                   sl_str("kind", slot->question.kind), sl_str("object", slot->question.id),
                   sl_str("account", slot->question.account), sl_str("reason", slot->reason),
                   sl_int("attempt", slot->tries), sl_int("wait_ms", con_refetch_wait_ms(slot)));
        return;
    }
    sl_info(refetch->opts.log, "billing.refetched", "Stripe was asked how an object is",
            sl_str("kind", slot->question.kind), sl_str("object", slot->question.id),
            sl_str("account", slot->question.account), sl_str("reason", slot->reason),
            sl_str("outcome", slot->outcome));
}

static void count(const struct con_refetch *refetch, const char *outcome, int64_t number)
{
    sl_series_add(sl_metrics_series(refetch->opts.metrics, SL_M_REFETCHES, outcome, NULL), number);
}
