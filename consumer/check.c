#include "consumer/check.h"

#include <stdio.h>

#include "consumer/handlers/sql_catalog.h"
#include "shared/loop.h"
#include "shared/pg/pg_link.h"

#define SQL_BYTES_MAX       4096u
#define SIGNATURE_BYTES_MAX 192u
#define ON_DEAD_ARGUMENT    "(sluice_dead_letter)"

struct checking {
    const struct con_config *config;
    struct sl_buf *mistakes;
    struct sl_buf *notes;
    struct con_statements statements;
    struct sl_loop *loop;
    struct sl_timer *deadline;
    struct sl_pg_link *pg;
    size_t next;          /* of config->chosen */
    bool is_on_dead_next; /* of that section; else its function */
    struct sl_buf sql;
};

static bool has_functions(const struct con_config *config);
static bool look(struct checking *checking, struct sl_err *err);
static void checking_done(struct checking *checking);
static void ask_next(struct checking *checking);
static bool ask(struct checking *checking, const char *function, struct sl_err *err);
static void step_on(struct checking *checking);
static void on_up(struct sl_pg_link *link, void *arg);
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg);
static void on_deadline(void *arg);
static void on_answer(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                      const struct sl_pg_error *error, void *arg);
static void give_up(struct checking *checking, const char *why);

bool con_check_functions(const struct con_config *config, struct sl_buf *mistakes,
                         struct sl_buf *notes, struct sl_err *err)
{
    SL_DONE(checking_done)
    struct checking checking = { .config = config, .mistakes = mistakes, .notes = notes };
    sl_buf_init(&checking.sql, SQL_BYTES_MAX);
    return !has_functions(config) || look(&checking, err);
}

static bool has_functions(const struct con_config *config)
{
    for (size_t i = 0; i < config->chosen_count; i++) {
        if (config->chosen[i]->function != NULL || config->chosen[i]->on_dead.function != NULL) {
            return true;
        }
    }
    return false;
}

static bool look(struct checking *checking, struct sl_err *err)
{
    con_sql_catalog_statements(&checking->statements);
    checking->loop = sl_loop_new(err);
    if (checking->loop == NULL) {
        return false;
    }
    checking->deadline = sl_timer_new(checking->loop, on_deadline, checking);
    if (checking->deadline == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a timer");
    }
    sl_timer_arm(checking->deadline, CON_CHECK_MS);
    checking->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = checking->loop,
            .conninfo = checking->config->database_url,
            .application_name = "sluice-consumer/check",
            .statements = checking->statements.items,
            .statement_count = checking->statements.count,
            .read_only = true,
            .arg = checking,
            .on_up = on_up,
            .on_down = on_down,
        },
        err);
    return checking->pg != NULL && sl_loop_run(checking->loop, err);
}

static void checking_done(struct checking *checking)
{
    sl_pg_link_free(checking->pg);
    sl_timer_free(checking->deadline);
    sl_loop_free(checking->loop);
    sl_buf_done(&checking->sql);
}

static void on_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    ask_next(arg);
}

/* wait_ms 0: there are other hosts to try. */
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    if (wait_ms > 0) {
        give_up(arg, why->text);
    }
}

static void on_deadline(void *arg)
{
    give_up(arg, "the database did not answer in time");
}

static void give_up(struct checking *checking, const char *why)
{
    sl_buf_printf(checking->notes, "functions were not looked at: %s\n", why);
    sl_loop_stop(checking->loop);
}

static void ask_next(struct checking *checking)
{
    const struct con_config *config = checking->config;
    while (checking->next < config->chosen_count) {
        const struct sl_subsystem *subsystem = config->chosen[checking->next];
        const char *function =
            checking->is_on_dead_next ? subsystem->on_dead.function : subsystem->function;
        struct sl_err why = { 0 };
        if (function == NULL) {
            step_on(checking);
            continue;
        }
        if (!ask(checking, function, &why)) {
            give_up(checking, why.text);
        }
        return;
    }
    sl_loop_stop(checking->loop);
}

static bool ask(struct checking *checking, const char *function, struct sl_err *err)
{
    if (!checking->is_on_dead_next) {
        struct sl_pg_param params[CON_SQL_CATALOG_PARAMS];
        struct sl_pg_step step = con_sql_catalog_step(function, params);
        return sl_pg_run(checking->pg, &step, 1, on_answer, checking, err);
    }
    char signature[SIGNATURE_BYTES_MAX];
    snprintf(signature, sizeof signature, "%s" ON_DEAD_ARGUMENT, function);
    const struct sl_pg_param param = { .value = sl_span_of(signature) };
    const struct sl_pg_step step = { .sql = "SELECT to_regprocedure($1::text)::text",
                                     .params = &param,
                                     .param_count = 1 };
    return sl_pg_run(checking->pg, &step, 1, on_answer, checking, err);
}

static void step_on(struct checking *checking)
{
    checking->next += checking->is_on_dead_next ? 1 : 0;
    checking->is_on_dead_next = !checking->is_on_dead_next;
}

static void on_answer(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                      const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)count;
    struct checking *checking = arg;
    if (error != NULL) {
        give_up(checking, error->err.text);
        return;
    }
    const struct sl_subsystem *subsystem = checking->config->chosen[checking->next];
    struct con_sql_signature signature;
    struct sl_err why = { 0 };
    if (checking->is_on_dead_next && sl_pg_value(results[0], 0, 0).data == NULL) {
        sl_buf_printf(checking->mistakes,
                      "[%s] on-dead: there is no function %s; expected: %s" ON_DEAD_ARGUMENT "\n",
                      subsystem->name, subsystem->on_dead.function, subsystem->on_dead.function);
    } else if (!checking->is_on_dead_next &&
               !con_sql_catalog_read(subsystem->function, results[0], &signature, &checking->sql,
                                     &why)) {
        sl_buf_printf(checking->mistakes, "[%s] function: %s\n", subsystem->name, why.text);
    }
    step_on(checking);
    ask_next(checking);
}
