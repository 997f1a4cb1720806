#include "ops/gameday/gameday_wave.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/clock.h"

#define TIMEOUT_MS   10000 /* twice what an answer may take */
#define OBJECT_BYTES 192u
#define GOOD         "signup" /* the sample's story that good events tell */
#define RETRY_TYPE   "customer.created"

static bool make_shot(void *arg, uint64_t i, struct ops_shot *out, struct sl_err *err);
static bool is_odd(enum ops_gameday_storm kind);
static size_t good_steps(size_t *out_first);
static void write_odd(struct ops_gameday_wave *wave, uint64_t i);
static void on_answer(void *arg, uint64_t i, int status, bool is_unstored);
static void on_end(void *arg);

bool ops_gameday_wave_init(struct ops_gameday_wave *wave, const struct ops_gameday_wave_opts *opts,
                           struct sl_err *err)
{
    wave->kind = opts->kind;
    wave->count_max = opts->count_max;
    wave->fates = calloc(opts->count_max, sizeof *wave->fates);
    if (wave->fates == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for %" PRIu64 " events", opts->count_max);
    }
    return ops_signed_sample_init(&wave->sample, err) &&
           ops_signed_sample_key(&wave->sample, opts->address, NULL, err);
}

bool ops_gameday_wave_begin(struct ops_gameday_wave *wave, struct sl_loop *loop, const char *url,
                            uint64_t rate_per_s, uint64_t concurrency, struct sl_err *err)
{
    struct ops_volley_opts opts = { .loop = loop,
                                    .url = url,
                                    .count = wave->count_max,
                                    .concurrency = concurrency,
                                    .rate_per_s = rate_per_s,
                                    .timeout_ms = TIMEOUT_MS,
                                    .arg = wave,
                                    .make = make_shot,
                                    .on_answer = on_answer,
                                    .on_end = on_end };
    wave->volley = ops_volley_new(&opts, err);
    return wave->volley != NULL;
}

static bool make_shot(void *arg, uint64_t i, struct ops_shot *out, struct sl_err *err)
{
    struct ops_gameday_wave *wave = arg;
    size_t first = 0;
    size_t count = good_steps(&first);
    if (is_odd(wave->kind)) {
        write_odd(wave, i);
    } else if (!ops_signed_sample_write(&wave->sample, first, count, i, err)) {
        return false;
    }
    if (!ops_signed_sample_sign(&wave->sample, sl_clock_wall_us() / 1000000, out, err)) {
        return false;
    }
    wave->sent = i + 1;
    return true;
}

static bool is_odd(enum ops_gameday_storm kind)
{
    return kind == OPS_GAMEDAY_STORM_POISON || kind == OPS_GAMEDAY_STORM_RETRY;
}

const char *ops_gameday_type(enum ops_gameday_storm kind, uint64_t i)
{
    struct ops_sample_seat seat = { 0 };
    size_t first = 0;
    if (is_odd(kind)) {
        return kind == OPS_GAMEDAY_STORM_POISON ? OPS_GAMEDAY_POISON_TYPE : RETRY_TYPE;
    }
    size_t count = good_steps(&first);
    ops_sample_seat(first, count, i, &seat);
    return ops_sample_step_type(seat.step);
}

uint64_t ops_gameday_type_count(enum ops_gameday_storm kind)
{
    size_t first = 0;
    return is_odd(kind) ? 1 : good_steps(&first);
}

static size_t good_steps(size_t *out_first)
{
    size_t count = 0;
    bool is_known = ops_sample_find(GOOD, out_first, &count);
    SL_ASSERT(is_known);
    return count;
}

static void write_odd(struct ops_gameday_wave *wave, uint64_t i)
{
    bool is_poison = wave->kind == OPS_GAMEDAY_STORM_POISON;
    long long now_s = sl_clock_wall_us() / 1000000;
    char object[OBJECT_BYTES];
    if (is_poison) {
        snprintf(object, sizeof object, "{\"id\":%" PRIu64 ",\"object\":\"subscription\"}", i + 1);
    } else {
        snprintf(object, sizeof object,
                 "{\"id\":\"cus_%s%06" PRIu64 "\",\"object\":\"customer\",\"created\":%lld,"
                 "\"livemode\":false,\"name\":\"Game Day\"}",
                 wave->sample.name, i + 1, now_s);
    }
    sl_buf_reset(&wave->sample.body);
    sl_buf_printf(&wave->sample.body,
                  "{\"id\":\"evt_1S%s%010" PRIu64 "\",\"object\":\"event\",\"created\":%lld,"
                  "\"livemode\":false,\"type\":\"%s\",\"data\":{\"object\":%s}}",
                  wave->sample.name, i + 1, now_s, ops_gameday_type(wave->kind, i), object);
}

static void on_answer(void *arg, uint64_t i, int status, bool is_unstored)
{
    struct ops_gameday_wave *wave = arg;
    wave->fates[i].status = (int16_t)status;
    wave->fates[i].is_unstored = is_unstored;
    wave->degraded += status != 200;
}

static void on_end(void *arg)
{
    struct ops_gameday_wave *wave = arg;
    wave->has_ended = true;
}

void ops_gameday_wave_stop(struct ops_gameday_wave *wave)
{
    if (wave->volley != NULL && !wave->has_ended) {
        ops_volley_stop(wave->volley);
    }
}

bool ops_gameday_wave_is_over(const struct ops_gameday_wave *wave)
{
    return wave->volley == NULL || wave->has_ended;
}

bool ops_gameday_wave_end(struct ops_gameday_wave *wave, struct sl_err *err)
{
    SL_DONE(ops_tally_done) struct ops_tally tally = { 0 };
    bool is_whole = wave->volley == NULL || ops_volley_end(wave->volley, &tally, err);
    if (tally.answered > 0) {
        wave->slowest_us = tally.took_us[tally.answered - 1];
    }
    ops_gameday_wave_drop(wave);
    return is_whole;
}

void ops_gameday_wave_drop(struct ops_gameday_wave *wave)
{
    ops_volley_free(wave->volley);
    wave->volley = NULL;
}

void ops_gameday_wave_done(struct ops_gameday_wave *wave)
{
    ops_gameday_wave_drop(wave);
    ops_signed_sample_done(&wave->sample);
    free(wave->fates);
    wave->fates = NULL;
}
