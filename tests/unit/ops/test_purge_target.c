#include "ops/queue/purge_target.h"

#include <stdio.h>

#include "tests/support/claims.h"

static bool find(const char *word, struct ops_purge_target *out_target, struct sl_err *err)
{
    static const struct sl_subsystems subsystems = {
        .items = { { .name = "billing" }, { .name = "delay-notes" } }, .count = 2
    };
    return ops_purge_target(&subsystems, word, out_target, err);
}

CLAIM(purge_target__a_subsystem_or_its_work_or_replay_queue_may_be_emptied)
{
    static const struct {
        const char *word;
        const char *queue;
        bool is_replay;
    } rows[] = {
        { "billing", "sluice.billing", false },
        { "sluice.billing", "sluice.billing", false },
        { "billing.replay", "sluice.billing.replay", true },
        { "sluice.billing.replay", "sluice.billing.replay", true },
        { "delay-notes", "sluice.delay-notes", false },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct ops_purge_target target = { 0 };
        struct sl_err err = { 0 };
        char phrase[OPS_PURGE_PHRASE_BYTES];
        char wanted[OPS_PURGE_PHRASE_BYTES];
        CU_ASSERT_TRUE_FATAL(find(rows[i].word, &target, &err));
        CU_ASSERT_STRING_EQUAL(target.queue, rows[i].queue);
        CU_ASSERT_EQUAL(target.is_replay, rows[i].is_replay);
        ops_purge_phrase(&target, phrase);
        snprintf(wanted, sizeof wanted, "PURGE %s", rows[i].queue);
        CU_ASSERT_STRING_EQUAL(phrase, wanted);
    }
}

CLAIM(purge_target__what_may_not_be_emptied_is_refused_with_the_way_that_is_right)
{
    static const struct {
        const char *word;
        const char *says;
    } rows[] = {
        { "sluice.delay.07", "sluice queue pause" },
        { "delay.00", "every subsystem" },
        { "sluice.billing.parked", "sluice dead discard" },
        { "billing.parked", "sluice dead discard" },
        { "sluice.unrouted", "sluice dead discard" },
        { "unrouted", "sluice dead discard" },
        { "sluice.billing.first.1800", "by itself" },
        { "biling", "did you mean billing?" },
        { "sluice.biling", "did you mean billing?" },
        { "", "no section ''" },
        { ".replay", "no section" },
        { "replay", "no section 'replay'" },
        { "sluice.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaa",
          "so long a name" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct ops_purge_target target = { 0 };
        struct sl_err err = { 0 };
        CU_ASSERT_FALSE(find(rows[i].word, &target, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_USAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rows[i].says));
        CU_ASSERT_STRING_EQUAL(target.queue, "");
    }
}
