#include "consumer/upkeep.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/statements.h"

#define UPKEEP_EVERY_MS (INT64_C(24) * 3600 * 1000)
#define UPKEEP_RETRY_MS (INT64_C(5) * 60 * 1000)
#define STATEMENT_TIME_MS                                                                          \
    (INT64_C(5) * 60 * 1000) /* moving rows out of the default partition may take a while */

struct con_upkeep {
    struct sl_loop *loop;
    struct sl_log *log;
    const char *database_url;
    char name[96];
    struct con_statements statements;
    struct sl_timer *timer;
    struct sl_pg_link *pg; /* NULL between two runs */
};

static void on_timer(void *arg);
static void on_up(struct sl_pg_link *link, void *arg);
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg);
static void on_done(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg);
static void end(struct con_upkeep *upkeep, const struct sl_err *why);

struct con_upkeep *con_upkeep_new(struct sl_loop *loop, struct sl_log *log,
                                  const char *database_url, const char *service, struct sl_err *err)
{
    struct con_upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (upkeep != NULL) {
        *upkeep = (struct con_upkeep){ .loop = loop, .log = log, .database_url = database_url };
        snprintf(upkeep->name, sizeof upkeep->name, "%s/upkeep", service);
        con_statements_add(&upkeep->statements, "inbox_maintain");
        upkeep->timer = sl_timer_new(loop, on_timer, upkeep);
    }
    if (upkeep == NULL || upkeep->timer == NULL) {
        con_upkeep_free(upkeep);
        sl_fail(err, SL_E_MEMORY, "no memory for the inbox's upkeep");
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
    free(upkeep);
}

static void on_timer(void *arg)
{
    struct con_upkeep *upkeep = arg;
    struct sl_err why;
    upkeep->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = upkeep->loop,
            .conninfo = upkeep->database_url,
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
    static const struct sl_pg_step step = { .name = "inbox_maintain" };
    struct sl_err why;
    if (!sl_pg_run(link, &step, 1, on_done, arg, &why)) {
        end(arg, &why);
    }
}

/* The link tries again by itself until the statement has run. */
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct con_upkeep *upkeep = arg;
    sl_log_err(upkeep->log, SL_DEBUG, "inbox.maintain_failed", "trying again", why,
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
    sl_info(upkeep->log, "inbox.maintained", "partitions of the inbox are up to date",
            sl_text("made", sl_pg_value(results[0], 0, 0)),
            sl_text("dropped", sl_pg_value(results[0], 0, 1)),
            sl_text("pruned", sl_pg_value(results[0], 0, 2)));
    end(upkeep, NULL);
}

static void end(struct con_upkeep *upkeep, const struct sl_err *why)
{
    if (why != NULL) {
        sl_log_err(upkeep->log, SL_WARN, "inbox.maintain_failed",
                   "the inbox's partitions could not be maintained, trying again later", why,
                   sl_int("wait_ms", UPKEEP_RETRY_MS));
    }
    sl_timer_arm(upkeep->timer, why == NULL ? UPKEEP_EVERY_MS : UPKEEP_RETRY_MS);
    sl_pg_link_free(upkeep->pg);
    upkeep->pg = NULL;
}
