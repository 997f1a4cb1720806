#include <stdio.h>
#include <string.h>

#include "shared/config/ini.h"
#include "tests/support/claims.h"

/* What the visitor saw, as text: "[a]@1 k=v@2 ". */
struct seen {
    char text[512];
};

static void see_section(void *arg, struct sl_span name, size_t line)
{
    struct seen *seen = arg;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "[%.*s]@%zu ", SL_SPAN_ARGS(name), line);
}

static void see_pair(void *arg, struct sl_span key, struct sl_span value, size_t line)
{
    struct seen *seen = arg;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%.*s=%.*s@%zu ", SL_SPAN_ARGS(key),
             SL_SPAN_ARGS(value), line);
}

static void check(const char *text, const char *expected_seen, const char *expected_mistakes)
{
    struct seen seen = { "" };
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, 4096);
    struct sl_ini_visitor visitor = { &seen, see_section, see_pair };
    sl_ini_read(sl_span_of(text), "f", &visitor, &mistakes);
    CU_ASSERT_STRING_EQUAL(seen.text, expected_seen);
    CU_ASSERT_STRING_EQUAL(sl_buf_span(&mistakes).data, expected_mistakes);
}

CLAIM(ini__sections_pairs_and_comments_are_read_with_their_lines)
{
    check("# first\n\n[a]\n k = v \n; more\nx=1=2\r\n[b-c]\nempty =",
          "[a]@3 k=v@4 x=1=2@6 [b-c]@7 empty=@8 ", "");
}

CLAIM(ini__a_pair_without_a_section_is_named)
{
    check("k = v\n", "", "f:1: a key needs a [section] above it: \"k\"\n");
}

CLAIM(ini__a_repeated_key_is_named_and_counts_once)
{
    check("[a]\nk=1\nk=2\n[b]\nk=3\n", "[a]@1 k=1@2 [b]@4 k=3@5 ",
          "f:3: this key is given twice in its section: \"k\"\n");
}

CLAIM(ini__lines_that_are_nothing_are_named)
{
    check("[a\n[]\n[a]\nword\n=1\n", "[a]@3 ",
          "f:1: a section is written [name]; the closing bracket is missing in \"[a\"\n"
          "f:2: a section needs a name\n"
          "f:4: expected [section], key = value or # comment, found \"word\"\n"
          "f:5: expected [section], key = value or # comment, found \"=1\"\n");
}

CLAIM(ini__an_empty_text_is_no_mistake)
{
    check("", "", "");
}
