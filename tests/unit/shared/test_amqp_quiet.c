#include "shared/amqp/amqp_quiet.h"

#include <string.h>

#include "tests/support/claims.h"

#define DEBIAN_12 3010u

CLAIM(quiet__the_queue_is_asked_twice_and_then_cancelled)
{
    struct sl_quiet quiet = { 0 };
    CU_ASSERT(sl_quiet_add(&quiet, DEBIAN_12, "sluice.billing.0"));
    CU_ASSERT_STRING_EQUAL(quiet.tags[0], "sluice.billing.0");
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_ASK);
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_CANCEL);
    sl_quiet_end(&quiet);
    CU_ASSERT_EQUAL(quiet.count, 0);
}

CLAIM(quiet__who_leaves_meanwhile_has_both_rounds_too)
{
    struct sl_quiet quiet = { 0 };
    CU_ASSERT(sl_quiet_add(&quiet, DEBIAN_12, "a"));           /* asks a */
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_ASK);  /* asks a */
    CU_ASSERT(sl_quiet_add(&quiet, DEBIAN_12, "b"));           /* asks a, b */
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_WAIT); /* three are owed */
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_WAIT);
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_ASK); /* asks a, b */
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_WAIT);
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_CANCEL);
    CU_ASSERT_EQUAL(quiet.count, 2);
}

CLAIM(quiet__an_answer_that_comes_too_late_is_not_taken_for_the_next_ones)
{
    struct sl_quiet quiet = { 0 };
    CU_ASSERT(sl_quiet_add(&quiet, DEBIAN_12, "a"));
    sl_quiet_end(&quiet); /* nobody waits any longer */
    CU_ASSERT(sl_quiet_add(&quiet, DEBIAN_12, "b"));
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_WAIT); /* a's */
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_ASK);
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_CANCEL);
    sl_quiet_end(&quiet);
    CU_ASSERT_EQUAL(sl_quiet_answered(&quiet), SL_QUIET_WAIT); /* nobody asked */
}

CLAIM(quiet__a_broker_without_the_extension_is_not_asked)
{
    static const struct {
        unsigned version;
        bool is_asked;
    } brokers[] = { { 0, false },   { 2008, false }, { 3000, true },  { 3010, true },
                    { 3013, true }, { 4000, false }, { 4002, false }, { 4003, false } };
    for (size_t i = 0; i < SL_COUNT(brokers); i++) {
        struct sl_quiet quiet = { 0 };
        CU_ASSERT_EQUAL(sl_quiet_add(&quiet, brokers[i].version, "a"), brokers[i].is_asked);
        CU_ASSERT_EQUAL(quiet.count, brokers[i].is_asked ? 1 : 0);
    }
}

CLAIM(quiet__more_than_it_can_note_and_names_that_do_not_fit_are_not_asked_for)
{
    struct sl_quiet quiet = { 0 };
    char name[SL_QUIET_TAG_BYTES_MAX + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    CU_ASSERT_FALSE(sl_quiet_add(&quiet, DEBIAN_12, name));
    CU_ASSERT(sl_quiet_add(&quiet, DEBIAN_12, name + 1));
    for (size_t i = 1; i < SL_QUIET_TAGS_MAX; i++) {
        CU_ASSERT(sl_quiet_add(&quiet, DEBIAN_12, "a"));
    }
    CU_ASSERT_FALSE(sl_quiet_add(&quiet, DEBIAN_12, "a"));
    CU_ASSERT_EQUAL(quiet.count, SL_QUIET_TAGS_MAX);
}
