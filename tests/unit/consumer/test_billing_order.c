#include "consumer/billing/billing_order.h"
#include "tests/support/claims.h"

static struct con_billing_version at(int64_t created_s, enum con_billing_phase phase,
                                     int64_t progress)
{
    return (struct con_billing_version){
        .created_s = created_s,
        .phase = phase,
        .progress = { progress },
    };
}

CLAIM(billing_order__every_rule_outranks_the_next)
{
    /* Each is newer than the one before. */
    const struct con_billing_version line[] = {
        at(10, CON_PHASE_CREATED, 9),  at(10, CON_PHASE_NOTICE, 0),   at(10, CON_PHASE_UPDATED, 0),
        at(10, CON_PHASE_UPDATED, 1),  at(11, CON_PHASE_CREATED, 0),  at(99, CON_PHASE_UPDATED, 9),
        at(10, CON_PHASE_TERMINAL, 0), at(10, CON_PHASE_TERMINAL, 1), at(11, CON_PHASE_TERMINAL, 0),
    };
    size_t count = sizeof line / sizeof line[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int want = (i > j) - (i < j);
            CU_ASSERT_EQUAL(con_billing_order(&line[i], &line[j]), want);
        }
    }
}

CLAIM(billing_order__later_parts_of_progress_only_break_ties)
{
    struct con_billing_version paid = at(10, CON_PHASE_UPDATED, 4);
    struct con_billing_version retried = at(10, CON_PHASE_UPDATED, 2);
    retried.progress[1] = 7;
    retried.progress[2] = 500;
    CU_ASSERT(con_billing_order(&paid, &retried) > 0);
    struct con_billing_version tried = at(10, CON_PHASE_UPDATED, 2);
    tried.progress[1] = 6;
    tried.progress[2] = 900;
    CU_ASSERT(con_billing_order(&retried, &tried) > 0);
}

CLAIM(billing_order__event_ids_are_no_order)
{
    struct con_billing_version a = at(10, CON_PHASE_UPDATED, 1);
    struct con_billing_version b = at(10, CON_PHASE_UPDATED, 1);
    a.event_id = SL_SPAN_LITERAL("evt_a");
    b.event_id = SL_SPAN_LITERAL("evt_b");
    CU_ASSERT_EQUAL(con_billing_order(&a, &b), 0);
}

CLAIM(billing_order__an_invoice_goes_from_draft_to_its_end)
{
    static const char *const line[] = { "draft", "open", "uncollectible", "paid" };
    int64_t before = con_billing_invoice_rank(SL_SPAN_LITERAL("no such status"));
    for (size_t i = 0; i < sizeof line / sizeof line[0]; i++) {
        CU_ASSERT(con_billing_invoice_rank(sl_span_of(line[i])) > before);
        before = con_billing_invoice_rank(sl_span_of(line[i]));
    }
    CU_ASSERT_EQUAL(con_billing_invoice_rank(SL_SPAN_LITERAL("void")), before);
    CU_ASSERT_EQUAL(con_billing_invoice_rank((struct sl_span){ 0 }), 0);
}

CLAIM(billing_order__a_subscription_never_returns_to_incomplete_nor_from_its_end)
{
    static const char *const middle[] = { "trialing", "active", "past_due", "unpaid", "paused" };
    static const char *const ends[] = { "canceled", "incomplete_expired" };
    int64_t incomplete = con_billing_subscription_rank(SL_SPAN_LITERAL("incomplete"));
    for (size_t i = 0; i < sizeof middle / sizeof middle[0]; i++) {
        struct sl_span status = sl_span_of(middle[i]);
        CU_ASSERT(con_billing_subscription_rank(status) > incomplete);
        CU_ASSERT_FALSE(con_billing_subscription_has_ended(status));
        for (size_t j = 0; j < sizeof ends / sizeof ends[0]; j++) {
            struct sl_span end = sl_span_of(ends[j]);
            CU_ASSERT(con_billing_subscription_rank(end) > con_billing_subscription_rank(status));
            CU_ASSERT(con_billing_subscription_has_ended(end));
        }
    }
    CU_ASSERT_EQUAL(con_billing_subscription_rank((struct sl_span){ 0 }), 0);
}
