#include "publisher/reload.h"

#include <string.h>

#include "tests/support/claims.h"

#define SECRET "STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdefghij"
#define OTHER  "STRIPE_WEBHOOK_SECRET=whsec_zyxwvutsrqponm9876543210"
#define BROKER "AMQP_URL=amqp://u:p@127.0.0.1:1"

static void load(struct pub_config *config, const char *const *environment)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    sl_buf_init(&mistakes, PUB_CONFIG_MISTAKES_BYTES_MAX);
    *config = (struct pub_config){ 0 };
    pub_config_load(config, (char *const *)(uintptr_t)environment, &mistakes);
    CU_ASSERT_EQUAL(mistakes.used_bytes, 0);
}

CLAIM(reload__says_what_changes_and_what_needs_a_restart)
{
    static const char *const before[] = { SECRET, BROKER, "SENTRY_DSN=https://a@host/1", NULL };
    static const struct {
        const char *environment[6];
        const char *changed;
        const char *needs_restart;
    } rows[] = {
        { { SECRET, BROKER, "SENTRY_DSN=https://a@host/1", NULL }, "", "" },
        { { OTHER, BROKER, "SENTRY_DSN=https://a@host/1", NULL }, "STRIPE_WEBHOOK_SECRET", "" },
        { { OTHER, BROKER "2", "SENTRY_DSN=https://b@host/1", "LOG_LEVEL=debug",
            "EVENTBUS_DEGRADED_LOG_LEVEL=error", NULL },
          "LOG_LEVEL, AMQP_URL, STRIPE_WEBHOOK_SECRET, EVENTBUS_DEGRADED_LOG_LEVEL, SENTRY_DSN",
          "" },
        { { SECRET, BROKER, "SENTRY_DSN=https://a@host/1", "SLUICE_BODY_MAX=2KiB",
            "FLAG_QUEUE_BILLING=no", NULL },
          "",
          "FLAG_QUEUE_BILLING, SLUICE_BODY_MAX" },
        { { SECRET, BROKER, NULL }, "", "SENTRY_DSN" },
        { { SECRET, BROKER, "SENTRY_DSN=https://a@host/1", "SENTRY_DSN_QUEUE=https://c@host/2",
            NULL },
          "SENTRY_DSN_QUEUE",
          "" },
    };
    SL_DONE(pub_config_done) struct pub_config now = { 0 };
    load(&now, before);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(pub_config_done) struct pub_config fresh = { 0 };
        SL_DONE(pub_reload_plan_done) struct pub_reload_plan plan = { 0 };
        load(&fresh, rows[i].environment);
        pub_reload_compare(&now, &fresh, &plan);
        CU_ASSERT_STRING_EQUAL(sl_buf_span(&plan.changed).data, rows[i].changed);
        CU_ASSERT_STRING_EQUAL(sl_buf_span(&plan.needs_restart).data, rows[i].needs_restart);
        CU_ASSERT_EQUAL(plan.secret_count == 1, strstr(rows[i].changed, "STRIPE") != NULL);
        CU_ASSERT_EQUAL(plan.has_amqp, strstr(rows[i].changed, "AMQP") != NULL);
        CU_ASSERT_EQUAL(plan.has_sentry, strstr(rows[i].changed, "SENTRY") != NULL);
    }
}

CLAIM(reload__a_value_goes_over_alone)
{
    static const char *const before[] = { SECRET, BROKER, NULL };
    static const char *const after[] = { OTHER, BROKER, "LOG_LEVEL=debug", "SERVICE_NAME=b", NULL };
    SL_DONE(pub_config_done) struct pub_config now = { 0 };
    SL_DONE(pub_config_done) struct pub_config fresh = { 0 };
    const char *names[PUB_CONFIG_KEYS_MAX];
    load(&now, before);
    load(&fresh, after);
    pub_config_swap(&now, &fresh, "STRIPE_WEBHOOK_SECRET");
    pub_config_swap(&now, &fresh, "LOG_LEVEL");
    CU_ASSERT_EQUAL(now.log_level, 0);
    CU_ASSERT_EQUAL(fresh.log_level, 1);
    CU_ASSERT_STRING_EQUAL(now.stripe_secrets, strchr(OTHER, '=') + 1);
    CU_ASSERT_PTR_NULL(now.service_name);
    CU_ASSERT_EQUAL(pub_config_changes(&now, &fresh, names), 3);
}
