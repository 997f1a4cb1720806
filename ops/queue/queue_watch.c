/* queue watch: the queues again and again, with what came in, went out and was given up between two looks. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ops/commands.h"
#include "ops/queue/queue.h"
#include "ops/queue/queue_look.h"
#include "ops/table.h"
#include "shared/clock.h"

#define EVERY_MS_DEFAULT 2000
#define EVERY_MS_MIN     1000
#define EVERY_MS_MAX     (60 * 60 * 1000)
#define COUNT_MAX        1000000
#define MILLI            1000
#define US_PER_S         1000000
#define CELL_BYTES       32u
#define EX_INTERRUPTED   130

static const struct ops_column columns[] = {
    { .title = "AT" },
    { .title = "SUBSYSTEM" },
    { .title = "WAITING", .is_number = true },
    { .title = "UNACKED", .is_number = true },
    { .title = "DELAYED", .is_number = true },
    { .title = "OLDEST S", .is_number = true },
    { .title = "CONSUMERS", .is_number = true },
    { .title = "IN S", .is_number = true },
    { .title = "OUT S", .is_number = true },
    { .title = "LETTERS", .is_number = true },
    { .title = "NEW LETTERS", .is_number = true },
    { .title = "SETTINGS" },
};
#define NUMBERS 9 /* the columns from WAITING to NEW LETTERS */

static volatile sig_atomic_t stop;

struct watch {
    const char *subsystem; /* NULL: every enabled one */
    int64_t every_ms;
    int64_t count;
    bool once;
    enum ops_output output;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_queue_eyes eyes;
    struct ops_queue_look then;
    struct ops_queue_look now;
    int64_t then_ms;
};

static void watch_done(struct watch *watch);
static bool read_wish(struct watch *watch, int argc, char **argv, struct sl_err *err);
static bool run(struct watch *watch, struct sl_err *err);
static bool show(struct watch *watch, int64_t took_ms, struct sl_err *err);
static void add(const struct watch *watch, size_t i, const char *at, int64_t took_ms,
                struct ops_table *table);
static void put(const struct watch *watch, int64_t number, char out[CELL_BYTES]);
static void on_signal(int number);

int ops_queue_watch(int argc, char **argv)
{
    static struct watch watch; /* two looks: too large for the stack */
    struct sl_err err = { 0 };
    watch = (struct watch){ .every_ms = EVERY_MS_DEFAULT };
    bool is_done = read_wish(&watch, argc, argv, &err) && run(&watch, &err);
    watch_done(&watch);
    return !is_done ? ops_report("queue watch", &err) : stop != 0 ? EX_INTERRUPTED : EX_OK;
}

static void watch_done(struct watch *watch)
{
    ops_queue_eyes_done(&watch->eyes);
    sl_subsystems_done(&watch->subsystems);
    ops_address_done(&watch->address);
}

static bool read_wish(struct watch *watch, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "every",
          .kind = OPS_FLAG_DURATION,
          .out = &watch->every_ms,
          .min = EVERY_MS_MIN,
          .max = EVERY_MS_MAX },
        { .name = "count", .kind = OPS_FLAG_COUNT, .out = &watch->count, .max = COUNT_MAX },
        { .name = "once", .kind = OPS_FLAG_SWITCH, .out = &watch->once },
        OPS_FLAGS_ROWS(watch->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err) ||
        !ops_address_open(&watch->address, err) ||
        !ops_sections_load(&watch->address, &watch->subsystems, err)) {
        return false;
    }
    if (watch->output == OPS_OUTPUT_JSON) { /* an array has no end here */
        watch->output = OPS_OUTPUT_NDJSON;
    }
    watch->subsystem = first < argc ? argv[first] : NULL;
    watch->count = watch->once ? 1 : watch->count;
    return watch->subsystem == NULL ||
           ops_section(&watch->subsystems, watch->subsystem, err) != NULL;
}

static bool run(struct watch *watch, struct sl_err *err)
{
    const struct sigaction action = { .sa_handler = on_signal };
    const struct timespec pause = { .tv_sec = watch->every_ms / MILLI,
                                    .tv_nsec = watch->every_ms % MILLI * 1000000 };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    ops_queue_look(&watch->eyes, &watch->address, &watch->subsystems, watch->subsystem,
                   &watch->then);
    watch->then_ms = sl_clock_mono_ms();
    for (int64_t shown = 0; watch->count == 0 || shown < watch->count; shown++) {
        (void)nanosleep(&pause, NULL); /* ends early with a signal */
        if (stop != 0) {
            return true;
        }
        ops_queue_look(&watch->eyes, &watch->address, &watch->subsystems, watch->subsystem,
                       &watch->now);
        int64_t now_ms = sl_clock_mono_ms();
        if (!show(watch, now_ms - watch->then_ms, err)) {
            return false;
        }
        watch->then = watch->now;
        watch->then_ms = now_ms;
    }
    return true;
}

/* A terminal that watches sees one table; everybody else one after the other. */
static bool show(struct watch *watch, int64_t took_ms, struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    char at[SL_RFC3339_BYTES];
    bool is_watched =
        watch->output == OPS_OUTPUT_TABLE && watch->count != 1 && isatty(STDOUT_FILENO) != 0;
    sl_clock_rfc3339_s(sl_clock_wall_us() / US_PER_S, at);
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t i = 0; i < watch->now.count; i++) {
        add(watch, i, at, took_ms, &table);
    }
    if (is_watched) {
        fputs("\033[H\033[2J", stdout);
    }
    if (watch->now.broker_err.code != SL_E_NONE) {
        fprintf(stderr, "the broker does not tell: %s\n", watch->now.broker_err.text);
    }
    if (watch->now.pg_err.code != SL_E_NONE) {
        fprintf(stderr, "the database does not tell: %s\n", watch->now.pg_err.text);
    }
    return ops_table_print(&table, watch->output, stdout, err);
}

static void add(const struct watch *watch, size_t i, const char *at, int64_t took_ms,
                struct ops_table *table)
{
    const struct ops_queue_facts *then = &watch->then.items[i];
    const struct ops_queue_facts *now = &watch->now.items[i];
    struct ops_flow flow = ops_queue_flow(then, now, took_ms);
    bool is_counted = now->letters != OPS_UNKNOWN && then->letters != OPS_UNKNOWN;
    int64_t grown = is_counted ? now->letters - then->letters : OPS_UNKNOWN;
    const int64_t numbers[NUMBERS] = {
        now->waiting,   now->unacked,   now->delayed,
        now->oldest_s,  now->consumers, flow.in_milli,
        flow.out_milli, now->letters,   is_counted && grown < 0 ? 0 : grown
    };
    char cells[NUMBERS][CELL_BYTES];
    const char *texts[SL_COUNT(columns)] = { at, now->subsystem->name };
    for (size_t n = 0; n < NUMBERS; n++) {
        bool is_rate = n == 5 || n == 6;
        if (is_rate && numbers[n] != OPS_UNKNOWN) {
            snprintf(cells[n], CELL_BYTES, "%" PRId64 ".%" PRId64, numbers[n] / MILLI,
                     numbers[n] % MILLI / 100);
        } else {
            put(watch, numbers[n], cells[n]);
        }
        texts[2 + n] = cells[n];
    }
    texts[2 + NUMBERS] = now->is_missing ? "NO QUEUE: sluice topology apply" : now->note;
    ops_table_add(table, texts);
}

static void put(const struct watch *watch, int64_t number, char out[CELL_BYTES])
{
    bool is_text = watch->output == OPS_OUTPUT_TABLE;
    if (number != OPS_UNKNOWN) {
        snprintf(out, CELL_BYTES, "%" PRId64, number);
    } else {
        snprintf(out, CELL_BYTES, "%s", is_text ? "unknown" : "");
    }
}

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}
