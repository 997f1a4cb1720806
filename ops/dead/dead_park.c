/* Parking by order: an event, or all of a type, is set aside when the consumer next meets it. */
#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/dead/dead.h"
#include "ops/flags.h"
#include "ops/queue/order_write.h"
#include "ops/sections.h"
#include "ops/table.h"

#define FOR_MS_MAX     (INT64_C(30) * 24 * 3600 * 1000)
#define TEXT_BYTES_MAX 200u
#define NAME_BYTES     256u

struct wish {
    const char *event;
    const char *type;
    const char *subsystem;
    const char *reason;
    int64_t for_ms;
    bool dry_run;
    enum ops_output output;
};

static int run(const char *command, bool is_park, int argc, char **argv);
static bool read_wish(bool is_park, struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool check_section(const char *name, struct sl_err *err);
static bool act(bool is_park, const struct wish *wish, int *out_status, struct sl_err *err);
static bool tell(bool is_park, const struct wish *wish, struct sl_err *err);

int ops_dead_park(int argc, char **argv)
{
    return run("dead park", true, argc, argv);
}

int ops_dead_unpark(int argc, char **argv)
{
    return run("dead unpark", false, argc, argv);
}

static int run(const char *command, bool is_park, int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { 0 };
    int status = EX_OK;
    bool is_done =
        read_wish(is_park, &wish, argc, argv, &err) && act(is_park, &wish, &status, &err);
    return is_done ? status : ops_report(command, &err);
}

static bool read_wish(bool is_park, struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "event", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->event },
        { .name = "type", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->type },
        { .name = "subsystem", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->subsystem },
        OPS_FLAG_DRY_RUN(wish->dry_run),
        OPS_FLAGS_ROWS(wish->output),
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->reason },
        { .name = "for",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->for_ms,
          .min = 1000,
          .max = FOR_MS_MAX },
    };
    int first = 0;
    if (!ops_flags_read(flags, is_park ? SL_COUNT(flags) : SL_COUNT(flags) - 2, argc, argv, 0, 0,
                        &first, err)) {
        return false;
    }
    const char *what = wish->event != NULL ? wish->event : wish->type;
    if ((wish->event == NULL) == (wish->type == NULL)) {
        return sl_fail(err, SL_E_USAGE, "it takes --event ID or --type T");
    }
    if (wish->type != NULL && wish->subsystem == NULL) {
        return sl_fail(
            err, SL_E_USAGE,
            "--type needs --subsystem: a whole type is parked for one subsystem at a time");
    }
    if (strlen(what) > TEXT_BYTES_MAX || strcmp(what, "*") == 0 ||
        (wish->reason != NULL && strlen(wish->reason) > TEXT_BYTES_MAX)) {
        return sl_fail(
            err, SL_E_USAGE,
            "a value is longer than %u bytes, or means everything: `sluice queue pause` stops a subsystem",
            TEXT_BYTES_MAX);
    }
    if (is_park && wish->reason == NULL) {
        return sl_fail(err, SL_E_USAGE,
                       "--reason TEXT is required: who finds the letter must know why");
    }
    return true;
}

/* An order for a section that is not there would stand for ever and be followed by nobody. It can be taken back under any name. */
static bool check_section(const char *name, struct sl_err *err)
{
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    return ops_address_open(&address, err) && ops_sections_load(&address, &subsystems, err) &&
           ops_section(&subsystems, name, err) != NULL;
}

static bool act(bool is_park, const struct wish *wish, int *out_status, struct sl_err *err)
{
    char name[NAME_BYTES];
    char at[OPS_ORDER_TIME_BYTES];
    int64_t changed = 0;
    bool is_event = wish->event != NULL;
    const char *what = is_event ? wish->event : wish->type;
    const char *subsystem = wish->subsystem == NULL ? "" : wish->subsystem;
    snprintf(name, sizeof name, "park %s %s", is_event ? "event" : "type", what);
    const struct ops_order order = { .subsystem = subsystem,
                                     .name = name,
                                     .value = is_park ? "true" : NULL,
                                     .reason = wish->reason,
                                     .for_ms = wish->for_ms,
                                     .dry_run = wish->dry_run };
    if (is_park && wish->subsystem != NULL && !check_section(wish->subsystem, err)) {
        return false;
    }
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice dead", false, err);
    if (session == NULL || !ops_order_write(session, &order, &changed, at, err)) {
        return false;
    }
    if (!is_park && changed == 0) {
        fprintf(stderr, "%s: was not to be parked\n", what);
        return wish->output == OPS_OUTPUT_TABLE || tell(is_park, wish, err);
    }
    return tell(is_park, wish, err) &&
           ops_order_tell(session, subsystem, at, false, out_status, err);
}

static bool tell(bool is_park, const struct wish *wish, struct sl_err *err)
{
    static const struct ops_column columns[] = {
        { .title = "SUBSYSTEM" },
        { .title = "EVENT" },
        { .title = "TYPE" },
        { .title = "STATE" },
        { .title = "DONE", .is_yes_no = true },
    };
    const char *what = wish->event != NULL ? wish->event : wish->type;
    if (wish->output != OPS_OUTPUT_TABLE) {
        SL_DONE(ops_table_done) struct ops_table table = { 0 };
        ops_table_init(&table, columns, SL_COUNT(columns));
        ops_table_add(&table, (const char *const[]){ wish->subsystem, wish->event, wish->type,
                                                     is_park ? "parked" : "not parked",
                                                     wish->dry_run ? "no" : "yes" });
        return ops_table_print(&table, wish->output, stdout, err);
    }
    if (wish->dry_run) {
        printf("%s: would %s\n", what,
               is_park ? "be set aside when it is next met" : "not be parked any more");
        return true;
    }
    printf(
        "%s: %s\n", what,
        is_park
            ? "waiting and delayed ones become dead letters when they are next met; to end it: sluice dead unpark"
            : "is not parked any more; to have what was parked applied: sluice dead replay --class 'parked by operator'");
    return true;
}
