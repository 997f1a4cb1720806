#include "ops/queue/queue_take.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPEN_MS     15000
#define QUIET_MS    10000 /* so long after the last message a queue has no more */
#define ANSWER_MS   15000 /* a quorum queue on a busy cluster takes its time */
#define NAME_BYTES  64u
#define QUEUE_BYTES 128u

struct ops_take {
    struct sl_amqp_url url;
    char name[NAME_BYTES];
    char queue[QUEUE_BYTES];
    char tag[NAME_BYTES];
    struct sl_loop *loop;
    struct sl_timer *timer;
    struct sl_amqp_link *link;
    struct ops_take_opts opts;
    uint64_t rounds;
    size_t most;
    size_t shown;
    uint64_t last_tag;
    bool is_consuming;
    bool is_stopping; /* our cancel is on its way */
    bool failed;      /* of the call that runs; why says it */
    struct sl_err why;
    struct sl_amqp_declared counts;
};

static bool connect_link(struct ops_take *take, struct sl_err *err);
static bool run(struct ops_take *take, int64_t limit_ms, const char *what, struct sl_err *err);
static void fail(struct ops_take *take, const struct sl_err *why);
static void stop_consuming(struct ops_take *take);
static void on_timer(void *arg);
static void on_up(struct sl_amqp_link *link, void *arg);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg);
static void on_stopped(struct sl_amqp_link *link, void *arg);
static void on_counted(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                       const struct sl_err *err, void *arg);

struct ops_take *ops_take_new(const struct ops_take_opts *opts, struct sl_err *err)
{
    SL_AUTO(ops_take_free) struct ops_take *take = calloc(1, sizeof *take);
    if (take == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a connection");
        return NULL;
    }
    take->opts = *opts;
    snprintf(take->name, sizeof take->name, "sluice/take/%d", (int)getpid());
    snprintf(take->queue, sizeof take->queue, "%s", opts->queue);
    return ops_address_amqp(opts->address, &take->url, err) && connect_link(take, err)
               ? SL_TAKE(take)
               : NULL;
}

void ops_take_free(struct ops_take *take)
{
    if (take == NULL) {
        return;
    }
    sl_amqp_link_free(take->link);
    sl_timer_free(take->timer);
    sl_loop_free(take->loop);
    sl_amqp_url_done(&take->url);
    free(take);
}

static bool connect_link(struct ops_take *take, struct sl_err *err)
{
    (void)signal(SIGPIPE, SIG_IGN);
    take->loop = sl_loop_new(err);
    take->timer = take->loop == NULL ? NULL : sl_timer_new(take->loop, on_timer, take);
    if (take->timer == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a connection");
    }
    take->link = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){ .loop = take->loop,
                                     .url = &take->url,
                                     .connection_name = take->name,
                                     .message_bytes_max = OPS_TAKE_MESSAGE_BYTES_MAX,
                                     .arg = take,
                                     .on_up = on_up,
                                     .on_down = on_down,
                                     .on_delivery = on_delivery,
                                     .on_stopped = on_stopped },
        err);
    return take->link != NULL && run(take, OPEN_MS, "let us in", err);
}

/* Runs the loop until a callback ends it, or limit_ms are over. */
static bool run(struct ops_take *take, int64_t limit_ms, const char *what, struct sl_err *err)
{
    take->failed = false;
    sl_fail(&take->why, SL_E_DEADLINE, "the broker did not %s within %" PRId64 " s", what,
            limit_ms / 1000);
    sl_timer_arm(take->timer, limit_ms);
    if (!sl_loop_run(take->loop, err)) {
        return false;
    }
    sl_timer_disarm(take->timer);
    return !take->failed || sl_fail(err, take->why.code, "%s", take->why.text);
}

static void fail(struct ops_take *take, const struct sl_err *why)
{
    take->failed = true;
    if (why != NULL) {
        take->why = *why;
    }
    sl_loop_stop(take->loop);
}

static void on_timer(void *arg)
{
    struct ops_take *take = arg;
    if (take->is_consuming && !take->is_stopping) {
        stop_consuming(take); /* no more came */
    } else {
        fail(take, NULL);
    }
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct ops_take *take = arg;
    sl_loop_stop(take->loop);
}

/* Never goes on with another connection: what was shown and not settled is back in the queue, and would come twice. */
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    (void)wait_ms;
    fail(arg, why);
}

/* Count ----------------------------------------------------------------------------------------- */

bool ops_take_count(struct ops_take *take, struct sl_amqp_declared *out_counts, struct sl_err *err)
{
    const struct sl_amqp_declare question = { .kind = SL_AMQP_DECLARE_QUEUE,
                                              .passive = true,
                                              .name = take->queue };
    if (!sl_amqp_declare(take->link, &question, on_counted, take, err) ||
        !run(take, ANSWER_MS, "count", err)) {
        return false;
    }
    *out_counts = take->counts;
    return true;
}

static void on_counted(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                       const struct sl_err *err, void *arg)
{
    (void)link;
    struct ops_take *take = arg;
    if (err != NULL) {
        fail(take, err);
        return;
    }
    take->counts = *declared;
    sl_loop_stop(take->loop);
}

/* Round ----------------------------------------------------------------------------------------- */

bool ops_take_round(struct ops_take *take, size_t most, size_t *out_shown, struct sl_err *err)
{
    SL_ASSERT(most > 0 && most <= OPS_TAKE_ROUND_MAX);
    take->most = most;
    take->shown = 0;
    take->is_stopping = false;
    take->is_consuming = true;
    snprintf(take->tag, sizeof take->tag, "take-%" PRIu64, ++take->rounds);
    bool is_done = sl_amqp_consume_as(take->link, take->queue, take->tag, (uint16_t)most, err) &&
                   run(take, QUIET_MS, "stop its deliveries", err);
    take->is_consuming = false;
    *out_shown = take->shown;
    return is_done;
}

static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg)
{
    (void)link;
    struct ops_take *take = arg;
    struct sl_err why = { 0 };
    if (take->failed) {
        return;
    }
    if (!take->opts.on_message(delivery, take->opts.arg, &why)) {
        fail(take, &why);
        return;
    }
    take->last_tag = delivery->tag;
    take->shown++;
    if (take->shown == take->most) {
        stop_consuming(take);
    } else if (!take->is_stopping) {
        sl_timer_arm(take->timer, QUIET_MS);
    }
}

static void stop_consuming(struct ops_take *take)
{
    struct sl_err why = { 0 };
    if (take->is_stopping) {
        return;
    }
    take->is_stopping = true;
    sl_timer_arm(take->timer, ANSWER_MS);
    if (!sl_amqp_consume_stop(take->link, take->tag, &why)) {
        fail(take, &why);
    }
}

static void on_stopped(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct ops_take *take = arg;
    sl_loop_stop(take->loop);
}

/* Settle ---------------------------------------------------------------------------------------- */

bool ops_take_settle(struct ops_take *take, struct sl_err *err)
{
    struct sl_amqp_declared ignored;
    /* An acknowledgement has no answer; the answer to what is asked behind it says that it was read. */
    return take->shown == 0 || (sl_amqp_ack(take->link, take->last_tag, true, err) &&
                                ops_take_count(take, &ignored, err));
}
