#include "shared/nearest.h"

#include "tests/support/claims.h"

static const char *const words[] = { "trigger", "topology apply", "topology diff", "sign", NULL };

static const char *next_word(const void *arg, size_t i)
{
    (void)arg;
    return words[i];
}

CLAIM(nearest__suggests_a_slip_and_not_a_guess)
{
    CU_ASSERT_STRING_EQUAL(sl_nearest_of(sl_span_of("triger"), next_word, NULL), "trigger");
    CU_ASSERT_STRING_EQUAL(sl_nearest_of(sl_span_of("topology dif"), next_word, NULL),
                           "topology diff");
    CU_ASSERT_STRING_EQUAL(sl_nearest_of(sl_span_of("sgin"), next_word, NULL), "sign");
    CU_ASSERT_PTR_NULL(sl_nearest_of(sl_span_of("frobnicate"), next_word, NULL));
    CU_ASSERT_PTR_NULL(sl_nearest_of(sl_span_of("foo"), next_word, NULL));
    CU_ASSERT_PTR_NULL(sl_nearest_of(sl_span_of("sap"), next_word, NULL));
    CU_ASSERT_PTR_NULL(sl_nearest_of(sl_span_of(""), next_word, NULL));
}

CLAIM(nearest__counts_edits)
{
    CU_ASSERT_EQUAL(sl_nearest_edits(sl_span_of(""), sl_span_of("")), 0);
    CU_ASSERT_EQUAL(sl_nearest_edits(sl_span_of("abc"), sl_span_of("")), 3);
    CU_ASSERT_EQUAL(sl_nearest_edits(sl_span_of("kitten"), sl_span_of("sitting")), 3);
}
