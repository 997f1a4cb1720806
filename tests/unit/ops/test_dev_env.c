#include "ops/dev/dev_env.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/claims.h"

static const char *find(const struct dev_env *env, const char *name)
{
    size_t bytes = strlen(name);
    for (unsigned i = 0; i < env->count; i++) {
        if (strncmp(env->items[i], name, bytes) == 0 && env->items[i][bytes] == '=') {
            return env->items[i] + bytes + 1;
        }
    }
    return NULL;
}

CLAIM(dev_env__addresses_of_elsewhere_are_not_inherited_and_the_rest_is)
{
    static const char *const withheld[] = { "AMQP_URL",
                                            "AMQP_URL_FILE",
                                            "DATABASE_URL",
                                            "PGHOST",
                                            "PGSERVICEFILE",
                                            "PORT",
                                            "SLUICE_STATE_DIR",
                                            "STRIPE_WEBHOOK_SECRET_FILE",
                                            "SLUICE_PUBLISHER_URL" };
    static const char *const kept[] = { "PG_POOL_MAX", "STRIPE_API_KEY", "PORTAL",
                                        "SLUICE_SUBSYSTEMS" };
    struct sl_err err = { 0 };
    SL_DONE(dev_env_done) struct dev_env env = { 0 };

    for (size_t i = 0; i < SL_COUNT(withheld); i++) {
        CU_ASSERT_EQUAL(setenv(withheld[i], "elsewhere", 1), 0);
    }
    for (size_t i = 0; i < SL_COUNT(kept); i++) {
        CU_ASSERT_EQUAL(setenv(kept[i], "here", 1), 0);
    }
    dev_env_inherit(&env);
    CU_ASSERT_PTR_NOT_NULL(dev_env_list(&env, &err));
    for (size_t i = 0; i < SL_COUNT(withheld); i++) {
        CU_ASSERT_PTR_NULL(find(&env, withheld[i]));
        (void)unsetenv(withheld[i]);
    }
    for (size_t i = 0; i < SL_COUNT(kept); i++) {
        CU_ASSERT_PTR_NOT_NULL(find(&env, kept[i]));
        (void)unsetenv(kept[i]);
    }
}

CLAIM(dev_env__the_last_value_of_a_name_wins_and_names_do_not_run_together)
{
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    dev_env_set(&env, "A", "%d", 1);
    dev_env_set(&env, "AB", "%d", 2);
    dev_env_set(&env, "A", "%d", 3);
    CU_ASSERT_EQUAL(env.count, 2);
    CU_ASSERT_STRING_EQUAL(find(&env, "A"), "3");
    CU_ASSERT_STRING_EQUAL(find(&env, "AB"), "2");
    CU_ASSERT_PTR_NULL(env.items[2]);
}

CLAIM(dev_env__a_list_that_is_full_says_so)
{
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    struct sl_err err = { 0 };
    for (unsigned i = 0; i <= DEV_ENV_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "N%u", i);
        dev_env_set(&env, name, "x");
    }
    CU_ASSERT_EQUAL(env.count, DEV_ENV_MAX);
    CU_ASSERT_PTR_NULL(dev_env_list(&env, &err));
}
