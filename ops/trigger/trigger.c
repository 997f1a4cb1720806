#include "ops/trigger/trigger.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/trigger/signed_sample.h"
#include "ops/trigger/trigger_tell.h"
#include "shared/clock.h"
#include "shared/nearest.h"

#define COUNT_MAX           1000000
#define CONCURRENCY_DEFAULT 16
#define CONCURRENCY_MAX     1024
#define RATE_MAX            1000000
#define TIMEOUT_DEFAULT_MS  10000
#define TIMEOUT_MAX_MS      120000
#define STALE_S             3600 /* far behind the default tolerance of 300 s */
#define PROGRESS_MS         200
#define EX_INTERRUPTED      130

struct wish {
    const char *word;
    const char *url;
    const char *secret_file;
    int64_t count;
    int64_t rate;
    int64_t concurrency;
    int64_t timeout_ms;
    bool duplicate;
    bool stale;
    bool bad_signature;
    bool print;
    bool list;
    size_t first_step;
    size_t step_count;
    enum ops_output output;
};

struct run {
    const struct wish *wish;
    char url[OPS_WEBHOOK_URL_BYTES];
    struct ops_signed_sample sample;
    struct sl_loop *loop;
    struct ops_volley *volley;
    struct sl_timer *progress;
    unsigned interrupts;
};

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err);
static bool find_word(struct wish *wish, struct sl_err *err);
static void list_words(void);
static bool prepare(struct run *run, const struct wish *wish, struct sl_err *err);
static bool print_events(struct run *run, struct sl_err *err);
static bool write_event(struct run *run, uint64_t i, struct sl_err *err);
static bool make_shot(void *arg, uint64_t i, struct ops_shot *out, struct sl_err *err);
static bool send_events(struct run *run, int *out_status, struct sl_err *err);
static void on_signal(int signal_number, void *arg);
static void on_progress(void *arg);
static void run_done(struct run *run);

int ops_trigger(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .concurrency = CONCURRENCY_DEFAULT, .timeout_ms = TIMEOUT_DEFAULT_MS };
    if (!read_wish(argc, argv, &wish, &err)) {
        return ops_report("trigger", &err);
    }
    if (wish.list) {
        list_words();
        return EX_OK;
    }
    SL_DONE(run_done) struct run run = { 0 };
    int status = EX_OK;
    bool is_done = prepare(&run, &wish, &err) &&
                   (wish.print ? print_events(&run, &err) : send_events(&run, &status, &err));
    return is_done ? status : ops_report("trigger", &err);
}

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "count",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->count,
          .min = 1,
          .max = COUNT_MAX },
        { .name = "rate", .kind = OPS_FLAG_COUNT, .out = &wish->rate, .max = RATE_MAX },
        { .name = "concurrency",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->concurrency,
          .min = 1,
          .max = CONCURRENCY_MAX },
        { .name = "url", .kind = OPS_FLAG_TEXT, .out = &wish->url },
        { .name = "secret-file", .kind = OPS_FLAG_TEXT, .out = &wish->secret_file },
        { .name = "timeout",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->timeout_ms,
          .min = 100,
          .max = TIMEOUT_MAX_MS },
        { .name = "duplicate", .kind = OPS_FLAG_SWITCH, .out = &wish->duplicate },
        { .name = "stale", .kind = OPS_FLAG_SWITCH, .out = &wish->stale },
        { .name = "bad-signature", .kind = OPS_FLAG_SWITCH, .out = &wish->bad_signature },
        { .name = "print", .kind = OPS_FLAG_SWITCH, .out = &wish->print },
        { .name = "list", .kind = OPS_FLAG_SWITCH, .out = &wish->list },
        OPS_FLAGS_OUTPUT(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err)) {
        return false;
    }
    if (wish->list) {
        return true;
    }
    if (first == argc) {
        return sl_fail(err, SL_E_USAGE, "which event? A type, signup or all; --list shows them");
    }
    wish->word = argv[first];
    return find_word(wish, err);
}

static bool find_word(struct wish *wish, struct sl_err *err)
{
    if (!ops_sample_find(wish->word, &wish->first_step, &wish->step_count)) {
        const char *nearest = sl_nearest_of(sl_span_of(wish->word), ops_sample_word, NULL);
        return sl_fail(err, SL_E_USAGE, "there is no sample of '%.80s'%s%s%s", wish->word,
                       nearest == NULL ? "; --list shows what there is" : "; did you mean ",
                       nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
    }
    if (wish->count == 0) {
        wish->count = (int64_t)wish->step_count;
    }
    return true;
}

static void list_words(void)
{
    const char *word = NULL;
    for (size_t i = 0; (word = ops_sample_word(NULL, i)) != NULL; i++) {
        printf("%s\n", word);
    }
}

/* ---- before the first event ---- */

static bool prepare(struct run *run, const struct wish *wish, struct sl_err *err)
{
    run->wish = wish;
    if (!ops_signed_sample_init(&run->sample, err)) {
        return false;
    }
    if (wish->print) {
        return true;
    }
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    return ops_address_open(&address, err) && ops_webhook_url(&address, wish->url, run->url, err) &&
           (wish->bad_signature
                ? ops_signed_sample_bad_key(&run->sample, err)
                : ops_signed_sample_key(&run->sample, &address, wish->secret_file, err));
}

static void run_done(struct run *run)
{
    ops_volley_free(run->volley);
    sl_timer_free(run->progress);
    sl_loop_free(run->loop);
    ops_signed_sample_done(&run->sample);
}

/* ---- events ---- */

static bool write_event(struct run *run, uint64_t i, struct sl_err *err)
{
    return ops_signed_sample_write(&run->sample, run->wish->first_step, run->wish->step_count, i,
                                   err);
}

static bool print_events(struct run *run, struct sl_err *err)
{
    for (int64_t i = 0; i < run->wish->count; i++) {
        if (!write_event(run, (uint64_t)i, err)) {
            return false;
        }
        fwrite(run->sample.body.data, 1, run->sample.body.used_bytes, stdout);
        fputs(run->wish->count > 1 ? "\n" : "", stdout); /* one alone can be signed as it is */
    }
    return fflush(stdout) == 0 || sl_fail(err, SL_E_IO, "cannot write the events");
}

static bool make_shot(void *arg, uint64_t i, struct ops_shot *out, struct sl_err *err)
{
    struct run *run = arg;
    if (!write_event(run, run->wish->duplicate ? i / 2 : i, err)) {
        return false;
    }
    int64_t at_s = sl_clock_wall_us() / 1000000 - (run->wish->stale ? STALE_S : 0);
    return ops_signed_sample_sign(&run->sample, at_s, out, err);
}

/* ---- sending ---- */

static bool send_events(struct run *run, int *out_status, struct sl_err *err)
{
    const struct wish *wish = run->wish;
    run->loop = sl_loop_new(err);
    if (run->loop == NULL || !sl_loop_on_signal(run->loop, SIGINT, on_signal, run, err) ||
        !sl_loop_on_signal(run->loop, SIGTERM, on_signal, run, err)) {
        return false;
    }
    struct ops_volley_opts opts = { .loop = run->loop,
                                    .url = run->url,
                                    .count = (uint64_t)wish->count * (wish->duplicate ? 2 : 1),
                                    .concurrency = (uint64_t)wish->concurrency,
                                    .rate_per_s = (uint64_t)wish->rate,
                                    .timeout_ms = wish->timeout_ms,
                                    .arg = run,
                                    .make = make_shot };
    run->volley = ops_volley_new(&opts, err);
    run->progress = sl_timer_new(run->loop, on_progress, run);
    if (run->volley == NULL || run->progress == NULL) {
        return run->volley == NULL ? false : sl_fail(err, SL_E_MEMORY, "no memory for a timer");
    }
    if (isatty(STDERR_FILENO)) {
        sl_timer_arm(run->progress, PROGRESS_MS);
    }
    SL_DONE(ops_tally_done) struct ops_tally tally = { 0 };
    if (!sl_loop_run(run->loop, err) || !ops_volley_end(run->volley, &tally, err)) {
        return false;
    }
    struct ops_trigger_report report = { .run = run->sample.name,
                                         .what = wish->word,
                                         .url = run->url,
                                         .asked = opts.count,
                                         .expects_refusal = wish->stale || wish->bad_signature,
                                         .tally = &tally };
    ops_trigger_clear_progress();
    ops_trigger_tell(&report, wish->output);
    *out_status = run->interrupts > 0 ? EX_INTERRUPTED : ops_trigger_status(&report);
    return true;
}

/* The first signal stops sending, the second waiting. */
static void on_signal(int signal_number, void *arg)
{
    (void)signal_number;
    struct run *run = arg;
    run->interrupts++;
    if (run->interrupts == 1) {
        ops_volley_stop(run->volley);
    } else {
        sl_loop_stop(run->loop);
    }
}

static void on_progress(void *arg)
{
    struct run *run = arg;
    ops_trigger_progress(ops_volley_tally(run->volley),
                         (uint64_t)run->wish->count * (run->wish->duplicate ? 2 : 1));
    sl_timer_arm(run->progress, PROGRESS_MS);
}
