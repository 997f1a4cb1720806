/* The commands that order: pause, resume, set. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/pg_table.h"
#include "ops/plan.h"
#include "ops/queue/order_write.h"
#include "ops/queue/queue.h"
#include "ops/sections.h"
#include "shared/nearest.h"
#include "shared/units.h"

#define FOR_MS_MAX       (INT64_C(30) * 24 * 3600 * 1000)
#define REASON_BYTES_MAX 255u
#define DIGITS_MAX       6u
#define VALUE_BYTES      32u
#define SETTINGS_MAX     8

/* What can be set, and between which numbers; a maximum of 0 is the section's own number. */
static const struct {
    const char *name;
    int64_t max;
} settings[] = { { "attempts", 100 }, { "workers", 0 }, { "batch", 0 } };

static const char settings_sql[] =
    "SELECT coalesce(nullif(subsystem, ''), '(all)'), name, value #>> '{}',"
    " coalesce(to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'taken back'),"
    " reason, actor, to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    " FROM sluice_control WHERE (expires_at IS NULL OR expires_at > now())"
    " AND name NOT LIKE 'breaker %'" /* sluice breaker list */
    " AND ($1 = '' OR subsystem IN ('', $1)) ORDER BY subsystem, name";
static const struct ops_column settings_columns[] = {
    { .title = "SUBSYSTEM" }, { .title = "SETTING" }, { .title = "VALUE" }, { .title = "UNTIL" },
    { .title = "REASON" },    { .title = "BY" },      { .title = "SINCE" },
};

static const struct ops_column told_columns[] = {
    { .title = "SUBSYSTEM" },
    { .title = "STATE" },
    { .title = "DONE", .is_yes_no = true },
};

struct wish {
    int64_t for_ms;
    const char *reason;
    bool non_critical;
    bool all;
    bool reset;
    bool dry_run;
    enum ops_output output;
    char **words; /* the arguments */
    int word_count;
};

/* What a command works with. */
struct desk {
    struct wish wish;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_pg_session *session;
    int64_t changed;       /* orders that were or would be written or taken back */
    struct ops_table told; /* what pause and resume did, for programs */
};

static void desk_done(struct desk *desk);
static bool open_desk(struct desk *desk, int argc, char **argv, int words_max, struct sl_err *err);
static bool open_session(struct desk *desk, struct sl_err *err);
static bool check_chosen(const struct desk *desk, struct sl_err *err);
static int pause_or_resume(const char *command, bool is_pause, int argc, char **argv);
static bool pause_one(struct desk *desk, const char *subsystem, bool is_pause,
                      char out_at[OPS_ORDER_TIME_BYTES], struct sl_err *err);
static bool set_all(struct desk *desk, int *out_status, struct sl_err *err);
static bool set_one(struct desk *desk, const struct sl_subsystem *subsystem, const char *word,
                    char out_at[OPS_ORDER_TIME_BYTES], struct sl_err *err);
static bool read_setting(const struct sl_subsystem *subsystem, const char *word,
                         char out_name[VALUE_BYTES], char out_value[VALUE_BYTES],
                         struct sl_err *err);
static bool refuse_number(const struct sl_subsystem *subsystem, const char *name,
                          struct sl_span value, bool is_of_section, int64_t max,
                          struct sl_err *err);
static bool reset(struct desk *desk, const char *subsystem, char out_at[OPS_ORDER_TIME_BYTES],
                  struct sl_err *err);
static bool show(struct desk *desk, const char *subsystem, struct sl_err *err);

int ops_queue_pause(int argc, char **argv)
{
    return pause_or_resume("queue pause", true, argc, argv);
}

int ops_queue_resume(int argc, char **argv)
{
    return pause_or_resume("queue resume", false, argc, argv);
}

static void desk_done(struct desk *desk)
{
    ops_table_done(&desk->told);
    ops_pg_session_free(desk->session);
    sl_subsystems_done(&desk->subsystems);
    ops_address_done(&desk->address);
}

static bool open_desk(struct desk *desk, int argc, char **argv, int words_max, struct sl_err *err)
{
    struct wish *wish = &desk->wish;
    const struct ops_flag flags[] = {
        { .name = "for",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->for_ms,
          .min = 1000,
          .max = FOR_MS_MAX },
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->reason },
        { .name = "non-critical", .kind = OPS_FLAG_SWITCH, .out = &wish->non_critical },
        { .name = "all", .kind = OPS_FLAG_SWITCH, .out = &wish->all },
        { .name = "reset", .kind = OPS_FLAG_SWITCH, .out = &wish->reset },
        OPS_FLAG_DRY_RUN(wish->dry_run),
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, words_max, &first, err)) {
        return false;
    }
    wish->words = argv + first;
    wish->word_count = argc - first;
    if (wish->reason != NULL && strlen(wish->reason) > REASON_BYTES_MAX) {
        return sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", REASON_BYTES_MAX);
    }
    if (!ops_address_open(&desk->address, err) ||
        !ops_sections_load(&desk->address, &desk->subsystems, err)) {
        return false;
    }
    return true;
}

/* After the words are known to be right: who mistypes a name learns it also while the database is away. */
static bool open_session(struct desk *desk, struct sl_err *err)
{
    desk->session = ops_pg_session_here("sluice queue", false, err);
    return desk->session != NULL;
}

/* Pause ----------------------------------------------------------------------------------------- */

static int pause_or_resume(const char *command, bool is_pause, int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(desk_done) struct desk desk = { 0 };
    char at[OPS_ORDER_TIME_BYTES] = "";
    const char *last = "";
    int chosen = 0;
    int status = EX_OK;
    if (!open_desk(&desk, argc, argv, (int)SL_SUBSYSTEMS_MAX, &err) || !check_chosen(&desk, &err) ||
        !open_session(&desk, &err)) {
        return ops_report(command, &err);
    }
    const struct wish *wish = &desk.wish;
    bool is_done = true;
    ops_table_init(&desk.told, told_columns, SL_COUNT(told_columns));
    for (int i = 0; i < wish->word_count && is_done; i++, chosen++) {
        last = wish->words[i];
        is_done = pause_one(&desk, last, is_pause, at, &err);
    }
    for (size_t i = 0; i < desk.subsystems.count && is_done; i++) {
        const struct sl_subsystem *one = &desk.subsystems.items[i];
        if (one->enabled && (wish->all || (wish->non_critical && !one->critical))) {
            last = one->name;
            chosen++;
            is_done = pause_one(&desk, last, is_pause, at, &err);
        }
    }
    if (is_done && wish->output != OPS_OUTPUT_TABLE) {
        is_done = ops_table_print(&desk.told, wish->output, stdout, &err);
    }
    if (is_done && chosen == 0 && wish->non_critical) {
        fputs("every enabled subsystem is critical: nothing was changed\n", stderr);
        return EX_OK;
    }
    if (is_done && wish->dry_run) {
        return ops_plan_end(desk.changed > 0, OPS_PLAN_WET);
    }
    is_done = is_done && ops_order_tell(desk.session, chosen == 1 ? last : "", at,
                                        is_pause && chosen == 1, &status, &err);
    return is_done ? status : ops_report(command, &err);
}

static bool check_chosen(const struct desk *desk, struct sl_err *err)
{
    const struct wish *wish = &desk->wish;
    for (int i = 0; i < wish->word_count; i++) {
        if (ops_section(&desk->subsystems, wish->words[i], err) == NULL) {
            return false;
        }
    }
    return wish->word_count > 0 || wish->all || wish->non_critical ||
           sl_fail(err, SL_E_USAGE, "name a subsystem, or say --non-critical or --all");
}

static bool pause_one(struct desk *desk, const char *subsystem, bool is_pause,
                      char out_at[OPS_ORDER_TIME_BYTES], struct sl_err *err)
{
    int64_t changed = 0;
    const struct ops_order order = { .subsystem = subsystem,
                                     .name = "paused",
                                     .value = is_pause ? "true" : NULL,
                                     .reason = desk->wish.reason,
                                     .for_ms = desk->wish.for_ms,
                                     .dry_run = desk->wish.dry_run };
    if (!ops_order_write(desk->session, &order, &changed, out_at, err)) {
        return false;
    }
    desk->changed += changed;
    if (desk->wish.output != OPS_OUTPUT_TABLE) {
        ops_table_add(&desk->told,
                      (const char *const[]){ subsystem, is_pause ? "paused" : "not paused",
                                             order.dry_run ? "no" : "yes" });
        return true;
    }
    printf("%s: %s%s\n", subsystem, order.dry_run && changed > 0 ? "would be " : "",
           is_pause        ? "paused; its events wait in the queue, none is lost"
           : changed > 0   ? "resumed"
           : order.dry_run ? "is not paused"
                           : "was not paused");
    if (is_pause && desk->wish.for_ms == 0 && !order.dry_run) {
        printf("until: sluice queue resume %s\n", subsystem);
    }
    return true;
}

/* Set ------------------------------------------------------------------------------------------- */

int ops_queue_set(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(desk_done) struct desk desk = { 0 };
    int status = EX_OK;
    bool is_done =
        open_desk(&desk, argc, argv, SETTINGS_MAX + 1, &err) && set_all(&desk, &status, &err);
    return is_done ? status : ops_report("queue set", &err);
}

static bool set_all(struct desk *desk, int *out_status, struct sl_err *err)
{
    const struct wish *wish = &desk->wish;
    char at[OPS_ORDER_TIME_BYTES] = "";
    if (wish->word_count == 0) {
        return open_session(desk, err) && show(desk, "", err);
    }
    const struct sl_subsystem *subsystem = ops_section(&desk->subsystems, wish->words[0], err);
    if (subsystem == NULL) {
        return false;
    }
    if (wish->reset && wish->word_count > 1) {
        return sl_fail(err, SL_E_USAGE,
                       "--reset takes back everything that is set, so it takes no setting");
    }
    for (int i = 1; i < wish->word_count; i++) { /* nothing is set while one of them is wrong */
        char name[VALUE_BYTES];
        char value[VALUE_BYTES];
        if (!read_setting(subsystem, wish->words[i], name, value, err)) {
            return false;
        }
    }
    if (!open_session(desk, err) || (wish->reset && !reset(desk, subsystem->name, at, err))) {
        return false;
    }
    for (int i = 1; i < wish->word_count; i++) {
        if (!set_one(desk, subsystem, wish->words[i], at, err)) {
            return false;
        }
    }
    if (wish->dry_run) {
        *out_status = ops_plan_end(desk->changed > 0, OPS_PLAN_WET);
        return true;
    }
    return show(desk, subsystem->name, err) &&
           (at[0] == '\0' ||
            ops_order_tell(desk->session, subsystem->name, at, false, out_status, err));
}

static bool set_one(struct desk *desk, const struct sl_subsystem *subsystem, const char *word,
                    char out_at[OPS_ORDER_TIME_BYTES], struct sl_err *err)
{
    char name[VALUE_BYTES];
    char value[VALUE_BYTES];
    const struct ops_order order = { .subsystem = subsystem->name,
                                     .name = name,
                                     .value = value,
                                     .reason = desk->wish.reason,
                                     .for_ms = desk->wish.for_ms,
                                     .dry_run = desk->wish.dry_run };
    if (!read_setting(subsystem, word, name, value, err) ||
        !ops_order_write(desk->session, &order, NULL, out_at, err)) {
        return false;
    }
    desk->changed++;
    if (order.dry_run) {
        fprintf(stderr, "%s: %s would be %s\n", subsystem->name, name, value);
    }
    return true;
}

static bool read_setting(const struct sl_subsystem *subsystem, const char *word,
                         char out_name[VALUE_BYTES], char out_value[VALUE_BYTES],
                         struct sl_err *err)
{
    struct sl_span value = sl_span_of(word);
    struct sl_span name = { 0 };
    (void)sl_span_split(&value, '=', &name);
    if (sl_span_is(name, "retries") && (sl_span_is(value, "on") || sl_span_is(value, "off"))) {
        snprintf(out_name, VALUE_BYTES, "retries");
        snprintf(out_value, VALUE_BYTES, "\"%.*s\"", SL_SPAN_ARGS(value));
        return true;
    }
    for (size_t i = 0; i < SL_COUNT(settings); i++) {
        int64_t number = 0;
        int64_t max = settings[i].max != 0                       ? settings[i].max
                      : strcmp(settings[i].name, "workers") == 0 ? subsystem->workers
                                                                 : subsystem->batch;
        if (!sl_span_is(name, settings[i].name)) {
            continue;
        }
        if (!sl_units_decimal(value, DIGITS_MAX, &number) || number < 1 || number > max) {
            return refuse_number(subsystem, settings[i].name, value, settings[i].max == 0, max,
                                 err);
        }
        snprintf(out_name, VALUE_BYTES, "%s", settings[i].name);
        snprintf(out_value, VALUE_BYTES, "%" PRId64, number);
        return true;
    }
    static const char *const names[] = { "attempts", "workers", "batch", "retries" };
    const char *nearest = sl_nearest(name, names, SL_COUNT(names));
    nearest = nearest != NULL && sl_span_is(name, nearest) ? NULL : nearest;
    return sl_fail(err, SL_E_USAGE,
                   "'%.60s' is none of attempts=N, workers=N, batch=N, retries=on|off%s%s%s", word,
                   nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                   nearest == NULL ? "" : "?");
}

static bool refuse_number(const struct sl_subsystem *subsystem, const char *name,
                          struct sl_span value, bool is_of_section, int64_t max, struct sl_err *err)
{
    int bytes = (int)(value.bytes > 40 ? 40 : value.bytes);
    const char *said = value.data == NULL ? "" : value.data;
    return is_of_section
               ? sl_fail(err, SL_E_USAGE,
                         "%s takes a number from 1 to %" PRId64
                         ", not '%.*s': [%s] says %s = %" PRId64
                         "; for more, raise it there and send the consumer SIGHUP",
                         name, max, bytes, said, subsystem->name, name, max)
               : sl_fail(err, SL_E_USAGE, "%s takes a number from 1 to %" PRId64 ", not '%.*s'",
                         name, max, bytes, said);
}

static bool reset(struct desk *desk, const char *subsystem, char out_at[OPS_ORDER_TIME_BYTES],
                  struct sl_err *err)
{
    static const char *const names[] = { "attempts", "workers", "batch", "retries" };
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        const struct ops_order order = { .subsystem = subsystem,
                                         .name = names[i],
                                         .dry_run = desk->wish.dry_run };
        int64_t changed = 0;
        if (!ops_order_write(desk->session, &order, &changed, out_at, err)) {
            return false;
        }
        desk->changed += changed;
        if (order.dry_run && changed > 0) {
            fprintf(stderr, "%s: %s would be what the section says\n", subsystem, names[i]);
        }
    }
    return true;
}

static bool show(struct desk *desk, const char *subsystem, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(subsystem);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_pg_query(desk->session, settings_sql, &param, 1, &rows, err) ||
        !ops_pg_table_print(&rows, settings_columns, SL_COUNT(settings_columns), desk->wish.output,
                            err)) {
        return false;
    }
    if (rows.row_count == 0) {
        fputs("nothing is set: the sections hold\n", stderr);
    }
    return true;
}
