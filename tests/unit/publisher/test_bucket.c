#include "publisher/guard/bucket.h"

#include "tests/support/claims.h"

CLAIM(bucket__gives_its_burst_at_once_and_its_rate_after_that)
{
    struct pub_bucket bucket = pub_bucket_make(10, 5, 1000);
    int taken = 0;
    for (int i = 0; i < 20; i++) {
        taken += pub_bucket_take(&bucket, 1000) ? 1 : 0;
    }
    CU_ASSERT_EQUAL(taken, 5);
    CU_ASSERT_EQUAL(pub_bucket_wait_s(&bucket), 1);
    CU_ASSERT_FALSE(pub_bucket_take(&bucket, 1099));
    CU_ASSERT_TRUE(pub_bucket_take(&bucket, 1100));
    for (int64_t at_ms = 1100; at_ms < 11100; at_ms++) {
        taken += pub_bucket_take(&bucket, at_ms) ? 1 : 0;
    }
    CU_ASSERT_EQUAL(taken, 5 + 99);
}

CLAIM(bucket__a_long_rest_fills_it_once_and_a_clock_that_stands_still_not_at_all)
{
    struct pub_bucket bucket = pub_bucket_make(1000000, 2, 0);
    CU_ASSERT_TRUE(pub_bucket_take(&bucket, 0));
    CU_ASSERT_TRUE(pub_bucket_take(&bucket, 0));
    CU_ASSERT_FALSE(pub_bucket_take(&bucket, 0));
    CU_ASSERT_FALSE(pub_bucket_take(&bucket, -5));
    CU_ASSERT_TRUE(pub_bucket_take(&bucket, INT64_MAX / 2));
    CU_ASSERT_TRUE(pub_bucket_take(&bucket, INT64_MAX / 2));
    CU_ASSERT_FALSE(pub_bucket_take(&bucket, INT64_MAX / 2));
}

CLAIM(bucket__says_how_long_to_wait_in_whole_seconds)
{
    struct pub_bucket bucket = pub_bucket_make(1, 1, 0);
    CU_ASSERT_TRUE(pub_bucket_take(&bucket, 0));
    CU_ASSERT_EQUAL(pub_bucket_wait_s(&bucket), 1);
    CU_ASSERT_FALSE(pub_bucket_has(&bucket, 999));
    CU_ASSERT_TRUE(pub_bucket_has(&bucket, 1000));
}
