#include "ops/trigger/volley.h"

#include "ops/trigger/trigger_tell.h"
#include "tests/support/claims.h"

CLAIM(volley__a_percentile_is_an_answer_that_was_seen)
{
    uint32_t took[] = { 10, 20, 30, 40 };
    struct ops_tally tally = { .took_us = took, .answered = 4 };
    CU_ASSERT_EQUAL(ops_tally_percentile_us(&tally, 50), 20);
    CU_ASSERT_EQUAL(ops_tally_percentile_us(&tally, 51), 30);
    CU_ASSERT_EQUAL(ops_tally_percentile_us(&tally, 99), 40);
    CU_ASSERT_EQUAL(ops_tally_percentile_us(&tally, 100), 40);
    CU_ASSERT_EQUAL(ops_tally_percentile_us(&tally, 0), 10);
    tally.answered = 0;
    CU_ASSERT_EQUAL(ops_tally_percentile_us(&tally, 50), 0);
}

static const struct {
    uint64_t asked, ok, degraded, unstored, refused, failed;
    bool expects_refusal;
    int status;
} runs[] = {
    { .asked = 10, .ok = 10, .status = 0 },
    { .asked = 10, .ok = 8, .degraded = 2, .status = 0 },
    { .asked = 10, .ok = 8, .degraded = 2, .unstored = 1, .status = 3 },
    { .asked = 10, .ok = 9, .refused = 1, .status = 3 },
    { .asked = 10, .ok = 9, .failed = 1, .status = 3 },
    { .asked = 10, .refused = 10, .status = 3 },
    { .asked = 10, .failed = 10, .status = 69 },
    { .asked = 10, .refused = 10, .expects_refusal = true, .status = 0 },
    { .asked = 10, .refused = 9, .ok = 1, .expects_refusal = true, .status = 3 },
    { .asked = 10, .failed = 10, .expects_refusal = true, .status = 69 },
};

CLAIM(trigger__is_content_only_when_every_event_was_answered_as_expected)
{
    for (size_t i = 0; i < SL_COUNT(runs); i++) {
        static struct ops_tally tally;
        tally = (struct ops_tally){ .unstored = runs[i].unstored, .failed = runs[i].failed };
        tally.by_status[200] = runs[i].ok;
        tally.by_status[202] = runs[i].degraded;
        tally.by_status[400] = runs[i].refused;
        tally.answered = runs[i].ok + runs[i].degraded + runs[i].refused;
        tally.sent = tally.answered + tally.failed;
        struct ops_trigger_report report = { .asked = runs[i].asked,
                                             .expects_refusal = runs[i].expects_refusal,
                                             .tally = &tally };
        CU_ASSERT_EQUAL(ops_trigger_status(&report), runs[i].status);
    }
}
