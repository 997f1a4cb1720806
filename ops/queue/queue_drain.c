/* queue drain: waits until a subsystem has nothing left to do, and says when that will be. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/queue/queue.h"
#include "ops/queue/queue_look.h"
#include "ops/queue/queue_pace.h"
#include "shared/clock.h"

#define TIMEOUT_MS_DEFAULT (10 * 60 * 1000)
#define TIMEOUT_MS_MAX     (INT64_C(7) * 24 * 3600 * 1000)
#define LOOK_MS            1200 /* longer than a consumer needs to write what it holds */
#define TELL_EVERY_MS      5000 /* when nobody watches */
#define LINE_BYTES         256u

struct drain {
    const char *subsystem;
    int64_t timeout_ms;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_queue_eyes eyes;
    struct ops_queue_look look;
    struct ops_pace pace;
    bool was_empty;         /* at the last look */
    int64_t settled_before; /* then */
    int64_t told_ms;
};

static void drain_done(struct drain *drain);
static bool read_wish(struct drain *drain, int argc, char **argv, struct sl_err *err);
static bool wait_until_empty(struct drain *drain, int *out_status, struct sl_err *err);
static bool is_empty(struct drain *drain);
static void tell(struct drain *drain, bool is_last);
static void say_why(const struct drain *drain, char out_line[LINE_BYTES]);

int ops_queue_drain(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(drain_done) struct drain drain = { .timeout_ms = TIMEOUT_MS_DEFAULT };
    int status = EX_OK;
    bool is_done = read_wish(&drain, argc, argv, &err) && wait_until_empty(&drain, &status, &err);
    return is_done ? status : ops_report("queue drain", &err);
}

static void drain_done(struct drain *drain)
{
    ops_queue_eyes_done(&drain->eyes);
    sl_subsystems_done(&drain->subsystems);
    ops_address_done(&drain->address);
}

static bool read_wish(struct drain *drain, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "timeout",
          .kind = OPS_FLAG_DURATION,
          .out = &drain->timeout_ms,
          .min = 1000,
          .max = TIMEOUT_MS_MAX },
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, err) ||
        !ops_address_open(&drain->address, err) ||
        !ops_sections_load(&drain->address, &drain->subsystems, err)) {
        return false;
    }
    drain->subsystem = argv[first];
    return sl_subsystems_find(&drain->subsystems, sl_span_of(argv[first])) != NULL ||
           sl_fail(err, SL_E_USAGE, "the subsystems file has no section '%.60s'", argv[first]);
}

static bool wait_until_empty(struct drain *drain, int *out_status, struct sl_err *err)
{
    static const struct timespec pause = { .tv_sec = LOOK_MS / 1000,
                                           .tv_nsec = LOOK_MS % 1000 * 1000000L };
    int64_t until_ms = sl_clock_mono_ms() + drain->timeout_ms;
    for (;;) {
        ops_queue_look(&drain->eyes, &drain->address, &drain->subsystems, drain->subsystem,
                       &drain->look);
        if (drain->look.items[0].is_missing) {
            return sl_fail(err, SL_E_AMQP_NOT_FOUND, "there is no queue %s: sluice topology apply",
                           drain->look.items[0].subsystem->queue);
        }
        if (is_empty(drain)) {
            printf("%s: nothing waits, nothing is in hand, nothing is delayed\n", drain->subsystem);
            return true;
        }
        bool is_over = sl_clock_mono_ms() >= until_ms;
        tell(drain, is_over);
        if (is_over) {
            *out_status = EX_TEMPFAIL;
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
}

/* Two looks in a row, between which nothing was settled: a message that changed hands meanwhile would be seen by neither. */
static bool is_empty(struct drain *drain)
{
    const struct ops_queue_facts *facts = &drain->look.items[0];
    bool is_known = facts->waiting != OPS_UNKNOWN && facts->unacked != OPS_UNKNOWN &&
                    facts->delayed != OPS_UNKNOWN;
    bool is_zero = is_known && facts->waiting + facts->unacked + facts->delayed == 0;
    bool is_quiet = drain->was_empty && facts->settled == drain->settled_before;
    if (is_known) {
        ops_pace_note(&drain->pace, sl_clock_mono_ms(),
                      facts->waiting + facts->unacked + facts->delayed);
    }
    drain->was_empty = is_zero;
    drain->settled_before = facts->settled;
    return is_zero && is_quiet;
}

static void tell(struct drain *drain, bool is_last)
{
    bool is_watched = isatty(STDERR_FILENO) != 0;
    int64_t now_ms = sl_clock_mono_ms();
    char line[LINE_BYTES];
    if (!is_watched && !is_last && drain->told_ms != 0 && now_ms - drain->told_ms < TELL_EVERY_MS) {
        return;
    }
    drain->told_ms = now_ms;
    say_why(drain, line);
    fprintf(stderr, "%s%s%s", is_watched ? "\r\033[K" : "", line,
            is_watched && !is_last ? "" : "\n");
    if (is_last) {
        fprintf(stderr, "%s is not drained\n", drain->subsystem);
    }
}

static void put(char out[24], int64_t number)
{
    if (number == OPS_UNKNOWN) {
        snprintf(out, 24, "unknown");
    } else {
        snprintf(out, 24, "%" PRId64, number);
    }
}

static void say_why(const struct drain *drain, char out_line[LINE_BYTES])
{
    const struct ops_queue_facts *facts = &drain->look.items[0];
    struct ops_pace_outlook outlook = ops_pace_look(&drain->pace);
    char waiting[24], unacked[24], delayed[24];
    char when[96] = "";
    put(waiting, facts->waiting);
    put(unacked, facts->unacked);
    put(delayed, facts->delayed);
    if (drain->look.broker_err.code != SL_E_NONE) {
        snprintf(when, sizeof when, "the broker does not tell: %.60s", drain->look.broker_err.text);
    } else if (strstr(facts->note, "paused") != NULL) {
        snprintf(when, sizeof when, "not draining: paused; sluice queue resume %.40s",
                 drain->subsystem);
    } else if (facts->consumers == 0) {
        snprintf(when, sizeof when, "not draining: nobody consumes it");
    } else if (facts->waiting == 0 && facts->unacked == 0 && facts->first > 0 &&
               facts->first == facts->delayed) {
        snprintf(when, sizeof when,
                 "all that is left waits for its first try, at most %" PRId64 " s",
                 facts->first_wait_s);
    } else if (outlook.verdict == OPS_PACE_NOT_DRAINING) {
        snprintf(when, sizeof when,
                 "not draining: as much comes in as goes out, or nothing goes out");
    } else if (outlook.verdict == OPS_PACE_DRAINING && outlook.latest_s >= 0) {
        snprintf(when, sizeof when, "empty in %" PRId64 " to %" PRId64 " s", outlook.soonest_s,
                 outlook.latest_s);
    } else if (outlook.verdict == OPS_PACE_DRAINING && outlook.soonest_s >= 0) {
        snprintf(when, sizeof when, "empty in %" PRId64 " s at best", outlook.soonest_s);
    } else {
        snprintf(when, sizeof when, "looking");
    }
    snprintf(out_line, LINE_BYTES, "%s: %s waiting, %s in hand, %s delayed; %s", drain->subsystem,
             waiting, unacked, delayed, when);
}
