#include "publisher/intake_parts.h"

#include <stdlib.h>

#define ANSWER_BYTES_MAX 1024u

static void open_stores(struct pub_intake *intake);
static bool open_replay(struct pub_intake *intake, struct sl_err *err);
static size_t live(void *arg);

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
    intake->refusing = sl_timer_new(opts->loop, pub_intake_on_refusing_over, intake);
    if (intake->late_timer == NULL || intake->refusing == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the intake");
        return NULL;
    }
    intake->inflight = sl_metrics_series(opts->metrics, SL_M_PUBLISH_INFLIGHT, NULL, NULL);
    intake->confirm_seconds = sl_metrics_series(opts->metrics, SL_M_PUBLISH_SECONDS, NULL, NULL);
    pub_broker_signs_init(&intake->signs, opts->log, opts->metrics, opts->board, opts->number);
    pub_intake_show_broker(intake);
    open_stores(intake);
    bool opened = pub_pending_init(&intake->pending, PUB_INTAKE_WAITING_MAX, err) &&
                  pub_wrap_init(&intake->wrap, opts->body_bytes_max, err) &&
                  open_replay(intake, err) && pub_intake_open_link(intake, err);
    return opened ? SL_TAKE(intake) : NULL;
}

static void open_stores(struct pub_intake *intake)
{
    const struct pub_intake_opts *opts = &intake->opts;
    intake->stores = opts->first == NULL ? &intake->own_stores : opts->first->stores;
    intake->keep = (struct pub_keep){
        .stores = intake->stores,
        .journal = opts->first_mailbox,
        .own = opts->mailbox,
        .arg = intake,
        .on_appended = pub_intake_on_appended,
    };
    if (opts->first != NULL) {
        return;
    }
    pub_stores_open(intake->stores, &(struct pub_stores_opts){
                                        .loop = opts->loop,
                                        .log = opts->log,
                                        .metrics = opts->metrics,
                                        .state_dir = opts->state_dir,
                                        .journal_bytes_max = opts->journal_bytes_max,
                                        .waiting_max = PUB_INTAKE_WAITING_MAX * opts->board->count,
                                        .bodies_bytes_max = opts->bodies_bytes_max,
                                        .allow_volatile = opts->allow_volatile,
                                        .arg = intake,
                                        .on_appended = pub_intake_on_appended,
                                        .on_replay_ready = pub_intake_replay_ready,
                                    });
}

/* The first one's: it replays for all. */
static bool open_replay(struct pub_intake *intake, struct sl_err *err)
{
    if (intake->opts.first != NULL || intake->stores->journal == NULL) {
        return true;
    }
    intake->replay = pub_replay_new(
        &(struct pub_replay_opts){
            .loop = intake->opts.loop,
            .log = intake->opts.log,
            .metrics = intake->opts.metrics,
            .journal = intake->stores->journal,
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
    return (size_t)sl_series_value(intake->inflight);
}

/*
 * The journal closes first: what it had accepted becomes durable and is answered 202. Then nothing durable is possible any more, and what is left
 * is answered 503.
 */
void pub_intake_close_stores(struct pub_intake *intake)
{
    if (intake != NULL && intake->opts.first == NULL && intake->stores != NULL) {
        pub_broker_free(SL_TAKE(intake->broker));
        pub_replay_free(SL_TAKE(intake->replay));
        pub_stores_close(intake->stores);
    }
}

void pub_intake_free(struct pub_intake *intake)
{
    if (intake == NULL) {
        return;
    }
    pub_intake_close_stores(intake);
    pub_broker_free(SL_TAKE(intake->broker));
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

void pub_intake_look(const struct pub_intake *intake, struct pub_intake_state *out_state)
{
    *out_state = (struct pub_intake_state){
        .has_tried = sl_amqp_link_has_tried(pub_broker_link(intake->broker)),
        .is_confirming = pub_intake_is_confirming(intake),
        .can_take = pub_intake_can_take(intake, pub_intake_broker_state(intake) == SL_AMQP_UP),
        .outage = pub_intake_outage(intake),
        .is_changing_broker = pub_broker_is_changing(intake->broker),
        .away_since_us = pub_broker_away_since_us(intake->broker),
        .waiting = (size_t)sl_series_value(intake->inflight),
    };
    if (intake->replay != NULL) {
        sl_journal_read_stats(intake->stores->journal, &out_state->journal);
        out_state->replay_rate = pub_replay_rate(intake->replay);
    }
}

bool pub_intake_can_take(const struct pub_intake *intake, bool has_broker)
{
    const struct pub_policy_list *policies = intake->opts.policies;
    const struct pub_means means = pub_intake_means(intake, has_broker);
    bool takes = pub_policy_decide(policies->rest, &means, 0) != PUB_DEED_REFUSE;
    for (size_t i = 0; i < policies->count; i++) {
        takes = takes || pub_policy_decide(policies->items[i].policy, &means, 0) != PUB_DEED_REFUSE;
    }
    return takes;
}

struct pub_means pub_intake_means(const struct pub_intake *intake, bool has_broker)
{
    return (struct pub_means){
        .has_broker = has_broker,
        .has_journal = pub_stores_can_journal(intake->stores),
        .has_drops = pub_stores_can_drop(intake->stores),
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
