#include "ops/queue/cause.h"

#include <string.h>

#include "tests/support/claims.h"

/* A subsystem that is well: 40/s in and out, nothing waits. */
static struct ops_cause_figures well(void)
{
    return (struct ops_cause_figures){ .subsystem = "billing",
                                       .consumers = 2,
                                       .running = 1,
                                       .sample_ms = 3000,
                                       .settled = 120,
                                       .in_milli = 40000,
                                       .out_milli = 40000,
                                       .usual_milli = 40000,
                                       .arrived = 12000,
                                       .sessions = 20,
                                       .sessions_max = 100 };
}

static bool says(const struct ops_diagnosis *found, const char *text)
{
    return strstr(found->evidence, text) != NULL;
}

CLAIM(cause__a_subsystem_that_is_well_has_none)
{
    struct ops_cause_figures figures = well();
    struct ops_diagnosis found = ops_cause_find(&figures);
    CU_ASSERT_EQUAL(found.cause, OPS_CAUSE_NONE);
    CU_ASSERT_STRING_EQUAL(found.next, "");
    CU_ASSERT_FALSE(ops_cause_is_trouble(found.cause));
}

CLAIM(cause__each_of_the_six_is_found_by_its_own_sign)
{
    static const struct {
        enum ops_cause cause;
        const char *evidence;
        const char *next;
        struct ops_cause_figures change; /* what is not as in well(); 0 is as there */
    } rows[] = {
        { OPS_CAUSE_CONSUMER_OUTAGE,
          "no consumer has said anything",
          "start sluice-consumer",
          { .consumers = -1, .running = -1, .waiting = 500, .settled = -1 } },
        { OPS_CAUSE_CONSUMER_OUTAGE,
          "a consumer runs, but not for this queue",
          "sluice health",
          { .consumers = -1, .waiting = 500 } },
        { OPS_CAUSE_PRODUCER_STORM,
          "usually in 40.0/s",
          "sluice ingest pause",
          { .in_milli = 900000, .out_milli = 300000, .waiting = 50000 } },
        { OPS_CAUSE_SLOW_PROCESSING,
          "out 30.0/s",
          "sluice scale advise billing",
          { .out_milli = 30000, .waiting = 50000 } },
        { OPS_CAUSE_SLOW_PROCESSING,
          "at work for 4200 ms",
          "sluice scale advise",
          { .settled = -1,
            .out_milli = -1,
            .busy_ms = 4200,
            .unacked = 10,
            .oldest_s = 9,
            .waiting = 40 } },
        { OPS_CAUSE_SLOW_PROCESSING,
          "its URL answers nothing",
          "sluice scale advise",
          { .settled = -1, .out_milli = -1, .is_http = true, .unacked = 10, .oldest_s = 9 } },
        { OPS_CAUSE_RETRY_STORM,
          "4000 failed tries in 5 min of 1000 events",
          "retries=off",
          { .retries = 4000, .retried = 1000, .delayed = 1000 } },
        { OPS_CAUSE_RETRY_STORM,
          "held back by its breaker",
          "mend what refuses them",
          { .retries = 5, .retried = 5, .breakers = 1, .delayed = 30 } },
        { OPS_CAUSE_POISON,
          "200 given up in 15 min, 180 of one cause",
          "sluice dead groups",
          { .letters = 200, .group = 180, .retries = 3, .retried = 3 } },
        { OPS_CAUSE_POISON,
          "10 in hand since 30 s, none settled",
          "consumer.held",
          { .settled = -1, .out_milli = -1, .unacked = 10, .oldest_s = 30, .waiting = 90 } },
        { OPS_CAUSE_DATABASE,
          "breaker of the database open",
          "postgres.md",
          { .pg_breakers = 1, .retries = 400, .retried = 90 } },
        { OPS_CAUSE_DATABASE,
          "2 sessions of its workers wait for a lock",
          "postgres.md",
          { .blocked = 2, .waiting = 90, .settled = -1, .unacked = 10, .oldest_s = 30 } },
        { OPS_CAUSE_DATABASE, "Postgres gives no session", "postgres.md", { .is_pg_away = true } },
        { OPS_CAUSE_DATABASE,
          "Postgres takes no rows",
          "postgres.md",
          { .is_pg_read_only = true } },
        { OPS_CAUSE_DATABASE,
          "96 of 100 sessions",
          "postgres.md",
          { .sessions = 96, .waiting = 90 } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ops_cause_figures figures = well();
        const struct ops_cause_figures *change = &rows[i].change;
#define TAKE(field)                                                                                \
    figures.field = change->field == 0 ? figures.field : change->field < 0 ? 0 : change->field
        TAKE(consumers), TAKE(running), TAKE(waiting), TAKE(settled), TAKE(unacked), TAKE(oldest_s);
        TAKE(in_milli), TAKE(out_milli), TAKE(busy_ms), TAKE(retries), TAKE(retried), TAKE(delayed);
        TAKE(pg_breakers), TAKE(breakers), TAKE(letters), TAKE(group), TAKE(blocked),
            TAKE(sessions);
        figures.is_http = change->is_http;
        figures.is_pg_away = change->is_pg_away;
        figures.is_pg_read_only = change->is_pg_read_only;
        struct ops_diagnosis found = ops_cause_find(&figures);
        CU_ASSERT_EQUAL(found.cause, rows[i].cause);
        CU_ASSERT_TRUE(says(&found, rows[i].evidence));
        CU_ASSERT_PTR_NOT_NULL(strstr(found.next, rows[i].next));
        CU_ASSERT_TRUE(ops_cause_is_trouble(found.cause));
    }
}

CLAIM(cause__what_hides_the_others_is_named_first)
{
    struct ops_cause_figures figures = well();
    figures.waiting = 90000;
    figures.in_milli = 900000;
    figures.letters = 500;
    figures.retries = 4000;
    CU_ASSERT_EQUAL(ops_cause_find(&figures).cause, OPS_CAUSE_POISON);
    figures.retried = 900;
    CU_ASSERT_EQUAL(ops_cause_find(&figures).cause, OPS_CAUSE_RETRY_STORM);
    figures.blocked = 1;
    CU_ASSERT_EQUAL(ops_cause_find(&figures).cause, OPS_CAUSE_DATABASE);
    figures.consumers = 0;
    CU_ASSERT_EQUAL(ops_cause_find(&figures).cause, OPS_CAUSE_CONSUMER_OUTAGE);
    figures.is_paused = true;
    CU_ASSERT_EQUAL(ops_cause_find(&figures).cause, OPS_CAUSE_PAUSED);
    figures.is_pg_away = true;
    CU_ASSERT_EQUAL(ops_cause_find(&figures).cause, OPS_CAUSE_DATABASE);
}

CLAIM(cause__a_backlog_that_shrinks_is_no_trouble)
{
    struct ops_cause_figures figures = well();
    figures.waiting = 50000;
    figures.out_milli = 900000;
    struct ops_diagnosis found = ops_cause_find(&figures);
    CU_ASSERT_EQUAL(found.cause, OPS_CAUSE_CATCHING_UP);
    CU_ASSERT_STRING_EQUAL(found.next, "sluice queue drain billing");
}

CLAIM(cause__a_few_failures_among_many_are_no_storm)
{
    struct ops_cause_figures figures = well();
    figures.retries = 100;
    figures.retried = 50;
    figures.letters = 5;
    CU_ASSERT_EQUAL(ops_cause_find(&figures).cause, OPS_CAUSE_NONE);
}

CLAIM(cause__what_is_unknown_is_no_evidence)
{
    struct ops_cause_figures figures = well();
    figures.waiting = OPS_UNKNOWN;
    figures.unacked = OPS_UNKNOWN;
    figures.consumers = OPS_UNKNOWN;
    figures.in_milli = OPS_UNKNOWN;
    figures.out_milli = OPS_UNKNOWN;
    figures.oldest_s = OPS_UNKNOWN;
    figures.delayed = OPS_UNKNOWN;
    struct ops_diagnosis found = ops_cause_find(&figures);
    CU_ASSERT_EQUAL(found.cause, OPS_CAUSE_UNKNOWN);
    CU_ASSERT_FALSE(says(&found, "waiting"));
    figures.waiting = 500;
    CU_ASSERT_EQUAL(ops_cause_find(&figures).cause, OPS_CAUSE_UNKNOWN);
}
