#include "ops/trigger/courier.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/clock.h"

#define OPEN_MS    15000
#define CONFIRM_MS 10000
#define NAME_BYTES 64u

struct ops_courier {
    struct sl_amqp_url url;
    char name[NAME_BYTES];
    struct sl_loop *loop;
    struct sl_timer *timer; /* the next message, or the end of the patience */
    struct sl_amqp_link *link;
    struct sl_err why; /* the link is down */
    bool failed;       /* of the call that runs; why says it */

    const struct sl_amqp_message *messages;
    size_t count;
    uint64_t
        first_cookie; /* of messages[0]: what an earlier call has left unsettled is not mistaken for ours */
    size_t sent;
    size_t settled;
    int64_t gap_us;
    int64_t next_us;  /* monotonic: not before */
    int64_t until_ms; /* monotonic: the broker is waited for */
    enum sl_publish_outcome *outcomes;
};

static bool connect_link(struct ops_courier *courier, struct sl_err *err);
static void go_on(void *arg);
static void on_up(struct sl_amqp_link *link, void *arg);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
static void wait_for_broker(struct ops_courier *courier);

struct ops_courier *ops_courier_new(const struct ops_address *address, struct sl_err *err)
{
    SL_AUTO(ops_courier_free) struct ops_courier *courier = calloc(1, sizeof *courier);
    if (courier == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a connection");
        return NULL;
    }
    snprintf(courier->name, sizeof courier->name, "sluice/replay/%d", (int)getpid());
    return ops_address_amqp(address, &courier->url, err) && connect_link(courier, err)
               ? SL_TAKE(courier)
               : NULL;
}

static bool connect_link(struct ops_courier *courier, struct sl_err *err)
{
    (void)signal(SIGPIPE, SIG_IGN);
    courier->loop = sl_loop_new(err);
    courier->timer = courier->loop == NULL ? NULL : sl_timer_new(courier->loop, go_on, courier);
    if (courier->timer == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a connection");
    }
    courier->link = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){
            .loop = courier->loop,
            .url = &courier->url,
            .connection_name = courier->name,
            .confirms = true,
            .confirm_ms = CONFIRM_MS,
            .arg = courier,
            .on_up = on_up,
            .on_down = on_down,
            .on_settled = on_settled,
        },
        err);
    return courier->link != NULL && ops_courier_send(courier, NULL, 0, 0, NULL, err);
}

void ops_courier_free(struct ops_courier *courier)
{
    if (courier == NULL) {
        return;
    }
    sl_amqp_link_free(courier->link);
    sl_timer_free(courier->timer);
    sl_loop_free(courier->loop);
    sl_amqp_url_done(&courier->url);
    free(courier);
}

bool ops_courier_send(struct ops_courier *courier, const struct sl_amqp_message *messages,
                      size_t count, int64_t gap_us, enum sl_publish_outcome *out_outcomes,
                      struct sl_err *err)
{
    SL_ASSERT(count <= OPS_COURIER_BATCH_MAX);
    courier->messages = messages;
    courier->first_cookie += OPS_COURIER_BATCH_MAX;
    courier->count = count;
    courier->sent = 0;
    courier->settled = 0;
    courier->gap_us = gap_us;
    courier->outcomes = out_outcomes;
    courier->failed = false;
    for (size_t i = 0; i < count; i++) {
        out_outcomes[i] = SL_PUBLISH_LOST;
    }
    courier->until_ms = sl_clock_mono_ms() + OPEN_MS;
    sl_timer_arm(courier->timer, 0);
    if (!sl_loop_run(courier->loop, err)) {
        return false;
    }
    sl_timer_disarm(courier->timer);
    return !courier->failed || sl_fail(err, courier->why.code, "%s", courier->why.text);
}

size_t ops_courier_takes(const struct ops_courier *courier)
{
    return sl_amqp_link_takes(courier->link);
}

/* Sends what is due, arms the timer for what is not, and ends the loop when all is settled. */
static void go_on(void *arg)
{
    struct ops_courier *courier = arg;
    while (courier->sent < courier->count || courier->count == 0) {
        if (sl_amqp_link_state(courier->link) != SL_AMQP_UP) {
            wait_for_broker(courier);
            return;
        }
        if (courier->count == 0) {
            break;
        }
        int64_t now_us = sl_clock_mono_us();
        if (now_us < courier->next_us) {
            sl_timer_arm(courier->timer, (courier->next_us - now_us + 999) / 1000);
            return;
        }
        if (!sl_amqp_publish(courier->link, &courier->messages[courier->sent],
                             courier->first_cookie + courier->sent, &courier->why)) {
            courier->failed = true;
            sl_loop_stop(courier->loop);
            return;
        }
        courier->sent++;
        courier->next_us = now_us + courier->gap_us;
        courier->until_ms = sl_clock_mono_ms() + OPEN_MS;
    }
    if (courier->settled == courier->count) {
        sl_loop_stop(courier->loop);
    }
}

static void wait_for_broker(struct ops_courier *courier)
{
    int64_t left_ms = courier->until_ms - sl_clock_mono_ms();
    if (left_ms > 0) {
        sl_timer_arm(courier->timer, left_ms);
        return;
    }
    if (courier->why.code == SL_E_NONE) {
        sl_fail(&courier->why, SL_E_DEADLINE,
                "the broker did not answer within %d s, or blocks publishing", OPEN_MS / 1000);
    }
    courier->failed = true;
    sl_loop_stop(courier->loop);
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    go_on(arg);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    (void)wait_ms;
    struct ops_courier *courier = arg;
    courier->why = *why;
    if (sl_err_fault(why) == SL_FAULT_SETUP) { /* waiting mends no password */
        courier->failed = true;
        sl_loop_stop(courier->loop);
    }
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    struct ops_courier *courier = arg;
    if (cookie >= courier->first_cookie && cookie - courier->first_cookie < courier->sent) {
        courier->outcomes[cookie - courier->first_cookie] = outcome;
        courier->settled++;
    }
    if (courier->sent == courier->count) {
        go_on(courier);
    }
}
