#include "ops/doctor/preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/commands.h"
#include "ops/doctor/deployed.h"
#include "ops/doctor/finding_tell.h"
#include "ops/doctor/preflight_rules.h"
#include "ops/pg_session.h"
#include "ops/table.h"

#define EX_FOUND           1
#define LOOK_MS            4000
#define MISTAKES_BYTES_MAX (64u * 1024u)
#define NAME_BYTES         80u
#define DIGITS             10

const char ops_preflight_usage[] =
    "  STAGING PROD      files of NAME=value lines; <NAME>_FILE is followed where it can be read\n"
    "  --offline         do not ask the two databases what they are\n"
    "  --gate            go on only when nothing is wrong and the phrase is typed at this terminal\n"
    "  --confirm PHRASE  the same for a pipeline: DEPLOY-PROD, or the one it names when there are\n"
    "                    warnings\n"
    "  --all             also what is well, and what was skipped and why\n"
    "  -o table|json|ndjson|csv  for people (default) or for programs, which see every key\n"
    "No value is ever printed. Exit status: 0 nothing is wrong (and the phrase was right); 1 something is;\n"
    "66 a file cannot be read; 77 the phrase was not right.\n";

static const char database_sql[] =
    "SELECT current_setting('server_version_num')::int / 10000,"
    " (SELECT min(n) FROM (VALUES (current_setting('max_connections')::bigint),"
    "   ((SELECT datconnlimit FROM pg_database WHERE datname = current_database())),"
    "   ((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user))) AS v(n) WHERE n >= 0),"
    " format('%s %s', current_database(), extract(epoch FROM pg_postmaster_start_time()))";

struct preflight {
    const char *confirm;
    bool is_offline;
    bool is_gate;
    bool is_all;
    enum ops_output output;
    struct ops_env_file staging;
    struct ops_env_file production;
    struct ops_table table;
    size_t counts[OPS_VERDICT_FAIL + 1];
};

static const struct ops_column columns[] = {
    { .title = "KEY" }, { .title = "VERDICT" }, { .title = "FINDING" }, { .title = "FIX" }
};

static void preflight_free(struct preflight *preflight);
SL_DEFINE_AUTO(struct preflight *, preflight_free)
static bool read_wish(struct preflight *preflight, int argc, char **argv, struct sl_err *err);
static void compare_keys(struct preflight *preflight);
static bool has_rules(const char *name);
static void compare_key(struct preflight *preflight, const char *name);
static void tell_mistakes(struct preflight *preflight, const struct ops_env_file *file,
                          const char *where, enum ops_verdict verdict);
static void compare_databases(struct preflight *preflight);
static bool ask(struct preflight *preflight, const struct ops_env_file *file, const char *where,
                struct ops_preflight_database *out);
static void tell(struct preflight *preflight, const char *name, const struct ops_finding *finding);
static int verdict_of(struct preflight *preflight);
static bool is_typed(const struct preflight *preflight, const char *phrase);

int ops_preflight(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_AUTO(preflight_free) struct preflight *preflight = calloc(1, sizeof *preflight);
    if (preflight == NULL) {
        sl_fail(&err, SL_E_MEMORY, "no memory for two environments");
        return ops_report("preflight", &err);
    }
    ops_table_init(&preflight->table, columns, SL_COUNT(columns));
    if (!read_wish(preflight, argc, argv, &err)) {
        return ops_report("preflight", &err);
    }
    compare_keys(preflight);
    tell_mistakes(preflight, &preflight->staging, "staging", OPS_VERDICT_WARN);
    tell_mistakes(preflight, &preflight->production, "production", OPS_VERDICT_FAIL);
    compare_databases(preflight);
    if (preflight->output != OPS_OUTPUT_TABLE &&
        !ops_table_print(&preflight->table, preflight->output, stdout, &err)) {
        return ops_report("preflight", &err);
    }
    return verdict_of(preflight);
}

static void preflight_free(struct preflight *preflight)
{
    ops_env_file_done(&preflight->staging);
    ops_env_file_done(&preflight->production);
    ops_table_done(&preflight->table);
    free(preflight);
}

static bool read_wish(struct preflight *preflight, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "offline", .kind = OPS_FLAG_SWITCH, .out = &preflight->is_offline },
        { .name = "gate", .kind = OPS_FLAG_SWITCH, .out = &preflight->is_gate },
        { .name = "confirm", .kind = OPS_FLAG_TEXT, .out = (void *)&preflight->confirm },
        { .name = "all", .kind = OPS_FLAG_SWITCH, .out = &preflight->is_all },
        OPS_FLAGS_ROWS(preflight->output),
    };
    int first = 0;
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 2, 2, &first, err) &&
           ops_env_file_read(argv[first], &preflight->staging, err) &&
           ops_env_file_read(argv[first + 1], &preflight->production, err);
}

/* Keys ---------------------------------------------------------------------------------------- */

static void compare_keys(struct preflight *preflight)
{
    const struct ops_preflight_key *known = NULL;
    const struct sl_conf_key *other = NULL;
    for (size_t i = 0; (known = ops_preflight_key(i)) != NULL; i++) {
        compare_key(preflight, known->name);
    }
    for (size_t i = 0; (other = ops_deployed_key(i)) != NULL; i++) {
        if (!has_rules(other->env)) {
            compare_key(preflight, other->env);
        }
    }
}

static bool has_rules(const char *name)
{
    return ops_preflight_key_of(name).must_differ;
}

static void compare_key(struct preflight *preflight, const char *name)
{
    const struct ops_preflight_key key = ops_preflight_key_of(name);
    struct ops_finding finding;
    ops_preflight_judge(&key, &preflight->staging, &preflight->production, &finding);
    tell(preflight, name, &finding);
}

/* What the daemons themselves would say of an environment. */
static void tell_mistakes(struct preflight *preflight, const struct ops_env_file *file,
                          const char *where, enum ops_verdict verdict)
{
    struct ops_deployed *deployed = calloc(1, sizeof *deployed);
    char **lines = calloc(OPS_ENV_ENTRIES_MAX + 1, sizeof *lines);
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    if (deployed != NULL && lines != NULL) {
        ops_env_file_lines(file, lines);
        ops_deployed_read(deployed, lines, &mistakes);
        ops_deployed_done(deployed);
    }
    struct sl_span rest = sl_buf_span(&mistakes);
    struct sl_span line = { 0 };
    while (sl_span_split(&rest, '\n', &line)) {
        char name[NAME_BYTES];
        struct ops_finding finding = { .verdict = verdict };
        struct sl_span key = { 0 };
        struct sl_span text = line;
        if (line.bytes == 0 || !sl_span_split(&text, ':', &key)) {
            continue;
        }
        snprintf(name, sizeof name, "%.*s", SL_SPAN_ARGS(key));
        snprintf(finding.text, sizeof finding.text, "%s:%.*s", where, SL_SPAN_ARGS(text));
        snprintf(finding.fix, sizeof finding.fix, "correct %s for %s", name, where);
        tell(preflight, name, &finding);
    }
    free(deployed);
    free(lines);
}

/* Databases ----------------------------------------------------------------------------------- */

static void compare_databases(struct preflight *preflight)
{
    struct ops_preflight_database staging = { 0 };
    struct ops_preflight_database production = { 0 };
    struct ops_finding version;
    struct ops_finding limit;
    struct ops_finding identity;
    if (preflight->is_offline) {
        return;
    }
    bool is_known = ask(preflight, &preflight->staging, "staging", &staging);
    is_known = ask(preflight, &preflight->production, "production", &production) && is_known;
    if (is_known) {
        ops_preflight_judge_databases(&staging, &production, &version, &limit, &identity);
        tell(preflight, "postgres.version", &version);
        tell(preflight, "postgres.connections", &limit);
        tell(preflight, "postgres.identity", &identity);
    }
}

/* False when it could not be asked, which is said. */
static bool ask(struct preflight *preflight, const struct ops_env_file *file, const char *where,
                struct ops_preflight_database *out)
{
    const char *url = NULL;
    struct sl_err why = { 0 };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (ops_env_file_get(file, "DATABASE_URL", &url) != OPS_ENV_SET) {
        return false;
    }
    const struct ops_pg_session_opts opts = { .conninfo = url,
                                              .application_name = "sluice preflight",
                                              .read_only = true,
                                              .open_ms = LOOK_MS,
                                              .statement_ms = LOOK_MS };
    SL_AUTO(ops_pg_session_free) struct ops_pg_session *session = ops_pg_session_open(&opts, &why);
    if (session == NULL || !ops_pg_query(session, database_sql, NULL, 0, &rows, &why)) {
        struct ops_finding finding = { .verdict = OPS_VERDICT_WARN };
        snprintf(finding.text, sizeof finding.text, "%s: not compared: %s", where, why.text);
        snprintf(finding.fix, sizeof finding.fix,
                 "run this where both databases can be reached, or say --offline");
        tell(preflight, "postgres.reach", &finding);
        return false;
    }
    out->version = strtoll(ops_pg_cell_text(&rows, 0, 0), NULL, DIGITS);
    out->connections = strtoll(ops_pg_cell_text(&rows, 0, 1), NULL, DIGITS);
    snprintf(out->identity, sizeof out->identity, "%s", ops_pg_cell_text(&rows, 0, 2));
    return true;
}

/* The end ------------------------------------------------------------------------------------- */

static void tell(struct preflight *preflight, const char *name, const struct ops_finding *finding)
{
    preflight->counts[finding->verdict]++;
    if (preflight->output != OPS_OUTPUT_TABLE) {
        ops_table_add(&preflight->table,
                      (const char *const[]){ name, ops_verdict_name(finding->verdict),
                                             finding->text, finding->fix });
    } else if (preflight->is_all || finding->verdict >= OPS_VERDICT_WARN) {
        ops_finding_print(name, finding);
    }
}

static int verdict_of(struct preflight *preflight)
{
    char phrase[OPS_PHRASE_BYTES];
    size_t wrong = preflight->counts[OPS_VERDICT_FAIL];
    size_t warnings = preflight->counts[OPS_VERDICT_WARN];
    bool is_gate = preflight->is_gate || preflight->confirm != NULL;
    fflush(stdout);
    fprintf(stderr, "%zu well, %zu in neither or not comparable, %zu to look at, %zu wrong%s\n",
            preflight->counts[OPS_VERDICT_OK], preflight->counts[OPS_VERDICT_SKIP], warnings, wrong,
            wrong > 0 && is_gate ? ": no deployment" : "");
    if (wrong > 0) {
        return EX_FOUND;
    }
    ops_preflight_phrase(warnings, phrase);
    if (is_gate && !is_typed(preflight, phrase)) {
        fprintf(stderr, "no deployment: the phrase is %s\n", phrase);
        return EX_NOPERM;
    }
    return EX_OK;
}

/* Letter for letter: from --confirm, or from a person at a terminal. */
static bool is_typed(const struct preflight *preflight, const char *phrase)
{
    char line[OPS_PHRASE_BYTES * 2] = "";
    if (preflight->confirm != NULL) {
        return strcmp(preflight->confirm, phrase) == 0;
    }
    if (isatty(STDIN_FILENO) == 0) {
        return false;
    }
    fprintf(stderr, "type %s to deploy: ", phrase);
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return strcmp(line, phrase) == 0;
}
