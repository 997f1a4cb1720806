#include "ops/gameday/gameday_ledger.h"

#include <string.h>

#include "shared/scope.h"
#include "tests/support/claims.h"

#define ROW    OPS_GAMEDAY_ROW
#define LETTER OPS_GAMEDAY_LETTER
#define EITHER OPS_GAMEDAY_EITHER

static enum ops_gameday_verdict judge_one(const struct ops_gameday_ledger *ledger);

/* One event in one subsystem, and what answers and ledger make of it beside "attempted". */
static const struct {
    const char *what;
    struct ops_gameday_fate fate;
    struct ops_gameday_place place;
    struct ops_gameday_answers answers;
    struct ops_gameday_ledger ledger;
} rows[] = {
    { "200, applied",
      { .status = 200 },
      { .expect = ROW, .rows = 1 },
      { .acknowledged = 1 },
      { .applied = 1 } },
    { "200, nowhere", { .status = 200 }, { .expect = ROW }, { .acknowledged = 1 }, { .lost = 1 } },
    { "200, twice",
      { .status = 200 },
      { .expect = ROW, .rows = 2 },
      { .acknowledged = 1 },
      { .applied = 1, .duplicated = 1 } },
    { "200, dead",
      { .status = 200 },
      { .expect = ROW, .letters = 1 },
      { .acknowledged = 1 },
      { .unexpected = 1 } },
    { "202, applied",
      { .status = 202 },
      { .expect = ROW, .rows = 1 },
      { .degraded = 1 },
      { .applied = 1, .recovered = 1 } },
    { "202, in the journal",
      { .status = 202, .in_journal = true },
      { .expect = ROW },
      { .degraded = 1 },
      { .journaled = 1 } },
    { "202, nowhere", { .status = 202 }, { .expect = ROW }, { .degraded = 1 }, { .lost = 1 } },
    { "202, not stored",
      { .status = 202, .is_unstored = true },
      { .expect = ROW },
      { .dropped = 1 },
      { 0 } },
    { "503", { .status = 503 }, { .expect = ROW }, { .refused = 1 }, { 0 } },
    { "429", { .status = 429 }, { .expect = ROW }, { .refused = 1 }, { 0 } },
    { "400", { .status = 400 }, { .expect = ROW }, { .refused = 1, .wrong = 1 }, { 0 } },
    { "503, yet applied",
      { .status = 503 },
      { .expect = ROW, .rows = 1 },
      { .refused = 1 },
      { .applied = 1, .late = 1 } },
    { "no answer", { .status = 0 }, { .expect = ROW }, { .unanswered = 1 }, { 0 } },
    { "no answer, yet applied",
      { .status = 0 },
      { .expect = ROW, .rows = 1 },
      { .unanswered = 1 },
      { .applied = 1, .late = 1 } },
    { "poison, dead",
      { .status = 200 },
      { .expect = LETTER, .letters = 1 },
      { .acknowledged = 1 },
      { .letters = 1 } },
    { "poison, applied",
      { .status = 200 },
      { .expect = LETTER, .rows = 1 },
      { .acknowledged = 1 },
      { .applied = 1, .unexpected = 1 } },
    { "poison, nowhere",
      { .status = 200 },
      { .expect = LETTER },
      { .acknowledged = 1 },
      { .lost = 1 } },
    { "another's poison, applied",
      { .status = 200 },
      { .expect = EITHER, .rows = 1 },
      { .acknowledged = 1 },
      { .applied = 1 } },
    { "another's poison, dead",
      { .status = 202 },
      { .expect = EITHER, .letters = 1 },
      { .degraded = 1 },
      { .letters = 1, .recovered = 1 } },
    { "another's poison, nowhere",
      { .status = 200 },
      { .expect = EITHER },
      { .acknowledged = 1 },
      { .lost = 1 } },
    { "another's poison, twice",
      { .status = 200 },
      { .expect = EITHER, .rows = 2 },
      { .acknowledged = 1 },
      { .applied = 1, .duplicated = 1 } },
    { "not its event, nowhere", { .status = 200 }, { 0 }, { .acknowledged = 1 }, { 0 } },
    { "not its event, in the journal",
      { .status = 202, .in_journal = true },
      { 0 },
      { .degraded = 1 },
      { 0 } },
};

CLAIM(ledger__every_event_is_entered_where_it_belongs)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct ops_gameday_answers answers = { 0 };
        struct ops_gameday_answers told = rows[i].answers;
        struct ops_gameday_ledger ledger = { 0 };
        told.attempted = 1;
        ops_gameday_answers_add(&answers, &rows[i].fate, 1);
        ops_gameday_ledger_add(&ledger, &rows[i].fate, &rows[i].place, 1);
        if (memcmp(&answers, &told, sizeof answers) != 0 ||
            memcmp(&ledger, &rows[i].ledger, sizeof ledger) != 0) {
            CU_FAIL(rows[i].what);
        }
    }
}

CLAIM(ledger__every_answer_is_counted_once)
{
    struct ops_gameday_answers sum = { 0 };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        ops_gameday_answers_add(&sum, &rows[i].fate, 1);
    }
    CU_ASSERT_EQUAL(sum.attempted, SL_COUNT(rows));
    CU_ASSERT_EQUAL(sum.attempted,
                    sum.acknowledged + sum.degraded + sum.dropped + sum.refused + sum.unanswered);
}

CLAIM(ledger__an_event_is_waited_for_until_every_subsystem_that_takes_it_has_it)
{
    static const struct ops_gameday_fate accepted = { .status = 200 };
    static const struct ops_gameday_fate refused = { .status = 503 };
    CU_ASSERT_FALSE(
        ops_gameday_is_settled(&accepted, &(struct ops_gameday_place){ .expect = ROW }));
    CU_ASSERT_FALSE(
        ops_gameday_is_settled(&accepted, &(struct ops_gameday_place){ .expect = EITHER }));
    CU_ASSERT_TRUE(ops_gameday_is_settled(&accepted, &(struct ops_gameday_place){ 0 }));
    CU_ASSERT_TRUE(ops_gameday_is_settled(
        &accepted, &(struct ops_gameday_place){ .expect = ROW, .letters = 1 }));
    CU_ASSERT_TRUE(ops_gameday_is_settled(&refused, &(struct ops_gameday_place){ .expect = ROW }));
}

CLAIM(ledger__what_the_broker_still_has_is_waiting_and_only_the_rest_is_lost)
{
    static const struct ops_gameday_fate gone[3] = { { .status = 200 },
                                                     { .status = 200 },
                                                     { .status = 202 } };
    static const struct ops_gameday_place nowhere[3] = { { .expect = ROW },
                                                         { .expect = ROW },
                                                         { .expect = ROW } };
    static const struct {
        uint64_t in_broker, waiting, lost;
        enum ops_gameday_verdict verdict;
    } closings[] = { { 0, 0, 3, OPS_GAMEDAY_BROKEN },
                     { 2, 2, 1, OPS_GAMEDAY_BROKEN },
                     { 3, 3, 0, OPS_GAMEDAY_NOT_DRAINED },
                     { 900, 3, 0, OPS_GAMEDAY_NOT_DRAINED } };
    for (size_t i = 0; i < SL_COUNT(closings); i++) {
        struct ops_gameday_ledger ledger = { 0 };
        ops_gameday_ledger_add(&ledger, gone, nowhere, SL_COUNT(gone));
        ops_gameday_ledger_close(&ledger, closings[i].in_broker);
        CU_ASSERT_EQUAL(ledger.waiting, closings[i].waiting);
        CU_ASSERT_EQUAL(ledger.lost, closings[i].lost);
        CU_ASSERT_EQUAL(judge_one(&ledger), closings[i].verdict);
    }
}

CLAIM(ledger__one_loss_one_double_or_one_surprise_breaks_the_promise_in_whichever_subsystem)
{
    static const struct ops_gameday_ledger broken[] = { { .lost = 1 },
                                                        { .duplicated = 1 },
                                                        { .unexpected = 1 } };
    static const struct ops_gameday_answers answers = {
        .attempted = 9, .acknowledged = 5, .degraded = 2, .refused = 2
    };
    struct ops_gameday_ledger well = { .applied = 8, .recovered = 2, .late = 1 };
    CU_ASSERT_EQUAL(judge_one(&well), OPS_GAMEDAY_PASSED);
    well.journaled = 1;
    CU_ASSERT_EQUAL(judge_one(&well), OPS_GAMEDAY_NOT_DRAINED);
    for (size_t i = 0; i < SL_COUNT(broken); i++) {
        const struct ops_gameday_ledger *const two[] = { &broken[i], &well };
        const struct ops_gameday_ledger *const other[] = { &well, &broken[i] };
        CU_ASSERT_EQUAL(ops_gameday_judge(&answers, two, 2), OPS_GAMEDAY_BROKEN);
        CU_ASSERT_EQUAL(ops_gameday_judge(&answers, other, 2), OPS_GAMEDAY_BROKEN);
    }
    CU_ASSERT_EQUAL(ops_gameday_judge(&(struct ops_gameday_answers){ .wrong = 1 }, NULL, 0),
                    OPS_GAMEDAY_BROKEN);
}

static enum ops_gameday_verdict judge_one(const struct ops_gameday_ledger *ledger)
{
    return ops_gameday_judge(&(struct ops_gameday_answers){ 0 }, &ledger, 1);
}
