#include "consumer/billing/billing_order.h"

#include "shared/scope.h"

static int order_of(int64_t a, int64_t b);

int con_billing_order(const struct con_billing_version *a, const struct con_billing_version *b)
{
    int order = order_of(a->phase == CON_PHASE_TERMINAL, b->phase == CON_PHASE_TERMINAL);
    if (order == 0) {
        order = order_of(a->created_s, b->created_s);
    }
    if (order == 0) {
        order = order_of(a->phase, b->phase);
    }
    for (size_t i = 0; order == 0 && i < CON_PROGRESS_PARTS; i++) {
        order = order_of(a->progress[i], b->progress[i]);
    }
    return order;
}

static int order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int64_t con_billing_subscription_rank(struct sl_span status)
{
    if (status.data == NULL) {
        return 0;
    }
    if (sl_span_is(status, "incomplete")) {
        return 1;
    }
    return con_billing_subscription_has_ended(status) ? 3 : 2;
}

bool con_billing_subscription_has_ended(struct sl_span status)
{
    return sl_span_is(status, "canceled") || sl_span_is(status, "incomplete_expired");
}

int64_t con_billing_invoice_rank(struct sl_span status)
{
    static const struct {
        const char *status;
        int64_t rank;
    } ranks[] = {
        { "draft", 1 }, { "open", 2 }, { "uncollectible", 3 }, { "paid", 4 }, { "void", 4 },
    };

    for (size_t i = 0; i < SL_COUNT(ranks); i++) {
        if (sl_span_is(status, ranks[i].status)) {
            return ranks[i].rank;
        }
    }
    return 0;
}
