#include "publisher/pause.h"

#include <string.h>

#include "tests/support/claims.h"

#define MINUTE_MS 60000

static struct pub_now at(int64_t mono_ms)
{
    return (struct pub_now){ .mono_ms = mono_ms, .wall_us = mono_ms * 1000 + 5 };
}

static void pause_for(struct pub_pauses *pauses, const char *source, int answer, int64_t for_ms,
                      int64_t now_ms)
{
    const struct pub_pause *pause = NULL;
    struct sl_err err = { 0 };
    CU_ASSERT(pub_pauses_set(pauses, source, answer, for_ms, at(now_ms), &pause, &err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(pause);
    CU_ASSERT_EQUAL(pause->answer, answer);
}

/* What a request of a source is told at a moment: 0 for nothing. */
static int told(struct pub_pauses *pauses, const char *source, int64_t now_ms)
{
    const struct pub_pause *pause = pub_pauses_find(pauses, source, now_ms);
    return pause == NULL ? 0 : pause->answer;
}

CLAIM(pause__a_night_of_pauses)
{
    struct pub_pauses pauses = { 0 };
    struct pub_pauses ended = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_EQUAL(told(&pauses, "stripe", 0), 0);

    /* One source, for ten minutes. */
    pause_for(&pauses, "stripe", 503, 10 * MINUTE_MS, 0);
    CU_ASSERT_EQUAL(told(&pauses, "stripe", 0), 503);
    CU_ASSERT_EQUAL(told(&pauses, "internal", 0), 0);
    CU_ASSERT_EQUAL(pub_pauses_next_ms(&pauses), 10 * MINUTE_MS);

    /* All of them, until further notice; the source's own pause goes first. */
    pause_for(&pauses, "", 429, 0, MINUTE_MS);
    CU_ASSERT_EQUAL(told(&pauses, "stripe", MINUTE_MS), 503);
    CU_ASSERT_EQUAL(told(&pauses, "internal", MINUTE_MS), 429);

    /* The first is over; the other one holds for both. */
    pub_pauses_expire(&pauses, 10 * MINUTE_MS - 1, &ended);
    CU_ASSERT_EQUAL(ended.count, 0);
    CU_ASSERT_EQUAL(told(&pauses, "stripe", 10 * MINUTE_MS), 429);
    pub_pauses_expire(&pauses, 10 * MINUTE_MS, &ended);
    CU_ASSERT_EQUAL_FATAL(ended.count, 1);
    CU_ASSERT_STRING_EQUAL(ended.items[0].source, "stripe");
    CU_ASSERT_EQUAL(pub_pauses_next_ms(&pauses), PUB_PAUSE_FOR_EVER);

    /* One source cannot be taken out of a pause of all. */
    CU_ASSERT_FALSE(pub_pauses_resume(&pauses, "stripe", &ended, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_USAGE);
    CU_ASSERT(pub_pauses_resume(&pauses, "", &ended, &err));
    CU_ASSERT_EQUAL(ended.count, 1);
    CU_ASSERT_EQUAL(told(&pauses, "stripe", 11 * MINUTE_MS), 0);

    /* Taking back what is not there is no mistake. */
    CU_ASSERT(pub_pauses_resume(&pauses, "", &ended, &err));
    CU_ASSERT_EQUAL(ended.count, 0);
    CU_ASSERT(pub_pauses_resume(&pauses, "stripe", &ended, &err));
    CU_ASSERT_EQUAL(ended.count, 0);
}

CLAIM(pause__a_second_one_replaces_the_first_and_goes_on_counting)
{
    struct pub_pauses pauses = { 0 };
    pause_for(&pauses, "stripe", 503, MINUTE_MS, 1000);
    pub_pauses_find(&pauses, "stripe", 1000)->refused = 7;
    pause_for(&pauses, "stripe", 429, 0, 2000);
    CU_ASSERT_EQUAL(pauses.count, 1);
    CU_ASSERT_EQUAL(told(&pauses, "stripe", 100 * MINUTE_MS), 429);
    CU_ASSERT_EQUAL(pauses.items[0].refused, 7);
    CU_ASSERT_EQUAL(pauses.items[0].since_us, 1000005);
}

CLAIM(pause__a_resume_of_one_leaves_the_others)
{
    struct pub_pauses pauses = { 0 };
    struct pub_pauses ended = { 0 };
    struct sl_err err = { 0 };
    pause_for(&pauses, "a", 503, 0, 0);
    pause_for(&pauses, "b", 429, 0, 0);
    pause_for(&pauses, "c", 503, 0, 0);
    CU_ASSERT(pub_pauses_resume(&pauses, "b", &ended, &err));
    CU_ASSERT_EQUAL(ended.count, 1);
    CU_ASSERT_STRING_EQUAL(ended.items[0].source, "b");
    CU_ASSERT_EQUAL(told(&pauses, "a", 0), 503);
    CU_ASSERT_EQUAL(told(&pauses, "b", 0), 0);
    CU_ASSERT_EQUAL(told(&pauses, "c", 0), 503);
}

CLAIM(pause__retry_after_is_what_is_left_within_bounds)
{
    static const struct {
        int64_t for_ms;
        int64_t later_ms;
        unsigned retry_after_s;
    } rows[] = {
        { 0, 0, 30 },        { 0, 99 * MINUTE_MS, 30 }, { 30 * MINUTE_MS, 0, 300 },
        { 90000, 0, 90 },    { 90000, 1, 90 },          { 90000, 1000, 89 },
        { 90000, 89999, 1 }, { 90000, 90000, 1 },       { 1, 0, 1 },
        { 300000, 0, 300 },  { 299001, 0, 300 },        { 299000, 0, 299 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct pub_pauses pauses = { 0 };
        pause_for(&pauses, "", 503, rows[i].for_ms, 5000);
        CU_ASSERT_EQUAL(pub_pause_retry_after_s(&pauses.items[0], 5000 + rows[i].later_ms),
                        rows[i].retry_after_s);
    }
}

CLAIM(pause__what_it_cannot_be_is_refused)
{
    struct pub_pauses pauses = { 0 };
    const struct pub_pause *pause = NULL;
    struct sl_err err = { 0 };
    CU_ASSERT_FALSE(pub_pauses_set(&pauses, "", 200, 0, at(0), &pause, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_USAGE);
    CU_ASSERT_FALSE(pub_pauses_set(&pauses, "", 503, -1, at(0), &pause, &err));
    CU_ASSERT_FALSE(pub_pauses_set(&pauses, "", 503, PUB_PAUSE_MS_MAX + 1, at(0), &pause, &err));
    CU_ASSERT_EQUAL(pauses.count, 0);
    for (unsigned i = 0; i < PUB_PAUSES_MAX; i++) {
        char name[2] = { (char)('a' + i), '\0' };
        pause_for(&pauses, name, 503, 0, 0);
    }
    CU_ASSERT_FALSE(pub_pauses_set(&pauses, "one more", 503, 0, at(0), &pause, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_LIMIT);
    CU_ASSERT_PTR_NULL(pause);
}
