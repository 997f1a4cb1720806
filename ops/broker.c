#include "ops/broker.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/clock.h"

#define DECLARE_MS  15000 /* a quorum queue on a busy cluster takes its time to elect a leader */
#define NAME_BYTES  64u
#define HEARTBEAT_S 10
#define ATTEMPT_MS  5000

struct ops_broker {
    struct sl_amqp_url url;
    struct sl_loop *loop;
    struct sl_timer *deadline;
    struct sl_amqp_link *link;
    char name[NAME_BYTES];
    int64_t until_ms;  /* monotonic: attempts go on until then */
    size_t attempts;   /* that failed since the link was made */
    bool is_over;      /* what is waited for has happened */
    bool is_declaring; /* the answer to a declaration is waited for */
    bool is_spent;     /* the link's channel is gone: a new link before anything else */
    bool is_up;
    struct sl_err err; /* why not */
    enum ops_declared answer;
    struct sl_amqp_declared counts;
};

static bool connect_link(struct ops_broker *broker, struct sl_err *err);
static void on_up(struct sl_amqp_link *link, void *arg);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_deadline(void *arg);
static void on_declared(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                        const struct sl_err *err, void *arg);
static enum ops_declared answer_of(const struct sl_err *err);
static bool wait_until_over(struct ops_broker *broker, int64_t limit_ms, struct sl_err *err);

struct ops_broker *ops_broker_new(const struct ops_address *address, int64_t wait_ms,
                                  struct sl_err *err)
{
    SL_AUTO(ops_broker_free) struct ops_broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a connection");
        return NULL;
    }
    broker->until_ms = sl_clock_mono_ms() + wait_ms;
    snprintf(broker->name, sizeof broker->name, "sluice/%d", (int)getpid());
    if (!ops_address_amqp(address, &broker->url, err)) {
        return NULL;
    }
    broker->loop = sl_loop_new(err);
    if (broker->loop == NULL) {
        return NULL;
    }
    broker->deadline = sl_timer_new(broker->loop, on_deadline, broker);
    if (broker->deadline == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a timer");
        return NULL;
    }
    return connect_link(broker, err) ? SL_TAKE(broker) : NULL;
}

void ops_broker_free(struct ops_broker *broker)
{
    if (broker == NULL) {
        return;
    }
    sl_amqp_link_free(broker->link);
    sl_timer_free(broker->deadline);
    sl_loop_free(broker->loop);
    sl_amqp_url_done(&broker->url);
    free(broker);
}

const struct sl_amqp_url *ops_broker_url(const struct ops_broker *broker)
{
    return &broker->url;
}

unsigned ops_broker_version(const struct ops_broker *broker)
{
    return sl_amqp_link_version(broker->link);
}

static bool connect_link(struct ops_broker *broker, struct sl_err *err)
{
    sl_amqp_link_free(broker->link);
    (void)signal(SIGPIPE,
                 SIG_IGN); /* a broker that hangs up is an error to print, not the end of us */
    struct sl_amqp_link_opts opts = { .loop = broker->loop,
                                      .url = &broker->url,
                                      .connection_name = broker->name,
                                      .attempt_ms = ATTEMPT_MS,
                                      .heartbeat_s = HEARTBEAT_S,
                                      .arg = broker,
                                      .on_up = on_up,
                                      .on_down = on_down };
    broker->link = sl_amqp_link_new(&opts, err);
    if (broker->link == NULL) {
        return false;
    }
    broker->attempts = 0;
    broker->is_spent = false;
    int64_t left_ms = broker->until_ms - sl_clock_mono_ms();
    int64_t one_round_ms = ATTEMPT_MS * ((int64_t)broker->url.host_count + 1);
    if (!wait_until_over(broker, left_ms > one_round_ms ? left_ms : one_round_ms, err)) {
        return false;
    }
    if (!broker->is_up) {
        *err = broker->err;
    }
    return broker->is_up;
}

/* Runs the loop until a callback says it is over; not being told within limit_ms is an error too. */
static bool wait_until_over(struct ops_broker *broker, int64_t limit_ms, struct sl_err *err)
{
    broker->is_over = false;
    broker->is_up = false;
    sl_fail(&broker->err, SL_E_DEADLINE, "the broker did not answer within %" PRId64 " s",
            limit_ms / 1000);
    sl_timer_arm(broker->deadline, limit_ms);
    while (!broker->is_over) {
        if (!sl_loop_run(broker->loop, err)) {
            return false;
        }
    }
    sl_timer_disarm(broker->deadline);
    return true;
}

static void on_deadline(void *arg)
{
    struct ops_broker *broker = arg;
    broker->is_over = true;
    sl_loop_stop(broker->loop);
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct ops_broker *broker = arg;
    broker->is_up = true;
    broker->is_over = true;
    sl_loop_stop(broker->loop);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct ops_broker *broker = arg;
    if (broker->is_declaring) {
        return; /* on_declared is told as well */
    }
    broker->attempts++;
    broker->err = *why;
    bool has_time = sl_clock_mono_ms() + wait_ms < broker->until_ms;
    bool is_hopeless = sl_err_fault(why) == SL_FAULT_SETUP;
    if (is_hopeless || (!has_time && broker->attempts >= broker->url.host_count)) {
        broker->is_over = true;
        sl_loop_stop(broker->loop);
    }
}

enum ops_declared ops_broker_declare(struct ops_broker *broker,
                                     const struct sl_amqp_declare *declare,
                                     struct sl_amqp_declared *out_counts, struct sl_err *err)
{
    bool is_usable = !broker->is_spent && sl_amqp_link_state(broker->link) == SL_AMQP_UP;
    if (!is_usable && !connect_link(broker, err)) {
        return OPS_DECLARED_FAILED;
    }
    broker->answer = OPS_DECLARED_FAILED;
    broker->is_declaring = true;
    bool is_answered = sl_amqp_declare(broker->link, declare, on_declared, broker, err) &&
                       wait_until_over(broker, DECLARE_MS, err);
    broker->is_declaring = false;
    if (!is_answered) {
        return OPS_DECLARED_FAILED;
    }
    if (broker->answer != OPS_DECLARED) {
        broker->is_spent = true;
        *err = broker->err;
    } else if (out_counts != NULL) {
        *out_counts = broker->counts;
    }
    return broker->answer;
}

static void on_declared(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                        const struct sl_err *err, void *arg)
{
    (void)link;
    struct ops_broker *broker = arg;
    broker->answer = err == NULL ? OPS_DECLARED : answer_of(err);
    if (err != NULL) {
        broker->err = *err;
    } else if (declared != NULL) {
        broker->counts = *declared;
    }
    broker->is_over = true;
    sl_loop_stop(broker->loop);
}

static enum ops_declared answer_of(const struct sl_err *err)
{
    if (err->code == SL_E_AMQP_NOT_FOUND) {
        return OPS_DECLARED_MISSING;
    }
    return err->code == SL_E_AMQP_PRECONDITION ? OPS_DECLARED_CONFLICT : OPS_DECLARED_FAILED;
}
