#include "consumer/culprit.h"

#include <stdio.h>

#include "tests/support/claims.h"

#define EVENTS 1000u

static struct con_event events[EVENTS];
static char bodies[EVENTS][96];

static void make_events(void)
{
    for (size_t i = 0; i < EVENTS; i++) {
        snprintf(bodies[i], sizeof bodies[i],
                 "{\"id\":\"sub_%05zu\",\"customer\":\"cus_%05zu\",\"status\":\"active\"}", i,
                 i / 2);
        events[i] = (struct con_event){ .envelope = { .body = sl_span_of(bodies[i]) } };
    }
}

static const struct con_slice all = { 0, EVENTS };

CLAIM(culprit__a_key_points_at_its_event)
{
    size_t index = 0;
    make_events();
    CU_ASSERT_TRUE(con_culprit_find("Key (account, livemode, id)=(, f, sub_00617) already exists.",
                                    events, all, &index));
    CU_ASSERT_EQUAL(index, 617);
}

CLAIM(culprit__a_failing_row_points_at_its_event)
{
    size_t index = 0;
    make_events();
    CU_ASSERT_TRUE(con_culprit_find(
        "Failing row contains (, f, cus_00004, active, sub_00009, null, 2026-01-01 00:00:00+00).",
        events, all, &index));
    CU_ASSERT_EQUAL(index, 9); /* two events are of the customer, one of the subscription */
}

CLAIM(culprit__what_several_events_hold_points_at_none)
{
    size_t index = 0;
    make_events();
    CU_ASSERT_FALSE(con_culprit_find("Key (customer)=(cus_00004) is not present in table "
                                     "\"billing_customer\".",
                                     events, all, &index));
    CU_ASSERT_FALSE(con_culprit_find("", events, all, &index));
    CU_ASSERT_FALSE(con_culprit_find("a b c (d)=(e)", events, all, &index));
}

CLAIM(culprit__only_the_slice_and_only_what_is_open_is_searched)
{
    size_t index = 0;
    make_events();
    CU_ASSERT_FALSE(
        con_culprit_find("Key (id)=(sub_00617)", events, (struct con_slice){ 0, 500 }, &index));
    events[617].verdict = CON_DONE;
    CU_ASSERT_FALSE(con_culprit_find("Key (id)=(sub_00617)", events, all, &index));
    events[9].verdict = CON_DONE; /* its sibling is then the only one of the customer */
    CU_ASSERT_TRUE(con_culprit_find("Key (customer)=(cus_00004)", events, all, &index));
    CU_ASSERT_EQUAL(index, 8);
}
