#include "consumer/census.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/watch.h"
#include "shared/amqp/amqp_link.h"
#include "shared/clock.h"
#include "shared/event/delay_route.h"

#define ROUND_MS    5000
#define MISSING_MS  60000 /* a queue that was not there is asked about again after that */
#define QUEUE_BYTES (SL_SUBSYSTEM_NAME_BYTES + 24u)
#define QUEUES_MAX  (SUBSYSTEM_KINDS * SL_SUBSYSTEMS_MAX + SL_DELAY_LEVELS + 1u)

/* What is counted. A kind's gauge is absent until the broker has told it once. */
enum kind { WORK, REPLAY, PARKED, UNROUTED, DELAY };
#define SUBSYSTEM_KINDS 3u /* the first of them: the queues of one subsystem, in that order */

struct queue {
    char name[QUEUE_BYTES];
    enum kind kind;
    const char *subsystem;
    int64_t told_ms;  /* monotonic; 0: never */
    int64_t until_ms; /* monotonic; missing: not asked before */
    int64_t waiting;
};

struct con_census {
    struct con_census_opts opts;
    char connection_name[160];
    struct con_watch watch;
    struct sl_amqp_link *link;
    struct sl_timer *timer;
    struct queue queues[QUEUES_MAX];
    size_t queue_count;
    size_t next; /* to ask about; queue_count: the round is over */
    int64_t delayed;
};

static void name_queues(struct con_census *census);
static void add_queue(struct con_census *census, enum kind kind, const char *subsystem,
                      const char *name);
static void on_up(struct sl_amqp_link *link, void *arg);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_timer(void *arg);
static void ask(struct con_census *census);
static void on_told(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                    const struct sl_err *err, void *arg);
static void tell_missing(const struct con_census *census, const struct queue *queue);
static void show(struct con_census *census, const struct queue *queue, int64_t consumers);
static void end_round(struct con_census *census);

struct con_census *con_census_new(const struct con_census_opts *opts, struct sl_err *err)
{
    struct con_census *census = calloc(1, sizeof *census);
    if (census == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the census");
        return NULL;
    }
    census->opts = *opts;
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    snprintf(census->connection_name, sizeof census->connection_name, "%s/census/%s/%d",
             opts->service, host, (int)getpid());
    con_watch_init(&census->watch, opts->log, opts->metrics, true, "census", "look");
    name_queues(census);
    census->next = census->queue_count;
    census->timer = sl_timer_new(opts->loop, on_timer, census);
    census->link = census->timer == NULL ? NULL
                                         : sl_amqp_link_new(
                                               &(struct sl_amqp_link_opts){
                                                   .loop = opts->loop,
                                                   .url = opts->amqp,
                                                   .connection_name = census->connection_name,
                                                   .arg = census,
                                                   .on_up = on_up,
                                                   .on_down = on_down,
                                               },
                                               err);
    if (census->link == NULL) {
        con_census_free(census);
        sl_fail(err, SL_E_MEMORY, "no memory for the census");
        return NULL;
    }
    return census;
}

static void name_queues(struct con_census *census)
{
    char name[QUEUE_BYTES];
    for (size_t i = 0; i < census->opts.subsystem_count; i++) {
        const struct sl_subsystem *subsystem = census->opts.subsystems[i];
        add_queue(census, WORK, subsystem->name, subsystem->queue);
        add_queue(census, REPLAY, subsystem->name, subsystem->replay_queue);
        snprintf(name, sizeof name, "%s.parked", subsystem->queue);
        add_queue(census, PARKED, subsystem->name, name);
    }
    add_queue(census, UNROUTED, "unrouted", "sluice.unrouted");
    for (unsigned level = 0; level < SL_DELAY_LEVELS; level++) {
        snprintf(name, sizeof name, "sluice.delay.%02u", level);
        add_queue(census, DELAY, NULL, name);
    }
}

static void add_queue(struct con_census *census, enum kind kind, const char *subsystem,
                      const char *name)
{
    SL_ASSERT(census->queue_count < QUEUES_MAX);
    struct queue *queue = &census->queues[census->queue_count++];
    queue->kind = kind;
    queue->subsystem = subsystem;
    snprintf(queue->name, sizeof queue->name, "%s", name);
}

void con_census_free(struct con_census *census)
{
    if (census == NULL) {
        return;
    }
    sl_amqp_link_free(census->link);
    sl_timer_free(census->timer);
    free(census);
}

int64_t con_census_waiting(const struct con_census *census, size_t i)
{
    const struct queue *queue = &census->queues[SUBSYSTEM_KINDS * i + WORK];
    bool is_fresh =
        queue->told_ms != 0 && sl_clock_mono_ms() - queue->told_ms < CON_CENSUS_FRESH_MS;
    return is_fresh ? queue->waiting : -1;
}

int64_t con_census_replays_seen_ms(const struct con_census *census, size_t i)
{
    return census->queues[SUBSYSTEM_KINDS * i + REPLAY].told_ms;
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct con_census *census = arg;
    con_watch_up(&census->watch);
    if (!sl_timer_is_armed(census->timer)) {
        sl_timer_arm(census->timer, 0);
    }
}

/* Told also when a question about a missing queue ended the channel: on_told has said it by then, and the rest is asked when the link is up. */
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct con_census *census = arg;
    if (why->code != SL_E_AMQP_NOT_FOUND) {
        con_watch_down(&census->watch, why, wait_ms);
    }
}

static void on_timer(void *arg)
{
    struct con_census *census = arg;
    if (census->next == census->queue_count) {
        census->next = 0;
        census->delayed = 0;
    }
    ask(census);
}

static void ask(struct con_census *census)
{
    int64_t now_ms = sl_clock_mono_ms();
    while (census->next < census->queue_count && census->queues[census->next].until_ms > now_ms) {
        census->next++;
    }
    if (census->next == census->queue_count) {
        end_round(census);
        return;
    }
    struct sl_err why;
    const struct sl_amqp_declare question = { .kind = SL_AMQP_DECLARE_QUEUE,
                                              .passive = true,
                                              .name = census->queues[census->next].name };
    if (sl_amqp_link_state(census->link) != SL_AMQP_UP ||
        !sl_amqp_declare(census->link, &question, on_told, census, &why)) {
        sl_timer_disarm(census->timer); /* on_up goes on */
    }
}

static void on_told(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                    const struct sl_err *err, void *arg)
{
    (void)link;
    struct con_census *census = arg;
    SL_ASSERT(census->next < census->queue_count);
    struct queue *queue = &census->queues[census->next];
    if (err != NULL) {
        if (err->code == SL_E_AMQP_NOT_FOUND) {
            tell_missing(census, queue);
            queue->told_ms = 0;
            queue->until_ms = sl_clock_mono_ms() + MISSING_MS;
            census->next++;
        }
        return; /* the link is ending; on_up goes on */
    }
    queue->told_ms = sl_clock_mono_ms();
    queue->waiting = declared->message_count;
    show(census, queue, declared->consumer_count);
    census->next++;
    ask(census);
}

/* Once. That a work queue is missing is said by whoever cannot consume it. */
static void tell_missing(const struct con_census *census, const struct queue *queue)
{
    bool has_work = queue->kind == REPLAY && (queue - 1)->told_ms != 0;
    if (has_work && (queue->until_ms == 0 || queue->told_ms != 0)) {
        sl_warn(census->opts.log, "topology.missing",
                "there is no queue for replays of this subsystem, so `sluice dead replay` refuses; "
                "live events are not concerned; `sluice topology apply` makes it",
                sl_str("subsystem", queue->subsystem), sl_str("queue", queue->name));
    }
}

static void show(struct con_census *census, const struct queue *queue, int64_t consumers)
{
    struct sl_metrics *metrics = census->opts.metrics;
    switch (queue->kind) {
    case WORK:
        sl_series_set(sl_metrics_series(metrics, SL_M_QUEUE_READY, queue->subsystem, NULL),
                      queue->waiting);
        sl_series_set(sl_metrics_series(metrics, SL_M_QUEUE_CONSUMERS, queue->subsystem, NULL),
                      consumers);
        break;
    case REPLAY:
        sl_series_set(sl_metrics_series(metrics, SL_M_QUEUE_REPLAYS, queue->subsystem, NULL),
                      queue->waiting);
        break;
    case PARKED:
    case UNROUTED:
        sl_series_set(sl_metrics_series(metrics, SL_M_QUEUE_PARKED, queue->subsystem, NULL),
                      queue->waiting);
        break;
    case DELAY:
        census->delayed += queue->waiting;
        break;
    }
}

static void end_round(struct con_census *census)
{
    sl_series_set(sl_metrics_series(census->opts.metrics, SL_M_QUEUE_DELAYED, NULL, NULL),
                  census->delayed);
    sl_timer_arm(census->timer, ROUND_MS);
}
