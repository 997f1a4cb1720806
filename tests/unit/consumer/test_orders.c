#include "consumer/orders.h"

#include <string.h>

#include "tests/support/claims.h"

#define NOW_US INT64_C(1790000000000000)

static const struct sl_subsystem billing = { .name = "billing" };
static const struct sl_subsystem search = { .name = "search" };
static const struct sl_subsystem *const both[] = { &billing, &search };
static struct con_orders orders;

static struct con_order_row row(const char *subsystem, const char *name, const char *value)
{
    return (struct con_order_row){ .subsystem = sl_span_of(subsystem),
                                   .name = sl_span_of(name),
                                   .value = sl_span_of(value),
                                   .reason = SL_SPAN_LITERAL("because") };
}

static void read_rows(const struct con_order_row *rows, size_t count)
{
    con_orders_init(&orders, both, SL_COUNT(both));
    con_orders_read(&orders, rows, count);
}

static int64_t value(const char *subsystem, enum con_order_kind kind)
{
    return con_order_value(con_orders_of(&orders, subsystem), kind, NOW_US);
}

static const char *parks(const char *subsystem, const char *id, const char *type)
{
    const struct sl_envelope event = { .id = sl_span_of(id), .type = sl_span_of(type) };
    return con_order_parks(con_orders_of(&orders, subsystem), &event, NOW_US);
}

CLAIM(orders__a_row_is_for_its_subsystem_and_one_without_a_name_for_all)
{
    const struct con_order_row rows[] = { row("billing", "batch", "50"), row("", "attempts", "2"),
                                          row("elsewhere", "paused", "true") };
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_BATCH), 50);
    CU_ASSERT_EQUAL(value("search", CON_ORDER_BATCH), 0);
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_ATTEMPTS), 2);
    CU_ASSERT_EQUAL(value("search", CON_ORDER_ATTEMPTS), 2);
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_PAUSED), 0);
    CU_ASSERT_PTR_NULL(con_orders_of(&orders, "elsewhere"));
    CU_ASSERT_EQUAL(orders.strange, 0);
}

CLAIM(orders__a_subsystems_own_row_outdoes_the_one_for_all_in_any_order)
{
    const struct con_order_row rows[] = { row("", "attempts", "2"), row("billing", "attempts", "9"),
                                          row("search", "attempts", "1") };
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_ATTEMPTS), 9);
    CU_ASSERT_EQUAL(value("search", CON_ORDER_ATTEMPTS), 1);
}

CLAIM(orders__retries_off_is_one_try_whatever_attempts_says)
{
    const struct con_order_row rows[] = { row("billing", "attempts", "4"),
                                          row("billing", "retries", "\"off\""),
                                          row("search", "retries", "\"on\"") };
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_ATTEMPTS), 1);
    CU_ASSERT_EQUAL(value("search", CON_ORDER_ATTEMPTS), 0);
}

static enum con_force force(const char *subsystem, const char *type)
{
    return con_order_force(con_orders_of(&orders, subsystem), sl_span_of(type), NOW_US);
}

CLAIM(orders__a_breaker_is_of_one_subsystem_and_one_type)
{
    struct con_order_row rows[] = {
        row("billing", "breaker a.b", "\"open\""), row("billing", "breaker a.c", "\"closed\""),
        row("billing", "breaker a.d", "\"open\""), row("", "breaker a.e", "\"open\""),
        row("search", "breaker ", "\"open\""),     row("search", "breaker a.f", "true")
    };
    rows[2].expires_us = NOW_US;
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_EQUAL(force("billing", "a.b"), CON_FORCE_OPEN);
    CU_ASSERT_EQUAL(force("billing", "a.c"), CON_FORCE_CLOSED);
    CU_ASSERT_EQUAL(force("billing", "a.d"), CON_FORCE_NONE);
    CU_ASSERT_EQUAL(force("search", "a.b"), CON_FORCE_NONE);
    CU_ASSERT_EQUAL(force("search", "a.e"), CON_FORCE_NONE);
    const struct con_order *billing_order = con_orders_of(&orders, "billing");
    CU_ASSERT_STRING_EQUAL(con_order_breaker(billing_order, 0, NOW_US), "a.b");
    CU_ASSERT_STRING_EQUAL(con_order_breaker(billing_order, 1, NOW_US), "a.c");
    for (size_t i = 2; i < CON_ORDER_BREAKERS_MAX; i++) {
        CU_ASSERT_PTR_NULL(con_order_breaker(billing_order, i, NOW_US));
    }
    CU_ASSERT_EQUAL(orders.strange, 3);
}

CLAIM(orders__what_is_over_counts_as_absent_without_another_reading)
{
    struct con_order_row rows[] = { row("billing", "paused", "true"),
                                    row("search", "paused", "true"),
                                    row("billing", "park type x.*", "true") };
    rows[0].expires_us = NOW_US;
    rows[1].expires_us = NOW_US + 1;
    rows[2].expires_us = NOW_US;
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_PAUSED), 0);
    CU_ASSERT_EQUAL(value("search", CON_ORDER_PAUSED), 1);
    CU_ASSERT_PTR_NULL(parks("billing", "evt_1", "x.y"));
}

CLAIM(orders__a_later_reading_is_all_there_is)
{
    const struct con_order_row rows[] = { row("billing", "paused", "true"),
                                          row("", "park event evt_1", "true") };
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_PAUSED), 1);
    con_orders_read(&orders, NULL, 0);
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_PAUSED), 0);
    CU_ASSERT_PTR_NULL(parks("billing", "evt_1", "x"));
}

CLAIM(orders__an_event_is_parked_by_its_id_or_the_beginning_of_its_type)
{
    const struct con_order_row rows[] = { row("", "park event evt_1", "true"),
                                          row("billing", "park type invoice.*", "true"),
                                          row("search", "park type customer.created", "true") };
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_STRING_EQUAL(parks("billing", "evt_1", "x"), "because");
    CU_ASSERT_STRING_EQUAL(parks("search", "evt_1", "x"), "because");
    CU_ASSERT_PTR_NULL(parks("billing", "evt_11", "x"));
    CU_ASSERT_PTR_NOT_NULL(parks("billing", "evt_2", "invoice.paid"));
    CU_ASSERT_PTR_NULL(parks("billing", "evt_2", "invoice"));
    CU_ASSERT_PTR_NULL(parks("search", "evt_2", "invoice.paid"));
    CU_ASSERT_PTR_NOT_NULL(parks("search", "evt_2", "customer.created"));
    CU_ASSERT_PTR_NULL(parks("search", "evt_2", "customer.created.x"));
}

CLAIM(orders__what_is_not_understood_is_left_out_and_counted)
{
    const struct con_order_row rows[] = {
        row("billing", "batch", "-1"),         row("billing", "batch", "\"many\""),
        row("billing", "colour", "\"red\""),   row("billing", "paused", "1"),
        row("billing", "park event ", "true"), row("billing", "workers", "2"),
    };
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_EQUAL(orders.strange, 5);
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_WORKERS), 2);
    CU_ASSERT_EQUAL(value("billing", CON_ORDER_BATCH), 0);
}

CLAIM(orders__more_to_park_than_there_is_room_for_is_counted)
{
    static struct con_order_row rows[CON_ORDER_PARKS_MAX + 1];
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        rows[i] = row("", "park event evt_1", "true");
    }
    read_rows(rows, SL_COUNT(rows));
    CU_ASSERT_EQUAL(orders.strange, 1);
}

CLAIM(orders__a_breaker_elsewhere_is_of_a_subsystem_that_runs_here_and_the_next_reading_forgets_it)
{
    read_rows(NULL, 0);
    con_orders_elsewhere_begin(&orders);
    con_orders_elsewhere_note(&orders, SL_SPAN_LITERAL("search"), SL_SPAN_LITERAL("a.b"), 7);
    con_orders_elsewhere_note(&orders, SL_SPAN_LITERAL("unknown"), SL_SPAN_LITERAL("a.b"), 7);
    con_orders_elsewhere_note(&orders, SL_SPAN_LITERAL("search"), SL_SPAN_LITERAL("a.c"), 0);
    const struct con_elsewhere *seen = con_order_elsewhere(con_orders_of(&orders, "search"), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    CU_ASSERT_STRING_EQUAL(seen->type, "a.b");
    CU_ASSERT_EQUAL(seen->since_ms, 7);
    CU_ASSERT_PTR_NULL(con_order_elsewhere(con_orders_of(&orders, "billing"), 0));
    CU_ASSERT_PTR_NULL(con_order_elsewhere(con_orders_of(&orders, "search"), 1));
    for (size_t i = 0; i < 2 * CON_ELSEWHERE_MAX; i++) {
        con_orders_elsewhere_note(&orders, SL_SPAN_LITERAL("search"), SL_SPAN_LITERAL("a.d"), 9);
    }
    CU_ASSERT_EQUAL(orders.elsewhere_count, CON_ELSEWHERE_MAX);
    con_orders_elsewhere_begin(&orders);
    CU_ASSERT_PTR_NULL(con_order_elsewhere(con_orders_of(&orders, "search"), 0));
}
