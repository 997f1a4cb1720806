#include "ops/dev/dev_demo.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ops/dev/dev_control.h"
#include "ops/dev/dev_env.h"
#include "ops/dev/dev_process.h"
#include "shared/clock.h"
#include "shared/embed.h"
#include "shared/log.h"
#include "shared/units.h"

#define PSQL             "/usr/bin/psql"
#define PSQL_WAIT_MS     15000
#define TRIGGER_WAIT_MS  600000
#define STANDSTILL_MS    20000 /* without one more row, the demonstration has failed */
#define RECONNECT_MS     75000 /* the same behind an outage: pauses between attempts grow to 30 s */
#define LOOK_EVERY_MS    100
#define ANSWER_BYTES_MAX 65536

#define ARGUMENTS_MAX 12u

#define OUTAGE_EVENTS 100u

/* The rows of this demonstration are those received since it began; the moment travels as a setting of the session. */
#define SINCE "to_timestamp(current_setting('sluice.since')::float8)"

#define COUNT_OF(subsystem)                                                                        \
    "(SELECT count(*) FROM sluice_inbox WHERE received_at >= " SINCE                               \
    " AND subsystem = '" subsystem "')"
static const char count_sql[] = "SELECT " COUNT_OF("billing");
static const char count_both_sql[] =
    "SELECT least(" COUNT_OF("billing") ", " COUNT_OF("activity") ")";

extern const struct sl_embedded embedded_dev_scripts[];
extern const size_t embedded_dev_scripts_count;

static const struct {
    const char *title;
    const char *sql;
} tables[] = {
    { "What the events became",
      "SELECT type, verdict, count(*) AS events FROM sluice_inbox WHERE received_at >= " SINCE " "
      "AND subsystem = 'billing' GROUP BY 1, 2 ORDER BY 1, 2" },
    { "Rows in the billing tables",
      "SELECT 'billing_customer' AS \"table\", count(*) AS rows FROM billing_customer "
      "UNION ALL SELECT 'billing_subscription', count(*) FROM billing_subscription "
      "UNION ALL SELECT 'billing_subscription_item', count(*) FROM billing_subscription_item "
      "UNION ALL SELECT 'billing_invoice', count(*) FROM billing_invoice "
      "UNION ALL SELECT 'billing_invoice_line', count(*) FROM billing_invoice_line "
      "UNION ALL SELECT 'billing_invoice_payment', count(*) FROM billing_invoice_payment" },
    { "The latest customers and what they have",
      "SELECT c.email, a.has_access AS access, a.status, "
      "to_char(a.current_period_end, 'YYYY-MM-DD') AS paid_until, "
      "(SELECT count(*) FROM billing_invoice i WHERE i.customer = c.id "
      "AND (i.account, i.livemode) = (c.account, c.livemode)) AS invoices, "
      "(SELECT coalesce(sum(i.amount_paid), 0) FROM billing_invoice i WHERE i.customer = c.id "
      "AND (i.account, i.livemode) = (c.account, c.livemode)) AS paid "
      "FROM billing_customer c LEFT JOIN billing_access a ON a.customer = c.id "
      "AND (a.account, a.livemode) = (c.account, c.livemode) "
      "ORDER BY c.synced_at DESC, c.id DESC LIMIT 5" },
    { "From webhook to committed row, in milliseconds",
      "WITH took AS (SELECT 1000 * extract(epoch FROM applied_at - received_at) AS ms "
      "FROM sluice_inbox WHERE received_at >= " SINCE " AND subsystem = 'billing') "
      "SELECT count(*) AS events, "
      "round(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), 1) AS p50, "
      "round(percentile_disc(0.95) WITHIN GROUP (ORDER BY ms), 1) AS p95, "
      "round(percentile_disc(0.99) WITHIN GROUP (ORDER BY ms), 1) AS p99, "
      "round(max(ms), 1) AS max FROM took" },
};

static const char activity_sql[] =
    "SELECT type, events FROM demo_activity_by_type ORDER BY events DESC, type LIMIT 5";

struct demo {
    const struct dev_home *home;
    const char *database_url;
    bool has_activity; /* the stack runs the second subsystem */
    struct dev_env env;
};

static void demo_done(struct demo *demo);
static bool prepare_activity(const struct demo *demo, struct sl_err *err);
static bool show_activity(const struct demo *demo, unsigned count, struct sl_err *err);
static int show_outage(const struct demo *demo, unsigned sent);
static void show_log_line(const struct dev_home *home, const char *event);
static bool send_events(const struct demo *demo, unsigned count, int *out_status,
                        struct sl_err *err);
static bool ask(const struct demo *demo, const char *sql, struct sl_buf *out, struct sl_err *err);
static bool show(const struct demo *demo, const char *title, const char *sql, struct sl_err *err);
static bool run_psql(const struct demo *demo, const char *const *flags, const char *sql,
                     struct sl_buf *out, struct sl_err *err);
static bool count_rows(const struct demo *demo, int64_t *out_rows, struct sl_err *err);
static bool wait_for_rows(const struct demo *demo, int64_t wanted, int64_t standstill_ms,
                          int64_t *out_rows, struct sl_err *err);
static int failed(const char *what, int exit_status);

int dev_demo(const struct dev_home *home, unsigned count)
{
    SL_DONE(ops_stack_done) struct ops_stack stack = { 0 };
    SL_DONE(demo_done) struct demo demo = { .home = home };
    SL_DONE(sl_buf_done) struct sl_buf answer = { 0 };
    struct sl_err err = { 0 };
    int status = 0;
    int64_t rows = 0;

    ops_stack_open_at(&stack, home->dir);
    demo.database_url = ops_stack_get(&stack, "DATABASE_URL");
    if (demo.database_url == NULL || ops_stack_get(&stack, "SLUICE_HTTP_LISTEN") == NULL) {
        return failed("no stack with a publisher and a consumer is up; start one: sluice dev",
                      EX_UNAVAILABLE);
    }
    demo.has_activity = ops_stack_get(&stack, "SLUICE_SUBSYSTEMS") != NULL;
    dev_env_inherit(&demo.env);
    for (size_t i = 0; i < stack.count; i++) {
        dev_env_set(&demo.env, stack.entries[i].name, "%s", stack.entries[i].value);
    }
    sl_buf_init(&answer, ANSWER_BYTES_MAX);
    if (!ask(&demo, "SELECT extract(epoch FROM clock_timestamp())", &answer, &err)) {
        return failed(err.text, EX_UNAVAILABLE);
    }
    dev_env_set(&demo.env, "PGOPTIONS", "-c sluice.since=%s", sl_buf_span(&answer).data);

    if (demo.has_activity && !prepare_activity(&demo, &err)) {
        return failed(err.text, EX_UNAVAILABLE);
    }
    printf("Sending %u signed sample events …\n", count);
    (void)fflush(stdout);
    if (!send_events(&demo, count, &status, &err)) {
        return failed(err.text, EX_UNAVAILABLE);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return failed("not every event was accepted", EX_UNAVAILABLE);
    }
    if (!wait_for_rows(&demo, count, STANDSTILL_MS, &rows, &err)) {
        fprintf(stderr, "sluice dev demo: %lld of %u accepted events are rows\n", (long long)rows,
                count);
        return failed(err.text, EX_SOFTWARE);
    }
    for (size_t i = 0; i < SL_COUNT(tables); i++) {
        if (!show(&demo, tables[i].title, tables[i].sql, &err)) {
            return failed(err.text, EX_UNAVAILABLE);
        }
    }
    printf("\nProved: %u events were accepted, %lld rows are in sluice_inbox.\n\n", count,
           (long long)rows);
    if (demo.has_activity && !show_activity(&demo, count, &err)) {
        return failed(err.text, EX_UNAVAILABLE);
    }
    return show_outage(&demo, count);
}

/* What the section `activity` of scripts/demo.conf calls; the consumer looks for it when the first event comes. */
static bool prepare_activity(const struct demo *demo, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf answer = { 0 };
    sl_buf_init(&answer, ANSWER_BYTES_MAX);
    for (size_t i = 0; i < embedded_dev_scripts_count; i++) {
        if (strcmp(embedded_dev_scripts[i].name, "demo.sql") == 0) {
            return ask(demo, embedded_dev_scripts[i].data, &answer, err);
        }
    }
    return sl_fail(err, SL_E_BUG, "demo.sql is not part of this build");
}

static bool show_activity(const struct demo *demo, unsigned count, struct sl_err *err)
{
    if (!show(demo, "What a second subsystem, one SQL function, made of the same events",
              activity_sql, err)) {
        return false;
    }
    printf("\nProved: each of 2 subsystems has applied all %u events, from a queue of its own.\n\n",
           count);
    return true;
}

/* The product's point: the broker goes away, events are still accepted, and every one of them arrives. */
static int show_outage(const struct demo *demo, unsigned sent)
{
    struct sl_err err = { 0 };
    int status = 0;
    int64_t rows = 0;
    printf("Now the broker goes away …\n");
    (void)fflush(stdout);
    if (dev_control_stop(demo->home, DEV_RABBITMQ) != EXIT_SUCCESS) {
        return failed("the broker could not be stopped", EX_UNAVAILABLE);
    }
    (void)fflush(stdout);
    bool accepted = send_events(demo, OUTAGE_EVENTS, &status, &err) && WIFEXITED(status) &&
                    WEXITSTATUS(status) == 0;
    show_log_line(demo->home, "publish.journaled");
    printf("… and comes back.\n");
    (void)fflush(stdout);
    if (dev_control_start(demo->home, DEV_RABBITMQ) != EXIT_SUCCESS) {
        return failed("the broker could not be started again", EX_UNAVAILABLE);
    }
    printf("Waiting for the programs to find it (they try again after pauses of at most 30 s) …\n");
    (void)fflush(stdout);
    if (!accepted) {
        return failed(err.text[0] != '\0' ? err.text
                                          : "not every event was accepted without the broker",
                      EX_UNAVAILABLE);
    }
    if (!wait_for_rows(demo, sent + OUTAGE_EVENTS, RECONNECT_MS, &rows, &err)) {
        fprintf(stderr, "sluice dev demo: %lld of %u accepted events are rows\n", (long long)rows,
                sent + OUTAGE_EVENTS);
        return failed(err.text, EX_SOFTWARE);
    }
    show_log_line(demo->home, "journal.replayed");
    printf(
        "\nProved: %u events were accepted while the broker was away, %lld rows arrived when it was back, lost: 0.\n\n",
        OUTAGE_EVENTS, (long long)rows - (long long)sent);
    return EXIT_SUCCESS;
}

/* The latest line with this event in the publisher's log. */
static void show_log_line(const struct dev_home *home, const char *event)
{
    char path[PATH_MAX];
    char line[SL_LOG_LINE_BYTES_MAX];
    char latest[SL_LOG_LINE_BYTES_MAX] = "";
    dev_home_path(home, path, "logs/publisher.log");
    FILE *log = fopen(path, "re");
    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        if (strstr(line, event) != NULL) {
            memcpy(latest, line, sizeof latest);
        }
    }
    if (log != NULL) {
        (void)fclose(log);
    }
    if (latest[0] != '\0') {
        printf("\nlogs/publisher.log: %s\n", latest);
    }
}

static void demo_done(struct demo *demo)
{
    dev_env_done(&demo->env);
}

static int failed(const char *what, int exit_status)
{
    fprintf(stderr, "sluice dev demo: %s\n", what);
    return exit_status;
}

static bool send_events(const struct demo *demo, unsigned count, int *out_status,
                        struct sl_err *err)
{
    char program[PATH_MAX];
    char number[16];
    (void)snprintf(number, sizeof number, "%u", count);
    const char *argv[] = { program, "trigger", "all", "--count", number, NULL };
    struct dev_spawn spawn = { .argv = argv,
                               .environment = dev_env_list(&demo->env, err),
                               .death_signal = SIGTERM };
    if (!ops_stack_path(program, demo->home->programs, "sluice", err) ||
        spawn.environment == NULL) {
        return false;
    }
    pid_t pid = dev_process_spawn(&spawn, err);
    if (pid < 0) {
        return false;
    }
    if (!dev_process_wait(pid, TRIGGER_WAIT_MS, out_status)) {
        (void)kill(pid, SIGKILL);
        return sl_fail(err, SL_E_DEADLINE, "sending takes longer than %d s",
                       TRIGGER_WAIT_MS / 1000);
    }
    return true;
}

static bool wait_for_rows(const struct demo *demo, int64_t wanted, int64_t standstill_ms,
                          int64_t *out_rows, struct sl_err *err)
{
    int64_t until_ms = sl_clock_mono_ms() + standstill_ms;
    int64_t before = 0;
    for (;;) {
        if (!count_rows(demo, out_rows, err)) {
            return false;
        }
        if (*out_rows >= wanted) {
            return true;
        }
        int64_t now_ms = sl_clock_mono_ms();
        if (*out_rows > before) {
            before = *out_rows;
            until_ms = now_ms + standstill_ms;
        }
        if (now_ms >= until_ms) {
            return sl_fail(err, SL_E_DEADLINE,
                           "no further row for %lld s; see %s/logs/consumer.log",
                           (long long)standstill_ms / 1000, demo->home->dir);
        }
        struct timespec wait = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
        (void)nanosleep(&wait, NULL);
    }
}

static bool count_rows(const struct demo *demo, int64_t *out_rows, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf answer = { 0 };
    sl_buf_init(&answer, ANSWER_BYTES_MAX);
    if (!ask(demo, demo->has_activity ? count_both_sql : count_sql, &answer, err)) {
        return false;
    }
    return sl_units_decimal(sl_buf_span(&answer), 18, out_rows) ||
           sl_fail(err, SL_E_BUG, "psql answered what is not a number");
}

/* One value, without the newline. */
static bool ask(const struct demo *demo, const char *sql, struct sl_buf *out, struct sl_err *err)
{
    static const char *const flags[] = { "-At", NULL };
    if (!run_psql(demo, flags, sql, out, err)) {
        return false;
    }
    if (out->used_bytes > 0 && out->data[out->used_bytes - 1] == '\n') {
        out->data[--out->used_bytes] = '\0';
    }
    return true;
}

static bool show(const struct demo *demo, const char *title, const char *sql, struct sl_err *err)
{
    static const char *const flags[] = { "-P", "footer=off", NULL };
    SL_DONE(sl_buf_done) struct sl_buf answer = { 0 };
    sl_buf_init(&answer, ANSWER_BYTES_MAX);
    if (!run_psql(demo, flags, sql, &answer, err)) {
        return false;
    }
    struct sl_span rows = sl_buf_span(&answer);
    while (rows.bytes > 0 && rows.data[rows.bytes - 1] == '\n') {
        rows.bytes--;
    }
    printf("\n%s\n%.*s\n", title, SL_SPAN_ARGS(rows));
    (void)fflush(stdout);
    return true;
}

static bool run_psql(const struct demo *demo, const char *const *flags, const char *sql,
                     struct sl_buf *out, struct sl_err *err)
{
    const char *argv[ARGUMENTS_MAX] = { PSQL, demo->database_url, "-Xq", "-v", "ON_ERROR_STOP=1" };
    size_t count = 5;
    int status = 0;
    while (*flags != NULL) {
        SL_ASSERT(count < ARGUMENTS_MAX - 3);
        argv[count++] = *flags++;
    }
    argv[count++] = "-c";
    argv[count] = sql;
    struct dev_spawn spawn = { .argv = argv,
                               .environment = dev_env_list(&demo->env, err),
                               .death_signal = SIGTERM };
    if (spawn.environment == NULL ||
        !dev_process_capture(&spawn, PSQL_WAIT_MS, out, &status, err)) {
        return false;
    }
    char how[DEV_EXIT_TEXT_BYTES];
    dev_process_describe(status, how);
    return status == 0 || sl_fail(err, SL_E_PG_SYSTEMIC, "psql: %s", how);
}
