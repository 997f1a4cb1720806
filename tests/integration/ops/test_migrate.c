/* Migrations against a real Postgres. Needs DATABASE_URL of a role that may create schemas; skipped without. Works in a schema of its own. */
#include "ops/migrate/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/pg_session.h"
#include "tests/support/claims.h"

__attribute__((constructor)) static void skip_without_database(void)
{
    if (getenv("DATABASE_URL") == NULL) {
        puts("DATABASE_URL is not set: skipped");
        _exit(77);
    }
}

#define FILE_OF(name_, text_)                                                                      \
    {                                                                                              \
        .name = (name_), .data = (text_), .end = (text_) + sizeof(text_) - 1                       \
    }

static const char one[] = "CREATE TABLE one (x int);\nINSERT INTO one VALUES (1), (2);\n";
static const char slow[] = "SELECT pg_sleep(0.5);\nCREATE TABLE slow ();";
static const char edited[] = "CREATE TABLE one (x int, y int);\n";
static const char wrong[] = "CREATE TABLE three ();\n-- é\nCREATE TABEL four ();\n";

static const struct sl_embedded good[] = {
    FILE_OF("0001_one.sql", one),
    FILE_OF("0002_slow.sql", slow),
};
static const struct sl_embedded drifted[] = {
    FILE_OF("0001_one.sql", edited),
    FILE_OF("0002_slow.sql", slow),
};
static const struct sl_embedded broken[] = {
    FILE_OF("0001_one.sql", one),
    FILE_OF("0002_slow.sql", slow),
    FILE_OF("0003_wrong.sql", wrong),
};

/* DATABASE_URL, in the schema of these tests. */
static const char *address(void)
{
    static char url[1024];
    const char *base = getenv("DATABASE_URL");
    if (strstr(base, "search_path") != NULL) {
        return base;
    }
    snprintf(url, sizeof url, "%s%coptions=-c%%20search_path%%3Dtest_migrate", base,
             strchr(base, '?') == NULL ? '?' : '&');
    return url;
}

static struct ops_pg_session *open_session(void)
{
    struct sl_err err = { 0 };
    const struct ops_pg_session_opts opts = { .conninfo = address(), .application_name = "guard" };
    struct ops_pg_session *session = ops_pg_session_open(&opts, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(session);
    return session;
}

static void fresh_schema(void)
{
    SL_AUTO(ops_pg_session_free) struct ops_pg_session *session = open_session();
    CU_ASSERT_TRUE(ops_pg_text(session,
                               "DROP SCHEMA IF EXISTS test_migrate CASCADE;"
                               "CREATE SCHEMA test_migrate",
                               NULL, NULL));
}

static int64_t number(const char *sql)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    struct sl_err err = { 0 };
    SL_AUTO(ops_pg_session_free) struct ops_pg_session *session = open_session();
    if (!ops_pg_query(session, sql, NULL, 0, &rows, &err)) {
        printf("\n  %s\n", err.text);
        return -1;
    }
    return atoll(ops_pg_cell_text(&rows, 0, 0));
}

struct told {
    int applied;
    char who[160];
};

static void on_waiting(const char *who, void *arg)
{
    struct told *told = arg;
    snprintf(told->who, sizeof told->who, "%s", who);
}

static void on_applied(const struct ops_migration *migration, int64_t took_ms, void *arg)
{
    struct told *told = arg;
    CU_ASSERT(migration->version > 0);
    CU_ASSERT(took_ms >= 0);
    told->applied++;
}

static bool apply(const struct sl_embedded *files, size_t count, int64_t wait_ms, struct told *told,
                  struct sl_err *err)
{
    int64_t version = -1;
    const struct ops_migrate_opts opts = {
        .conninfo = address(),
        .files = files,
        .file_count = count,
        .wait_ms = wait_ms,
        .timeout_ms = 300000,
        .arg = told,
        .on_waiting = on_waiting,
        .on_applied = on_applied,
    };
    *told = (struct told){ 0 };
    return ops_migrate_apply(&opts, &version, err) && version == (int64_t)count;
}

CLAIM(migrate__applies_each_migration_once)
{
    struct told told;
    struct sl_err err = { 0 };
    fresh_schema();
    CU_ASSERT_TRUE(apply(good, 2, 60000, &told, &err));
    CU_ASSERT_EQUAL(told.applied, 2);
    CU_ASSERT_STRING_EQUAL(told.who, "");
    CU_ASSERT_EQUAL(number("SELECT count(*) FROM one"), 2);
    CU_ASSERT_TRUE(apply(good, 2, 60000, &told, &err));
    CU_ASSERT_EQUAL(told.applied, 0);
    CU_ASSERT_EQUAL(number("SELECT count(*) FROM sluice_migration"), 2);
    CU_ASSERT_EQUAL(number("SELECT length(checksum) FROM sluice_migration LIMIT 1"), 64);
}

CLAIM(migrate__two_at_once_do_the_work_once)
{
    int pipes[2];
    fresh_schema();
    CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            struct told told;
            struct sl_err err = { 0 };
            bool is_applied = apply(good, 2, 120000, &told, &err);
            char answer = is_applied ? (char)('0' + told.applied) : 'x';
            _exit(write(pipes[1], &answer, 1) == 1 ? 0 : 1);
        }
    }
    char answers[2] = { 0 };
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(read(pipes[0], &answers[i], 1), 1);
    }
    while (wait(NULL) > 0) {
    }
    close(pipes[0]);
    close(pipes[1]);
    CU_ASSERT((answers[0] == '2' && answers[1] == '0') || (answers[0] == '0' && answers[1] == '2'));
    CU_ASSERT_EQUAL(number("SELECT count(*) FROM one"), 2);
}

CLAIM(migrate__names_whom_it_waited_for)
{
    struct told told;
    struct sl_err err = { 0 };
    fresh_schema();
    SL_AUTO(ops_pg_session_free) struct ops_pg_session *guard = open_session();
    CU_ASSERT_TRUE(
        ops_pg_query(guard, "SELECT pg_advisory_lock(126909663503205)", NULL, 0, NULL, &err));
    CU_ASSERT_FALSE(apply(good, 2, 2000, &told, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_PG_CONTENTION);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "(guard)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(told.who, "(guard)"));
    CU_ASSERT_EQUAL(number("SELECT count(*) FROM pg_tables WHERE schemaname = 'test_migrate'"), 0);
}

CLAIM(migrate__an_edited_file_changes_nothing)
{
    struct told told;
    struct sl_err err = { 0 };
    fresh_schema();
    CU_ASSERT_TRUE(apply(good, 1, 60000, &told, &err));
    CU_ASSERT_FALSE(apply(drifted, 2, 60000, &told, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_PG_DRIFT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "0001_one.sql"));
    CU_ASSERT_EQUAL(told.applied, 0);
    CU_ASSERT_EQUAL(number("SELECT count(*) FROM sluice_migration"), 1);

    /* A program older than the database. */
    CU_ASSERT_TRUE(apply(good, 2, 60000, &told, &err));
    CU_ASSERT_FALSE(apply(good, 1, 60000, &told, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_PG_DRIFT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "does not know"));
}

CLAIM(migrate__a_file_that_fails_leaves_nothing_of_itself)
{
    struct told told;
    struct sl_err err = { 0 };
    fresh_schema();
    CU_ASSERT_FALSE(apply(broken, 3, 60000, &told, &err));
    CU_ASSERT_EQUAL(told.applied, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "0003_wrong.sql is not applied, line 3"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "42601"));
    CU_ASSERT_EQUAL(number("SELECT count(*) FROM sluice_migration"), 2);
    CU_ASSERT_EQUAL(number("SELECT count(*) FROM pg_tables WHERE tablename = 'three'"), 0);
}

CLAIM(migrate__a_lost_session_stays_lost)
{
    struct sl_err err = { 0 };
    SL_AUTO(ops_pg_session_free) struct ops_pg_session *session = open_session();
    CU_ASSERT_TRUE(ops_pg_query(session, "BEGIN", NULL, 0, NULL, &err));
    CU_ASSERT_FALSE(ops_pg_query(session, "SELECT pg_terminate_backend(pg_backend_pid())", NULL, 0,
                                 NULL, &err));
    CU_ASSERT_STRING_EQUAL(ops_pg_sqlstate(session), "57P01");
    CU_ASSERT_FALSE(ops_pg_query(session, "COMMIT", NULL, 0, NULL, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "session was lost"));
}

/* ---- the commands, each in a process of its own ---- */

static char output[16384];

/* Exit status; stdout and stderr together are in `output`. */
static int command(int (*run)(int, char **), const char *url, const char *flag, const char *value)
{
    char *argv[] = { strdup("x"), flag == NULL ? NULL : strdup(flag),
                     value == NULL ? NULL : strdup(value), NULL };
    int argc = flag == NULL ? 1 : value == NULL ? 2 : 3;
    int pipes[2];
    CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 1);
        dup2(pipes[1], 2);
        close(pipes[0]);
        if (url == NULL) {
            unsetenv("DATABASE_URL");
            setenv("SLUICE_DEV_DIR", "/nonexistent", 1); /* no local stack either */
        } else {
            setenv("DATABASE_URL", url, 1);
        }
        int status = run(argc, argv);
        fflush(stdout);
        _exit(status);
    }
    close(pipes[1]);
    size_t used = 0;
    ssize_t got = 0;
    while (used < sizeof output - 1 &&
           (got = read(pipes[0], output + used, sizeof output - 1 - used)) > 0) {
        used += (size_t)got;
    }
    output[used] = '\0';
    close(pipes[0]);
    for (int i = 0; i < 3; i++) {
        free(argv[i]);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool says(const char *part)
{
    bool is_said = strstr(output, part) != NULL;
    if (!is_said) {
        printf("\n  no \"%s\" in: %s\n", part, output);
    }
    return is_said;
}

CLAIM(migrate__the_commands_say_what_they_did_and_what_is_next)
{
    fresh_schema();
    CU_ASSERT_EQUAL(command(ops_migrate_status, address(), NULL, NULL), 2);
    CU_ASSERT_TRUE(says("0001_sluice.sql"));
    CU_ASSERT_TRUE(says("pending; next: sluice migrate up"));
    CU_ASSERT_EQUAL(number("SELECT count(*) FROM pg_tables WHERE schemaname = 'test_migrate'"), 0);

    CU_ASSERT_EQUAL(command(ops_migrate_up, address(), "-o", "json"), 0);
    CU_ASSERT_TRUE(says("\"name\":\"0001_sluice.sql\""));
    CU_ASSERT_EQUAL(command(ops_migrate_up, address(), NULL, NULL), 0);
    CU_ASSERT_TRUE(says("nothing to do"));
    CU_ASSERT_EQUAL(command(ops_migrate_status, "", "--database-url", address()), 0);
    CU_ASSERT_TRUE(says("applied"));
    CU_ASSERT_EQUAL(command(ops_migrate_status, address(), "--json", NULL), 0);
    CU_ASSERT_TRUE(says("\"state\":\"applied\""));

    SL_AUTO(ops_pg_session_free) struct ops_pg_session *session = open_session();
    CU_ASSERT_TRUE(ops_pg_text(session,
                               "UPDATE sluice_migration SET checksum = repeat('0', 64) "
                               "WHERE version = 1",
                               NULL, NULL));
    CU_ASSERT_EQUAL(command(ops_migrate_status, address(), NULL, NULL), 78);
    CU_ASSERT_TRUE(says("edited"));
    CU_ASSERT_TRUE(says("restore its text and put the change into a new migration"));
    CU_ASSERT_EQUAL(command(ops_migrate_up, address(), NULL, NULL), 78);
}

CLAIM(migrate__the_commands_refuse_with_one_sentence)
{
    CU_ASSERT_EQUAL(command(ops_migrate_status, NULL, NULL, NULL), 78);
    CU_ASSERT_EQUAL(command(ops_migrate_up, "postgres://u:pa55@127.0.0.1:1/x", NULL, NULL), 69);
    CU_ASSERT_TRUE(says("Connection refused"));
    CU_ASSERT_TRUE(says("See: sluice doctor"));
    CU_ASSERT_PTR_NULL(strstr(output, "pa55"));
    CU_ASSERT_EQUAL(command(ops_migrate_up, "", "--database-url", "postgres://u:pa55@h/x"), 64);
    CU_ASSERT_TRUE(says("~/.pgpass"));
    CU_ASSERT_PTR_NULL(strstr(output, "pa55"));
    CU_ASSERT_EQUAL(command(ops_migrate_up, address(), "--wiat", "5s"), 64);
    CU_ASSERT_TRUE(says("--wait"));
    CU_ASSERT_EQUAL(command(ops_migrate_up, "postgres://u:pa55/x@h/db", NULL, NULL), 78);
    CU_ASSERT_PTR_NULL(strstr(output, "pa55"));
}
