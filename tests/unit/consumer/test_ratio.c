#include "consumer/ratio.h"

#include "tests/support/claims.h"

CLAIM(ratio__nothing_tried_is_no_failure)
{
    struct con_ratio ratio = { 0 };
    CU_ASSERT_EQUAL(con_ratio_percent(&ratio), 0);
    con_ratio_note(&ratio, 100, 50);
    con_ratio_note(&ratio, 100, 50);
    CU_ASSERT_EQUAL(con_ratio_percent(&ratio), 0);
}

CLAIM(ratio__one_failure_among_many_is_not_rounded_away)
{
    struct con_ratio ratio = { 0 };
    con_ratio_note(&ratio, 0, 0);
    con_ratio_note(&ratio, 100000, 1);
    CU_ASSERT_EQUAL(con_ratio_percent(&ratio), 1);
    con_ratio_note(&ratio, 100002, 3);
    con_ratio_note(&ratio, 200000, 50002);
    CU_ASSERT_EQUAL(con_ratio_percent(&ratio), 26);
}

CLAIM(ratio__what_is_older_than_the_window_is_forgotten)
{
    struct con_ratio ratio = { 0 };
    con_ratio_note(&ratio, 0, 0);
    con_ratio_note(&ratio, 10, 10);
    for (size_t i = 0; i < CON_RATIO_WINDOW - 2; i++) {
        CU_ASSERT_EQUAL(con_ratio_percent(&ratio), 100);
        con_ratio_note(&ratio, 10, 10);
    }
    con_ratio_note(&ratio, 20, 10);
    CU_ASSERT_EQUAL(con_ratio_percent(&ratio), 0);
}
