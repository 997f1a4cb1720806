#include "consumer/halt.h"

#include "shared/clock.h"
#include "tests/support/claims.h"

static struct sl_err error_of(enum sl_code code)
{
    struct sl_err err = { .code = code };
    return err;
}

CLAIM(halt__what_may_be_right_in_a_moment_has_its_grace_from_the_first_failure)
{
    struct con_grace grace = { 0 };
    CU_ASSERT_FALSE(con_grace_is_over(&grace, 1000, 300));
    CU_ASSERT_FALSE(con_grace_is_over(&grace, 1299, 300));
    CU_ASSERT_TRUE(con_grace_is_over(&grace, 1300, 300));
    CU_ASSERT_TRUE(con_grace_is_over(&grace, 9000, 300));
}

CLAIM(halt__a_worker_is_counted_once_and_until_it_works)
{
    struct sl_err err;
    struct sl_metrics *metrics = sl_metrics_new(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    const struct sl_subsystem subsystem = { .name = "orders" };
    struct sl_series *gauge = sl_metrics_series(metrics, SL_M_CONSUMER_HALTED, "orders", NULL);
    const struct sl_err halt_err = error_of(SL_E_PG_HALT);
    const struct sl_err unready = error_of(SL_E_PG_UNREADY);
    const struct sl_err away = error_of(SL_E_PG_SYSTEMIC);
    struct con_halt halt;
    con_halt_init(&halt, metrics, NULL, &subsystem, 60000);
    CU_ASSERT_FALSE(con_halt_met(&halt, &unready, "42P01"));
    CU_ASSERT_FALSE(con_halt_met(&halt, &away, "53300"));
    CU_ASSERT_EQUAL(sl_series_value(gauge), 0);
    CU_ASSERT_TRUE(con_halt_met(&halt, &halt_err, "42501"));
    CU_ASSERT_TRUE(con_halt_met(&halt, &halt_err, "42501"));
    CU_ASSERT_EQUAL(sl_series_value(gauge), 1);
    con_halt_end(&halt);
    con_halt_end(&halt);
    CU_ASSERT_EQUAL(sl_series_value(gauge), 0);
    con_halt_init(&halt, metrics, NULL, &subsystem, 0);
    CU_ASSERT_TRUE(con_halt_met(&halt, &unready, "42P01"));
    CU_ASSERT_EQUAL(sl_series_value(gauge), 1);
    sl_metrics_free(metrics);
}
