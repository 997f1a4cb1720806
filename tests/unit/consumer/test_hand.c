#include "consumer/hand.h"

#include <string.h>

#include "tests/support/claims.h"

#define NOW 1000000

static enum con_force decide(const char *row, int64_t row_expires_us, struct con_hand *hand,
                             const char *wanted_reason)
{
    static const struct sl_subsystem subsystem = { .name = "orders" };
    const struct sl_subsystem *const subsystems[] = { &subsystem };
    const struct con_order_row read = { .subsystem = SL_SPAN_LITERAL(""),
                                        .name = SL_SPAN_LITERAL("breaker (database)"),
                                        .value = sl_span_of(row),
                                        .reason = SL_SPAN_LITERAL("the row"),
                                        .expires_us = row_expires_us };
    static struct con_orders orders;
    const char *reason = NULL;
    con_orders_init(&orders, subsystems, 1);
    con_orders_read(&orders, &read, row[0] == '\0' ? 0 : 1);
    CU_ASSERT_EQUAL(orders.strange, 0);
    enum con_force force = con_hand_decide(hand, &orders, NOW, &reason);
    if (force != CON_FORCE_NONE) {
        CU_ASSERT_STRING_EQUAL(reason, wanted_reason);
    }
    return force;
}

CLAIM(hand__the_row_holds_while_its_time_is_not_over)
{
    struct con_hand hand = { 0 };
    CU_ASSERT_EQUAL(decide("", 0, &hand, ""), CON_FORCE_NONE);
    CU_ASSERT_EQUAL(decide("\"open\"", 0, &hand, "the row"), CON_FORCE_OPEN);
    CU_ASSERT_EQUAL(decide("\"closed\"", NOW + 1, &hand, "the row"), CON_FORCE_CLOSED);
    CU_ASSERT_EQUAL(decide("\"open\"", NOW, &hand, "the row"), CON_FORCE_NONE);
}

CLAIM(hand__what_the_socket_was_told_outdoes_a_row_that_trips)
{
    struct con_hand hand = { .force = CON_FORCE_OPEN, .reason = "by hand" };
    CU_ASSERT_EQUAL(decide("", 0, &hand, "by hand"), CON_FORCE_OPEN);
    CU_ASSERT_EQUAL(decide("\"open\"", 0, &hand, "by hand"), CON_FORCE_OPEN);
    hand.force = CON_FORCE_CLOSED;
    CU_ASSERT_EQUAL(decide("\"open\"", 0, &hand, "by hand"), CON_FORCE_CLOSED);
    hand.expires_us = NOW; /* its time is over: the row again */
    CU_ASSERT_EQUAL(decide("\"open\"", 0, &hand, "the row"), CON_FORCE_OPEN);
}

CLAIM(hand__a_row_that_closes_ends_it_for_good)
{
    struct con_hand hand = { .force = CON_FORCE_OPEN, .reason = "by hand" };
    CU_ASSERT_EQUAL(decide("\"closed\"", NOW + 1, &hand, "the row"), CON_FORCE_CLOSED);
    CU_ASSERT_EQUAL(decide("", 0, &hand, ""), CON_FORCE_NONE);
}

CLAIM(hand__what_is_neither_open_nor_closed_is_strange)
{
    static struct con_orders orders;
    const struct con_order_row row = { .subsystem = SL_SPAN_LITERAL(""),
                                       .name = SL_SPAN_LITERAL("breaker (database)"),
                                       .value = SL_SPAN_LITERAL("\"ajar\"") };
    const char *reason = NULL;
    con_orders_init(&orders, NULL, 0);
    con_orders_read(&orders, &row, 1);
    CU_ASSERT_EQUAL(orders.strange, 1);
    CU_ASSERT_EQUAL(con_orders_database(&orders, NOW, &reason), CON_FORCE_NONE);
}
