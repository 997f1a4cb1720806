/*
 * The minute's end (on_period) cuts the tally and starts sending (pump): up to RUNNING_MAX requests, the next one as soon as one has ended. The first failure
 * stops sending until the next period, or for as long as Sentry asked for; what runs is settled, nothing is lost.
 */
#include "shared/sentry/sentry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/digest.h"
#include "shared/http/http_client.h"
#include "shared/sentry/sentry_event.h"

#define PERIOD_MS          60000
#define RUNNING_MAX        2u
#define CONNECT_MS         3000
#define TOTAL_MS           10000
#define ANSWER_BYTES_MAX   65536u
#define ENVELOPE_BYTES_MAX 16384u
/* What a 429 without Retry-After means (develop.sentry.dev, "Rate Limiting"). */
#define LIMIT_DEFAULT_S 60
#define LIMIT_MAX_S     86400

struct sending {
    struct sl_sentry *sentry;
    struct sl_sentry_slot *slot; /* NULL: free */
};

struct sl_sentry {
    struct sl_sentry_opts opts;
    struct sl_sentry_dsn dsn;
    char auth[256];
    char host[64];
    char release[64];
    pthread_mutex_t lock; /* of the tally; what was taken out of it belongs to the loop */
    struct sl_sentry_tally tally;
    struct sl_http_client *client;
    struct sl_timer *timer;
    struct sending running[RUNNING_MAX];
    struct sl_buf envelope;
    int64_t limited_until_ms; /* monotonic */
    bool is_halted;           /* until the next period */
    bool is_failing;          /* as told to the owner */
    bool is_flushing;
};

static void arm(struct sl_sentry *sentry);
static void on_period(void *arg);
static void cut(struct sl_sentry *sentry, int64_t at_s);
static struct sl_sentry_slot *take(struct sl_sentry *sentry);
static void settle(struct sl_sentry *sentry, struct sl_sentry_slot *slot, enum sl_sentry_fate fate);
static void pump(struct sl_sentry *sentry);
static bool can_send(const struct sl_sentry *sentry);
static bool send_report(struct sl_sentry *sentry, struct sending *sending, struct sl_err *err);
static void on_answer(const struct sl_http_answer *answer, void *arg);
static void told(struct sl_sentry *sentry, const struct sl_http_answer *answer);
static void trouble(struct sl_sentry *sentry, const struct sl_err *err);

struct sl_sentry *sl_sentry_new(const struct sl_sentry_opts *opts, struct sl_err *err)
{
    SL_AUTO(sl_sentry_free) struct sl_sentry *sentry = calloc(1, sizeof *sentry);
    if (sentry == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the Sentry client");
        return NULL;
    }
    sentry->opts = *opts;
    pthread_mutex_init(&sentry->lock, NULL);
    sentry->opts.period_ms = opts->period_ms == 0 ? PERIOD_MS : opts->period_ms;
    sl_sentry_set_dsn(sentry, opts->dsn);
    snprintf(sentry->release, sizeof sentry->release, "sluice@%s", opts->version);
    if (gethostname(sentry->host, sizeof sentry->host - 1) != 0) {
        sentry->host[0] = '\0';
    }
    sl_buf_init(&sentry->envelope, ENVELOPE_BYTES_MAX);
    for (size_t i = 0; i < RUNNING_MAX; i++) {
        sentry->running[i].sentry = sentry;
    }
    sentry->timer = sl_timer_new(opts->loop, on_period, sentry);
    sentry->client = sl_http_client_new(
        &(struct sl_http_client_opts){
            .loop = opts->loop,
            .transfers_max = RUNNING_MAX,
            .connections_max = RUNNING_MAX,
            .connect_ms = CONNECT_MS,
            .total_ms = TOTAL_MS,
            .answer_bytes_max = ANSWER_BYTES_MAX,
        },
        err);
    if (sentry->client == NULL || sentry->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the Sentry client");
        return NULL;
    }
    arm(sentry);
    return SL_TAKE(sentry);
}

/* At the next whole period of the wall clock, so that a minute here is a minute there. */
static void arm(struct sl_sentry *sentry)
{
    int64_t period_ms = sentry->opts.period_ms;
    sl_timer_arm(sentry->timer, period_ms - sl_clock_wall_us() / 1000 % period_ms);
}

static void on_period(void *arg)
{
    struct sl_sentry *sentry = arg;
    int64_t now_ms = sl_clock_wall_us() / 1000;
    arm(sentry);
    cut(sentry, (now_ms - sentry->opts.period_ms) / 1000);
    sentry->is_halted = false;
    pump(sentry);
}

static void cut(struct sl_sentry *sentry, int64_t at_s)
{
    pthread_mutex_lock(&sentry->lock);
    sl_sentry_tally_cut(&sentry->tally, at_s);
    pthread_mutex_unlock(&sentry->lock);
}

static struct sl_sentry_slot *take(struct sl_sentry *sentry)
{
    pthread_mutex_lock(&sentry->lock);
    struct sl_sentry_slot *slot = sl_sentry_tally_take(&sentry->tally);
    pthread_mutex_unlock(&sentry->lock);
    return slot;
}

static void settle(struct sl_sentry *sentry, struct sl_sentry_slot *slot, enum sl_sentry_fate fate)
{
    pthread_mutex_lock(&sentry->lock);
    sl_sentry_tally_settle(&sentry->tally, slot, fate);
    pthread_mutex_unlock(&sentry->lock);
}

static void pump(struct sl_sentry *sentry)
{
    for (size_t i = 0; i < RUNNING_MAX && can_send(sentry); i++) {
        struct sending *sending = &sentry->running[i];
        struct sl_err err = { 0 };
        if (sending->slot != NULL) {
            continue;
        }
        sending->slot = take(sentry);
        if (sending->slot == NULL) {
            return;
        }
        if (!send_report(sentry, sending, &err)) {
            settle(sentry, sending->slot, SL_SENTRY_UNKNOWN);
            sending->slot = NULL;
            trouble(sentry, &err);
        }
    }
}

static bool can_send(const struct sl_sentry *sentry)
{
    return !sentry->is_halted && sl_clock_mono_ms() >= sentry->limited_until_ms;
}

static bool send_report(struct sl_sentry *sentry, struct sending *sending, struct sl_err *err)
{
    struct sl_sentry_report *report = &sending->slot->report;
    uint8_t id[(SL_SENTRY_ID_BYTES - 1) / 2];
    if (report->id[0] == '\0') {
        if (!sl_random_bytes(id, sizeof id)) {
            return sl_fail(err, SL_E_BUG, "no random bytes for an event id");
        }
        sl_hex_encode(id, sizeof id, report->id);
    }
    const struct sl_sentry_origin origin = {
        .status = sentry->opts.status == NULL ? "degraded" : sentry->opts.status,
        .happening =
            sentry->opts.happening == NULL ? "not confirmed by the broker" : sentry->opts.happening,
        .service = sentry->opts.service,
        .release = sentry->release,
        .environment = sentry->opts.environment,
        .host = sentry->host[0] == '\0' ? NULL : sentry->host,
    };
    sl_buf_reset(&sentry->envelope);
    sl_sentry_event_write(report, &origin, sl_clock_wall_us(), &sentry->envelope);
    if (!sl_buf_ok(&sentry->envelope)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a Sentry event");
    }
    const char *const fields[] = { "Content-Type: application/x-sentry-envelope", sentry->auth,
                                   NULL };
    return sl_http_client_call(sentry->client,
                               &(struct sl_http_call){
                                   .method = "POST",
                                   .url = sentry->dsn.url,
                                   .fields = fields,
                                   .body = sl_buf_span(&sentry->envelope),
                               },
                               on_answer, sending, err);
}

static void on_answer(const struct sl_http_answer *answer, void *arg)
{
    struct sending *sending = arg;
    struct sl_sentry *sentry = sending->sentry;
    struct sl_sentry_slot *slot = sending->slot;
    sending->slot = NULL;
    settle(sentry, slot, sl_sentry_fate_of(answer->status));
    told(sentry, answer);
    if (sentry->is_flushing && !sentry->is_halted) {
        cut(sentry, sl_clock_wall_us() / 1000000);
    }
    pump(sentry);
}

static void told(struct sl_sentry *sentry, const struct sl_http_answer *answer)
{
    struct sl_err err = { 0 };
    if (answer->status >= 200 && answer->status < 300) {
        if (sentry->is_failing && sentry->opts.on_change != NULL) {
            sentry->opts.on_change(sentry->opts.arg, NULL, sl_sentry_pending(sentry));
        }
        sentry->is_failing = false;
        return;
    }
    if (answer->status == 429) {
        int64_t wait_s = answer->retry_after_s > 0 ? answer->retry_after_s : LIMIT_DEFAULT_S;
        wait_s = wait_s > LIMIT_MAX_S ? LIMIT_MAX_S : wait_s;
        sentry->limited_until_ms = sl_clock_mono_ms() + wait_s * 1000;
        sl_fail(&err, SL_E_HTTP_UNREACHABLE, "Sentry takes no events for %lld s (HTTP 429)",
                (long long)wait_s);
    } else if (answer->status != 0) {
        sl_fail(&err, SL_E_HTTP_UNREACHABLE, "Sentry answers HTTP %d", answer->status);
    }
    trouble(sentry, answer->err != NULL ? answer->err : &err);
}

static void trouble(struct sl_sentry *sentry, const struct sl_err *err)
{
    sentry->is_halted = true;
    if (!sentry->is_failing && sentry->opts.on_change != NULL) {
        sentry->opts.on_change(sentry->opts.arg, err, sl_sentry_pending(sentry));
    }
    sentry->is_failing = true;
}

void sl_sentry_free(struct sl_sentry *sentry)
{
    if (sentry == NULL) {
        return;
    }
    sl_http_client_free(sentry->client);
    sl_timer_free(sentry->timer);
    sl_buf_done(&sentry->envelope);
    free(sentry);
}

void sl_sentry_set_dsn(struct sl_sentry *sentry, const struct sl_sentry_dsn *dsn)
{
    sentry->dsn = *dsn;
    snprintf(sentry->auth, sizeof sentry->auth,
             "X-Sentry-Auth: Sentry sentry_version=7, sentry_client=sluice/%s, sentry_key=%s",
             sentry->opts.version, dsn->key);
}

void sl_sentry_count(struct sl_sentry *sentry, struct sl_span source, struct sl_span type,
                     const char *reason)
{
    if (sentry != NULL) {
        pthread_mutex_lock(&sentry->lock);
        sl_sentry_tally_add(&sentry->tally, source, type, sl_span_of(reason));
        pthread_mutex_unlock(&sentry->lock);
    }
}

uint64_t sl_sentry_pending(const struct sl_sentry *sentry)
{
    struct sl_sentry *counted = (struct sl_sentry *)(uintptr_t)sentry;
    if (sentry == NULL) {
        return 0;
    }
    pthread_mutex_lock(&counted->lock);
    uint64_t pending = sl_sentry_tally_pending(&counted->tally);
    pthread_mutex_unlock(&counted->lock);
    return pending;
}

void sl_sentry_flush(struct sl_sentry *sentry)
{
    if (sentry == NULL) {
        return;
    }
    sl_timer_disarm(sentry->timer);
    sentry->is_flushing = true;
    sentry->is_halted = false;
    cut(sentry, sl_clock_wall_us() / 1000000);
    pump(sentry);
}

bool sl_sentry_is_flushed(const struct sl_sentry *sentry)
{
    return sentry == NULL || (sl_http_client_running(sentry->client) == 0 &&
                              (sl_sentry_pending(sentry) == 0 || !can_send(sentry)));
}
