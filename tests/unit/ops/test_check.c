#include "ops/doctor/check.h"

#include <string.h>

#include "tests/support/claims.h"

static struct ops_finding judge(enum ops_check_id id, int64_t number, const char *which,
                                const char *what)
{
    struct ops_facts *facts = &(struct ops_facts){ 0 };
    struct ops_finding finding = { 0 };
    ops_fact_see(facts, id, number, which, "%s", what);
    ops_check_judge(ops_check_at(id), &facts->items[id], &finding);
    return finding;
}

CLAIM(check__each_has_a_name_of_its_own_a_question_a_limit_and_a_fix)
{
    for (size_t i = 0; i < OPS_CHECKS; i++) {
        const struct ops_check *check = ops_check_at((enum ops_check_id)i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(check->name);
        CU_ASSERT_PTR_NOT_NULL(strchr(check->name, '.'));
        CU_ASSERT_TRUE(strlen(check->asks) > 5);
        CU_ASSERT_TRUE(strlen(check->well) > 0 && strlen(check->ill) > 0 && strlen(check->fix) > 0);
        CU_ASSERT_TRUE(check->warn_from + check->fail_from + check->warn_below + check->fail_below >
                       0);
        for (size_t k = 0; k < i; k++) {
            CU_ASSERT_NOT_EQUAL(strcmp(check->name, ops_check_at((enum ops_check_id)k)->name), 0);
        }
    }
    CU_ASSERT_TRUE(OPS_CHECKS >= 40);
}

CLAIM(check__the_number_decides)
{
    static const struct {
        enum ops_check_id id;
        int64_t number;
        enum ops_verdict verdict;
    } rows[] = {
        { OPS_CHECK_MACHINE_CLOCK, 0, OPS_VERDICT_OK },
        { OPS_CHECK_MACHINE_CLOCK, 1, OPS_VERDICT_OK },
        { OPS_CHECK_MACHINE_CLOCK, 2, OPS_VERDICT_WARN },
        { OPS_CHECK_MACHINE_CLOCK, 29, OPS_VERDICT_WARN },
        { OPS_CHECK_MACHINE_CLOCK, 30, OPS_VERDICT_FAIL },
        { OPS_CHECK_TLS_SERVER, 90, OPS_VERDICT_OK },
        { OPS_CHECK_TLS_SERVER, 20, OPS_VERDICT_WARN },
        { OPS_CHECK_TLS_SERVER, 3, OPS_VERDICT_FAIL },
        { OPS_CHECK_TLS_SERVER, -1, OPS_VERDICT_FAIL },
        { OPS_CHECK_MACHINE_DISK, INT64_C(5) << 30, OPS_VERDICT_OK },
        { OPS_CHECK_MACHINE_DISK, INT64_C(500) << 20, OPS_VERDICT_WARN },
        { OPS_CHECK_MACHINE_DISK, INT64_C(100) << 20, OPS_VERDICT_FAIL },
        { OPS_CHECK_PG_VERSION, 15, OPS_VERDICT_OK },
        { OPS_CHECK_PG_VERSION, 14, OPS_VERDICT_WARN },
        { OPS_CHECK_PG_VERSION, 13, OPS_VERDICT_FAIL },
        { OPS_CHECK_BROKER_VERSION, 310, OPS_VERDICT_OK },
        { OPS_CHECK_BROKER_VERSION, 309, OPS_VERDICT_FAIL },
        { OPS_CHECK_BROKER_VERSION, 402, OPS_VERDICT_OK },
        { OPS_CHECK_JOURNAL_OLDEST, 59, OPS_VERDICT_OK },
        { OPS_CHECK_JOURNAL_OLDEST, 60, OPS_VERDICT_WARN },
        { OPS_CHECK_JOURNAL_OLDEST, 3600, OPS_VERDICT_FAIL },
        { OPS_CHECK_JOURNAL_ROOM, 90, OPS_VERDICT_FAIL },
        { OPS_CHECK_PG_TRANSACTION, 299, OPS_VERDICT_OK },
        { OPS_CHECK_PG_TRANSACTION, 1800, OPS_VERDICT_FAIL },
        { OPS_CHECK_PG_WRAPAROUND, 1600000000, OPS_VERDICT_FAIL },
        { OPS_CHECK_PG_PREPARED, 61, OPS_VERDICT_WARN },
        { OPS_CHECK_PG_SLOTS, INT64_C(2) << 30, OPS_VERDICT_WARN },
        { OPS_CHECK_BROKER_DISK, 199, OPS_VERDICT_WARN },
        { OPS_CHECK_DEAD_RECENT, 5, OPS_VERDICT_OK },
        { OPS_CHECK_DEAD_RECENT, 6, OPS_VERDICT_WARN },
        { OPS_CHECK_DEAD_RECENT, 21, OPS_VERDICT_FAIL },
        { OPS_CHECK_QUEUE_WAITING, 50, OPS_VERDICT_OK },
        { OPS_CHECK_QUEUE_WAITING, 51, OPS_VERDICT_WARN },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(judge(rows[i].id, rows[i].number, "", "").verdict, rows[i].verdict);
    }
}

CLAIM(check__what_is_said_holds_the_words_and_the_fix_can_be_copied)
{
    struct ops_finding finding =
        judge(OPS_CHECK_PG_TRANSACTION, 3900, "4711", "process 4711, app: UPDATE t SET a = …");
    CU_ASSERT_STRING_EQUAL(finding.text,
                           "one is open for 1 h 5 min: process 4711, app: UPDATE t SET a = …");
    CU_ASSERT_STRING_EQUAL(finding.fix, "SELECT pg_terminate_backend(4711)");
    finding = judge(OPS_CHECK_MACHINE_DISK, (INT64_C(1) << 27) - 1, "/var/lib/sluice", "");
    CU_ASSERT_PTR_NOT_NULL(strstr(finding.text, "only 127 MiB free at /var/lib/sluice"));
    finding = judge(OPS_CHECK_PG_SLOTS, INT64_C(1610612736), "old", "");
    CU_ASSERT_STRING_EQUAL(finding.text, "slot old is unused and keeps 1.5 GiB of log");
    finding = judge(OPS_CHECK_CONSUMER_PAUSED, 1, "billing", "billing until 12:00Z");
    CU_ASSERT_STRING_EQUAL(finding.fix, "sluice queue resume billing");
    finding = judge(OPS_CHECK_CONSUMER_PAUSED, 0, "", "");
    CU_ASSERT_STRING_EQUAL(finding.fix, "");
}

CLAIM(check__what_could_not_be_looked_at_is_a_warning_and_what_does_not_apply_is_skipped)
{
    struct ops_facts *facts = &(struct ops_facts){ 0 };
    struct ops_finding finding = { 0 };
    ops_check_judge(ops_check_at(OPS_CHECK_PG_TLS), &facts->items[OPS_CHECK_PG_TLS], &finding);
    CU_ASSERT_EQUAL(finding.verdict, OPS_VERDICT_SKIP);
    CU_ASSERT_STRING_EQUAL(finding.text, "not looked at");
    ops_fact_blind(facts, OPS_CHECK_PG_TLS, "statement timeout");
    ops_facts_skip(facts, OPS_CHECK_PG_REACH, OPS_CHECK_PG_TLS, "Postgres cannot be reached");
    ops_check_judge(ops_check_at(OPS_CHECK_PG_TLS), &facts->items[OPS_CHECK_PG_TLS], &finding);
    CU_ASSERT_EQUAL(finding.verdict, OPS_VERDICT_WARN);
    CU_ASSERT_STRING_EQUAL(finding.text, "could not be looked at: statement timeout");
    ops_check_judge(ops_check_at(OPS_CHECK_PG_REACH), &facts->items[OPS_CHECK_PG_REACH], &finding);
    CU_ASSERT_EQUAL(finding.verdict, OPS_VERDICT_SKIP);
    CU_ASSERT_STRING_EQUAL(finding.text, "Postgres cannot be reached");
}

CLAIM(check__an_edge_that_knows_better_gives_its_own_fix_and_no_text_drives_a_terminal)
{
    struct ops_facts *facts = &(struct ops_facts){ 0 };
    struct ops_finding finding = { 0 };
    ops_fact_see(facts, OPS_CHECK_BROKER_WAY, 1, "dns", "cannot resolve \033[31mmq\n");
    ops_fact_fix(facts, OPS_CHECK_BROKER_WAY, "look at {which}");
    ops_check_judge(ops_check_at(OPS_CHECK_BROKER_WAY), &facts->items[OPS_CHECK_BROKER_WAY],
                    &finding);
    CU_ASSERT_STRING_EQUAL(finding.text, "dns fails: cannot resolve ?[31mmq?");
    CU_ASSERT_STRING_EQUAL(finding.fix, "look at dns");
}

CLAIM(check__is_meant_by_its_name_or_its_group)
{
    const struct ops_check *check = ops_check_at(OPS_CHECK_PG_IDLE);
    char word[32];
    CU_ASSERT_TRUE(ops_check_is_meant(check, NULL));
    CU_ASSERT_TRUE(ops_check_is_meant(check, "postgres"));
    CU_ASSERT_TRUE(ops_check_is_meant(check, "queue, postgres.idle"));
    CU_ASSERT_FALSE(ops_check_is_meant(check, "post"));
    CU_ASSERT_FALSE(ops_check_is_meant(check, "postgres.transaction"));
    CU_ASSERT_FALSE(ops_check_is_unknown("postgres.idle,queue", word, sizeof word));
    CU_ASSERT_TRUE(ops_check_is_unknown("queue,postgre", word, sizeof word));
    CU_ASSERT_STRING_EQUAL(word, "postgre");
}
