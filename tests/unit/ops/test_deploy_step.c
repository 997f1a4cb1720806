#include "ops/doctor/deploy_step.h"

#include <string.h>

#include "tests/support/claims.h"

static struct ops_deploy_seen all_well(void)
{
    return (struct ops_deploy_seen){
        .programs = { { .name = "publisher",
                        .answers = true,
                        .is_ready = true,
                        .status = "ok",
                        .version = "1.2.0" },
                      { .name = "consumer",
                        .answers = true,
                        .is_ready = true,
                        .status = "ok",
                        .version = "1.2.0" } },
        .expected = "1.2.0",
        .asks_api = true,
        .api_status = 200,
        .has_log = true,
        .is_log_read = true,
    };
}

CLAIM(deploy_step__all_met_is_over_and_well)
{
    struct ops_deploy_seen seen = all_well();
    struct ops_deploy_row rows[OPS_DEPLOY_CONDITIONS];
    ops_deploy_judge(&seen, rows);
    CU_ASSERT_TRUE(ops_deploy_is_over(rows));
    CU_ASSERT_TRUE(ops_deploy_is_well(rows));
    seen = (struct ops_deploy_seen){ .programs = { seen.programs[0], seen.programs[1] } };
    ops_deploy_judge(&seen, rows);
    CU_ASSERT_TRUE(ops_deploy_is_well(rows));
    CU_ASSERT_EQUAL(rows[OPS_DEPLOY_VERSION].state, OPS_DEPLOY_UNASKED);
    CU_ASSERT_EQUAL(rows[OPS_DEPLOY_API].state, OPS_DEPLOY_UNASKED);
    CU_ASSERT_EQUAL(rows[OPS_DEPLOY_NO_ERROR].state, OPS_DEPLOY_UNASKED);
}

CLAIM(deploy_step__what_is_not_met_yet_is_waited_for_and_named_with_its_program)
{
    struct ops_deploy_seen seen = all_well();
    struct ops_deploy_row rows[OPS_DEPLOY_CONDITIONS];
    snprintf(seen.programs[1].version, sizeof seen.programs[1].version, "1.1.0");
    ops_deploy_judge(&seen, rows);
    CU_ASSERT_FALSE(ops_deploy_is_over(rows));
    CU_ASSERT_FALSE(ops_deploy_is_well(rows));
    CU_ASSERT_STRING_EQUAL(rows[OPS_DEPLOY_VERSION].text, "consumer: 1.1.0");
    seen = all_well();
    seen.programs[0].answers = false;
    snprintf(seen.programs[0].why, sizeof seen.programs[0].why, "refused");
    ops_deploy_judge(&seen, rows);
    CU_ASSERT_STRING_EQUAL(rows[OPS_DEPLOY_UP].text, "publisher: refused");
    CU_ASSERT_EQUAL(rows[OPS_DEPLOY_READY].state, OPS_DEPLOY_NOT_YET);
    CU_ASSERT_EQUAL(rows[OPS_DEPLOY_VERSION].state, OPS_DEPLOY_NOT_YET);
    seen = all_well();
    snprintf(seen.programs[0].status, sizeof seen.programs[0].status, "degraded");
    seen.api_status = 503;
    ops_deploy_judge(&seen, rows);
    CU_ASSERT_STRING_EQUAL(rows[OPS_DEPLOY_HEALTHY].text, "publisher: degraded");
    CU_ASSERT_STRING_EQUAL(rows[OPS_DEPLOY_API].text, "503");
    CU_ASSERT_EQUAL(rows[OPS_DEPLOY_UP].state, OPS_DEPLOY_MET);
}

CLAIM(deploy_step__an_error_in_the_log_ends_the_wait)
{
    struct ops_deploy_seen seen = all_well();
    struct ops_deploy_row rows[OPS_DEPLOY_CONDITIONS];
    seen.programs[0].is_ready = false;
    snprintf(seen.error, sizeof seen.error, "consumer.halted: a column is missing");
    ops_deploy_judge(&seen, rows);
    CU_ASSERT_TRUE(ops_deploy_is_over(rows));
    CU_ASSERT_FALSE(ops_deploy_is_well(rows));
    CU_ASSERT_STRING_EQUAL(rows[OPS_DEPLOY_NO_ERROR].text, "consumer.halted: a column is missing");
    seen.is_log_read = false;
    ops_deploy_judge(&seen, rows);
    CU_ASSERT_FALSE(ops_deploy_is_over(rows));
}

CLAIM(deploy_step__each_condition_has_a_name_and_a_remedy)
{
    for (enum ops_deploy_condition i = 0; i < OPS_DEPLOY_CONDITIONS; i++) {
        CU_ASSERT_TRUE(strlen(ops_deploy_name(i)) > 1);
        CU_ASSERT_TRUE(strlen(ops_deploy_fix(i)) > 10);
    }
}
