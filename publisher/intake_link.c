#include "publisher/intake_parts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"

static void on_up(struct sl_amqp_link *link, void *arg);
static int64_t away_ms(const struct pub_intake *intake);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason,
                       void *arg);
static void on_degraded(void *arg);

bool pub_intake_open_link(struct pub_intake *intake, struct sl_err *err)
{
    char host[64] = "unknown";
    char name[160];
    if (gethostname(host, sizeof host - 1) != 0) {
        snprintf(host, sizeof host, "unknown");
    }
    snprintf(name, sizeof name, "%s/%s/%d", intake->opts.service, host, (int)getpid());
    if (intake->opts.number > 0) {
        size_t used = strlen(name);
        snprintf(name + used, sizeof name - used, "/%zu", intake->opts.number);
    }
    intake->broker = pub_broker_new(
        &(struct pub_broker_opts){
            .link = { .loop = intake->opts.loop,
                      .url = intake->opts.amqp,
                      .connection_name = name,
                      .confirms = true,
                      .confirm_ms = intake->opts.confirm_ms,
                      .publishes_max = PUB_INTAKE_WAITING_MAX + PUB_REPLAY_WINDOW,
                      .arg = intake,
                      .on_up = on_up,
                      .on_down = on_down,
                      .on_blocked = on_blocked,
                      .on_settled = pub_intake_on_settled },
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

/* The requests the link had in flight come back through on_settled. */
static void on_up(struct sl_amqp_link *link, void *arg)
{
    struct pub_intake *intake = arg;
    pub_intake_show_broker(intake);
    pub_broker_signs_up(&intake->signs, away_ms(intake));
    if (intake->replay != NULL) {
        pub_replay_set_link(intake->replay, link); /* another one when the broker was changed */
    }
    pub_intake_replay_ready(intake);
}

void pub_intake_replay_ready(void *arg)
{
    struct pub_intake *intake = arg;
    if (intake->replay != NULL) {
        pub_replay_wake(intake->replay);
    }
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
    pub_intake_show_broker(intake);
    pub_broker_signs_down(&intake->signs, why, wait_ms);
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    struct pub_intake *intake = arg;
    pub_intake_show_broker(intake);
    if (is_blocked && sl_amqp_link_state(link) == SL_AMQP_STALLED) {
        pub_broker_signs_stalled(&intake->signs, reason);
        return;
    }
    if (is_blocked) {
        pub_broker_signs_blocked(&intake->signs, reason);
        return;
    }
    pub_broker_signs_unblocked(&intake->signs, away_ms(intake));
    pub_intake_replay_ready(intake);
}

static void on_degraded(void *arg)
{
    struct pub_intake *intake = arg;
    pub_intake_show_broker(intake);
    pub_broker_signs_degraded(&intake->signs, away_ms(intake));
}

void pub_intake_show_broker(struct pub_intake *intake)
{
    pub_broker_signs_show(&intake->signs, pub_intake_broker_state(intake),
                          pub_intake_outage(intake), pub_intake_is_confirming(intake),
                          intake->broker != NULL &&
                              sl_amqp_link_has_tried(pub_broker_link(intake->broker)));
}

/* The link is up, and what was published lately was taken. */
bool pub_intake_is_confirming(const struct pub_intake *intake)
{
    return pub_intake_broker_state(intake) == SL_AMQP_UP && !sl_timer_is_armed(intake->refusing);
}

void pub_intake_on_refusing_over(void *arg)
{
    pub_intake_show_broker(arg);
}

/* The journal closes after the link, and may still ask. */
enum sl_amqp_state pub_intake_broker_state(const struct pub_intake *intake)
{
    return intake->broker == NULL ? SL_AMQP_WAITING
                                  : sl_amqp_link_state(pub_broker_link(intake->broker));
}

enum pub_outage pub_intake_outage(const struct pub_intake *intake)
{
    return intake->broker == NULL ? PUB_OUTAGE_WAITING : pub_broker_outage(intake->broker);
}
