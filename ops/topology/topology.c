#include "ops/topology/topology.h"

#include <stdio.h>
#include <sysexits.h>

#include "ops/address.h"
#include "ops/commands.h"
#include "ops/sections.h"
#include "ops/topology/topology_tell.h"

#define BINDINGS_ARENA_BYTES (256u * 1024u * 1024u)
#define WAIT_MAX_MS          (10 * 60 * 1000)
#define EX_WORK_TO_DO        2
#define EX_PARTIAL           3

struct wish {
    bool is_apply;
    int64_t wait_ms;
    bool all;
    enum ops_output output;
};

static int run(const char *command, bool is_apply, int argc, char **argv);
static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err);
static bool make_plan(const struct ops_address *address, struct sl_arena *arena,
                      struct ops_topology_plan *plan, struct sl_err *err);
static bool compare(const struct wish *wish, const struct ops_address *address,
                    const struct ops_topology_plan *plan, int *out_status, struct sl_err *err);
static int status_of(const struct wish *wish, const struct ops_topology_report *report);

int ops_topology_apply(int argc, char **argv)
{
    return run("topology apply", true, argc, argv);
}

int ops_topology_diff(int argc, char **argv)
{
    return run("topology diff", false, argc, argv);
}

static int run(const char *command, bool is_apply, int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .is_apply = is_apply };
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    struct ops_topology_plan plan = { 0 };
    int status = EX_SOFTWARE;
    sl_arena_init(&arena, OPS_TOPOLOGY_ARENA_BYTES);
    bool is_done = read_wish(argc, argv, &wish, &err) && ops_address_open(&address, &err) &&
                   make_plan(&address, &arena, &plan, &err) &&
                   compare(&wish, &address, &plan, &status, &err);
    return is_done ? status : ops_report(command, &err);
}

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "wait", .kind = OPS_FLAG_DURATION, .out = &wish->wait_ms, .max = WAIT_MAX_MS },
        { .name = "all", .kind = OPS_FLAG_SWITCH, .out = &wish->all },
        OPS_FLAGS_ROWS(wish->output),
        { .name = "dry-run", .letter = 'n', .kind = OPS_FLAG_UNDO, .out = &wish->is_apply },
    };
    int first = 0;
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err);
}

static bool make_plan(const struct ops_address *address, struct sl_arena *arena,
                      struct ops_topology_plan *plan, struct sl_err *err)
{
    struct sl_subsystems *subsystems = sl_arena_alloc(arena, sizeof *subsystems);
    if (subsystems == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the subsystems");
    }
    bool is_made = ops_sections_load(address, subsystems, err) &&
                   ops_topology_plan_make(subsystems, arena, plan, err);
    sl_subsystems_done(subsystems);
    return is_made;
}

static bool compare(const struct wish *wish, const struct ops_address *address,
                    const struct ops_topology_plan *plan, int *out_status, struct sl_err *err)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    struct ops_bindings bindings = { 0 };
    sl_arena_init(&arena, BINDINGS_ARENA_BYTES);
    SL_AUTO(ops_broker_free)
    struct ops_broker *broker = ops_broker_new(address, wish->wait_ms, err);
    if (broker == NULL) {
        return false;
    }
    const char *api_url = ops_address_api(address);
    struct sl_err api_err = { 0 };
    bool has_bindings = api_url != NULL && ops_bindings_list(api_url, ops_broker_url(broker),
                                                             &arena, &bindings, &api_err);
    if (api_url != NULL && !has_bindings) {
        fprintf(stderr, "sluice topology: %s; going on without it\n", api_err.text);
    }
    struct ops_topology_seen *seen = sl_arena_array(&arena, plan->count, sizeof *seen);
    if (seen == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for %zu objects", plan->count);
    }
    struct ops_topology_settling settling = { .broker = broker,
                                              .plan = plan,
                                              .bindings = has_bindings ? &bindings : NULL,
                                              .may_create = wish->is_apply,
                                              .arena = &arena };
    struct ops_topology_report report = { .plan = plan,
                                          .seen = seen,
                                          .bindings = settling.bindings,
                                          .url = ops_broker_url(broker),
                                          .is_apply = wish->is_apply,
                                          .all = wish->all };
    if (!ops_topology_settle(&settling, seen, err) ||
        !ops_topology_tell(&report, wish->output, err)) {
        return false;
    }
    *out_status = status_of(wish, &report);
    return true;
}

static int status_of(const struct wish *wish, const struct ops_topology_report *report)
{
    bool has_missing = ops_topology_count(report, OPS_TOPOLOGY_MISSING) > 0;
    bool has_different = ops_topology_count(report, OPS_TOPOLOGY_DIFFERS) > 0;
    if (wish->is_apply) {
        return has_different ? EX_PARTIAL : EX_OK;
    }
    return has_missing || has_different ? EX_WORK_TO_DO : EX_OK;
}
