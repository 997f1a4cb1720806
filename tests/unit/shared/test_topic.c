#include "shared/scope.h"
#include "shared/subsystem/topic.h"
#include "tests/support/claims.h"

/* Each was put to a topic exchange of RabbitMQ 3.10. */
static const struct {
    const char *pattern;
    const char *key;
    bool takes;
} rows[] = {
    { "stripe.#", "stripe.customer.created", true },
    { "stripe.#", "stripe", true },
    { "stripe.#", "stripes", false },
    { "stripe.*", "stripe.customer.created", false },
    { "stripe.*", "stripe.ping", true },
    { "stripe.*", "stripe", false },
    { "#", "", true },
    { "#", "a.b.c", true },
    { "*", "", false },
    { "*", "a", true },
    { "", "", true },
    { "", "a", false },
    { "#.created", "stripe.customer.created", true },
    { "#.created", "created", true },
    { "#.created", "stripe.created.later", false },
    { "stripe.#.created", "stripe.created", true },
    { "stripe.#.created", "stripe.a.b.created", true },
    { "#.a.#.b", "x.a.y.a.z.b", true },
    { "#.a.#.b", "x.b.y.a", false },
    { "#.#", "", true },
    { "#.*", "", false },
    { "#.*", "a.b", true },
    { "*.#", "a", true },
    { "a.*.c", "a..c", true },
    { "a.b", "a.b.", false },
    { "a.b.*", "a.b.", true },
    { "*.catalog.#", "shop.catalog.added", true },
    { "*.catalog.#", "shop.catalog", true },
    { "*.catalog.#", "catalog.added", false },
    { "stripe.*.paid", "stripe.a.b.paid", false },
    { "stripe.invoice", "stripe.invoice.paid", false },
};

CLAIM(topic__takes_what_the_broker_would_bring)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        bool takes = sl_topic_takes(sl_span_of(rows[i].pattern), sl_span_of(rows[i].key));
        if (takes != rows[i].takes) {
            CU_FAIL(rows[i].pattern);
        }
    }
}
