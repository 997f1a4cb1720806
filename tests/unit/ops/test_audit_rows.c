#include "ops/outage/audit_rows.h"

#include <stdlib.h>
#include <string.h>

#include "ops/outage/refused.h"
#include "tests/support/claims.h"

static struct sl_subsystems sections(void)
{
    struct sl_subsystems all = { .count = 3 };
    all.items[0] =
        (struct sl_subsystem){ .enabled = true, .severity = SL_SEVERITY_INFO, .binding_count = 1 };
    all.items[1] = (struct sl_subsystem){ .enabled = true,
                                          .severity = SL_SEVERITY_CRITICAL,
                                          .binding_count = 1 };
    all.items[2] = (struct sl_subsystem){ .enabled = false,
                                          .severity = SL_SEVERITY_CRITICAL,
                                          .binding_count = 1 };
    strcpy(all.items[0].name, "search");
    strcpy(all.items[1].name, "billing");
    strcpy(all.items[2].name, "asleep");
    strcpy(all.items[0].bindings[0], "#");
    strcpy(all.items[1].bindings[0], "stripe.#");
    strcpy(all.items[2].bindings[0], "#");
    return all;
}

static void drop(struct ops_audit_rows *rows, const struct sl_subsystems *all, const char *source,
                 const char *type, int64_t at)
{
    ops_audit_add_kept(rows, OPS_AUDIT_DROPPED, all, sl_span_of(source), sl_span_of(type), at);
}

CLAIM(audit_rows__a_drop_counts_for_each_enabled_subsystem_that_is_bound_to_it)
{
    struct sl_subsystems *all = malloc(sizeof *all);
    struct ops_audit_rows *rows = calloc(1, sizeof *rows);
    *all = sections();
    drop(rows, all, "stripe", "invoice.paid", 20);
    drop(rows, all, "stripe", "invoice.paid", 10);
    drop(rows, all, "shop", "order.paid", 30);
    ops_audit_sort(rows);
    CU_ASSERT_EQUAL(rows->count, 3);
    CU_ASSERT_STRING_EQUAL(rows->items[0].name, "billing");
    CU_ASSERT_EQUAL(rows->items[0].events, 2);
    CU_ASSERT_EQUAL(rows->items[0].first_us, 10);
    CU_ASSERT_EQUAL(rows->items[0].last_us, 20);
    CU_ASSERT_STRING_EQUAL(rows->items[1].name, "search");
    CU_ASSERT_STRING_EQUAL(rows->items[2].type, "order.paid");
    all->items[0].enabled = false;
    drop(rows, all, "shop", "order.paid", 30);
    CU_ASSERT_STRING_EQUAL(rows->items[3].name, "nobody");
    free(all);
    free(rows);
}

CLAIM(audit_rows__severity_outweighs_what_happened_and_that_outweighs_how_many)
{
    struct sl_subsystems *all = malloc(sizeof *all);
    struct ops_audit_rows *rows = calloc(1, sizeof *rows);
    *all = sections();
    struct sl_span type = sl_span_of("t");
    ops_audit_add(rows, OPS_AUDIT_DROPPED, &all->items[0], "search", type, 900, 1, 1);
    ops_audit_add(rows, OPS_AUDIT_LATE, &all->items[1], "billing", type, 500, 1, 1);
    ops_audit_add(rows, OPS_AUDIT_GIVEN_UP, &all->items[1], "billing", type, 2, 1, 1);
    ops_audit_add(rows, OPS_AUDIT_GIVEN_UP, &all->items[1], "billing", sl_span_of("u"), 3, 1, 1);
    ops_audit_sort(rows);
    CU_ASSERT_EQUAL(rows->items[0].events, 3);
    CU_ASSERT_EQUAL(rows->items[1].events, 2);
    CU_ASSERT_EQUAL(rows->items[2].what, OPS_AUDIT_LATE);
    CU_ASSERT_STRING_EQUAL(rows->items[3].name, "search");
    free(all);
    free(rows);
}

CLAIM(audit_rows__more_kinds_than_there_are_rows_are_counted_not_forgotten)
{
    struct ops_audit_rows *rows = calloc(1, sizeof *rows);
    for (int i = 0; i < (int)OPS_AUDIT_ROWS_MAX + 7; i++) {
        char type[16];
        snprintf(type, sizeof type, "t%d", i);
        ops_audit_add(rows, OPS_AUDIT_LATE, NULL, "nobody", sl_span_of(type), 2, 1, 1);
    }
    CU_ASSERT_EQUAL(rows->count, OPS_AUDIT_ROWS_MAX);
    CU_ASSERT_EQUAL(rows->left_out, 14);
    free(rows);
}

CLAIM(audit_rows__what_was_refused_is_counted_by_source_and_outcome_and_the_unknown_is_said)
{
    static const char page[] =
        "process_start_time_seconds 1000\n"
        "sluice_events_received_total{source=\"stripe\",outcome=\"accepted\"} 9\n"
        "sluice_events_received_total{source=\"stripe\",outcome=\"unavailable\"} 5\n"
        "sluice_events_received_total{source=\"stripe\",outcome=\"paused\"} 2\n"
        "sluice_events_received_total{source=\"internal\",outcome=\"late\"} 1\n"
        "sluice_events_received_total{source=\"internal\",outcome=\"overloaded\"} 0\n"
        "sluice_events_received_total{source=\"stripe\",outcome=\"bad_signature\"} 7\n";
    static const struct {
        int64_t from_s;
        int64_t to_s;
        size_t rows;
        const char *says;
    } rows[] = {
        { 2000, 3000, 3, "since its start at 1970-01-01T00:16:40Z: 8, so some may be of before" },
        { 500, 3000, 3, ": 8; what was refused before that is not known" },
        { 500, 900, 1, "is not known: this machine's publisher was started after" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct ops_audit_rows *found = calloc(1, sizeof *found);
        struct ops_refused refused = { 0 };
        ops_refused_read(SL_SPAN_LITERAL(page), rows[i].from_s, rows[i].to_s, &refused, found);
        CU_ASSERT_EQUAL(found->count, rows[i].rows);
        CU_ASSERT_PTR_NOT_NULL(strstr(refused.says, rows[i].says));
        CU_ASSERT_EQUAL(found->items[0].events, i == 2 ? -1 : 5);
        free(found);
    }
}
