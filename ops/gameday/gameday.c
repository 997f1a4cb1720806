#include "ops/gameday/gameday.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/actor.h"
#include "ops/commands.h"
#include "ops/gameday/gameday_backup.h"
#include "ops/gameday/gameday_books.h"
#include "ops/gameday/gameday_report.h"
#include "ops/plan.h"
#include "ops/sections.h"
#include "ops/table.h"

#define RATE_DEFAULT   20
#define RATE_MAX       1000
#define FOR_MS_DEFAULT 60000
#define FOR_MS_MIN     1000
#define FOR_MS_MAX     (2 * 3600 * 1000)
#define DRAIN_DEFAULT  (10 * 60 * 1000)
#define DRAIN_MAX      (4 * 3600 * 1000)
#define PHRASE_BYTES   64

const char ops_gameday_list_usage[] = OPS_USAGE_ROWS
    "Reads INVENTORY, SLUICE_GAMEDAY and the local stack: COMMANDS says whether a scenario can run here.\n";
const char ops_gameday_run_usage[] =
    "  SCENARIO          `sluice gameday list` shows them\n" OPS_USAGE_YES
    "  --for D           how long the fault holds (60s)\n"
    "  --rate N          good events a second, before, during and after (20)\n"
    "  --drain D         longest wait until all is well again, and then until all has arrived (10m)\n"
    "  --subsystem S     the ledger of this one alone (of each that takes the events)\n"
    "  --report FILE     keep the report as a page\n" OPS_USAGE_OUTPUT
    "INVENTORY is staging (default) or prod. prod needs CONFIRM_PROD=1, a terminal, a backup younger than 24 h\n"
    "(pgbackrest info; SKIP_BACKUP_FRESHNESS=1 leaves it out) and a typed phrase. SLUICE_GAMEDAY names the file with\n"
    "the commands that begin and end each fault; without it, staging is the local stack (sluice dev).\n"
    "Exit status: 0 passed; 2 the plan, without --yes; 1 lost, doubled or unexpected, or a command failed; 75 not well or not drained in time;\n"
    "130 stopped (the fault was ended).\n";

struct run {
    const char *word;
    const char *subsystem;
    const char *report;
    int64_t for_ms;
    int64_t rate;
    int64_t drain_ms;
    bool yes;
    enum ops_output output;
    const struct ops_gameday_scenario *scenario;
    struct ops_address address;
    struct ops_gameday_commands commands;
    struct ops_gameday_facts facts;
    enum ops_gameday_inventory inventory;
    struct ops_gameday_course course;
    struct sl_subsystems subsystems;
    struct ops_gameday_takers takers;
    struct ops_gameday_answers answers;
    struct ops_gameday_session session;
    char actor[OPS_ACTOR_BYTES];
    char publisher[OPS_URL_BYTES];
    char phrase[PHRASE_BYTES];
};

static volatile sig_atomic_t is_stopped; /* by a signal, while the books are read */

static void run_done(struct run *run);
static bool read_wish(struct run *run, int argc, char **argv, struct sl_err *err);
static bool prepare(struct run *run, struct sl_err *err);
static bool choose_takers(struct run *run, struct sl_err *err);
static bool guard(struct run *run, struct sl_err *err);
static void ask_phrase(struct run *run);
static bool hold(struct run *run, int *out_status, struct sl_err *err);
static void on_signal(int signal_number);
static struct ops_gameday_facts facts_here(void);

int ops_gameday_list(int argc, char **argv)
{
    static const struct ops_column columns[] = { { .title = "SCENARIO" },
                                                 { .title = "WHAT" },
                                                 { .title = "RUNBOOK" },
                                                 { .title = "COMMANDS" } };
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(ops_gameday_commands_done) struct ops_gameday_commands commands = { 0 };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    struct sl_err err = { 0 };
    enum ops_output output = OPS_OUTPUT_TABLE;
    enum ops_gameday_inventory inventory = OPS_GAMEDAY_STAGING;
    const struct ops_flag flags[] = { OPS_FLAGS_ROWS(output) };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, &err) ||
        !ops_gameday_inventory_of(getenv("INVENTORY"), &inventory, &err) ||
        !ops_address_open(&address, &err) ||
        !ops_gameday_commands_open(&commands, &address, inventory, &err)) {
        return ops_report("gameday list", &err);
    }
    const struct ops_gameday_scenario *scenario = NULL;
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t i = 0; (scenario = ops_gameday_scenario_at(i)) != NULL; i++) {
        struct sl_err why = { 0 };
        bool has_all = ops_gameday_commands_suffice(&commands, scenario, inventory, &why);
        const char *from = commands.origin == NULL ? "SLUICE_GAMEDAY is not set" : commands.origin;
        const char *cells[] = { scenario->name, scenario->what, scenario->page,
                                !scenario->needs_commands            ? "none needed"
                                : has_all || commands.origin == NULL ? from
                                                                     : "missing" };
        ops_table_add(&table, cells);
    }
    return ops_table_print(&table, output, stdout, &err) ? EX_OK : ops_report("gameday list", &err);
}

int ops_gameday_run(int argc, char **argv)
{
    struct sl_err err = { 0 };
    int status = EX_OK;
    SL_DONE(run_done)
    struct run run = { .for_ms = FOR_MS_DEFAULT, .rate = RATE_DEFAULT, .drain_ms = DRAIN_DEFAULT };
    bool is_done = read_wish(&run, argc, argv, &err) && prepare(&run, &err);
    if (is_done && !run.yes) {
        is_done = ops_gameday_tell_plan(&run.session, run.output, &err);
        status = ops_plan_end(true, run.inventory == OPS_GAMEDAY_PROD ? OPS_PLAN_YES
                                        ", which asks for what prod needs"
                                                                      : OPS_PLAN_YES);
    } else if (is_done) {
        is_done = guard(&run, &err) && hold(&run, &status, &err);
    }
    return is_done ? status : ops_report("gameday run", &err);
}

static void run_done(struct run *run)
{
    ops_gameday_takers_done(&run->takers);
    sl_subsystems_done(&run->subsystems);
    ops_gameday_course_done(&run->course);
    ops_gameday_commands_done(&run->commands);
    ops_address_done(&run->address);
}

static bool read_wish(struct run *run, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "for",
          .kind = OPS_FLAG_DURATION,
          .out = &run->for_ms,
          .min = FOR_MS_MIN,
          .max = FOR_MS_MAX },
        { .name = "rate", .kind = OPS_FLAG_COUNT, .out = &run->rate, .min = 1, .max = RATE_MAX },
        { .name = "drain",
          .kind = OPS_FLAG_DURATION,
          .out = &run->drain_ms,
          .min = 1000,
          .max = DRAIN_MAX },
        { .name = "subsystem", .kind = OPS_FLAG_TEXT, .out = (void *)&run->subsystem },
        { .name = "report", .kind = OPS_FLAG_TEXT, .out = (void *)&run->report },
        OPS_FLAGS_MEANT(run->yes),
        OPS_FLAGS_OUTPUT(run->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err)) {
        return false;
    }
    if (first == argc) {
        return sl_fail(err, SL_E_USAGE, "which scenario? sluice gameday list shows them");
    }
    run->word = argv[first];
    run->scenario = ops_gameday_scenario_find(run->word, err);
    return run->scenario != NULL;
}

/* The inventory comes first: nothing is looked at for one that does not exist. */
static bool prepare(struct run *run, struct sl_err *err)
{
    run->facts = facts_here();
    if (!ops_gameday_inventory_of(run->facts.inventory, &run->inventory, err) ||
        !ops_address_open(&run->address, err) ||
        !ops_gameday_commands_open(&run->commands, &run->address, run->inventory, err) ||
        !ops_gameday_commands_suffice(&run->commands, run->scenario, run->inventory, err) ||
        !choose_takers(run, err) ||
        !ops_address_publisher(&run->address, NULL, run->publisher, err)) {
        return false;
    }
    ops_actor(run->actor);
    run->session = (struct ops_gameday_session){
        .scenario = run->scenario,
        .inventory = run->inventory,
        .skips_backup =
            run->inventory == OPS_GAMEDAY_PROD && ops_gameday_is_set(run->facts.skip_backup),
        .actor = run->actor,
        .publisher = run->publisher,
        .takers = &run->takers,
        .origin = run->commands.origin,
        .command = run->commands.items[run->scenario->id],
        .rate_per_s = (uint64_t)run->rate,
        .hold_ms = run->for_ms,
        .drain_limit_ms = run->drain_ms,
    };
    return true;
}

static bool choose_takers(struct run *run, struct sl_err *err)
{
    const struct sl_subsystem *only = NULL;
    if (!ops_sections_load(&run->address, &run->subsystems, err)) {
        return false;
    }
    if (run->subsystem != NULL) {
        only = ops_section(&run->subsystems, run->subsystem, err);
        if (only == NULL) {
            return false;
        }
    }
    return ops_gameday_takers_choose(&run->takers, &run->subsystems, only, run->scenario->storm,
                                     run->drain_ms, err);
}

static struct ops_gameday_facts facts_here(void)
{
    /* From the environment alone: a file that lies around confirms nothing. */
    return (struct ops_gameday_facts){ .inventory = getenv("INVENTORY"),
                                       .confirm_prod = getenv("CONFIRM_PROD"),
                                       .skip_backup = getenv("SKIP_BACKUP_FRESHNESS"),
                                       .has_terminal = isatty(STDIN_FILENO) == 1 };
}

/* The header is read before the phrase is typed. */
static bool guard(struct run *run, struct sl_err *err)
{
    bool has_told = false;
    for (;;) {
        switch (ops_gameday_guard(&run->facts, err)) {
        case OPS_GAMEDAY_GO:
            if (!has_told) {
                ops_gameday_tell_header(&run->session, stderr);
            }
            return true;
        case OPS_GAMEDAY_ASK_BACKUP:
            ops_gameday_backup_ask(&run->facts);
            break;
        case OPS_GAMEDAY_ASK_PHRASE:
            ops_gameday_tell_header(&run->session, stderr);
            has_told = true;
            ask_phrase(run);
            break;
        case OPS_GAMEDAY_REFUSE:
            return false;
        }
    }
}

static void ask_phrase(struct run *run)
{
    fprintf(stderr, "Type %s to begin: ", OPS_GAMEDAY_PHRASE);
    if (fgets(run->phrase, sizeof run->phrase, stdin) == NULL) {
        run->phrase[0] = '\0';
    }
    run->phrase[strcspn(run->phrase, "\r\n")] = '\0';
    run->facts.phrase = run->phrase;
}

static bool hold(struct run *run, int *out_status, struct sl_err *err)
{
    struct ops_gameday_session *session = &run->session;
    struct ops_gameday_drive_opts drive = { .scenario = run->scenario,
                                            .command = session->command,
                                            .address = &run->address,
                                            .rate_per_s = session->rate_per_s,
                                            .hold_ms = run->for_ms,
                                            .calm_ms = run->drain_ms };
    struct ops_gameday_books_opts books = { .address = &run->address,
                                            .subsystems = &run->subsystems,
                                            .drain_ms = run->drain_ms,
                                            .is_stopped = &is_stopped };
    if (!ops_gameday_drive(&drive, &run->course, err)) {
        return false;
    }
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGHUP, on_signal);
    if (!ops_gameday_books(&books, &run->course, &run->takers, &run->answers, &session->drain_ms,
                           err)) {
        return false;
    }
    session->course = &run->course;
    session->answers = &run->answers;
    *out_status = ops_gameday_status(session);
    return ops_gameday_tell(session, run->output, err) &&
           (run->report == NULL || ops_gameday_keep(session, run->report, err));
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    is_stopped = 1;
}
