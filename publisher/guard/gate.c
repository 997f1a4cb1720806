#include "publisher/guard/gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "shared/clock.h"

#define ALL         "all"
#define OUTCOME     "paused"
#define WAIT_MS_MAX 3600000 /* a far end is looked at again in between */

struct pub_gate {
    struct sl_loop *loop;
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct sl_timer *timer; /* armed for the next end */
    _Atomic size_t count;   /* of pauses; 0, as nearly always: nobody needs the lock */
    pthread_mutex_t lock;   /* of what follows */
    struct pub_pauses pauses;
};

static struct pub_now now(void);
static void arm(struct pub_gate *gate);
static void on_over(void *arg);
static void expire(struct pub_gate *gate, int64_t now_ms);
static void unlock(struct pub_gate *gate);
static void tell_resumed(struct pub_gate *gate, const struct pub_pauses *ended, const char *why,
                         int64_t uid);
static const char *shown(const struct pub_pause *pause);
static void show(struct pub_gate *gate, const struct pub_pause *pause, bool is_paused);

struct pub_gate *pub_gate_new(struct sl_loop *loop, struct sl_log *log, struct sl_metrics *metrics,
                              struct sl_err *err)
{
    SL_AUTO(pub_gate_free) struct pub_gate *gate = calloc(1, sizeof *gate);
    if (gate != NULL) {
        *gate = (struct pub_gate){ .loop = loop, .log = log, .metrics = metrics };
        pthread_mutex_init(&gate->lock, NULL);
        gate->timer = sl_timer_new(loop, on_over, gate);
    }
    if (gate == NULL || gate->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the gate");
        return NULL;
    }
    return SL_TAKE(gate);
}

void pub_gate_free(struct pub_gate *gate)
{
    if (gate != NULL) {
        sl_timer_free(gate->timer);
        free(gate);
    }
}

bool pub_gate_pause(struct pub_gate *gate, const char *source, int answer, int64_t for_ms,
                    unsigned uid, struct sl_err *err)
{
    const struct pub_pause *pause = NULL;
    pthread_mutex_lock(&gate->lock);
    if (!pub_pauses_set(&gate->pauses, source, answer, for_ms, now(), &pause, err)) {
        unlock(gate);
        return false;
    }
    show(gate, pause, true);
    sl_loss(gate->log, SL_WARN, "ingest.paused", "webhooks are refused; the senders come again",
            sl_str("source", shown(pause)), sl_int("answer", answer), sl_int("for_ms", for_ms),
            sl_int("uid", uid));
    arm(gate);
    unlock(gate);
    return true;
}

static void unlock(struct pub_gate *gate)
{
    atomic_store_explicit(&gate->count, gate->pauses.count, memory_order_relaxed);
    pthread_mutex_unlock(&gate->lock);
}

static struct pub_now now(void)
{
    return (struct pub_now){ .mono_ms = sl_clock_mono_ms(), .wall_us = sl_clock_wall_us() };
}

static const char *shown(const struct pub_pause *pause)
{
    return pause->source[0] == '\0' ? ALL : pause->source;
}

static void show(struct pub_gate *gate, const struct pub_pause *pause, bool is_paused)
{
    sl_series_set(sl_metrics_series(gate->metrics, SL_M_INGEST_PAUSED, shown(pause), NULL),
                  is_paused ? 1 : 0);
}

static void arm(struct pub_gate *gate)
{
    int64_t next_ms = pub_pauses_next_ms(&gate->pauses);
    if (next_ms == PUB_PAUSE_FOR_EVER) {
        sl_timer_disarm(gate->timer);
        return;
    }
    int64_t wait_ms = next_ms - sl_clock_mono_ms();
    sl_timer_arm(gate->timer, wait_ms < 0 ? 0 : wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : wait_ms);
}

static void on_over(void *arg)
{
    struct pub_gate *gate = arg;
    pthread_mutex_lock(&gate->lock);
    expire(gate, sl_clock_mono_ms());
    arm(gate);
    unlock(gate);
}

static void expire(struct pub_gate *gate, int64_t now_ms)
{
    struct pub_pauses ended;
    pub_pauses_expire(&gate->pauses, now_ms, &ended);
    tell_resumed(gate, &ended, "its time is over", -1);
}

bool pub_gate_resume(struct pub_gate *gate, const char *source, unsigned uid, size_t *out_count,
                     struct sl_err *err)
{
    struct pub_pauses ended;
    pthread_mutex_lock(&gate->lock);
    if (!pub_pauses_resume(&gate->pauses, source, &ended, err)) {
        unlock(gate);
        return false;
    }
    tell_resumed(gate, &ended, "an operator asked", uid);
    arm(gate);
    unlock(gate);
    *out_count = ended.count;
    return true;
}

static void tell_resumed(struct pub_gate *gate, const struct pub_pauses *ended, const char *why,
                         int64_t uid)
{
    for (size_t i = 0; i < ended->count; i++) {
        const struct pub_pause *pause = &ended->items[i];
        show(gate, pause, false);
        sl_loss(gate->log, SL_WARN, "ingest.resumed", "webhooks are taken again",
                sl_str("source", shown(pause)), sl_str("reason", why),
                sl_int("refused", (int64_t)pause->refused),
                sl_int("paused_ms", (sl_clock_wall_us() - pause->since_us) / 1000),
                sl_int("uid", uid));
    }
}

bool pub_gate_refuse(struct pub_gate *gate, const char *source, struct sl_http_request *request,
                     int *out_status)
{
    if (atomic_load_explicit(&gate->count, memory_order_relaxed) == 0) {
        return false;
    }
    int64_t now_ms = sl_clock_mono_ms();
    pthread_mutex_lock(&gate->lock);
    expire(gate,
           now_ms); /* the timer may be late: an end is said before the first request is taken */
    struct pub_pause *pause = pub_pauses_find(&gate->pauses, source, now_ms);
    if (pause == NULL) {
        unlock(gate);
        return false;
    }
    pause->refused++;
    *out_status = pause->answer;
    unsigned retry_after_s = pub_pause_retry_after_s(pause, now_ms);
    unlock(gate);
    sl_series_add(sl_metrics_series(gate->metrics, SL_M_EVENTS_RECEIVED, source, OUTCOME), 1);
    sl_http_reply(request, &(struct sl_http_reply){
                               .status = *out_status,
                               .retry_after_s = retry_after_s,
                               .body = SL_SPAN_LITERAL("{\"error\":\"paused\"}"),
                           });
    return true;
}

void pub_gate_read_pauses(struct pub_gate *gate, struct pub_pauses *out_pauses)
{
    pthread_mutex_lock(&gate->lock);
    *out_pauses = gate->pauses;
    pthread_mutex_unlock(&gate->lock);
}
