#include "ops/trigger/volley.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/http/http_client.h"

#define CONNECT_MS_MAX   5000
#define ANSWER_BYTES_MAX 65536u
#define HOPELESS_MIN     16u /* failures without a single answer after which no more is sent */

/* A shot that is under way. */
struct flight {
    struct ops_volley *volley;
    uint64_t i;
    struct flight *next; /* among those that are free */
};

struct ops_volley {
    struct ops_volley_opts opts;
    struct flight *flights; /* owned: `concurrency` of them */
    struct flight *free;
    struct sl_http_client *client;
    struct sl_timer *timer;
    struct ops_tally tally;
    uint64_t running;
    int64_t started_us;
    bool has_ended;
    bool has_failed; /* a shot could not be made: err says why */
    struct sl_err err;
};

static void send_more(void *arg);
static bool send_one(struct ops_volley *volley);
static bool may_send(struct ops_volley *volley);
static void on_answer(const struct sl_http_answer *answer, void *arg);
static int compare_u32(const void *a, const void *b);

struct ops_volley *ops_volley_new(const struct ops_volley_opts *opts, struct sl_err *err)
{
    SL_AUTO(ops_volley_free) struct ops_volley *volley = calloc(1, sizeof *volley);
    if (volley == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the requests");
        return NULL;
    }
    volley->opts = *opts;
    volley->tally.took_us = calloc(opts->count, sizeof *volley->tally.took_us);
    volley->flights = calloc(opts->concurrency, sizeof *volley->flights);
    volley->timer = sl_timer_new(opts->loop, send_more, volley);
    if (volley->tally.took_us == NULL || volley->flights == NULL || volley->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for %llu answers", (unsigned long long)opts->count);
        return NULL;
    }
    for (uint64_t i = 0; i < opts->concurrency; i++) {
        volley->flights[i] = (struct flight){ .volley = volley, .next = volley->free };
        volley->free = &volley->flights[i];
    }
    struct sl_http_client_opts client = {
        .loop = opts->loop,
        .transfers_max =
            opts->concurrency + 1, /* the one whose answer is being told still counts */
        .connections_max = opts->concurrency,
        .connect_ms = opts->timeout_ms < CONNECT_MS_MAX ? opts->timeout_ms : CONNECT_MS_MAX,
        .total_ms = opts->timeout_ms,
        .answer_bytes_max = ANSWER_BYTES_MAX,
    };
    volley->client = sl_http_client_new(&client, err);
    if (volley->client == NULL) {
        return NULL;
    }
    volley->started_us = sl_clock_mono_us();
    sl_timer_arm(volley->timer, 0);
    return SL_TAKE(volley);
}

void ops_volley_free(struct ops_volley *volley)
{
    if (volley == NULL) {
        return;
    }
    sl_http_client_free(volley->client);
    sl_timer_free(volley->timer);
    ops_tally_done(&volley->tally);
    free(volley->flights);
    free(volley);
}

void ops_volley_stop(struct ops_volley *volley)
{
    volley->tally.is_stopped = true;
    sl_timer_arm(volley->timer, 0);
}

const struct ops_tally *ops_volley_tally(const struct ops_volley *volley)
{
    return &volley->tally;
}

static void send_more(void *arg)
{
    struct ops_volley *volley = arg;
    while (may_send(volley) && send_one(volley)) {
    }
    bool is_complete =
        volley->tally.sent == volley->opts.count || volley->tally.is_stopped || volley->has_failed;
    if (is_complete && volley->running == 0 && !volley->has_ended) {
        volley->has_ended = true;
        volley->tally.elapsed_us = sl_clock_mono_us() - volley->started_us;
        if (volley->opts.on_end != NULL) {
            volley->opts.on_end(volley->opts.arg);
        } else {
            sl_loop_stop(volley->opts.loop);
        }
    }
}

/* False also when the rate says "later", for which the timer is armed. */
static bool may_send(struct ops_volley *volley)
{
    const struct ops_volley_opts *opts = &volley->opts;
    if (volley->tally.sent == opts->count || volley->running == opts->concurrency ||
        volley->tally.is_stopped || volley->has_failed) {
        return false;
    }
    if (opts->rate_per_s == 0) {
        return true;
    }
    int64_t due_us =
        volley->started_us + (int64_t)(volley->tally.sent * 1000000 / opts->rate_per_s);
    int64_t wait_us = due_us - sl_clock_mono_us();
    if (wait_us > 0) {
        sl_timer_arm(volley->timer, wait_us / 1000 + 1);
    }
    return wait_us <= 0;
}

static bool send_one(struct ops_volley *volley)
{
    struct ops_shot shot = { 0 };
    if (!volley->opts.make(volley->opts.arg, volley->tally.sent, &shot, &volley->err)) {
        volley->has_failed = true;
        return false;
    }
    struct sl_http_call call = {
        .method = "POST", .url = volley->opts.url, .fields = shot.fields, .body = shot.body
    };
    struct flight *flight = volley->free; /* there is one: fewer than `concurrency` are running */
    flight->i = volley->tally.sent;
    if (!sl_http_client_call(volley->client, &call, on_answer, flight, &volley->err)) {
        volley->has_failed = true;
        return false;
    }
    volley->free = flight->next;
    volley->tally.sent++;
    volley->running++;
    return true;
}

static void on_answer(const struct sl_http_answer *answer, void *arg)
{
    struct flight *flight = arg;
    struct ops_volley *volley = flight->volley;
    struct ops_tally *tally = &volley->tally;
    uint64_t i = flight->i;
    int status = 0;
    bool is_unstored = false;
    volley->running--;
    flight->next = volley->free;
    volley->free = flight;
    if (answer->status <= 0 || (unsigned)answer->status >= OPS_VOLLEY_STATUS_MAX) {
        if (tally->failed == 0 && answer->err != NULL) {
            tally->no_answer = *answer->err;
        }
        tally->failed++;
        bool is_hopeless = tally->answered == 0 && tally->failed >= HOPELESS_MIN;
        tally->is_stopped = tally->is_stopped || is_hopeless;
    } else {
        status = answer->status;
        tally->by_status[status]++;
        tally->took_us[tally->answered++] =
            answer->elapsed_us > UINT32_MAX ? UINT32_MAX : (uint32_t)answer->elapsed_us;
        static const char unstored[] = "\"stored\":false";
        is_unstored =
            status == 202 && answer->body.bytes > 0 &&
            memmem(answer->body.data, answer->body.bytes, unstored, sizeof unstored - 1) != NULL;
        tally->unstored += is_unstored ? 1 : 0;
    }
    if (volley->opts.on_answer != NULL) {
        volley->opts.on_answer(volley->opts.arg, i, status, is_unstored);
    }
    send_more(volley);
}

bool ops_volley_end(struct ops_volley *volley, struct ops_tally *out, struct sl_err *err)
{
    if (volley->has_failed) {
        *err = volley->err;
        return false;
    }
    *out = volley->tally;
    volley->tally.took_us = NULL;
    if (out->elapsed_us == 0) {
        out->elapsed_us = sl_clock_mono_us() - volley->started_us;
    }
    qsort(out->took_us, out->answered, sizeof *out->took_us, compare_u32);
    return true;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void ops_tally_done(struct ops_tally *tally)
{
    free(tally->took_us);
    tally->took_us = NULL;
}

uint32_t ops_tally_percentile_us(const struct ops_tally *tally, unsigned percent)
{
    if (tally->answered == 0) {
        return 0;
    }
    uint64_t rank = (tally->answered * percent + 99) / 100;
    return tally->took_us[rank == 0 ? 0 : rank - 1];
}
