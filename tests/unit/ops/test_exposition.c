#include "ops/exposition.h"

#include "tests/support/claims.h"

CLAIM(exposition__samples_are_read_with_their_labels_and_the_rest_is_skipped)
{
    struct sl_span rest = SL_SPAN_LITERAL("# HELP a b\n# TYPE a counter\n"
                                          "a 1\n"
                                          "\n"
                                          "b{source=\"str\\\"ipe}\",outcome=\"accepted\"} 1220\n"
                                          "c_bucket{le=\"+Inf\"} 3.9\n"
                                          "c_sum 7515.622437\n"
                                          "broken\n"
                                          "broken{a=\"b 1\n"
                                          "d NaN\n"
                                          "e{} 1e30\n"
                                          "f -1");
    static const struct {
        const char *name;
        int64_t value;
    } rows[] = { { "a", 1 },        { "b", 1220 },      { "c_bucket", 3 },
                 { "c_sum", 7515 }, { "e", INT64_MAX }, { "f", -1 } };
    struct ops_sample sample = { 0 };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_TRUE_FATAL(ops_sample_next(&rest, &sample));
        CU_ASSERT_TRUE(sl_span_is(sample.name, rows[i].name));
        CU_ASSERT_EQUAL(sample.value, rows[i].value);
        if (i == 1) {
            CU_ASSERT_TRUE(sl_span_is(ops_sample_label(&sample, "source"), "str\\\"ipe}"));
            CU_ASSERT_TRUE(sl_span_is(ops_sample_label(&sample, "outcome"), "accepted"));
            CU_ASSERT_PTR_NULL(ops_sample_label(&sample, "out").data);
        }
    }
    CU_ASSERT_FALSE(ops_sample_next(&rest, &sample));
}
