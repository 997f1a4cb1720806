#include "ops/doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/doctor/deploy.h"
#include "ops/doctor/finding_tell.h"
#include "ops/doctor/patient.h"
#include "ops/table.h"

#define EX_FOUND        1
#define WORD_BYTES      64u
#define WAIT_MS_DEFAULT 60000
#define WAIT_MS_MAX     600000

const char ops_doctor_usage[] =
    "  --only NAMES      only these checks or groups, comma separated: config, stripe, machine, tls,\n"
    "                    publisher, journal, consumer, dead, broker, queue, postgres\n"
    "  --all             also what is well, and what was skipped and why\n"
    "  --strict          a warning counts as a problem\n"
    "  --environment E   production, staging …: decides which of Stripe's keys fit; default:\n"
    "                    SENTRY_ENVIRONMENT\n"
    "  --after-deploy    instead: wait until both programs are up, ready, healthy, of the expected\n"
    "                    version, the API answers 200, and no error is logged since their start\n"
    "  --expect-version V  the version that must run; default: any\n"
    "  --log F           the file of their log, as JSON lines\n"
    "  --wait D          for so long at most (60s)\n"
    "  -o table|json|ndjson|csv  for people (default) or for programs, which see every check\n"
    "Reads the environment as both daemons would, and asks them, the broker and Postgres. Changes nothing and\n"
    "prints no secret. Exit status: 0 nothing fails; 1 something does.\n";

struct wish {
    const char *only;
    const char *environment;
    bool is_all;
    bool is_strict;
    bool is_after_deploy;
    const char *expected;
    const char *log;
    int64_t wait_ms;
    enum ops_output output;
};

/* How many of each verdict. */
struct tally {
    size_t counts[OPS_VERDICT_FAIL + 1];
};

static const struct ops_column columns[] = {
    { .title = "CHECK" }, { .title = "VERDICT" }, { .title = "FINDING" },
    { .title = "FIX" },   { .title = "ASKS" },
};

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static int after_deploy(const struct wish *wish);
static void look(struct ops_patient *patient, const char *only);
static bool is_any_meant(const char *only, enum ops_check_id first, enum ops_check_id last);
static bool tell(const struct ops_facts *facts, const struct wish *wish, struct tally *tally,
                 struct sl_err *err);
static void print_tally(const struct tally *tally, const struct wish *wish);
static void free_patient(struct ops_patient *patient);
SL_DEFINE_AUTO(struct ops_patient *, free_patient)

int ops_doctor(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .wait_ms = WAIT_MS_DEFAULT };
    struct tally tally = { 0 };
    if (!read_wish(&wish, argc, argv, &err)) {
        return ops_report("doctor", &err);
    }
    if (wish.is_after_deploy) {
        return after_deploy(&wish);
    }
    SL_AUTO(free_patient) struct ops_patient *patient = calloc(1, sizeof *patient);
    if (patient == NULL) {
        sl_fail(&err, SL_E_MEMORY, "no memory for the doctor");
        return ops_report("doctor", &err);
    }
    patient->environment = wish.environment;
    look(patient, wish.only);
    if (!tell(&patient->facts, &wish, &tally, &err)) {
        return ops_report("doctor", &err);
    }
    bool is_found = tally.counts[OPS_VERDICT_FAIL] > 0 ||
                    (wish.is_strict && tally.counts[OPS_VERDICT_WARN] > 0);
    return is_found ? EX_FOUND : EX_OK;
}

static int after_deploy(const struct wish *wish)
{
    const struct ops_deploy_wish deploy = { .expected = wish->expected,
                                            .log = wish->log,
                                            .wait_ms = wish->wait_ms,
                                            .output = wish->output };
    struct sl_err err = { 0 };
    bool is_well = false;
    if (!ops_deploy_watch(&deploy, &is_well, &err)) {
        return ops_report("doctor", &err);
    }
    return is_well ? EX_OK : EX_FOUND;
}

static void free_patient(struct ops_patient *patient)
{
    ops_patient_done(patient);
    free(patient);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "only", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->only },
        { .name = "environment", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->environment },
        { .name = "all", .kind = OPS_FLAG_SWITCH, .out = &wish->is_all },
        { .name = "strict", .kind = OPS_FLAG_SWITCH, .out = &wish->is_strict },
        { .name = "after-deploy", .kind = OPS_FLAG_SWITCH, .out = &wish->is_after_deploy },
        { .name = "expect-version", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->expected },
        { .name = "log", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->log },
        { .name = "wait", .kind = OPS_FLAG_DURATION, .out = &wish->wait_ms, .max = WAIT_MS_MAX },
        OPS_FLAGS_ROWS(wish->output),
    };
    char word[WORD_BYTES];
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err)) {
        return false;
    }
    if (!wish->is_after_deploy && (wish->expected != NULL || wish->log != NULL)) {
        return sl_fail(err, SL_E_USAGE, "--expect-version and --log belong to --after-deploy");
    }
    if (wish->only != NULL && ops_check_is_unknown(wish->only, word, sizeof word)) {
        char nearest[WORD_BYTES];
        ops_check_nearest(word, nearest, sizeof nearest);
        return sl_fail(err, SL_E_USAGE, "no check and no group is called '%s'; %s%s%s", word,
                       nearest[0] == '\0' ? "sluice doctor --all lists them" : "did you mean ",
                       nearest, nearest[0] == '\0' ? "" : "?");
    }
    return true;
}

/* Every edge is asked that one of the wanted checks needs. Of what an edge says of other checks nothing is told. */
static void look(struct ops_patient *patient, const char *only)
{
    ops_look_config(patient); /* what the others lean on */
    if (is_any_meant(only, OPS_CHECK_STRIPE_ENDPOINT, OPS_CHECK_STRIPE_ENDPOINT)) {
        ops_look_stripe(patient);
    }
    if (is_any_meant(only, OPS_CHECK_MACHINE_STATE, OPS_CHECK_TLS_BROKER)) {
        ops_look_machine(patient);
    }
    if (is_any_meant(only, OPS_CHECK_MACHINE_FILES, OPS_CHECK_MACHINE_FILES) ||
        is_any_meant(only, OPS_CHECK_PUBLISHER_UP, OPS_CHECK_CONSUMER_HEALTH)) {
        ops_look_daemons(patient);
    }
    if (is_any_meant(only, OPS_CHECK_MACHINE_CLOCK, OPS_CHECK_MACHINE_CLOCK) ||
        is_any_meant(only, OPS_CHECK_CONSUMER_VERSION, OPS_CHECK_DEAD_RECENT) ||
        is_any_meant(only, OPS_CHECK_QUEUE_CONSUMERS, OPS_CHECK_QUEUE_CONSUMERS) || /* paused? */
        is_any_meant(only, OPS_CHECK_PG_REACH, OPS_CHECK_PG_TLS)) {
        ops_look_postgres(patient);
    }
    if (is_any_meant(only, OPS_CHECK_BROKER_WAY, OPS_CHECK_QUEUE_UNROUTED)) {
        ops_look_broker_api(patient);
        ops_look_broker(patient);
    }
}

static bool is_any_meant(const char *only, enum ops_check_id first, enum ops_check_id last)
{
    for (size_t id = first; id <= last; id++) {
        if (ops_check_is_meant(ops_check_at((enum ops_check_id)id), only)) {
            return true;
        }
    }
    return false;
}

static bool tell(const struct ops_facts *facts, const struct wish *wish, struct tally *tally,
                 struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t id = 0; id < OPS_CHECKS; id++) {
        const struct ops_check *check = ops_check_at((enum ops_check_id)id);
        struct ops_finding finding;
        if (!ops_check_is_meant(check, wish->only)) {
            continue;
        }
        ops_check_judge(check, &facts->items[id], &finding);
        tally->counts[finding.verdict]++;
        if (wish->output != OPS_OUTPUT_TABLE) {
            ops_table_add(&table,
                          (const char *const[]){ check->name, ops_verdict_name(finding.verdict),
                                                 finding.text, finding.fix, check->asks });
        } else if (wish->is_all || finding.verdict >= OPS_VERDICT_WARN) {
            ops_finding_print(check->name, &finding);
        }
    }
    if (wish->output != OPS_OUTPUT_TABLE) {
        return ops_table_print(&table, wish->output, stdout, err);
    }
    print_tally(tally, wish);
    return true;
}

static void print_tally(const struct tally *tally, const struct wish *wish)
{
    fprintf(stderr, "%zu well, %zu skipped, %zu to look at, %zu wrong%s\n",
            tally->counts[OPS_VERDICT_OK], tally->counts[OPS_VERDICT_SKIP],
            tally->counts[OPS_VERDICT_WARN], tally->counts[OPS_VERDICT_FAIL],
            wish->is_all ? "" : "; --all shows every check");
}
