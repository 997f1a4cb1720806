#include "shared/sentry/sentry_tally.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/claims.h"

static void add(struct sl_sentry_tally *tally, const char *type, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        sl_sentry_tally_add(tally, SL_SPAN_LITERAL("stripe"), sl_span_of(type),
                            SL_SPAN_LITERAL("broker_waiting"));
    }
}

CLAIM(sentry_tally__one_report_for_each_key_and_minute)
{
    struct sl_sentry_tally tally = { 0 };
    add(&tally, "invoice.paid", 3);
    add(&tally, "customer.created", 2);
    sl_sentry_tally_add(&tally, SL_SPAN_LITERAL("stripe"), SL_SPAN_LITERAL("invoice.paid"),
                        SL_SPAN_LITERAL("timeout"));
    CU_ASSERT_PTR_NULL(sl_sentry_tally_take(&tally)); /* the minute is not over */
    sl_sentry_tally_cut(&tally, 60);

    static const struct {
        const char *type;
        const char *reason;
        uint64_t count;
    } due[] = { { "invoice.paid", "broker_waiting", 3 },
                { "customer.created", "broker_waiting", 2 },
                { "invoice.paid", "timeout", 1 } };
    for (size_t i = 0; i < SL_COUNT(due); i++) {
        struct sl_sentry_slot *slot = sl_sentry_tally_take(&tally);
        CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
        CU_ASSERT_STRING_EQUAL(slot->report.source, "stripe");
        CU_ASSERT_STRING_EQUAL(slot->report.type, due[i].type);
        CU_ASSERT_STRING_EQUAL(slot->report.reason, due[i].reason);
        CU_ASSERT_EQUAL(slot->report.count, due[i].count);
        CU_ASSERT_EQUAL(slot->report.since_s, 60);
        sl_sentry_tally_settle(&tally, slot, SL_SENTRY_ACCEPTED);
    }
    CU_ASSERT_PTR_NULL(sl_sentry_tally_take(&tally));
    CU_ASSERT_EQUAL(sl_sentry_tally_pending(&tally), 0);
    CU_ASSERT_EQUAL(tally.accepted, 6);
}

CLAIM(sentry_tally__what_was_refused_is_part_of_the_next_report)
{
    struct sl_sentry_tally tally = { 0 };
    add(&tally, "invoice.paid", 3);
    sl_sentry_tally_cut(&tally, 60);
    struct sl_sentry_slot *slot = sl_sentry_tally_take(&tally);
    strcpy(slot->report.id, "first");
    add(&tally, "invoice.paid", 4);
    sl_sentry_tally_settle(&tally, slot, SL_SENTRY_REFUSED);
    CU_ASSERT_PTR_NULL(sl_sentry_tally_take(&tally));
    CU_ASSERT_EQUAL(sl_sentry_tally_pending(&tally), 7);
    sl_sentry_tally_cut(&tally, 120);
    slot = sl_sentry_tally_take(&tally);
    CU_ASSERT_EQUAL(slot->report.count, 7);
    CU_ASSERT_EQUAL(slot->report.since_s, 120);
    CU_ASSERT_STRING_EQUAL(slot->report.id, ""); /* another report, another id */
}

CLAIM(sentry_tally__what_is_unknown_stays_the_same_report)
{
    struct sl_sentry_tally tally = { 0 };
    add(&tally, "invoice.paid", 3);
    sl_sentry_tally_cut(&tally, 60);
    struct sl_sentry_slot *slot = sl_sentry_tally_take(&tally);
    strcpy(slot->report.id, "first");
    sl_sentry_tally_settle(&tally, slot, SL_SENTRY_UNKNOWN);
    add(&tally, "invoice.paid", 4);
    sl_sentry_tally_cut(&tally, 120);
    slot = sl_sentry_tally_take(&tally);
    CU_ASSERT_EQUAL(slot->report.count, 3);
    CU_ASSERT_EQUAL(slot->report.since_s, 60);
    CU_ASSERT_STRING_EQUAL(slot->report.id, "first");
    sl_sentry_tally_settle(&tally, slot,
                           SL_SENTRY_REFUSED); /* the first try may still have been taken */
    slot = sl_sentry_tally_take(&tally);
    CU_ASSERT_EQUAL(slot->report.count, 3);
    CU_ASSERT_STRING_EQUAL(slot->report.id, "first");
    sl_sentry_tally_settle(&tally, slot, SL_SENTRY_ACCEPTED);
    CU_ASSERT_EQUAL(sl_sentry_tally_pending(&tally), 4);
    sl_sentry_tally_cut(&tally, 180);
    slot = sl_sentry_tally_take(&tally);
    CU_ASSERT_EQUAL(slot->report.count, 4);
    CU_ASSERT_STRING_EQUAL(slot->report.id, "");
}

CLAIM(sentry_tally__a_report_that_is_being_sent_is_not_taken_twice)
{
    struct sl_sentry_tally tally = { 0 };
    add(&tally, "invoice.paid", 1);
    sl_sentry_tally_cut(&tally, 60);
    CU_ASSERT_PTR_NOT_NULL(sl_sentry_tally_take(&tally));
    add(&tally, "invoice.paid", 1);
    sl_sentry_tally_cut(&tally, 120);
    CU_ASSERT_PTR_NULL(sl_sentry_tally_take(&tally));
}

CLAIM(sentry_tally__past_the_bound_everything_new_is_other_and_nothing_is_lost)
{
    static struct sl_sentry_tally tally;
    char type[32];
    for (unsigned i = 0; i < 10 * SL_SENTRY_KEYS_MAX; i++) {
        snprintf(type, sizeof type, "type.%u", i);
        add(&tally, type, 2);
    }
    sl_sentry_tally_cut(&tally, 60);
    uint64_t sum = 0;
    unsigned reports = 0;
    uint64_t others = 0;
    struct sl_sentry_slot *slot = NULL;
    while ((slot = sl_sentry_tally_take(&tally)) != NULL) {
        reports++;
        sum += slot->report.count;
        others += strcmp(slot->report.type, "other") == 0 ? slot->report.count : 0;
        sl_sentry_tally_settle(&tally, slot, SL_SENTRY_ACCEPTED);
    }
    CU_ASSERT_EQUAL(reports, SL_SENTRY_KEYS_MAX + 1);
    CU_ASSERT_EQUAL(sum, 20 * SL_SENTRY_KEYS_MAX);
    CU_ASSERT_EQUAL(others, 18 * SL_SENTRY_KEYS_MAX);

    add(&tally, "type.new", 1); /* the places are free again */
    CU_ASSERT_STRING_EQUAL(tally.slots[0].report.type, "type.new");
}

CLAIM(sentry_tally__long_words_are_cut_and_stay_one_key)
{
    struct sl_sentry_tally tally = { 0 };
    char type[400];
    memset(type, 't', sizeof type - 1);
    type[sizeof type - 1] = '\0';
    add(&tally, type, 2);
    sl_sentry_tally_cut(&tally, 60);
    struct sl_sentry_slot *slot = sl_sentry_tally_take(&tally);
    CU_ASSERT_EQUAL(slot->report.count, 2);
    CU_ASSERT_EQUAL(strlen(slot->report.type), SL_SENTRY_PART_BYTES - 1);
}

CLAIM(sentry_tally__a_status_says_what_became_of_a_report)
{
    static const struct {
        int status;
        enum sl_sentry_fate fate;
    } rows[] = {
        { 200, SL_SENTRY_ACCEPTED }, { 202, SL_SENTRY_ACCEPTED }, { 302, SL_SENTRY_REFUSED },
        { 400, SL_SENTRY_REFUSED },  { 403, SL_SENTRY_REFUSED },  { 429, SL_SENTRY_REFUSED },
        { 500, SL_SENTRY_UNKNOWN },  { 502, SL_SENTRY_UNKNOWN },  { 0, SL_SENTRY_UNKNOWN },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(sl_sentry_fate_of(rows[i].status), rows[i].fate);
    }
}
