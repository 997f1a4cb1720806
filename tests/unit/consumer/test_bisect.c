#include <stdio.h>
#include <string.h>

#include "consumer/bisect.h"
#include "tests/support/claims.h"

/* Runs a search over `count` events in which those of `guilty` (ascending, ended by count) fail; returns the tries, appends "g3 " per find. */
static unsigned search(size_t count, const size_t *guilty, size_t guilty_count, char *found,
                       size_t found_bytes)
{
    struct con_bisect bisect;
    con_bisect_init(&bisect, count);
    unsigned tries = 0;
    size_t covered = 0;
    struct con_slice slice;
    found[0] = '\0';
    while (con_bisect_next(&bisect, &slice)) {
        tries++;
        CU_ASSERT_EQUAL_FATAL(slice.first, covered);
        bool fails = false;
        for (size_t i = 0; i < guilty_count; i++) {
            fails = fails || (guilty[i] >= slice.first && guilty[i] < slice.first + slice.count);
        }
        if (!fails) {
            covered += slice.count;
            con_bisect_passed(&bisect);
        } else if (con_bisect_failed(&bisect)) {
            size_t used = strlen(found);
            snprintf(found + used, found_bytes - used, "%zu ", slice.first);
            covered += 1;
        }
    }
    CU_ASSERT_EQUAL(covered, count);
    return tries;
}

CLAIM(bisect__nothing_is_done_at_once)
{
    char found[64];
    CU_ASSERT_EQUAL(search(0, NULL, 0, found, sizeof found), 0);
}

CLAIM(bisect__a_batch_without_guilt_takes_one_try)
{
    char found[64];
    CU_ASSERT_EQUAL(search(500, NULL, 0, found, sizeof found), 1);
    CU_ASSERT_STRING_EQUAL(found, "");
}

CLAIM(bisect__one_guilty_event_is_found_in_logarithmic_tries_wherever_it_is)
{
    for (size_t at = 0; at < 500; at++) {
        char found[64];
        char expected[64];
        unsigned tries = search(500, &at, 1, found, sizeof found);
        CU_ASSERT_TRUE(tries <= 2 * 9 + 1);
        snprintf(expected, sizeof expected, "%zu ", at);
        CU_ASSERT_STRING_EQUAL(found, expected);
    }
}

CLAIM(bisect__several_guilty_events_are_all_found_in_order)
{
    char found[64];
    const size_t guilty[] = { 0, 3, 4, 9 };
    search(10, guilty, 4, found, sizeof found);
    CU_ASSERT_STRING_EQUAL(found, "0 3 4 9 ");
}

CLAIM(bisect__a_batch_of_guilty_events_ends)
{
    size_t guilty[1000];
    for (size_t i = 0; i < 1000; i++) {
        guilty[i] = i;
    }
    char found[8192];
    CU_ASSERT_EQUAL(search(1000, guilty, 1000, found, sizeof found), 1999);
}

CLAIM(bisect__the_largest_batch_fits_its_list)
{
    char found[64];
    size_t last = 0;
    CU_ASSERT_TRUE(search(CON_BISECT_EVENTS_MAX, &last, 1, found, sizeof found) <= 33);
}

CLAIM(bisect__one_bad_row_of_a_thousand_takes_at_most_two_log_two_n_and_one_tries)
{
    unsigned most = 0;
    for (size_t at = 0; at < 1000; at++) {
        char found[64];
        unsigned tries = search(1000, &at, 1, found, sizeof found);
        most = tries > most ? tries : most;
    }
    CU_ASSERT_TRUE(most <= 20); /* 2 * log2(1000) + 1 = 20.9 */
}

CLAIM(bisect__a_suspect_is_tried_alone_and_then_the_rest)
{
    struct con_bisect bisect;
    struct con_slice slice;
    con_bisect_init(&bisect, 1000);
    con_bisect_suspect(&bisect, 600);
    CU_ASSERT_TRUE(con_bisect_next(&bisect, &slice));
    CU_ASSERT_TRUE(slice.first == 600 && slice.count == 1);
    CU_ASSERT_TRUE(con_bisect_failed(&bisect));
    CU_ASSERT_TRUE(con_bisect_next(&bisect, &slice));
    CU_ASSERT_TRUE(slice.first == 0 && slice.count == 600);
    con_bisect_passed(&bisect);
    CU_ASSERT_TRUE(con_bisect_next(&bisect, &slice));
    CU_ASSERT_TRUE(slice.first == 601 && slice.count == 399);
    con_bisect_passed(&bisect);
    CU_ASSERT_FALSE(con_bisect_next(&bisect, &slice));
}

CLAIM(bisect__a_suspect_at_either_end_leaves_one_slice)
{
    struct con_bisect bisect;
    struct con_slice slice;
    con_bisect_init(&bisect, 3);
    con_bisect_suspect(&bisect, 0);
    con_bisect_passed(&bisect);
    CU_ASSERT_TRUE(con_bisect_next(&bisect, &slice));
    CU_ASSERT_TRUE(slice.first == 1 && slice.count == 2);
    con_bisect_suspect(&bisect, 2);
    con_bisect_passed(&bisect);
    con_bisect_passed(&bisect);
    CU_ASSERT_FALSE(con_bisect_next(&bisect, &slice));
}

CLAIM(bisect__what_is_put_off_comes_last_and_not_for_ever)
{
    struct con_bisect bisect;
    struct con_slice slice;
    con_bisect_init(&bisect, 4);
    CU_ASSERT_FALSE(con_bisect_put_off(&bisect)); /* nothing else to try */
    CU_ASSERT_FALSE(con_bisect_failed(&bisect));
    CU_ASSERT_FALSE(con_bisect_failed(&bisect));
    CU_ASSERT_TRUE(con_bisect_put_off(&bisect)); /* 0 */
    con_bisect_passed(&bisect);                  /* 1 */
    CU_ASSERT_TRUE(con_bisect_next(&bisect, &slice));
    CU_ASSERT_TRUE(slice.first == 2 && slice.count == 2);
    con_bisect_passed(&bisect);
    CU_ASSERT_TRUE(con_bisect_next(&bisect, &slice));
    CU_ASSERT_TRUE(slice.first == 0 && slice.count == 1);

    con_bisect_init(&bisect, 2);
    CU_ASSERT_FALSE(con_bisect_failed(&bisect));
    for (unsigned i = 0; i < CON_BISECT_PUT_OFF_MAX; i++) {
        CU_ASSERT_TRUE(con_bisect_put_off(&bisect));
    }
    CU_ASSERT_FALSE(con_bisect_put_off(&bisect));
}
