/*
 * look_postgres - what Postgres knows: of itself, of the consumers, of dead letters; and how far its clock is from ours.
 *
 * The questions are data (pg_questions.def). Each is bounded by the server; one that fails is said so and the others go on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/doctor/patient.h"
#include "ops/migrate/migrate.h"
#include "ops/pg_session.h"
#include "shared/clock.h"

#define US              1000000
#define NUMBER_BYTES    32u
#define OWN_OF_CONSUMER 5 /* clerk, parker, attempts, upkeep, teller */
#define DIGITS          10

extern const struct sl_embedded embedded_migrations[];
extern const size_t embedded_migrations_count;

enum given { NOTHING, NAMES, CONNECTIONS, VERSION, GIVEN };
struct question {
    enum ops_check_id id;
    enum given given;
    const char *sql;
};
static const struct question questions[] = {
#define PG_QUESTION(id, given, sql) { OPS_CHECK_##id, given, sql },
#include "ops/doctor/pg_questions.def"
#undef PG_QUESTION
};

static bool is_open(struct ops_patient *patient, struct ops_pg_session **out_session);
static void see_migrations(struct ops_patient *patient);
static void see_clock(struct ops_patient *patient, struct ops_pg_session *session);
static void ask(struct ops_patient *patient, struct ops_pg_session *session,
                const struct question *question, const char *const given[GIVEN]);
static void list_names(const struct ops_patient *patient, char *out, size_t out_bytes);
static int64_t connections_of(const struct ops_patient *patient);

void ops_look_postgres(struct ops_patient *patient)
{
    struct ops_facts *facts = &patient->facts;
    SL_AUTO(ops_pg_session_free) struct ops_pg_session *session = NULL;
    char names[SL_SUBSYSTEMS_MAX * (SL_SUBSYSTEM_NAME_BYTES + 1)] = "";
    char connections[NUMBER_BYTES];
    if (is_open(patient, &session)) {
        see_migrations(patient);
        see_clock(patient, session);
        list_names(patient, names, sizeof names);
        snprintf(connections, sizeof connections, "%" PRId64, connections_of(patient));
        const char *const given[GIVEN] = {
            [NAMES] = names, [CONNECTIONS] = connections, [VERSION] = SLUICE_VERSION
        };
        for (size_t i = 0; i < SL_COUNT(questions); i++) {
            ask(patient, session, &questions[i], given);
        }
    }
    static const char unreached[] = "Postgres cannot be reached";
    ops_facts_skip(facts, OPS_CHECK_MACHINE_CLOCK, OPS_CHECK_MACHINE_CLOCK, unreached);
    ops_facts_skip(facts, OPS_CHECK_CONSUMER_VERSION, OPS_CHECK_DEAD_RECENT, unreached);
    ops_facts_skip(facts, OPS_CHECK_PG_REACH, OPS_CHECK_PG_TLS, unreached);
}

static bool is_open(struct ops_patient *patient, struct ops_pg_session **out_session)
{
    const char *url = patient->deployed.publisher.database_url;
    struct sl_err why = { 0 };
    if (url == NULL) {
        ops_fact_skip(&patient->facts, OPS_CHECK_PG_REACH, "DATABASE_URL is not set");
        return false;
    }
    const struct ops_pg_session_opts opts = { .conninfo = url,
                                              .application_name = "sluice doctor",
                                              .read_only = true,
                                              .open_ms = OPS_LOOK_MS,
                                              .statement_ms = OPS_LOOK_MS,
                                              .lock_ms = OPS_LOOK_MS / 4 };
    *out_session = ops_pg_session_open(&opts, &why);
    ops_fact_see(&patient->facts, OPS_CHECK_PG_REACH, *out_session == NULL ? 1 : 0, "", "%s",
                 why.text);
    return *out_session != NULL;
}

static void see_migrations(struct ops_patient *patient)
{
    const struct ops_migrate_opts opts = { .conninfo = patient->deployed.publisher.database_url,
                                           .files = embedded_migrations,
                                           .file_count = embedded_migrations_count };
    struct sl_err why = { 0 };
    struct ops_migration_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL || !ops_migrate_read(&opts, plan, &why)) {
        ops_fact_blind(&patient->facts, OPS_CHECK_PG_MIGRATIONS, why.text);
    } else if (!ops_migration_plan_verdict(plan, &why)) {
        ops_fact_see(&patient->facts, OPS_CHECK_PG_MIGRATIONS, 1, "", "%s", why.text);
    } else if (plan->pending_count > 0) {
        ops_fact_see(&patient->facts, OPS_CHECK_PG_MIGRATIONS, (int64_t)plan->pending_count, "",
                     "%zu migrations are not applied; the database is at %" PRId64,
                     plan->pending_count, plan->version);
    } else {
        ops_fact_see(&patient->facts, OPS_CHECK_PG_MIGRATIONS, 0, "", "at version %" PRId64,
                     plan->version);
    }
    free(plan);
}

/* Half of the way there and back is the error. */
static void see_clock(struct ops_patient *patient, struct ops_pg_session *session)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    struct sl_err why = { 0 };
    int64_t before_us = sl_clock_wall_us();
    if (!ops_pg_query(session, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
                      NULL, 0, &rows, &why)) {
        ops_fact_blind(&patient->facts, OPS_CHECK_MACHINE_CLOCK, why.text);
        return;
    }
    int64_t ours_us = before_us + (sl_clock_wall_us() - before_us) / 2;
    int64_t ahead_us = ours_us - strtoll(ops_pg_cell_text(&rows, 0, 0), NULL, DIGITS);
    ops_fact_see(&patient->facts, OPS_CHECK_MACHINE_CLOCK, llabs(ahead_us) / US, "", "%s",
                 ahead_us < 0 ? "behind" : "ahead of");
}

static void ask(struct ops_patient *patient, struct ops_pg_session *session,
                const struct question *question, const char *const given[GIVEN])
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    struct sl_err why = { 0 };
    const struct sl_pg_param param = ops_pg_param(given[question->given]);
    size_t count = question->given == NOTHING ? 0 : 1;
    if (!ops_pg_query(session, question->sql, &param, count, &rows, &why)) {
        ops_fact_blind(&patient->facts, question->id, why.text);
    } else if (rows.row_count == 0) {
        ops_fact_see(&patient->facts, question->id, 0, "", " ");
    } else {
        ops_fact_see(&patient->facts, question->id,
                     strtoll(ops_pg_cell_text(&rows, 0, 0), NULL, DIGITS),
                     ops_pg_cell_text(&rows, 0, 2), "%s", ops_pg_cell_text(&rows, 0, 1));
    }
}

static void list_names(const struct ops_patient *patient, char *out, size_t out_bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < patient->subsystems.count; i++) {
        const struct sl_subsystem *one = &patient->subsystems.items[i];
        if (one->enabled && used + strlen(one->name) + 2 < out_bytes) {
            used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", used == 0 ? "" : ",",
                                     one->name);
        }
    }
}

/* One of each worker of one consumer, its own, and those of one publisher. */
static int64_t connections_of(const struct ops_patient *patient)
{
    int64_t count = OWN_OF_CONSUMER + patient->deployed.publisher.pg_pool_max + 1;
    for (size_t i = 0; i < patient->subsystems.count; i++) {
        const struct sl_subsystem *one = &patient->subsystems.items[i];
        count += one->enabled ? one->workers : 0;
    }
    return count;
}
