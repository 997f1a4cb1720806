#include "consumer/handlers/http_verdict.h"

#include <stdio.h>

#include "shared/subsystem/subsystems.h"
#include "tests/support/claims.h"

static struct sl_subsystems parsed;
static struct sl_json_parser *parser;
static struct sl_arena arena;

static void begin(void)
{
    struct sl_buf mistakes;
    sl_buf_init(&mistakes, 4096);
    sl_subsystems_parse(
        sl_span_of("[orders]\nhandler = http\nbindings = #\nurl = http://h/\nsecret = S\n"
                   "errors.already = done\nerrors.no_stock = retry: order more\n"
                   "errors.bad_sku = permanent\nerrors.closed = systemic\nerrors.licence = halt\n"),
        "s.conf", &parsed, &mistakes);
    CU_ASSERT_STRING_EQUAL(sl_buf_span(&mistakes).data, "");
    sl_buf_done(&mistakes);
    parser = sl_json_parser_new(65536);
    sl_arena_init(&arena, 1 << 20);
}

static void end(void)
{
    sl_subsystems_done(&parsed);
    sl_json_parser_free(parser);
    sl_arena_done(&arena);
}

static struct con_http_verdict judge(int status, const char *body, int64_t retry_after_s)
{
    const struct sl_http_answer answer = { .status = status,
                                           .body = sl_span_of(body),
                                           .retry_after_s = retry_after_s };
    struct con_http_verdict verdict;
    con_http_verdict(&answer, &parsed.items[0], "http://h/", parser, &arena, &verdict);
    return verdict;
}

/* Every row of the table, its first and its last status. */
CLAIM(http_verdict__each_status_has_its_class)
{
    static const struct {
        int status;
        enum sl_rule_verdict verdict;
        bool is_of_target;
        const char *code;
    } cases[] = {
        { 200, SL_RULE_DONE, false, "" },
        { 204, SL_RULE_DONE, false, "" },
        { 299, SL_RULE_DONE, false, "" },
        { 401, SL_RULE_HALT, true, "http.401" },
        { 403, SL_RULE_HALT, true, "http.403" },
        { 407, SL_RULE_HALT, true, "http.407" },
        { 408, SL_RULE_RETRY, true, "http.408" },
        { 409, SL_RULE_RETRY, false, "http.409" },
        { 423, SL_RULE_RETRY, false, "http.423" },
        { 425, SL_RULE_RETRY, false, "http.425" },
        { 429, SL_RULE_RETRY, true, "http.429" },
        { 400, SL_RULE_PERMANENT, false, "http.400" },
        { 402, SL_RULE_PERMANENT, false, "http.402" },
        { 404, SL_RULE_PERMANENT, false, "http.404" },
        { 410, SL_RULE_PERMANENT, false, "http.410" },
        { 422, SL_RULE_PERMANENT, false, "http.422" },
        { 499, SL_RULE_PERMANENT, false, "http.499" },
        { 500, SL_RULE_RETRY, true, "http.500" },
        { 502, SL_RULE_RETRY, true, "http.502" },
        { 503, SL_RULE_RETRY, true, "http.503" },
        { 504, SL_RULE_RETRY, true, "http.504" },
        { 599, SL_RULE_RETRY, true, "http.599" },
        { 301, SL_RULE_PERMANENT, false, "http.301" },
        { 307, SL_RULE_PERMANENT, false, "http.307" },
        { 100, SL_RULE_PERMANENT, false, "http.100" },
    };
    static const enum sl_code codes[] = { [SL_RULE_DONE] = SL_E_NONE,
                                          [SL_RULE_RETRY] = SL_E_TARGET_ITEM,
                                          [SL_RULE_PERMANENT] = SL_E_TARGET_PERMANENT,
                                          [SL_RULE_HALT] = SL_E_TARGET_HALT };
    begin();
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct con_http_verdict verdict = judge(cases[i].status, "", 0);
        if (verdict.verdict != cases[i].verdict) {
            printf("\n  %d\n", cases[i].status);
        }
        CU_ASSERT_EQUAL(verdict.verdict, cases[i].verdict);
        CU_ASSERT_EQUAL(verdict.is_of_target, cases[i].is_of_target);
        CU_ASSERT_STRING_EQUAL(verdict.code, cases[i].code);
        CU_ASSERT_EQUAL(verdict.err.code, codes[cases[i].verdict]);
        CU_ASSERT_TRUE(verdict.is_reached);
    }
    end();
}

CLAIM(http_verdict__the_reply_and_the_section_come_before_the_status)
{
    static const struct {
        int status;
        const char *body;
        enum sl_rule_verdict verdict;
        const char *code;
        const char *text;
    } cases[] = {
        { 422, "{\"retry\":true}", SL_RULE_RETRY, "http.422",
          "POST http://h/: 422 http.422, the target asks for another try" },
        { 500, "{\"code\":\"x\",\"retry\":false}", SL_RULE_PERMANENT, "x",
          "POST http://h/: 500 x, the target wants no other try" },
        { 401, "{\"retry\":true}", SL_RULE_RETRY, "http.401",
          "POST http://h/: 401 http.401, the target asks for another try" },
        { 400, "{\"code\":\"no_stock\",\"message\":\"3 left\"}", SL_RULE_RETRY, "no_stock",
          "POST http://h/: 400 no_stock, as the section says of this code: 3 left" },
        { 503, "{\"code\":\"bad_sku\",\"retry\":true}", SL_RULE_PERMANENT, "bad_sku",
          "POST http://h/: 503 bad_sku, as the section says of this code" },
        { 409, "{\"code\":\"already\"}", SL_RULE_DONE, "already",
          "POST http://h/: 409 already, as the section says of this code" },
        { 400, "{\"code\":\"closed\"}", SL_RULE_SYSTEMIC, "closed",
          "POST http://h/: 400 closed, as the section says of this code" },
        { 400, "{\"code\":\"licence\"}", SL_RULE_HALT, "licence",
          "POST http://h/: 400 licence, as the section says of this code" },
        { 404, "{\"code\":\"unknown\"}", SL_RULE_PERMANENT, "unknown",
          "POST http://h/: 404 unknown, the target will never take this" },
        /* What is no reply of this form is not looked at. */
        { 404, "{\"code\":\"two words\",\"retry\":\"yes\"}", SL_RULE_PERMANENT, "http.404",
          "POST http://h/: 404 http.404, the target will never take this" },
        { 500, "<html>", SL_RULE_RETRY, "http.500",
          "POST http://h/: 500 http.500, the target failed" },
        { 500, "[{\"code\":\"bad_sku\"}]", SL_RULE_RETRY, "http.500",
          "POST http://h/: 500 http.500, the target failed" },
        /* A 2xx is done, whatever it says. */
        { 200, "{\"code\":\"bad_sku\",\"retry\":true}", SL_RULE_DONE, "", "" },
    };
    begin();
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct con_http_verdict verdict = judge(cases[i].status, cases[i].body, 0);
        CU_ASSERT_EQUAL(verdict.verdict, cases[i].verdict);
        CU_ASSERT_STRING_EQUAL(verdict.code, cases[i].code);
        CU_ASSERT_STRING_EQUAL(verdict.err.text, cases[i].text);
    }
    end();
}

CLAIM(http_verdict__the_target_may_name_its_wait)
{
    begin();
    CU_ASSERT_EQUAL(judge(429, "", 120).retry_after_s, 120);
    CU_ASSERT_EQUAL(judge(503, "", 0).retry_after_s, 0);
    CU_ASSERT_EQUAL(judge(429, "", INT64_MAX).retry_after_s, 12 * 86400);
    CU_ASSERT_EQUAL(judge(429, "", -5).retry_after_s, 0);
    end();
}

CLAIM(http_verdict__no_answer_speaks_against_the_target)
{
    static const struct {
        enum sl_code code;
        enum sl_rule_verdict verdict;
        bool is_reached; /* the request was sent */
    } cases[] = {
        { SL_E_DEADLINE, SL_RULE_RETRY, true },
        { SL_E_DEADLINE, SL_RULE_RETRY, false },
        { SL_E_HTTP_UNREACHABLE, SL_RULE_RETRY, true },
        { SL_E_HTTP_UNREACHABLE, SL_RULE_RETRY, false },
        { SL_E_NET_RESOLVE, SL_RULE_RETRY, false },
        { SL_E_HTTP_MALFORMED, SL_RULE_HALT, false },
    };
    begin();
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct sl_err err = { .code = cases[i].code, .text = "why" };
        const struct sl_http_answer answer = { .err = &err, .was_sent = cases[i].is_reached };
        struct con_http_verdict verdict;
        con_http_verdict(&answer, &parsed.items[0], "http://h/", parser, &arena, &verdict);
        CU_ASSERT_EQUAL(verdict.verdict, cases[i].verdict);
        CU_ASSERT_EQUAL(verdict.is_reached, cases[i].is_reached);
        CU_ASSERT_TRUE(verdict.is_of_target);
        CU_ASSERT_STRING_EQUAL(verdict.code, sl_code_name(cases[i].code));
        CU_ASSERT_STRING_EQUAL(verdict.err.text, "POST http://h/: why");
    }
    end();
}
