#include "ops/doctor/preflight_rules.h"

#include <string.h>

#include "tests/support/claims.h"

#define TOKEN_A "3b6f0a1c9d8e7f605142738495a6b7c8"
#define TOKEN_B "c8b7a695847362514f0e7d8c9a1b6f30"
#define WHSEC_A "whsec_4f1c2d3e5a6b7089c4d5e6f7"
#define WHSEC_B "whsec_7f6e5d4c9807b6a5e3d2c1f4"

static struct ops_finding judge(const char *name, const char *staging, const char *production)
{
    static struct ops_env_file a;
    static struct ops_env_file b;
    struct ops_finding finding = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_TRUE(ops_env_file_parse(sl_span_of(staging), "a", &a, &err));
    CU_ASSERT_TRUE(ops_env_file_parse(sl_span_of(production), "b", &b, &err));
    const struct ops_preflight_key key = ops_preflight_key_of(name);
    ops_preflight_judge(&key, &a, &b, &finding);
    ops_env_file_done(&a);
    ops_env_file_done(&b);
    return finding;
}

CLAIM(preflight_rules__each_pair_of_values_has_its_verdict)
{
    static const struct {
        const char *name;
        const char *staging;
        const char *production;
        enum ops_verdict verdict;
        const char *part; /* of what is said */
    } rows[] = {
        { "DATABASE_URL", "DATABASE_URL=postgres://u:p1@s/app", "", OPS_VERDICT_FAIL, "lacks" },
        { "DATABASE_URL", "", "", OPS_VERDICT_FAIL, "production lacks it" },
        { "DATABASE_URL", "DATABASE_URL=postgres://u:p1@s/app",
          "DATABASE_URL=postgres://u:p2@p/app", OPS_VERDICT_OK, "both" },
        { "DATABASE_URL", "DATABASE_URL=postgres://u:p1@db/app",
          "DATABASE_URL=postgres://u:p1@db/app", OPS_VERDICT_FAIL, "the same value" },
        { "DATABASE_URL", "DATABASE_URL=postgres://u:p1@db/app",
          "DATABASE_URL=postgres://v:p2@db/app?sslmode=require", OPS_VERDICT_FAIL,
          "the same database" },
        { "DATABASE_URL", "DATABASE_URL=postgres://u:p1@db/app",
          "DATABASE_URL=postgres://u:p@db.example.com/app", OPS_VERDICT_FAIL, "placeholder" },
        { "DATABASE_URL", "DATABASE_URL=postgres://u:p1@db/app", "DATABASE_URL_FILE=/not/here",
          OPS_VERDICT_SKIP, "not compared" },
        { "STRIPE_API_KEY", "STRIPE_API_KEY=sk_test_51Ha7b", "STRIPE_API_KEY=sk_live_51Ha7b",
          OPS_VERDICT_OK, "" },
        { "STRIPE_API_KEY", "STRIPE_API_KEY=sk_test_51Ha7b", "STRIPE_API_KEY=sk_test_51Hc9d",
          OPS_VERDICT_FAIL, "production has a test key" },
        { "STRIPE_API_KEY", "STRIPE_API_KEY=sk_live_51Ha7b", "STRIPE_API_KEY=sk_live_51Hc9d",
          OPS_VERDICT_FAIL, "staging has a live key: it acts on real customers" },
        { "STRIPE_PUBLISHABLE_KEY", "STRIPE_PUBLISHABLE_KEY=pk_test_51Ha7b",
          "STRIPE_PUBLISHABLE_KEY=sk_1", OPS_VERDICT_FAIL, "no key of Stripe's" },
        { "STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET=" WHSEC_A,
          "STRIPE_WEBHOOK_SECRET=" WHSEC_B, OPS_VERDICT_OK, "" },
        { "STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET=" WHSEC_A,
          "STRIPE_WEBHOOK_SECRET=" WHSEC_A, OPS_VERDICT_FAIL, "the same value" },
        { "STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET=" WHSEC_A,
          "STRIPE_WEBHOOK_SECRET=whsec_xxxxxxxxxxxxxxxxxxxxxxxxxx", OPS_VERDICT_FAIL,
          "placeholder" },
        { "STRIPE_WEBHOOK_SECRET", "", "FLAG_QUEUE_BILLING=false", OPS_VERDICT_SKIP, "neither" },
        { "STRIPE_WEBHOOK_SECRET", "", "A=b", OPS_VERDICT_FAIL, "production lacks it" },
        { "QUEUE_SERVICE_TOKEN_CRON", "QUEUE_SERVICE_TOKEN_CRON=" TOKEN_A,
          "export QUEUE_SERVICE_TOKEN_CRON='" TOKEN_B "'", OPS_VERDICT_OK, "" },
        { "QUEUE_SERVICE_TOKEN_CRON", "QUEUE_SERVICE_TOKEN_CRON=" TOKEN_A,
          "QUEUE_SERVICE_TOKEN_CRON=\"" TOKEN_A "\"", OPS_VERDICT_FAIL, "the same value" },
        { "QUEUE_SERVICE_TOKEN_CRON", "QUEUE_SERVICE_TOKEN_CRON=" TOKEN_A,
          "QUEUE_SERVICE_TOKEN_CRON=short", OPS_VERDICT_FAIL, "shorter than 32" },
        { "QUEUE_SERVICE_TOKEN_CRON", "QUEUE_SERVICE_TOKEN_CRON=short",
          "QUEUE_SERVICE_TOKEN_CRON=" TOKEN_B, OPS_VERDICT_WARN, "staging's" },
        { "SENTRY_DSN", "SENTRY_DSN=https://3f2a@o1.ingest.sentry.io/42",
          "SENTRY_DSN=https://3f2a@o1.ingest.sentry.io/42", OPS_VERDICT_FAIL, "the same value" },
        { "SENTRY_DSN", "", "", OPS_VERDICT_WARN, "log only" },
        { "SENTRY_DSN", "", "SENTRY_DSN=https://3f2a@o1.ingest.sentry.io/42", OPS_VERDICT_OK, "" },
        { "SENTRY_DSN", "", "SENTRY_DSN=nonsense", OPS_VERDICT_FAIL, "no DSN" },
        { "SLUICE_REPLAY_RATE", "SLUICE_REPLAY_RATE=50", "", OPS_VERDICT_WARN, "production lacks" },
        { "SLUICE_REPLAY_RATE", "", "SLUICE_REPLAY_RATE=50", OPS_VERDICT_WARN, "staging lacks" },
        { "SLUICE_REPLAY_RATE", "SLUICE_REPLAY_RATE=50", "SLUICE_REPLAY_RATE=50", OPS_VERDICT_OK,
          "" },
        { "SLUICE_REPLAY_RATE", "", "", OPS_VERDICT_SKIP, "neither" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct ops_finding finding = judge(rows[i].name, rows[i].staging, rows[i].production);
        if (finding.verdict != rows[i].verdict || strstr(finding.text, rows[i].part) == NULL) {
            printf("row %zu: %s %s\n", i, ops_verdict_name(finding.verdict), finding.text);
        }
        CU_ASSERT_EQUAL(finding.verdict, rows[i].verdict);
        CU_ASSERT_PTR_NOT_NULL(strstr(finding.text, rows[i].part));
        CU_ASSERT_EQUAL(finding.fix[0] != '\0', finding.verdict >= OPS_VERDICT_WARN);
    }
}

CLAIM(preflight_rules__databases_are_compared_by_version_limit_and_identity)
{
    struct ops_preflight_database staging = { .version = 15, .connections = 100, .identity = "a" };
    struct ops_preflight_database production = { .version = 15,
                                                 .connections = 400,
                                                 .identity = "b" };
    struct ops_finding version;
    struct ops_finding limit;
    struct ops_finding identity;
    ops_preflight_judge_databases(&staging, &production, &version, &limit, &identity);
    CU_ASSERT_EQUAL(version.verdict, OPS_VERDICT_OK);
    CU_ASSERT_EQUAL(limit.verdict, OPS_VERDICT_OK);
    CU_ASSERT_STRING_EQUAL(limit.text, "staging 100, production 400 (+300)");
    CU_ASSERT_EQUAL(identity.verdict, OPS_VERDICT_OK);
    production =
        (struct ops_preflight_database){ .version = 14, .connections = 60, .identity = "a" };
    ops_preflight_judge_databases(&staging, &production, &version, &limit, &identity);
    CU_ASSERT_EQUAL(version.verdict, OPS_VERDICT_WARN);
    CU_ASSERT_EQUAL(limit.verdict, OPS_VERDICT_WARN);
    CU_ASSERT_STRING_EQUAL(limit.text, "staging 100, production 60 (-40)");
    CU_ASSERT_EQUAL(identity.verdict, OPS_VERDICT_FAIL);
}

CLAIM(preflight_rules__the_phrase_grows_with_the_warnings)
{
    char phrase[OPS_PHRASE_BYTES];
    ops_preflight_phrase(0, phrase);
    CU_ASSERT_STRING_EQUAL(phrase, "DEPLOY-PROD");
    ops_preflight_phrase(1, phrase);
    CU_ASSERT_STRING_EQUAL(phrase, "DEPLOY-PROD-WITH-1-WARNING");
    ops_preflight_phrase(3, phrase);
    CU_ASSERT_STRING_EQUAL(phrase, "DEPLOY-PROD-WITH-3-WARNINGS");
}

CLAIM(env_file__takes_what_deployments_write_and_refuses_what_is_no_line)
{
    static struct ops_env_file file;
    struct sl_err err = { 0 };
    const char *value = NULL;
    CU_ASSERT_TRUE(
        ops_env_file_parse(
            SL_SPAN_LITERAL(
                "# a comment\n\nexport A=1\nB = x\nB='two words'\nC=\nD_FILE=/not/here\n"),
            "a.env", &file, &err) == false);
    CU_ASSERT_STRING_EQUAL(err.text, "a.env:4: expected NAME=value");
    ops_env_file_done(&file);
    CU_ASSERT_TRUE(ops_env_file_parse(
        SL_SPAN_LITERAL("export A=1\r\nB=x\nB='two words'\nC=\nD_FILE=/not/here\nE=a=b\n"), "a.env",
        &file, &err));
    CU_ASSERT_EQUAL(ops_env_file_get(&file, "A", &value), OPS_ENV_SET);
    CU_ASSERT_STRING_EQUAL(value, "1");
    CU_ASSERT_EQUAL(ops_env_file_get(&file, "B", &value), OPS_ENV_SET);
    CU_ASSERT_STRING_EQUAL(value, "two words");
    CU_ASSERT_EQUAL(ops_env_file_get(&file, "C", &value), OPS_ENV_UNSET);
    CU_ASSERT_EQUAL(ops_env_file_get(&file, "D", &value), OPS_ENV_ELSEWHERE);
    CU_ASSERT_EQUAL(ops_env_file_get(&file, "E", &value), OPS_ENV_SET);
    CU_ASSERT_STRING_EQUAL(value, "a=b");
    CU_ASSERT_EQUAL(ops_env_file_get(&file, "F", &value), OPS_ENV_UNSET);
    char *lines[OPS_ENV_ENTRIES_MAX + 1];
    ops_env_file_lines(&file, lines);
    CU_ASSERT_STRING_EQUAL(lines[0], "A=1");
    CU_ASSERT_STRING_EQUAL(lines[3], "E=a=b");
    CU_ASSERT_PTR_NULL(lines[4]);
    ops_env_file_done(&file);
}
