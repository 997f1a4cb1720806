#include "publisher/intake_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "publisher/facts/body_shape.h"
#include "publisher/refuse.h"
#include "shared/amqp/amqp_link.h"
#include "shared/clock.h"

/* Requests waiting for a confirm or an fsync; at 2 s and 12,000/s a healthy broker never gets near. */
#define WAITING_MAX      4096u
#define ANSWER_BYTES_MAX 1024u
/* So long after the last nack or return the broker does not count as confirming, although it is connected. */
#define REFUSING_MS 3000

static bool open_replay(struct pub_intake *intake, struct sl_err *err);
static size_t live(void *arg);
static bool open_link(struct pub_intake *intake, struct sl_err *err);
static void on_up(struct sl_amqp_link *link, void *arg);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason,
                       void *arg);
static void on_degraded(void *arg);
static int64_t away_ms(const struct pub_intake *intake);
static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
static void on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *why);
static void on_replay_ready(void *arg);
static bool can_take(const struct pub_intake *intake);
static struct pub_means look_for_means(const struct pub_intake *intake);
static void show_broker(struct pub_intake *intake);
static bool is_confirming(const struct pub_intake *intake);
static void on_refusing_over(void *arg);
static enum sl_amqp_state broker_state(const struct pub_intake *intake);
static enum pub_outage outage(const struct pub_intake *intake);
static void go_on(struct pub_intake *intake, struct pub_event *event);
static bool start_deed(struct pub_intake *intake, struct pub_event *event, enum pub_deed deed,
                       struct sl_err *err);
static bool take(struct pub_intake *intake, const struct pub_source *source,
                 struct pub_waiter waiter);
static void compare_claim(struct pub_intake *intake, const struct pub_event *event);
static bool publish(struct pub_intake *intake, struct pub_event *event, struct sl_err *err);

struct pub_intake *pub_intake_new(const struct pub_intake_opts *opts, struct sl_err *err)
{
    SL_AUTO(pub_intake_free) struct pub_intake *intake = calloc(1, sizeof *intake);
    if (intake == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the intake");
        return NULL;
    }
    intake->opts = *opts;
    intake->outcomes = (struct pub_outcomes){
        .log = opts->log, .metrics = opts->metrics, .levels = opts->levels, .sentry = opts->sentry
    };
    sl_buf_init(&intake->answer, ANSWER_BYTES_MAX);
    intake->late_timer = sl_timer_new(opts->loop, pub_intake_on_late, intake);
    intake->refusing = sl_timer_new(opts->loop, on_refusing_over, intake);
    if (intake->late_timer == NULL || intake->refusing == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the intake");
        return NULL;
    }
    intake->inflight = sl_metrics_series(opts->metrics, SL_M_PUBLISH_INFLIGHT, NULL, NULL);
    intake->confirm_seconds = sl_metrics_series(opts->metrics, SL_M_PUBLISH_SECONDS, NULL, NULL);
    pub_broker_signs_init(&intake->signs, opts->log, opts->metrics);
    show_broker(intake);
    pub_stores_open(&intake->stores, &(struct pub_stores_opts){
                                         .loop = opts->loop,
                                         .log = opts->log,
                                         .metrics = opts->metrics,
                                         .state_dir = opts->state_dir,
                                         .journal_bytes_max = opts->journal_bytes_max,
                                         .waiting_max = WAITING_MAX,
                                         .bodies_bytes_max = opts->bodies_bytes_max,
                                         .allow_volatile = opts->allow_volatile,
                                         .arg = intake,
                                         .on_appended = on_appended,
                                         .on_replay_ready = on_replay_ready,
                                     });
    bool opened = pub_pending_init(&intake->pending, WAITING_MAX, err) &&
                  pub_wrap_init(&intake->wrap, opts->body_bytes_max, err) &&
                  open_replay(intake, err) && open_link(intake, err);
    return opened ? SL_TAKE(intake) : NULL;
}

static bool open_replay(struct pub_intake *intake, struct sl_err *err)
{
    if (intake->stores.journal == NULL) {
        return true;
    }
    intake->replay = pub_replay_new(
        &(struct pub_replay_opts){
            .loop = intake->opts.loop,
            .log = intake->opts.log,
            .metrics = intake->opts.metrics,
            .journal = intake->stores.journal,
            .rate = intake->opts.replay_rate,
            .live = live,
            .arg = intake,
        },
        err);
    return intake->replay != NULL;
}

static size_t live(void *arg)
{
    const struct pub_intake *intake = arg;
    return intake->pending.count;
}

static void on_replay_ready(void *arg)
{
    struct pub_intake *intake = arg;
    if (intake->replay != NULL) {
        pub_replay_wake(intake->replay);
    }
}

static bool open_link(struct pub_intake *intake, struct sl_err *err)
{
    char host[64] = "unknown";
    char name[160];
    if (gethostname(host, sizeof host - 1) != 0) {
        snprintf(host, sizeof host, "unknown");
    }
    snprintf(name, sizeof name, "%s/%s/%d", intake->opts.service, host, (int)getpid());
    intake->broker = pub_broker_new(
        &(struct pub_broker_opts){
            .link = { .loop = intake->opts.loop,
                      .url = intake->opts.amqp,
                      .connection_name = name,
                      .confirms = true,
                      .confirm_ms = intake->opts.confirm_ms,
                      .publishes_max = WAITING_MAX + PUB_REPLAY_WINDOW,
                      .arg = intake,
                      .on_up = on_up,
                      .on_down = on_down,
                      .on_blocked = on_blocked,
                      .on_settled = on_settled },
            .log = intake->opts.log,
            .degraded_after_ms = intake->opts.degraded_after_ms,
            .on_degraded = on_degraded,
        },
        err);
    if (intake->replay != NULL && intake->broker != NULL) {
        pub_replay_set_link(intake->replay, pub_broker_link(intake->broker));
    }
    return intake->broker != NULL;
}

/*
 * The journal closes first: what it had accepted becomes durable and is answered 202. Then nothing durable is possible any more, and what is left
 * is answered 503.
 */
void pub_intake_free(struct pub_intake *intake)
{
    if (intake == NULL) {
        return;
    }
    pub_broker_free(SL_TAKE(intake->broker));
    pub_replay_free(SL_TAKE(intake->replay));
    pub_stores_close(&intake->stores);
    for (uint32_t i = 0; intake->pending.events != NULL && i < intake->pending.max; i++) {
        struct pub_event *event = &intake->pending.events[i];
        if (!pub_waiter_is_nobody(&event->waiter)) {
            pub_intake_answer(intake, pub_pending_release(&intake->pending, event), event->id,
                              PUB_UNAVAILABLE);
        }
    }
    sl_timer_free(intake->late_timer);
    sl_timer_free(intake->refusing);
    pub_pending_done(&intake->pending);
    pub_wrap_done(&intake->wrap);
    sl_buf_done(&intake->answer);
    free(intake);
}

/* The requests the link had in flight come back through on_settled. */
static void on_up(struct sl_amqp_link *link, void *arg)
{
    struct pub_intake *intake = arg;
    show_broker(intake);
    pub_broker_signs_up(&intake->signs, away_ms(intake));
    if (intake->replay != NULL) {
        pub_replay_set_link(intake->replay, link); /* another one when the broker was changed */
    }
    on_replay_ready(intake);
}

/* 0 when it was not away: another broker took over. */
static int64_t away_ms(const struct pub_intake *intake)
{
    int64_t since_us = pub_broker_away_since_us(intake->broker);
    return since_us == 0 ? 0 : (sl_clock_wall_us() - since_us) / 1000;
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct pub_intake *intake = arg;
    show_broker(intake);
    pub_broker_signs_down(&intake->signs, why, wait_ms);
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    struct pub_intake *intake = arg;
    show_broker(intake);
    if (is_blocked && sl_amqp_link_state(link) == SL_AMQP_STALLED) {
        pub_broker_signs_stalled(&intake->signs, reason);
        return;
    }
    if (is_blocked) {
        pub_broker_signs_blocked(&intake->signs, reason);
        return;
    }
    pub_broker_signs_unblocked(&intake->signs, away_ms(intake));
    on_replay_ready(intake);
}

static void on_degraded(void *arg)
{
    struct pub_intake *intake = arg;
    show_broker(intake);
    pub_broker_signs_degraded(&intake->signs, away_ms(intake));
}

static void show_broker(struct pub_intake *intake)
{
    pub_broker_signs_show(&intake->signs, broker_state(intake), outage(intake),
                          is_confirming(intake));
}

/* The link is up, and what was published lately was taken. */
static bool is_confirming(const struct pub_intake *intake)
{
    return broker_state(intake) == SL_AMQP_UP && !sl_timer_is_armed(intake->refusing);
}

static void on_refusing_over(void *arg)
{
    show_broker(arg);
}

/* The journal closes after the link, and may still ask. */
static enum sl_amqp_state broker_state(const struct pub_intake *intake)
{
    return intake->broker == NULL ? SL_AMQP_WAITING
                                  : sl_amqp_link_state(pub_broker_link(intake->broker));
}

static enum pub_outage outage(const struct pub_intake *intake)
{
    return intake->broker == NULL ? PUB_OUTAGE_WAITING : pub_broker_outage(intake->broker);
}

void pub_intake_take(struct pub_intake *intake, const struct pub_source *source,
                     struct sl_http_request *request)
{
    struct pub_waiter waiter = { .request = request };
    if (!take(intake, source, waiter)) {
        pub_refuse(request, PUB_OVERLOADED);
    }
}

void pub_intake_take_batch(struct pub_intake *intake, const struct pub_source *source,
                           struct pub_batch *batch)
{
    for (size_t i = 0; i < batch->production.count; i++) {
        struct pub_waiter waiter = { .batch = batch, .place = i };
        sl_series_add(
            sl_metrics_series(intake->opts.metrics, SL_M_EVENTS_TAKEN, source->name, NULL), 1);
        if (batch->production.items[i].fault != NULL) {
            pub_outcome_count(intake->opts.metrics, source->name, batch->answers[i]);
        } else if (!take(intake, source, waiter)) {
            pub_batch_settle(batch, i, PUB_OVERLOADED, true);
        }
    }
    pub_batch_end(batch);
}

/* False when all places are taken. */
static bool take(struct pub_intake *intake, const struct pub_source *source,
                 struct pub_waiter waiter)
{
    struct pub_event *event =
        pub_pending_take(&intake->pending, waiter, source, sl_clock_mono_ms());
    if (event == NULL) {
        pub_outcome_count(intake->opts.metrics, source->name, PUB_OVERLOADED);
        return false;
    }
    sl_series_set(intake->inflight, intake->pending.count);
    if (!sl_timer_is_armed(intake->late_timer)) {
        sl_timer_arm(intake->late_timer, intake->opts.answer_ms);
    }
    go_on(intake, event);
    return true;
}

/* Tries the policy's deeds in turn, until one is under way or the event has ended. */
static void go_on(struct pub_intake *intake, struct pub_event *event)
{
    struct sl_err why = { 0 };
    for (;;) {
        const struct pub_means means = look_for_means(intake);
        enum pub_policy policy = pub_policy_of(intake->opts.policies, event->source->name);
        enum pub_deed deed = pub_policy_decide(policy, &means, event->failed);
        if (!means.has_broker && event->reason == NULL) {
            event->reason = intake->broker == NULL ? "closing" : pub_outage_name(outage(intake));
        }
        if (deed == PUB_DEED_REFUSE) {
            pub_intake_end(intake, event, PUB_UNAVAILABLE, why.text[0] == '\0' ? NULL : &why);
            return;
        }
        if (start_deed(intake, event, deed, &why)) {
            return;
        }
        event->failed |= 1u << deed;
        if (event->reason == NULL) {
            event->reason = why.code == SL_E_AMQP_TOO_LARGE ? "too_large" : "not_sent";
        }
    }
}

/* True: it goes on with a callback, or the event has ended. */
static bool start_deed(struct pub_intake *intake, struct pub_event *event, enum pub_deed deed,
                       struct sl_err *err)
{
    if (!pub_intake_wrap(intake, event, err)) {
        return false;
    }
    if (event->id[0] == '\0' && event->waiter.request != NULL) {
        compare_claim(intake, event);
    }
    snprintf(event->id, sizeof event->id, "%.*s", SL_SPAN_ARGS(intake->wrap.envelope.id));
    switch (deed) {
    case PUB_DEED_PUBLISH:
        return publish(intake, event, err);
    case PUB_DEED_JOURNAL:
        return sl_journal_append(intake->stores.journal, sl_buf_span(&intake->wrap.bytes),
                                 event->source->number,
                                 (uint64_t)intake->wrap.envelope.received_at_us * 1000,
                                 pub_pending_cookie(&intake->pending, event), err);
    case PUB_DEED_DROP:
        return pub_intake_drop(intake, event, err);
    case PUB_DEED_REFUSE:
    case PUB_DEEDS:
        break;
    }
    return sl_fail(err, SL_E_BUG, "no such deed");
}

bool pub_intake_wrap(struct pub_intake *intake, const struct pub_event *event, struct sl_err *err)
{
    const struct pub_waiter *waiter = &event->waiter;
    return waiter->batch == NULL
               ? pub_wrap_request(&intake->wrap, event->source, waiter->request, err)
               : pub_wrap_produced(&intake->wrap,
                                   &waiter->batch->production.items[waiter->place].envelope, err);
}

/* What an unsigned header claims about the event that is in the wrap: counted, never believed. */
static void compare_claim(struct pub_intake *intake, const struct pub_event *event)
{
    enum { SHOWN_BYTES_MAX = 64 };
    const struct sl_fact_rules *facts = &event->source->rules->facts;
    struct sl_span type = intake->wrap.envelope.type;
    struct sl_span claim = { NULL, 0 };
    if (facts->claim_header != NULL) {
        claim = sl_http_field(sl_http_request_head(event->waiter.request), facts->claim_header);
    }
    if (claim.data == NULL) {
        return;
    }
    bool fits = pub_claim_fits(facts->shape, claim, type);
    sl_series_add(sl_metrics_series(intake->opts.metrics, SL_M_CLAIMS, event->source->name,
                                    fits ? "fits" : "differs"),
                  1);
    claim.bytes = claim.bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : claim.bytes;
    if (!fits) {
        sl_info(intake->opts.log, "webhook.claim_differs",
                "an unsigned header claims another type than the body; the body counts",
                sl_str("source", event->source->name), sl_text("event_type", type),
                sl_text("claim", claim));
    }
}

static bool publish(struct pub_intake *intake, struct pub_event *event, struct sl_err *err)
{
    event->published_us = sl_clock_mono_us();
    const struct sl_amqp_message message = pub_wrap_message(&intake->wrap);
    return sl_amqp_publish(pub_broker_link(intake->broker), &message,
                           pub_pending_cookie(&intake->pending, event), err);
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    struct pub_intake *intake = arg;
    sl_series_add(sl_metrics_series(intake->opts.metrics, SL_M_PUBLISH,
                                    sl_publish_outcome_name(outcome), NULL),
                  1);
    if (outcome == SL_PUBLISH_NACKED || outcome == SL_PUBLISH_RETURNED) {
        sl_timer_arm(intake->refusing, REFUSING_MS);
        show_broker(intake);
    }
    if (cookie >= PUB_REPLAY_COOKIE) {
        pub_replay_settled(intake->replay, cookie, outcome);
        return;
    }
    struct pub_event *event = pub_pending_at(&intake->pending, cookie);
    if (event->is_abandoned) {
        pub_intake_forget(intake, event, outcome == SL_PUBLISH_CONFIRMED ? "broker" : "none");
        return;
    }
    if (outcome == SL_PUBLISH_CONFIRMED) {
        sl_series_observe_us(intake->confirm_seconds, sl_clock_mono_us() - event->published_us);
        pub_intake_end(intake, event, PUB_CONFIRMED, NULL);
        return;
    }
    event->failed |= 1u << PUB_DEED_PUBLISH;
    event->reason = sl_publish_outcome_name(outcome);
    go_on(intake, event);
}

static void on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *why)
{
    struct pub_intake *intake = arg;
    struct pub_event *event = pub_pending_at(&intake->pending, cookie);
    (void)why; /* said by on_finding, once for all it concerns */
    if (event->is_abandoned) {
        pub_intake_forget(intake, event, ok ? "journal" : "none");
    } else if (ok) {
        pub_intake_end(intake, event, PUB_JOURNALED, NULL);
    } else {
        event->failed |= 1u << PUB_DEED_JOURNAL;
        go_on(intake, event);
    }
    if (ok) {
        on_replay_ready(intake);
    }
}

void pub_intake_look(const struct pub_intake *intake, struct pub_intake_state *out_state)
{
    *out_state = (struct pub_intake_state){
        .has_tried = sl_amqp_link_has_tried(pub_broker_link(intake->broker)),
        .is_confirming = is_confirming(intake),
        .can_take = can_take(intake),
        .outage = outage(intake),
        .is_changing_broker = pub_broker_is_changing(intake->broker),
        .away_since_us = pub_broker_away_since_us(intake->broker),
        .waiting = intake->pending.count,
    };
    if (intake->stores.journal != NULL) {
        sl_journal_read_stats(intake->stores.journal, &out_state->journal);
        out_state->replay_rate = pub_replay_rate(intake->replay);
    }
}

/* Some source's policy has a deed left for its next event. */
static bool can_take(const struct pub_intake *intake)
{
    const struct pub_policy_list *policies = intake->opts.policies;
    const struct pub_means means = look_for_means(intake);
    bool takes = pub_policy_decide(policies->rest, &means, 0) != PUB_DEED_REFUSE;
    for (size_t i = 0; i < policies->count; i++) {
        takes = takes || pub_policy_decide(policies->items[i].policy, &means, 0) != PUB_DEED_REFUSE;
    }
    return takes;
}

static struct pub_means look_for_means(const struct pub_intake *intake)
{
    return (struct pub_means){
        .has_broker = broker_state(intake) == SL_AMQP_UP,
        .has_journal = pub_stores_can_journal(&intake->stores),
        .has_drops = pub_stores_can_drop(&intake->stores),
    };
}

bool pub_intake_change_broker(struct pub_intake *intake, struct sl_amqp_url *url,
                              struct sl_err *err)
{
    return pub_broker_change(intake->broker, url, err);
}

bool pub_intake_replay(struct pub_intake *intake, int64_t rate, struct sl_err *err)
{
    if (intake->replay == NULL) {
        return sl_fail(err, SL_E_JOURNAL_FAILED,
                       "this publisher has no journal; journal.unavailable in its log says why");
    }
    if (rate > 0) {
        pub_replay_set_rate(intake->replay, rate);
    }
    pub_replay_wake(intake->replay);
    return true;
}
