#include "ops/event/event_absent.h"

#include <string.h>

#include "ops/queue/cause.h"
#include "tests/support/claims.h"

#define ROOM 4096u

CLAIM(event_absent__what_is_not_known_proves_nothing_and_what_is_says_the_most_it_can)
{
    static const struct {
        struct ops_absent absent;
        const char *verdict;
        const char *says;
    } rows[] = {
        { { .is_broker_known = true }, "not in the broker", "nothing waits in the broker" },
        { { .is_broker_known = true, .waiting = 3 }, "waits or never came", ": 3 wait\n" },
        { { .is_broker_known = true, .unacked = OPS_UNKNOWN },
          "waits or never came",
          "not known how many are in hand\n" },
        { { .is_broker_known = false }, "waits or never came", "the broker does not tell" },
        { { .is_broker_known = true, .delayed = 2, .oldest_s = 9, .stripe = OPS_ABSENT_LISTED },
          "received, waits",
          ": 2 are delayed, the oldest in hand was received 9 s ago\n" },
        { { .is_broker_known = true, .waiting = 3, .stripe = OPS_ABSENT_LISTED, .pending = 1 },
          "not delivered yet",
          "1 endpoints have not answered 2xx yet" },
        { { .is_broker_known = true, .stripe = OPS_ABSENT_LISTED },
          "not in the broker",
          "sluice reconcile stripe" },
        { { .is_broker_known = false, .stripe = OPS_ABSENT_LISTED }, "waits or never came", "" },
        { { .is_broker_known = true, .waiting = 3, .stripe = OPS_ABSENT_STRANGE },
          "not known to Stripe",
          "Stripe knows no such event" },
        { { .is_broker_known = true, .stripe = OPS_ABSENT_SILENT, .why = "it is away" },
          "not in the broker",
          "Stripe does not tell: it is away\n" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
        sl_buf_init(&text, ROOM);
        CU_ASSERT_STRING_EQUAL(ops_absent_verdict(&rows[i].absent), rows[i].verdict);
        ops_absent_tell(&rows[i].absent, &text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text.data, rows[i].says));
        CU_ASSERT_PTR_NOT_NULL(strstr(text.data, rows[i].verdict));
        sl_buf_reset(&text);
        ops_absent_json(&rows[i].absent, &text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text.data, rows[i].verdict));
    }
}
