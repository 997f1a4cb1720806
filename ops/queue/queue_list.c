/* queue list: each subsystem's queue on one line. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "ops/commands.h"
#include "ops/queue/queue.h"
#include "ops/queue/queue_look.h"
#include "ops/table.h"
#include "shared/clock.h"

#define SAMPLE_MS_MAX 60000
#define CELL_BYTES    32u
#define MILLI         1000

static const struct ops_column columns[] = {
    { .title = "SUBSYSTEM" },
    { .title = "WAITING", .is_number = true },
    { .title = "REPLAYS", .is_number = true },
    { .title = "UNACKED", .is_number = true },
    { .title = "DELAYED", .is_number = true },
    { .title = "OLDEST S", .is_number = true },
    { .title = "CONSUMERS", .is_number = true },
    { .title = "IN S", .is_number = true },
    { .title = "OUT S", .is_number = true },
    { .title = "ETA S", .is_number = true },
    { .title = "PARKED", .is_number = true },
    { .title = "LETTERS", .is_number = true },
    { .title = "STATE" },
    { .title = "SETTINGS" },
    { .title = "SEVERITY", .is_for_programs = true },
    { .title = "OWNER", .is_for_programs = true },
    { .title = "IMPACT", .is_for_programs = true },
};
#define COLUMNS SL_COUNT(columns)

struct wish {
    bool non_critical;
    int64_t sample_ms;
    enum ops_output output;
};

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool look_and_print(const struct wish *wish, struct sl_err *err);
static void sample(struct ops_queue_eyes *eyes, const struct ops_address *address,
                   const struct sl_subsystems *subsystems, const struct wish *wish,
                   struct ops_queue_look *look);
static void add_row(const struct wish *wish, const struct ops_queue_facts *facts,
                    struct ops_table *table);
static void put_state(const struct ops_queue_facts *facts, char out_cell[CELL_BYTES]);
static void put(const struct wish *wish, int64_t number, char out_cell[CELL_BYTES]);
static void put_milli(const struct wish *wish, int64_t milli, char out_cell[CELL_BYTES]);
static void put_eta(const struct wish *wish, const struct ops_queue_facts *facts,
                    char out_cell[CELL_BYTES]);
static void tell_rest(const struct ops_queue_look *look);

int ops_queue_list(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { 0 };
    bool is_done = read_wish(&wish, argc, argv, &err) && look_and_print(&wish, &err);
    return is_done ? EX_OK : ops_report("queue list", &err);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "non-critical", .kind = OPS_FLAG_SWITCH, .out = &wish->non_critical },
        { .name = "sample",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->sample_ms,
          .min = 1000,
          .max = SAMPLE_MS_MAX },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err);
}

static bool look_and_print(const struct wish *wish, struct sl_err *err)
{
    struct ops_queue_look look;
    SL_DONE(ops_queue_eyes_done) struct ops_queue_eyes eyes = { 0 };
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    if (!ops_address_open(&address, err) || !ops_sections_load(&address, &subsystems, err)) {
        return false;
    }
    ops_queue_look(&eyes, &address, &subsystems, NULL, &look);
    if (wish->sample_ms > 0) {
        sample(&eyes, &address, &subsystems, wish, &look);
    }
    ops_table_init(&table, columns, COLUMNS);
    for (size_t i = 0; i < look.count; i++) {
        if (!wish->non_critical || !look.items[i].subsystem->critical) {
            add_row(wish, &look.items[i], &table);
        }
    }
    if (look.broker_err.code != SL_E_NONE && look.pg_err.code != SL_E_NONE) {
        return sl_fail(err, look.broker_err.code,
                       "neither broker nor database tells: %.150s; %.150s", look.broker_err.text,
                       look.pg_err.text);
    }
    if (!ops_table_print(&table, wish->output, stdout, err)) {
        return false;
    }
    tell_rest(&look);
    return true;
}

/* Rates from what changed between two looks, where the management interface does not tell them. */
static void sample(struct ops_queue_eyes *eyes, const struct ops_address *address,
                   const struct sl_subsystems *subsystems, const struct wish *wish,
                   struct ops_queue_look *look)
{
    struct ops_queue_look before = *look;
    int64_t start_ms = sl_clock_mono_ms();
    const struct timespec pause = { .tv_sec = wish->sample_ms / MILLI,
                                    .tv_nsec = wish->sample_ms % MILLI * 1000000 };
    (void)nanosleep(&pause, NULL);
    ops_queue_look(eyes, address, subsystems, NULL, look);
    int64_t took_ms = sl_clock_mono_ms() - start_ms;
    for (size_t i = 0; i < look->count; i++) {
        struct ops_queue_facts *now = &look->items[i];
        struct ops_flow flow = ops_queue_flow(&before.items[i], now, took_ms);
        now->in_milli = flow.in_milli == OPS_UNKNOWN ? now->in_milli : flow.in_milli;
        now->out_milli = flow.out_milli == OPS_UNKNOWN ? now->out_milli : flow.out_milli;
    }
}

static void add_row(const struct wish *wish, const struct ops_queue_facts *facts,
                    struct ops_table *table)
{
    char cells[COLUMNS][CELL_BYTES];
    const char *texts[COLUMNS];
    const int64_t numbers[] = { facts->waiting, facts->replays,  facts->unacked,
                                facts->delayed, facts->oldest_s, facts->consumers };
    for (size_t i = 0; i < SL_COUNT(numbers); i++) {
        put(wish, numbers[i], cells[1 + i]);
    }
    put_milli(wish, facts->in_milli, cells[7]);
    put_milli(wish, facts->out_milli, cells[8]);
    put_eta(wish, facts, cells[9]);
    put(wish, facts->parked, cells[10]);
    put(wish, facts->letters, cells[11]);
    for (size_t i = 0; i < COLUMNS; i++) {
        texts[i] = cells[i];
    }
    texts[0] = facts->subsystem->name;
    put_state(facts, cells[12]);
    texts[13] = facts->is_missing           ? "NO QUEUE: sluice topology apply"
                : facts->is_missing_replays ? "NO QUEUE FOR REPLAYS: sluice topology apply"
                                            : facts->note;
    texts[14] = sl_subsystem_severity_name(facts->subsystem->severity);
    texts[15] = facts->subsystem->owner;
    texts[16] = facts->subsystem->impact;
    ops_table_add(table, texts);
}

static void put_state(const struct ops_queue_facts *facts, char out_cell[CELL_BYTES])
{
    out_cell[0] = '\0';
    if (ops_queue_is_stuck(facts, OPS_STUCK_S)) {
        snprintf(out_cell, CELL_BYTES, "stuck %" PRId64 " min", facts->idle_s / 60);
    } else if (strncmp(facts->note, "paused", strlen("paused")) == 0 ||
               strstr(facts->note, ", paused") != NULL) {
        snprintf(out_cell, CELL_BYTES, "paused");
    } else if (facts->consumers == 0 && facts->waiting > 0) {
        snprintf(out_cell, CELL_BYTES, "nobody consumes");
    }
}

static void put(const struct wish *wish, int64_t number, char out_cell[CELL_BYTES])
{
    if (number != OPS_UNKNOWN) {
        snprintf(out_cell, CELL_BYTES, "%" PRId64, number);
    } else { /* null for programs */
        bool is_text = wish->output == OPS_OUTPUT_TABLE;
        snprintf(out_cell, CELL_BYTES, "%s", is_text ? "unknown" : "");
    }
}

static void put_milli(const struct wish *wish, int64_t milli, char out_cell[CELL_BYTES])
{
    if (milli == OPS_UNKNOWN) {
        put(wish, milli, out_cell);
    } else {
        snprintf(out_cell, CELL_BYTES, "%" PRId64 ".%" PRId64, milli / MILLI, milli % MILLI / 100);
    }
}

static void put_eta(const struct wish *wish, const struct ops_queue_facts *facts,
                    char out_cell[CELL_BYTES])
{
    bool is_known = facts->waiting != OPS_UNKNOWN && facts->unacked != OPS_UNKNOWN;
    int64_t backlog =
        is_known ? facts->waiting + ops_queue_replays(facts) + facts->unacked : OPS_UNKNOWN;
    if (backlog == 0) {
        put(wish, 0, out_cell);
    } else if (!is_known || facts->in_milli == OPS_UNKNOWN || facts->out_milli == OPS_UNKNOWN) {
        put(wish, OPS_UNKNOWN, out_cell);
    } else if (facts->out_milli <= facts->in_milli) {
        bool is_text = wish->output == OPS_OUTPUT_TABLE;
        snprintf(out_cell, CELL_BYTES, "%s", is_text ? "not draining" : "");
    } else {
        put(wish, backlog * MILLI / (facts->out_milli - facts->in_milli), out_cell);
    }
}

static void tell_rest(const struct ops_queue_look *look)
{
    if (look->delayed_all > 0) {
        fprintf(stderr, "%" PRId64 " messages wait for their time, of all subsystems together\n",
                look->delayed_all);
    }
    if (look->unrouted > 0) {
        fprintf(stderr,
                "%" PRId64
                " messages that no queue was bound to wait to be written as dead letters\n",
                look->unrouted);
    }
    if (look->broker_err.code != SL_E_NONE) {
        fprintf(stderr, "the broker does not tell: %s\n", look->broker_err.text);
    }
    if (look->pg_err.code != SL_E_NONE) {
        fprintf(stderr, "the database does not tell: %s\n", look->pg_err.text);
    }
    if (look->api_err.code != SL_E_NONE && look->api_err.code != SL_E_CONFIG) {
        fprintf(stderr, "the management interface does not tell: %s\n", look->api_err.text);
    }
}
