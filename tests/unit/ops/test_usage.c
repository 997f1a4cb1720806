#include "ops/usage.h"

#include "tests/support/claims.h"

static void expect(struct sl_span *rest, enum ops_usage_kind kind, const char *text,
                   const char *value)
{
    struct ops_usage_item item = { 0 };
    CU_ASSERT_TRUE(ops_usage_next(rest, &item));
    CU_ASSERT_EQUAL(item.kind, kind);
    CU_ASSERT_TRUE(sl_span_is(item.text, text));
    CU_ASSERT_TRUE(item.value.bytes == 0 ? *value == '\0' : sl_span_is(item.value, value));
}

CLAIM(usage__reads_flags_words_and_files_and_skips_what_only_explains)
{
    struct sl_span rest = sl_span_of("  [FILE]            the body\n"
                                     "  --secret-file F   default: STRIPE, the\n"
                                     "                    local stack\n"
                                     "    --servers          only those\n"
                                     "  -o table|json     for people\n"
                                     "  stop [NAME]       stops\n"
                                     "  [one|two]         which\n"
                                     "  WHAT              made up\n"
                                     "  (no verb)         nothing\n"
                                     "\n"
                                     "Exit status: 0 --no flag  here\n"
                                     "  --last\n");
    struct ops_usage_item item = { 0 };
    expect(&rest, OPS_USAGE_FILE, "[FILE]", "");
    expect(&rest, OPS_USAGE_FLAG, "--secret-file", "F");
    expect(&rest, OPS_USAGE_FLAG, "--servers", "");
    expect(&rest, OPS_USAGE_FLAG, "-o", "table|json");
    expect(&rest, OPS_USAGE_WORD, "stop", "");
    expect(&rest, OPS_USAGE_WORD, "one|two", "");
    expect(&rest, OPS_USAGE_OTHER, "WHAT", "");
    expect(&rest, OPS_USAGE_OTHER, "(no", "");
    expect(&rest, OPS_USAGE_FLAG, "--last", "");
    CU_ASSERT_FALSE(ops_usage_next(&rest, &item));

    struct sl_span nothing = sl_span_of("");
    CU_ASSERT_FALSE(ops_usage_next(&nothing, &item));
}

CLAIM(usage__a_choice_is_a_list_of_words)
{
    CU_ASSERT_TRUE(ops_usage_is_choice(SL_SPAN_LITERAL("table|json")));
    CU_ASSERT_FALSE(ops_usage_is_choice(SL_SPAN_LITERAL("F")));
    CU_ASSERT_FALSE(ops_usage_is_choice(SL_SPAN_LITERAL("json")));
    CU_ASSERT_FALSE(ops_usage_is_choice(SL_SPAN_LITERAL("")));
}
