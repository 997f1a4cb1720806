#include "ops/gameday/gameday_takers.h"

#include <string.h>

#include "tests/support/claims.h"

#define MINUTE_MS 60000

static const char file[] =
    "[billing]\nhandler = billing\nbindings = stripe.#\n"
    "[invoices]\nhandler = sql\nfunction = f\nbindings = stripe.invoice.#\n"
    "[subscriptions]\nhandler = sql\nfunction = f\nbindings = stripe.customer.subscription.#\n"
    "[orders]\nhandler = sql\nfunction = f\nbindings = shop.#\n"
    "[off]\nhandler = sql\nfunction = f\nbindings = stripe.#\nenabled = false\n"
    "[slow]\nhandler = sql\nfunction = f\nbindings = stripe.#\ndelay = 12h\n";

static void load(struct sl_subsystems *out);
static const struct sl_subsystem *find(const struct sl_subsystems *subsystems, const char *name);

CLAIM(takers__are_those_that_take_the_types_and_let_them_in_within_the_time)
{
    static struct sl_subsystems subsystems;
    struct ops_gameday_takers takers = { 0 };
    struct sl_err err = { 0 };
    load(&subsystems);
    CU_ASSERT_TRUE(ops_gameday_takers_choose(&takers, &subsystems, NULL, OPS_GAMEDAY_STORM_NONE,
                                             10 * MINUTE_MS, &err));
    CU_ASSERT_EQUAL_FATAL(takers.count, 3);
    CU_ASSERT_STRING_EQUAL(takers.items[0].section->name, "billing");
    CU_ASSERT_STRING_EQUAL(takers.items[1].section->name, "invoices");
    CU_ASSERT_STRING_EQUAL(takers.items[2].section->name, "subscriptions");
    CU_ASSERT_EQUAL_FATAL(takers.left_out_count, 1);
    CU_ASSERT_STRING_EQUAL(takers.left_out[0]->name, "slow");
    ops_gameday_takers_done(&takers);
    sl_subsystems_done(&subsystems);
}

CLAIM(
    takers__the_one_that_is_asked_for_is_taken_however_long_it_waits_and_not_when_it_would_have_nothing)
{
    static struct sl_subsystems subsystems;
    struct ops_gameday_takers takers = { 0 };
    struct sl_err err = { 0 };
    load(&subsystems);
    CU_ASSERT_TRUE(ops_gameday_takers_choose(&takers, &subsystems, find(&subsystems, "slow"),
                                             OPS_GAMEDAY_STORM_NONE, MINUTE_MS, &err));
    CU_ASSERT_EQUAL(takers.count, 1);
    ops_gameday_takers_done(&takers);
    CU_ASSERT_FALSE(ops_gameday_takers_choose(&takers, &subsystems, find(&subsystems, "orders"),
                                              OPS_GAMEDAY_STORM_NONE, MINUTE_MS, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_CONFIG);
    sl_subsystems_done(&subsystems);
}

CLAIM(takers__are_owed_their_own_types_and_poison_is_a_letter_where_we_know_the_handler)
{
    static struct sl_subsystems subsystems;
    load(&subsystems);
    const struct sl_subsystem *billing = find(&subsystems, "billing");
    const struct sl_subsystem *invoices = find(&subsystems, "invoices");
    const struct sl_subsystem *subscriptions = find(&subsystems, "subscriptions");
    uint64_t types = ops_gameday_type_count(OPS_GAMEDAY_STORM_NONE);
    uint64_t owed = 0;
    for (uint64_t i = 0; i < 2 * types; i++) {
        bool is_invoice = strncmp(ops_gameday_type(OPS_GAMEDAY_STORM_NONE, i), "invoice.",
                                  strlen("invoice.")) == 0;
        CU_ASSERT_EQUAL(ops_gameday_expect_of(billing, OPS_GAMEDAY_STORM_NONE, i), OPS_GAMEDAY_ROW);
        CU_ASSERT_EQUAL(ops_gameday_expect_of(invoices, OPS_GAMEDAY_STORM_NONE, i),
                        is_invoice ? OPS_GAMEDAY_ROW : OPS_GAMEDAY_NOTHING);
        owed += is_invoice;
    }
    CU_ASSERT(owed > 0 && owed < 2 * types);
    CU_ASSERT_EQUAL(ops_gameday_expect_of(billing, OPS_GAMEDAY_STORM_POISON, 0),
                    OPS_GAMEDAY_LETTER);
    CU_ASSERT_EQUAL(ops_gameday_expect_of(subscriptions, OPS_GAMEDAY_STORM_POISON, 0),
                    OPS_GAMEDAY_EITHER);
    CU_ASSERT_EQUAL(ops_gameday_expect_of(invoices, OPS_GAMEDAY_STORM_POISON, 0),
                    OPS_GAMEDAY_NOTHING);
    CU_ASSERT_EQUAL(ops_gameday_expect_of(billing, OPS_GAMEDAY_STORM_RETRY, 0), OPS_GAMEDAY_ROW);
    sl_subsystems_done(&subsystems);
}

static void load(struct sl_subsystems *out)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, 4096);
    sl_subsystems_parse(sl_span_of(file), "test", out, &mistakes);
    CU_ASSERT_EQUAL_FATAL(mistakes.used_bytes, 0);
}

static const struct sl_subsystem *find(const struct sl_subsystems *subsystems, const char *name)
{
    const struct sl_subsystem *section = sl_subsystems_find(subsystems, sl_span_of(name));
    CU_ASSERT_PTR_NOT_NULL_FATAL(section);
    return section;
}
