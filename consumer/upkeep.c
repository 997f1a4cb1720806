#include "consumer/upkeep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "consumer/statements.h"
#include "shared/pg/pg_array.h"

#define UPKEEP_EVERY_MS  (INT64_C(24) * 3600 * 1000)
#define UPKEEP_RETRY_MS  (INT64_C(5) * 60 * 1000)
#define PRUNE_PARAMS     3u
#define PARAMS_BYTES_MAX (64u * 1024u)
#define STATEMENT_TIME_MS                                                                          \
    (INT64_C(5) * 60 * 1000) /* moving rows out of the default partition may take a while */

struct con_upkeep {
    struct con_upkeep_opts opts;
    char name[96];
    struct sl_buf params;
    struct con_statements statements;
    struct sl_timer *timer;
    struct sl_pg_link *pg; /* NULL between two runs */
};

static void on_timer(void *arg);
static int64_t longest_keep_ms(const struct sl_subsystems *subsystems);
static bool make_params(struct con_upkeep *upkeep, struct sl_pg_param out_params[PRUNE_PARAMS],
                        struct sl_err *err);
static void on_up(struct sl_pg_link *link, void *arg);
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg);
static void on_done(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg);
static void end(struct con_upkeep *upkeep, const struct sl_err *why);

struct con_upkeep *con_upkeep_new(const struct con_upkeep_opts *opts, struct sl_err *err)
{
    struct con_upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (upkeep != NULL) {
        upkeep->opts = *opts;
        snprintf(upkeep->name, sizeof upkeep->name, "%s/upkeep", opts->service);
        con_statements_add(&upkeep->statements, "inbox_maintain");
        con_statements_add(&upkeep->statements, "history_prune");
        sl_buf_init(&upkeep->params, PARAMS_BYTES_MAX);
        upkeep->timer = sl_timer_new(opts->loop, on_timer, upkeep);
    }
    if (upkeep == NULL || upkeep->timer == NULL) {
        con_upkeep_free(upkeep);
        sl_fail(err, SL_E_MEMORY, "no memory for the tables' upkeep");
        return NULL;
    }
    sl_timer_arm(upkeep->timer, 0);
    return upkeep;
}

void con_upkeep_free(struct con_upkeep *upkeep)
{
    if (upkeep == NULL) {
        return;
    }
    sl_pg_link_free(upkeep->pg);
    sl_timer_free(upkeep->timer);
    sl_buf_done(&upkeep->params);
    free(upkeep);
}

static void on_timer(void *arg)
{
    struct con_upkeep *upkeep = arg;
    struct sl_err why;
    upkeep->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = upkeep->opts.loop,
            .conninfo = upkeep->opts.database_url,
            .application_name = upkeep->name,
            .statements = upkeep->statements.items,
            .statement_count = upkeep->statements.count,
            .script_ms = STATEMENT_TIME_MS,
            .statement_ms = STATEMENT_TIME_MS,
            .arg = upkeep,
            .on_up = on_up,
            .on_down = on_down,
        },
        &why);
    if (upkeep->pg == NULL) {
        end(upkeep, &why);
    }
}

static void on_up(struct sl_pg_link *link, void *arg)
{
    struct con_upkeep *upkeep = arg;
    struct sl_pg_param params[PRUNE_PARAMS];
    char keep_ms[24];
    snprintf(keep_ms, sizeof keep_ms, "%" PRId64, longest_keep_ms(upkeep->opts.subsystems));
    const struct sl_pg_param keep = { .value = sl_span_of(keep_ms) };
    const struct sl_pg_step steps[] = {
        { .name = "inbox_maintain", .params = &keep, .param_count = 1 },
        { .name = "history_prune", .params = params, .param_count = PRUNE_PARAMS },
    };
    struct sl_err why;
    if (!make_params(upkeep, params, &why) ||
        !sl_pg_run(link, steps, SL_COUNT(steps), on_done, arg, &why)) {
        end(arg, &why);
    }
}

/* Weeks are dropped for all subsystems at once, so the longest keeping counts, also of those that other processes run. */
static int64_t longest_keep_ms(const struct sl_subsystems *subsystems)
{
    int64_t longest_ms = 0;
    for (size_t i = 0; i < subsystems->count; i++) {
        int64_t keep_ms = subsystems->items[i].keep_done_ms;
        longest_ms = keep_ms > longest_ms ? keep_ms : longest_ms;
    }
    SL_ASSERT(longest_ms > 0);
    return longest_ms;
}

/* In the order of history_prune.sql. */
static bool make_params(struct con_upkeep *upkeep, struct sl_pg_param out_params[PRUNE_PARAMS],
                        struct sl_err *err)
{
    static const enum sl_pg_type types[PRUNE_PARAMS] = { SL_PG_TEXT, SL_PG_INT8, SL_PG_INT8 };
    const struct sl_subsystems *subsystems = upkeep->opts.subsystems;
    struct sl_pg_array arrays[PRUNE_PARAMS];
    sl_buf_reset(&upkeep->params);
    for (size_t column = 0; column < PRUNE_PARAMS; column++) {
        sl_pg_array_begin(&arrays[column], types[column], &upkeep->params);
        for (size_t i = 0; i < subsystems->count; i++) {
            const struct sl_subsystem *subsystem = &subsystems->items[i];
            if (column == 0) {
                sl_pg_array_bytes(&arrays[column], sl_span_of(subsystem->name));
            } else {
                sl_pg_array_int8(&arrays[column], column == 1 ? subsystem->keep_failed.count
                                                              : subsystem->keep_failed.age_ms);
            }
        }
        sl_pg_array_end(&arrays[column]);
    }
    if (!sl_buf_ok(&upkeep->params)) {
        return sl_fail(err, SL_E_LIMIT, "%zu subsystems do not fit", subsystems->count);
    }
    for (size_t column = 0; column < PRUNE_PARAMS; column++) {
        out_params[column] =
            (struct sl_pg_param){ .value = sl_pg_array_span(&arrays[column]), .is_binary = true };
    }
    return true;
}

/* The link tries again by itself until the statement has run. */
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct con_upkeep *upkeep = arg;
    sl_log_err(upkeep->opts.log, SL_DEBUG, "inbox.maintain_failed", "trying again", why,
               sl_int("wait_ms", wait_ms));
}

static void on_done(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)count;
    struct con_upkeep *upkeep = arg;
    if (error != NULL) {
        end(upkeep, &error->err);
        return;
    }
    sl_info(upkeep->opts.log, "inbox.maintained",
            "partitions of the inbox are up to date, and what is past its keeping is gone",
            sl_text("made", sl_pg_value(results[0], 0, 0)),
            sl_text("dropped", sl_pg_value(results[0], 0, 1)),
            sl_text("pruned", sl_pg_value(results[0], 0, 2)),
            sl_text("letters", sl_pg_value(results[1], 0, 0)),
            sl_text("attempts", sl_pg_value(results[1], 0, 1)));
    end(upkeep, NULL);
}

static void end(struct con_upkeep *upkeep, const struct sl_err *why)
{
    if (why != NULL) {
        sl_log_err(upkeep->opts.log, SL_WARN, "inbox.maintain_failed",
                   "the tables could not be maintained, trying again later", why,
                   sl_int("wait_ms", UPKEEP_RETRY_MS));
    }
    sl_timer_arm(upkeep->timer, why == NULL ? UPKEEP_EVERY_MS : UPKEEP_RETRY_MS);
    sl_pg_link_free(upkeep->pg);
    upkeep->pg = NULL;
}
