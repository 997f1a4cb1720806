#include "shared/stripe/stripe_keys.h"

#include "tests/support/claims.h"

CLAIM(stripe_keys__what_only_reads_takes_the_restricted_key)
{
    static const struct {
        const char *api, *restricted, *reads, *writes;
        bool livemode, is_wrong;
    } rows[] = {
        { NULL, NULL, NULL, NULL, false, false },
        { "sk_test_1", NULL, "sk_test_1", "sk_test_1", false, false },
        { "sk_live_1", NULL, "sk_live_1", "sk_live_1", true, false },
        { NULL, "rk_live_1", "rk_live_1", NULL, true, false },
        { "sk_test_1", "rk_test_1", "rk_test_1", "sk_test_1", false, false },
        { "sk_live_1", "rk_test_1", "rk_test_1", "sk_live_1", false, true },
        { "sk_test_1", "rk_live_1", "rk_live_1", "sk_test_1", true, true },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
        struct sl_stripe_keys keys = { 0 };
        sl_buf_init(&mistakes, 256);
        sl_stripe_keys_choose(&keys, rows[i].api, rows[i].restricted, &mistakes);
        CU_ASSERT_PTR_EQUAL(keys.reads, rows[i].reads);
        CU_ASSERT_PTR_EQUAL(keys.writes, rows[i].writes);
        CU_ASSERT_EQUAL(keys.livemode, rows[i].livemode);
        CU_ASSERT_EQUAL(mistakes.used_bytes > 0, rows[i].is_wrong);
    }
}
