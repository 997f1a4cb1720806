#include "ops/doctor/config_facts.h"

#include <string.h>

#include "tests/support/claims.h"

/* One row of configuration, and the verdict of one check. */
struct row {
    const char *environment; /* of the process, spaces between */
    const char *where;       /* production, …; NULL */
    const char *publishable;
    enum ops_check_id id;
    enum ops_verdict verdict;
};

#define ENTRIES_MAX 8u
#define SECRET      "STRIPE_WEBHOOK_SECRET=whsec_4f1c2d3e5a6b7089c4d5e6f7"
#define TOKEN       "3b6f0a1c9d8e7f605142738495a6b7c8"

static enum ops_verdict verdict_of(const struct row *row)
{
    static char text[1024];
    char *entries[ENTRIES_MAX + 1] = { 0 };
    struct ops_deployed *deployed = &(struct ops_deployed){ 0 };
    struct ops_facts *facts = &(struct ops_facts){ 0 };
    struct sl_buf mistakes = { 0 };
    struct sl_amqp_url amqp = { 0 };
    struct ops_finding finding = { 0 };
    size_t count = 0;
    sl_buf_init(&mistakes, 65536);
    snprintf(text, sizeof text, "%s", row->environment);
    char *rest = text;
    for (char *entry = strsep(&rest, " "); entry != NULL && count < ENTRIES_MAX;
         entry = strsep(&rest, " ")) {
        entries[count++] = entry;
    }
    ops_deployed_read(deployed, entries, &mistakes);
    const char *url = deployed->publisher.amqp_url;
    struct sl_err err = { 0 };
    bool has_amqp = url != NULL && sl_amqp_url_parse(url, &amqp, &err);
    const struct ops_config_seen seen = { .deployed = deployed,
                                          .environment = row->where,
                                          .publishable = row->publishable,
                                          .amqp = has_amqp ? &amqp : NULL };
    ops_config_facts(&seen, facts);
    ops_check_judge(ops_check_at(row->id), &facts->items[row->id], &finding);
    if (has_amqp) {
        sl_amqp_url_done(&amqp);
    }
    ops_deployed_done(deployed);
    sl_buf_done(&mistakes);
    return finding.verdict;
}

CLAIM(config_facts__each_mistake_has_its_verdict)
{
    static const struct row rows[] = {
        { SECRET, NULL, NULL, OPS_CHECK_CONFIG_SECRET, OPS_VERDICT_OK },
        { "A=b", NULL, NULL, OPS_CHECK_CONFIG_SECRET, OPS_VERDICT_FAIL },
        { "FLAG_QUEUE_BILLING=false", NULL, NULL, OPS_CHECK_CONFIG_SECRET, OPS_VERDICT_SKIP },
        { "STRIPE_WEBHOOK_SECRET=whsec_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL, NULL,
          OPS_CHECK_CONFIG_SECRET, OPS_VERDICT_FAIL },
        { SECRET ",whsec_short", NULL, NULL, OPS_CHECK_CONFIG_SECRET, OPS_VERDICT_FAIL },
        { "QUEUE_SERVICE_TOKEN_CRON=" TOKEN, NULL, NULL, OPS_CHECK_CONFIG_TOKENS, OPS_VERDICT_OK },
        { "QUEUE_SERVICE_TOKEN_CRON=" TOKEN " QUEUE_SERVICE_TOKEN_RAPTOR=" TOKEN, NULL, NULL,
          OPS_CHECK_CONFIG_TOKENS, OPS_VERDICT_FAIL },
        { "FLAG_QUEUE_BILLING=false", NULL, NULL, OPS_CHECK_CONFIG_BILLING, OPS_VERDICT_WARN },
        { "SLUICE_DEGRADED_POLICY=stripe=journal+drop", NULL, NULL, OPS_CHECK_CONFIG_POLICY,
          OPS_VERDICT_WARN },
        { "SLUICE_DEGRADED_POLICY=reject", NULL, NULL, OPS_CHECK_CONFIG_POLICY, OPS_VERDICT_OK },
        { "FLAG_ENFORCE_QUEUE_CF_ORIGIN=true", NULL, NULL, OPS_CHECK_CONFIG_ORIGIN,
          OPS_VERDICT_FAIL },
        { "FLAG_ENFORCE_QUEUE_CF_ORIGIN=report", NULL, NULL, OPS_CHECK_CONFIG_ORIGIN,
          OPS_VERDICT_WARN },
        { "FLAG_ENFORCE_QUEUE_CF_ORIGIN=true SLUICE_TRUSTED_PROXIES=10.0.0.0/8", NULL, NULL,
          OPS_CHECK_CONFIG_ORIGIN, OPS_VERDICT_OK },
        { "SENTRY_DSN=nonsense", NULL, NULL, OPS_CHECK_CONFIG_SENTRY, OPS_VERDICT_FAIL },
        { "A=b", "production", NULL, OPS_CHECK_CONFIG_SENTRY, OPS_VERDICT_WARN },
        { "A=b", "staging", NULL, OPS_CHECK_CONFIG_SENTRY, OPS_VERDICT_OK },
        { "AMQP_URL=amqp://guest:guest@localhost", NULL, NULL, OPS_CHECK_CONFIG_BROKER_LOGIN,
          OPS_VERDICT_OK },
        { "AMQP_URL=amqp://guest:guest@mq", "staging", NULL, OPS_CHECK_CONFIG_BROKER_LOGIN,
          OPS_VERDICT_WARN },
        { "AMQP_URL=amqp://sluice:sluice@mq", "production", NULL, OPS_CHECK_CONFIG_BROKER_LOGIN,
          OPS_VERDICT_FAIL },
        { "AMQP_URL=amqp://sluice:k3T9bz@mq", "production", NULL, OPS_CHECK_CONFIG_BROKER_TLS,
          OPS_VERDICT_WARN },
        { "AMQP_URL=amqps://sluice:k3T9bz@mq", "production", NULL, OPS_CHECK_CONFIG_BROKER_TLS,
          OPS_VERDICT_OK },
        { "A=b", "production", NULL, OPS_CHECK_STRIPE_MODE, OPS_VERDICT_SKIP },
        { "STRIPE_API_KEY=sk_test_51H", "production", NULL, OPS_CHECK_STRIPE_MODE,
          OPS_VERDICT_FAIL },
        { "STRIPE_API_KEY=sk_live_51H", "production", NULL, OPS_CHECK_STRIPE_MODE, OPS_VERDICT_OK },
        { "STRIPE_API_KEY=sk_live_51H", "staging", NULL, OPS_CHECK_STRIPE_MODE, OPS_VERDICT_FAIL },
        { "STRIPE_API_KEY=sk_live_51H", NULL, NULL, OPS_CHECK_STRIPE_MODE, OPS_VERDICT_OK },
        { "STRIPE_API_KEY=sk_live_51H", NULL, "pk_test_51H", OPS_CHECK_STRIPE_AGREE,
          OPS_VERDICT_FAIL },
        { "STRIPE_API_KEY=sk_live_51H", NULL, "pk_live_51H", OPS_CHECK_STRIPE_AGREE,
          OPS_VERDICT_OK },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        enum ops_verdict verdict = verdict_of(&rows[i]);
        if (verdict != rows[i].verdict) {
            printf("row %zu (%s): %s\n", i, ops_check_at(rows[i].id)->name,
                   ops_verdict_name(verdict));
        }
        CU_ASSERT_EQUAL(verdict, rows[i].verdict);
    }
}

CLAIM(deployed__every_key_has_a_name_once)
{
    const struct sl_conf_key *key = NULL;
    size_t count = 0;
    while ((key = ops_deployed_key(count)) != NULL) {
        for (size_t k = 0; k < count; k++) {
            CU_ASSERT_NOT_EQUAL(strcmp(ops_deployed_key(k)->env, key->env), 0);
        }
        count++;
    }
    CU_ASSERT_TRUE(count > 40);
}
