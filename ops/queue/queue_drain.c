/* queue drain: waits until a subsystem has nothing left to do, and says when that will be, and what it waits for. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/queue/cause_look.h"
#include "ops/queue/drain_line.h"
#include "ops/queue/queue.h"
#include "ops/queue/scale_look.h"
#include "ops/table.h"
#include "shared/clock.h"

#define TIMEOUT_MS_DEFAULT (10 * 60 * 1000)
#define TIMEOUT_MS_MAX     (INT64_C(7) * 24 * 3600 * 1000)
#define LOOK_MS            1200  /* longer than a consumer needs to write what it holds */
#define TELL_EVERY_MS      5000  /* when nobody watches */
#define FLOW_MS            10000 /* rates are taken over that, and up to twice that */
#define MILLI              1000
#define US_PER_S           1000000
#define NUMBER_BYTES       24u

/* A look at a time. */
static const struct ops_column columns[] = {
    { .title = "TIME" },
    { .title = "SUBSYSTEM" },
    { .title = "STATE" },
    { .title = "WAITING", .is_number = true },
    { .title = "UNACKED", .is_number = true },
    { .title = "DELAYED", .is_number = true },
    { .title = "OUT S", .is_number = true },
    { .title = "SAID" },
};

struct drain {
    const char *subsystem;
    enum ops_output output;
    struct ops_table table; /* the looks; ndjson tells each at once */
    int64_t timeout_ms;
    int64_t stuck_ms;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_queue_eyes eyes;
    struct ops_queue_look look;
    struct ops_cause_look *sessions; /* of which only what glances find is used */
    struct ops_pace pace;
    struct ops_queue_facts
        bases[2]; /* looks that rates are taken from: the older one, the younger one */
    int64_t base_ms[2];
    struct ops_flow flow;
    int64_t most;
    bool was_empty;         /* at the last look */
    int64_t settled_before; /* then */
    int64_t told_ms;
};

static void drain_done(struct drain *drain);
static bool read_wish(struct drain *drain, int argc, char **argv, struct sl_err *err);
static bool wait_until_empty(struct drain *drain, int *out_status, struct sl_err *err);
static void look(struct drain *drain);
static bool is_empty(struct drain *drain);
static bool has_rows_at_end(const struct drain *drain);
static bool add_row(struct drain *drain, const char *state, const char *said, struct sl_err *err);
static bool tell(struct drain *drain, bool is_last, struct sl_err *err);

int ops_queue_drain(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(drain_done)
    struct drain drain = { .timeout_ms = TIMEOUT_MS_DEFAULT, .stuck_ms = OPS_STUCK_S * MILLI };
    int status = EX_OK;
    ops_table_init(&drain.table, columns, SL_COUNT(columns));
    bool is_done =
        read_wish(&drain, argc, argv, &err) && wait_until_empty(&drain, &status, &err) &&
        (!has_rows_at_end(&drain) || ops_table_print(&drain.table, drain.output, stdout, &err));
    return is_done ? status : ops_report("queue drain", &err);
}

static void drain_done(struct drain *drain)
{
    ops_table_done(&drain->table);
    ops_cause_look_free(drain->sessions);
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
        { .name = "stuck-after",
          .kind = OPS_FLAG_DURATION,
          .out = &drain->stuck_ms,
          .min = 1000,
          .max = TIMEOUT_MS_MAX },
        OPS_FLAGS_ROWS(drain->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, err) ||
        !ops_address_open(&drain->address, err) ||
        !ops_sections_load(&drain->address, &drain->subsystems, err)) {
        return false;
    }
    drain->subsystem = argv[first];
    drain->sessions = ops_cause_look_new();
    if (drain->sessions == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the figures");
    }
    return ops_section(&drain->subsystems, argv[first], err) != NULL;
}

static bool wait_until_empty(struct drain *drain, int *out_status, struct sl_err *err)
{
    static const struct timespec pause = { .tv_sec = LOOK_MS / MILLI,
                                           .tv_nsec = LOOK_MS % MILLI * 1000000L };
    int64_t until_ms = sl_clock_mono_ms() + drain->timeout_ms;
    for (;;) {
        look(drain);
        if (drain->look.items[0].is_missing) {
            return sl_fail(err, SL_E_AMQP_NOT_FOUND, "there is no queue %s: sluice topology apply",
                           drain->look.items[0].subsystem->queue);
        }
        if (is_empty(drain)) {
            if (isatty(STDERR_FILENO) != 0) {
                fputs("\r\033[K", stderr);
            }
            if (drain->output == OPS_OUTPUT_TABLE) {
                printf("%s: nothing waits, nothing is in hand, nothing is delayed\n",
                       drain->subsystem);
                return true;
            }
            return add_row(drain, "drained", "", err);
        }
        bool is_over = sl_clock_mono_ms() >= until_ms;
        if (!tell(drain, is_over, err)) {
            return false;
        }
        if (is_over) {
            *out_status = EX_TEMPFAIL;
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static void look(struct drain *drain)
{
    ops_queue_look(&drain->eyes, &drain->address, &drain->subsystems, drain->subsystem,
                   &drain->look);
    ops_cause_begin(&drain->look, drain->sessions);
    ops_cause_glance(drain->eyes.session, drain->sessions);
    const struct ops_queue_facts *now = &drain->look.items[0];
    int64_t now_ms = sl_clock_mono_ms();
    if (drain->base_ms[0] == 0) {
        drain->bases[0] = drain->bases[1] = *now;
        drain->base_ms[0] = drain->base_ms[1] = now_ms;
    }
    drain->flow = ops_queue_flow(&drain->bases[0], now, now_ms - drain->base_ms[0]);
    if (now_ms - drain->base_ms[1] >= FLOW_MS) {
        drain->bases[0] = drain->bases[1];
        drain->base_ms[0] = drain->base_ms[1];
        drain->bases[1] = *now;
        drain->base_ms[1] = now_ms;
    }
}

/* Two looks in a row, between which nothing was settled: a message that changed hands meanwhile would be seen by neither. */
static bool is_empty(struct drain *drain)
{
    const struct ops_queue_facts *facts = &drain->look.items[0];
    bool is_known = facts->waiting != OPS_UNKNOWN && facts->unacked != OPS_UNKNOWN &&
                    facts->delayed != OPS_UNKNOWN;
    int64_t left = is_known
                       ? facts->waiting + ops_queue_replays(facts) + facts->unacked + facts->delayed
                       : OPS_UNKNOWN;
    bool is_quiet = drain->was_empty && facts->settled == drain->settled_before;
    if (is_known) {
        ops_pace_note(&drain->pace, sl_clock_mono_ms(), left);
        drain->most = left > drain->most ? left : drain->most;
    }
    drain->was_empty = left == 0;
    drain->settled_before = facts->settled;
    return left == 0 && is_quiet;
}

static bool has_rows_at_end(const struct drain *drain)
{
    return drain->output == OPS_OUTPUT_JSON || drain->output == OPS_OUTPUT_CSV;
}

/* A program that reads lines sees each look when it is made. */
static bool add_row(struct drain *drain, const char *state, const char *said, struct sl_err *err)
{
    const struct ops_queue_facts *facts = &drain->look.items[0];
    const int64_t numbers[] = { facts->waiting, facts->unacked, facts->delayed };
    char cells[SL_COUNT(numbers)][NUMBER_BYTES];
    char out_s[NUMBER_BYTES] = "";
    char at[SL_RFC3339_BYTES];
    sl_clock_rfc3339_s(sl_clock_wall_us() / US_PER_S, at);
    for (size_t i = 0; i < SL_COUNT(numbers); i++) {
        snprintf(cells[i], NUMBER_BYTES, "%" PRId64, numbers[i]);
        cells[i][0] = numbers[i] == OPS_UNKNOWN ? '\0' : cells[i][0];
    }
    if (drain->flow.out_milli != OPS_UNKNOWN) {
        snprintf(out_s, sizeof out_s, "%" PRId64 ".%" PRId64, drain->flow.out_milli / MILLI,
                 drain->flow.out_milli % MILLI / 100);
    }
    if (drain->output == OPS_OUTPUT_NDJSON) {
        ops_table_done(&drain->table);
        ops_table_init(&drain->table, columns, SL_COUNT(columns));
    }
    ops_table_add(&drain->table, (const char *const[]){ at, drain->subsystem, state, cells[0],
                                                        cells[1], cells[2], out_s, said });
    return drain->output != OPS_OUTPUT_NDJSON ||
           ops_table_print(&drain->table, drain->output, stdout, err);
}

static bool tell(struct drain *drain, bool is_last, struct sl_err *err)
{
    bool is_watched = isatty(STDERR_FILENO) != 0;
    int64_t now_ms = sl_clock_mono_ms();
    char line[OPS_DRAIN_LINE_BYTES];
    char bare[OPS_DRAIN_LINE_BYTES];
    if (!is_watched && !is_last && drain->told_ms != 0 && now_ms - drain->told_ms < TELL_EVERY_MS) {
        return true;
    }
    drain->told_ms = now_ms;
    const struct ops_scale_figures figures =
        ops_scale_figures_of(&drain->look.items[0], &drain->flow, &drain->sessions->items[0], NULL);
    struct ops_drain_view view = { .facts = &drain->look.items[0],
                                   .broker_err = &drain->look.broker_err,
                                   .outlook = ops_pace_look(&drain->pace),
                                   .advice = ops_scale_advise(&figures),
                                   .flow = drain->flow,
                                   .most = drain->most,
                                   .stuck_s = drain->stuck_ms / MILLI,
                                   .has_bar = is_watched };
    ops_drain_line(&view, line);
    view.has_bar = false;
    ops_drain_line(&view, bare);
    fprintf(stderr, "%s%s%s", is_watched ? "\r\033[K" : "", line,
            is_watched && !is_last ? "" : "\n");
    if (is_last) {
        fprintf(stderr, "%s is not drained\n", drain->subsystem);
    }
    return drain->output == OPS_OUTPUT_TABLE ||
           add_row(drain, is_last ? "not drained" : "draining", bare, err);
}
