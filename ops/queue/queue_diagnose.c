/* queue diagnose: why a queue grows, with the evidence and the next move. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/queue/cause_look.h"
#include "ops/queue/queue.h"
#include "ops/sections.h"
#include "ops/table.h"

#define SAMPLE_MS_DEFAULT 3000
#define SAMPLE_MS_MIN     2000 /* longer than a consumer needs to write what it did */
#define SAMPLE_MS_MAX     60000
#define TROUBLE           1 /* exit status */

static const struct ops_column columns[] = {
    { .title = "SUBSYSTEM" }, { .title = "CAUSE" }, { .title = "EVIDENCE" }, { .title = "NEXT" },
    { .title = "SEVERITY" },  { .title = "OWNER" }, { .title = "IMPACT" },
};

struct wish {
    const char *subsystem; /* NULL: every enabled one */
    int64_t sample_ms;
    enum ops_output output;
};

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool diagnose(const struct wish *wish, bool *out_trouble, struct sl_err *err);
static void add(const struct sl_subsystem *subsystem, const struct ops_diagnosis *found,
                struct ops_table *table);
static void print(const struct sl_subsystem *subsystem, const struct ops_diagnosis *found);

int ops_queue_diagnose(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .sample_ms = SAMPLE_MS_DEFAULT };
    bool is_trouble = false;
    bool is_done = read_wish(&wish, argc, argv, &err) && diagnose(&wish, &is_trouble, &err);
    return !is_done ? ops_report("queue diagnose", &err) : is_trouble ? TROUBLE : EX_OK;
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "sample",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->sample_ms,
          .min = SAMPLE_MS_MIN,
          .max = SAMPLE_MS_MAX },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err)) {
        return false;
    }
    wish->subsystem = first < argc ? argv[first] : NULL;
    return true;
}

static bool diagnose(const struct wish *wish, bool *out_trouble, struct sl_err *err)
{
    SL_AUTO(ops_cause_look_free)
    struct ops_cause_look *look = ops_cause_look_new();
    SL_DONE(ops_queue_eyes_done) struct ops_queue_eyes eyes = { 0 };
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    if (look == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the figures");
    }
    if (!ops_address_open(&address, err) || !ops_sections_load(&address, &subsystems, err) ||
        (wish->subsystem != NULL && ops_section(&subsystems, wish->subsystem, err) == NULL) ||
        !ops_cause_look(&eyes, &address, &subsystems, wish->subsystem, wish->sample_ms, look,
                        err)) {
        return false;
    }
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t i = 0; i < look->look.count; i++) {
        struct ops_diagnosis found = ops_cause_find(&look->items[i]);
        *out_trouble = *out_trouble || ops_cause_is_trouble(found.cause);
        if (wish->output == OPS_OUTPUT_TABLE) {
            print(look->look.items[i].subsystem, &found);
        } else {
            add(look->look.items[i].subsystem, &found, &table);
        }
    }
    return wish->output == OPS_OUTPUT_TABLE || ops_table_print(&table, wish->output, stdout, err);
}

static void add(const struct sl_subsystem *subsystem, const struct ops_diagnosis *found,
                struct ops_table *table)
{
    const char *const cells[] = { subsystem->name,
                                  ops_cause_name(found->cause),
                                  found->evidence,
                                  found->next,
                                  sl_subsystem_severity_name(subsystem->severity),
                                  subsystem->owner,
                                  subsystem->impact };
    ops_table_add(table, cells);
}

/* A line for what it is, one for each fact, one for what to do. */
static void print(const struct sl_subsystem *subsystem, const struct ops_diagnosis *found)
{
    struct sl_span rest = sl_span_of(found->evidence);
    struct sl_span fact = { 0 };
    printf("%s: %s\n", subsystem->name, ops_cause_name(found->cause));
    while (rest.bytes > 0) {
        (void)sl_span_split(&rest, ';', &fact);
        printf("    %.*s\n", SL_SPAN_ARGS(sl_span_trim(fact)));
    }
    if (ops_cause_is_trouble(found->cause) && *subsystem->impact != '\0') {
        printf("  %s for %s: %s\n", sl_subsystem_severity_name(subsystem->severity),
               *subsystem->owner == '\0' ? "nobody in particular" : subsystem->owner,
               subsystem->impact);
    }
    if (found->next[0] != '\0') {
        printf("  next: %s\n", found->next);
    }
}
