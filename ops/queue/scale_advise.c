/* scale advise: how many workers a backlog needs, how many the database has room for, and the next small step, with its way back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/queue/cause_look.h"
#include "ops/queue/queue.h"
#include "ops/queue/scale_look.h"
#include "ops/table.h"

#define SAMPLE_MS_DEFAULT 5000
#define SAMPLE_MS_MIN     2000
#define SAMPLE_MS_MAX     (5 * 60 * 1000)
#define TARGET_MS_MAX     (INT64_C(7) * 24 * 3600 * 1000)
#define BUDGET_MAX        100000
#define NUMBER_BYTES      32u
#define MILLI             1000

static const struct ops_column columns[] = {
    { .title = "SUBSYSTEM" },
    { .title = "WORKERS", .is_number = true },
    { .title = "NEEDED", .is_number = true },
    { .title = "ROOM", .is_number = true },
    { .title = "NEXT", .is_number = true },
    { .title = "BOUND" },
    { .title = "BACKLOG", .is_number = true },
    { .title = "IN S", .is_number = true },
    { .title = "OUT S", .is_number = true },
    { .title = "REASON" },
};
#define NUMBERS 7 /* of the columns, in their order */

struct wish {
    const char *subsystem; /* NULL: every enabled one */
    int64_t sample_ms;
    int64_t target_ms;
    struct ops_scale_wish scale;
    enum ops_output output;
};

static bool read_wish(struct wish *wish, const struct ops_address *address, int argc, char **argv,
                      struct sl_err *err);
static bool advise(struct wish *wish, const struct ops_address *address, struct sl_err *err);
static void add(const char *name, const struct ops_scale_figures *figures,
                const struct ops_scale_advice *advice, struct ops_table *table);
static void print(const struct ops_address *address, const char *name,
                  const struct ops_scale_figures *figures, const struct ops_scale_advice *advice);
static void print_step(const struct ops_address *address, const char *name,
                       const struct ops_scale_figures *figures,
                       const struct ops_scale_advice *advice);
static void put(int64_t number, char out[NUMBER_BYTES]);
static void put_milli(int64_t milli, char out[NUMBER_BYTES]);
static const char *or_unknown(const char *text);

int ops_scale_advise_command(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .sample_ms = SAMPLE_MS_DEFAULT, .scale.headroom = OPS_SCALE_HEADROOM };
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    bool is_done = ops_address_open(&address, &err) &&
                   read_wish(&wish, &address, argc, argv, &err) && advise(&wish, &address, &err);
    return is_done ? EX_OK : ops_report("scale advise", &err);
}

static bool read_wish(struct wish *wish, const struct ops_address *address, int argc, char **argv,
                      struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "within",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->target_ms,
          .min = 1000,
          .max = TARGET_MS_MAX },
        { .name = "budget",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->scale.budget,
          .min = 1,
          .max = BUDGET_MAX },
        { .name = "headroom",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->scale.headroom,
          .min = 0,
          .max = BUDGET_MAX },
        { .name = "sample",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->sample_ms,
          .min = SAMPLE_MS_MIN,
          .max = SAMPLE_MS_MAX },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    wish->scale.budget = address->settings.pg_budget;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err)) {
        return false;
    }
    wish->subsystem = first < argc ? argv[first] : NULL;
    wish->scale.target_s = wish->target_ms / MILLI;
    return true;
}

static bool advise(struct wish *wish, const struct ops_address *address, struct sl_err *err)
{
    SL_AUTO(ops_cause_look_free)
    struct ops_cause_look *look = ops_cause_look_new();
    SL_DONE(ops_queue_eyes_done) struct ops_queue_eyes eyes = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    if (look == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the figures");
    }
    if (!ops_sections_load(address, &subsystems, err) ||
        (wish->subsystem != NULL && ops_section(&subsystems, wish->subsystem, err) == NULL) ||
        !ops_cause_look(&eyes, address, &subsystems, wish->subsystem, wish->sample_ms, look, err)) {
        return false;
    }
    if (look->look.pg_err.code != SL_E_NONE) {
        *err = look->look.pg_err;
        return false;
    }
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t i = 0; i < look->look.count; i++) {
        const struct ops_flow flow = { .settled = look->items[i].settled,
                                       .in_milli = look->items[i].in_milli,
                                       .out_milli = look->items[i].out_milli };
        const struct ops_scale_figures figures =
            ops_scale_figures_of(&look->look.items[i], &flow, &look->items[i], &wish->scale);
        const struct ops_scale_advice advice = ops_scale_advise(&figures);
        if (wish->output == OPS_OUTPUT_TABLE) {
            print(address, look->items[i].subsystem, &figures, &advice);
        } else {
            add(look->items[i].subsystem, &figures, &advice, &table);
        }
    }
    return wish->output == OPS_OUTPUT_TABLE || ops_table_print(&table, wish->output, stdout, err);
}

static void add(const char *name, const struct ops_scale_figures *figures,
                const struct ops_scale_advice *advice, struct ops_table *table)
{
    char numbers[NUMBERS][NUMBER_BYTES];
    put(figures->workers, numbers[0]);
    put(advice->needed, numbers[1]);
    put(advice->room, numbers[2]);
    put(advice->next, numbers[3]);
    put(figures->backlog, numbers[4]);
    put_milli(figures->in_milli, numbers[5]);
    put_milli(figures->out_milli, numbers[6]);
    const char *const cells[] = { name,          numbers[0], numbers[1],
                                  numbers[2],    numbers[3], ops_constraint_name(advice->bound),
                                  numbers[4],    numbers[5], numbers[6],
                                  advice->reason };
    ops_table_add(table, cells);
}

static void print(const struct ops_address *address, const char *name,
                  const struct ops_scale_figures *figures, const struct ops_scale_advice *advice)
{
    char backlog[NUMBER_BYTES], in[NUMBER_BYTES], out[NUMBER_BYTES], needed[NUMBER_BYTES];
    char room[NUMBER_BYTES], workers[NUMBER_BYTES];
    put(figures->backlog, backlog);
    put_milli(figures->in_milli, in);
    put_milli(figures->out_milli, out);
    put(advice->needed, needed);
    put(advice->room, room);
    put(figures->workers, workers);
    bool is_step = advice->next > figures->workers;
    if (is_step) {
        printf("%s: %" PRId64 " -> %" PRId64 " workers: %s\n", name, figures->workers, advice->next,
               advice->reason);
    } else {
        printf("%s: keep workers at %s: %s\n", name, or_unknown(workers), advice->reason);
    }
    printf("    backlog %s, in %s/s, out %s/s; bound by: %s\n", or_unknown(backlog), or_unknown(in),
           or_unknown(out), ops_constraint_name(advice->bound));
    printf("    to be empty in %" PRId64 " s: %s workers\n", figures->target_s, or_unknown(needed));
    if (advice->room != OPS_UNKNOWN) {
        printf("    room for %s workers: budget %" PRId64 " sessions, %" PRId64
               " used by others, %" PRId64 " kept free\n",
               room, figures->budget, figures->others, figures->headroom);
    }
    if (is_step) {
        print_step(address, name, figures, advice);
    }
}

static void print_step(const struct ops_address *address, const char *name,
                       const struct ops_scale_figures *figures,
                       const struct ops_scale_advice *advice)
{
    const char *file = address->settings.subsystems;
    if (advice->next <= figures->workers_made) {
        printf("  1. sluice queue set %s workers=%" PRId64 "\n", name, advice->next);
    } else {
        printf("  1. workers = %" PRId64
               " in section [%s] of %s; sluice-consumer --check; send the consumer "
               "SIGHUP\n",
               advice->next, name, file == NULL ? "a file that SLUICE_SUBSYSTEMS names" : file);
    }
    printf("  2. wait 1 to 2 minutes: sluice scale advise %s --sample 60s\n", name);
    printf(
        "  3. go back when OUT did not rise, or transactions became a third longer: sluice queue set "
        "%s workers=%" PRId64 "\n",
        name, figures->workers);
}

static void put(int64_t number, char out[NUMBER_BYTES])
{
    out[0] = '\0';
    if (number != OPS_UNKNOWN) {
        snprintf(out, NUMBER_BYTES, "%" PRId64, number);
    }
}

static void put_milli(int64_t milli, char out[NUMBER_BYTES])
{
    out[0] = '\0';
    if (milli != OPS_UNKNOWN) {
        snprintf(out, NUMBER_BYTES, "%" PRId64 ".%" PRId64, milli / MILLI, milli % MILLI / 100);
    }
}

static const char *or_unknown(const char *text)
{
    return *text == '\0' ? "unknown" : text;
}
