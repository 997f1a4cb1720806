/* The commands that order: pause, resume, set. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/pg_table.h"
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
    "SELECT subsystem, name, value #>> '{}',"
    " coalesce(to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'reset'),"
    " reason, actor, to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    " FROM sluice_control WHERE (expires_at IS NULL OR expires_at > now())"
    " AND ($1 = '' OR subsystem IN ('', $1)) ORDER BY subsystem, name";
static const struct ops_column settings_columns[] = {
    { .title = "SUBSYSTEM" }, { .title = "SETTING" }, { .title = "VALUE" }, { .title = "UNTIL" },
    { .title = "REASON" },    { .title = "BY" },      { .title = "SINCE" },
};

struct wish {
    int64_t for_ms;
    const char *reason;
    bool non_critical;
    bool all;
    bool reset;
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
};

static void desk_done(struct desk *desk);
static bool open_desk(struct desk *desk, int argc, char **argv, int words_max, struct sl_err *err);
static const struct sl_subsystem *section(const struct desk *desk, const char *name,
                                          struct sl_err *err);
static int pause_or_resume(const char *command, bool is_pause, int argc, char **argv);
static bool pause_one(struct desk *desk, const char *subsystem, bool is_pause,
                      char out_at[OPS_ORDER_TIME_BYTES], struct sl_err *err);
static bool set_all(struct desk *desk, int *out_status, struct sl_err *err);
static bool set_one(struct desk *desk, const struct sl_subsystem *subsystem, const char *word,
                    char out_at[OPS_ORDER_TIME_BYTES], struct sl_err *err);
static bool read_setting(const struct sl_subsystem *subsystem, const char *word,
                         char out_name[VALUE_BYTES], char out_value[VALUE_BYTES],
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
    desk->session = ops_pg_session_here("sluice queue", false, err);
    return desk->session != NULL;
}

static const char *next_section(const void *arg, size_t i)
{
    const struct sl_subsystems *subsystems = arg;
    return i < subsystems->count ? subsystems->items[i].name : NULL;
}

static const struct sl_subsystem *section(const struct desk *desk, const char *name,
                                          struct sl_err *err)
{
    const struct sl_subsystem *found = sl_subsystems_find(&desk->subsystems, sl_span_of(name));
    if (found == NULL) {
        const char *nearest = sl_nearest_of(sl_span_of(name), next_section, &desk->subsystems);
        sl_fail(err, SL_E_USAGE, "the subsystems file has no section '%.60s'%s%s%s", name,
                nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                nearest == NULL ? "" : "?");
    }
    return found;
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
    if (!open_desk(&desk, argc, argv, (int)SL_SUBSYSTEMS_MAX, &err)) {
        return ops_report(command, &err);
    }
    const struct wish *wish = &desk.wish;
    bool is_done = true;
    for (int i = 0; i < wish->word_count && is_done; i++, chosen++) {
        last = wish->words[i];
        is_done = section(&desk, last, &err) != NULL && pause_one(&desk, last, is_pause, at, &err);
    }
    for (size_t i = 0; i < desk.subsystems.count && is_done; i++) {
        const struct sl_subsystem *one = &desk.subsystems.items[i];
        if (one->enabled && (wish->all || (wish->non_critical && !one->critical))) {
            last = one->name;
            chosen++;
            is_done = pause_one(&desk, last, is_pause, at, &err);
        }
    }
    if (is_done && chosen == 0 && wish->non_critical) {
        fputs("every enabled subsystem is critical: nothing was changed\n", stderr);
        return EX_OK;
    }
    if (is_done && chosen == 0) {
        is_done = sl_fail(&err, SL_E_USAGE, "name a subsystem, or say --non-critical or --all");
    }
    is_done = is_done && ops_order_tell(desk.session, chosen == 1 ? last : "", at,
                                        is_pause && chosen == 1, &status, &err);
    return is_done ? status : ops_report(command, &err);
}

static bool pause_one(struct desk *desk, const char *subsystem, bool is_pause,
                      char out_at[OPS_ORDER_TIME_BYTES], struct sl_err *err)
{
    int64_t changed = 0;
    const struct ops_order order = { .subsystem = subsystem,
                                     .name = "paused",
                                     .value = is_pause ? "true" : NULL,
                                     .reason = desk->wish.reason,
                                     .for_ms = desk->wish.for_ms };
    if (!ops_order_write(desk->session, &order, &changed, out_at, err)) {
        return false;
    }
    printf("%s: %s\n", subsystem,
           is_pause      ? "paused; its events wait in the queue, none is lost"
           : changed > 0 ? "resumed"
                         : "was not paused");
    if (is_pause && desk->wish.for_ms == 0) {
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
        return show(desk, "", err);
    }
    const struct sl_subsystem *subsystem = section(desk, wish->words[0], err);
    if (subsystem == NULL) {
        return false;
    }
    if (wish->reset && wish->word_count > 1) {
        return sl_fail(err, SL_E_USAGE,
                       "--reset takes back everything that is set, so it takes no setting");
    }
    if (wish->reset && !reset(desk, subsystem->name, at, err)) {
        return false;
    }
    for (int pass = 0; pass < 2; pass++) { /* nothing is set while one of them is wrong */
        for (int i = 1; i < wish->word_count; i++) {
            char name[VALUE_BYTES];
            char value[VALUE_BYTES];
            if (pass == 0 ? !read_setting(subsystem, wish->words[i], name, value, err)
                          : !set_one(desk, subsystem, wish->words[i], at, err)) {
                return false;
            }
        }
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
                                     .for_ms = desk->wish.for_ms };
    return read_setting(subsystem, word, name, value, err) &&
           ops_order_write(desk->session, &order, NULL, out_at, err);
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
            return sl_fail(err, SL_E_USAGE, "%s takes a number from 1 to %" PRId64 "%s, not '%.*s'",
                           settings[i].name, max,
                           settings[i].max == 0 ? " (what its section says is the most)" : "",
                           (int)(value.bytes > 40 ? 40 : value.bytes),
                           value.data == NULL ? "" : value.data);
        }
        snprintf(out_name, VALUE_BYTES, "%s", settings[i].name);
        snprintf(out_value, VALUE_BYTES, "%" PRId64, number);
        return true;
    }
    return sl_fail(err, SL_E_USAGE,
                   "'%.60s' is none of attempts=N, workers=N, batch=N, retries=on|off", word);
}

static bool reset(struct desk *desk, const char *subsystem, char out_at[OPS_ORDER_TIME_BYTES],
                  struct sl_err *err)
{
    static const char *const names[] = { "attempts", "workers", "batch", "retries" };
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        const struct ops_order order = { .subsystem = subsystem, .name = names[i] };
        if (!ops_order_write(desk->session, &order, NULL, out_at, err)) {
            return false;
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
