#include "consumer/options.h"
#include "tests/support/claims.h"

static struct con_options options;
static struct sl_err why;

static bool parse(int count, char *const *words)
{
    options = (struct con_options){ 0 };
    why = (struct sl_err){ 0 };
    return con_options_parse(count, words, &options, &why);
}

CLAIM(options__nothing_means_every_enabled_subsystem)
{
    CU_ASSERT_TRUE(parse(1, (char *[]){ "p" }));
    CU_ASSERT_EQUAL(options.mode, CON_MODE_RUN);
    CU_ASSERT_EQUAL(options.name_count, 0);
}

CLAIM(options__names_and_one_flag_are_taken)
{
    CU_ASSERT_TRUE(parse(4, (char *[]){ "p", "billing", "--check", "other" }));
    CU_ASSERT_EQUAL(options.mode, CON_MODE_CHECK);
    CU_ASSERT_EQUAL_FATAL(options.name_count, 2);
    CU_ASSERT_STRING_EQUAL(options.names[1], "other");
    CU_ASSERT_TRUE(parse(2, (char *[]){ "p", "-h" }));
    CU_ASSERT_EQUAL(options.mode, CON_MODE_HELP);
}

CLAIM(options__mistakes_get_one_precise_sentence)
{
    CU_ASSERT_FALSE(parse(2, (char *[]){ "p", "--chek" }));
    CU_ASSERT_STRING_EQUAL(why.text, "there is no flag \"--chek\"; did you mean --check");
    CU_ASSERT_FALSE(parse(2, (char *[]){ "p", "--nothing-like-it" }));
    CU_ASSERT_STRING_EQUAL(why.text, "there is no flag \"--nothing-like-it\"; see --help");
    CU_ASSERT_FALSE(parse(3, (char *[]){ "p", "a", "a" }));
    CU_ASSERT_STRING_EQUAL(why.text, "subsystem \"a\" is named twice");
    CU_ASSERT_FALSE(parse(3, (char *[]){ "p", "--check", "--help" }));
    CU_ASSERT_EQUAL(why.code, SL_E_USAGE);
}
