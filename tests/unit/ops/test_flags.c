#include "ops/flags.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/claims.h"

struct got {
    bool all;
    const char *file;
    int64_t count;
    int64_t wait_ms;
    enum ops_output output;
    int first;
};

#define WORDS_MAX 12

/* Reads a line of words separated by spaces; up to two of them may be arguments. */
static bool read_line(const char *line, struct got *got, struct sl_err *err)
{
    static char text[512];
    char *argv[WORDS_MAX + 1] = { NULL };
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *rest = text, *word = NULL;
         argc < WORDS_MAX && (word = strsep(&rest, " ")) != NULL;) {
        argv[argc++] = word;
    }
    *got = (struct got){ .count = 7 };
    const struct ops_flag flags[] = {
        { .name = "all", .letter = 'a', .kind = OPS_FLAG_SWITCH, .out = &got->all },
        { .name = "file", .kind = OPS_FLAG_TEXT, .out = &got->file },
        { .name = "count",
          .letter = 'n',
          .kind = OPS_FLAG_COUNT,
          .out = &got->count,
          .min = 1,
          .max = 100 },
        { .name = "wait", .kind = OPS_FLAG_DURATION, .out = &got->wait_ms, .max = 60000 },
        OPS_FLAGS_OUTPUT(got->output),
    };
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 2, &got->first, err);
}

CLAIM(flags__both_spellings_and_any_order_are_read)
{
    struct got got;
    struct sl_err err = { 0 };
    CU_ASSERT_TRUE(
        read_line("cmd one --count=5 --all two --file x --wait 30s -o json", &got, &err));
    CU_ASSERT_TRUE(got.all);
    CU_ASSERT_EQUAL(got.count, 5);
    CU_ASSERT_STRING_EQUAL(got.file, "x");
    CU_ASSERT_EQUAL(got.wait_ms, 30000);
    CU_ASSERT_EQUAL(got.output, OPS_OUTPUT_JSON);
    CU_ASSERT_EQUAL(got.first, 9);
    CU_ASSERT_TRUE(read_line("cmd -an 9 --json", &got, &err));
    CU_ASSERT_EQUAL(got.count, 9);
    CU_ASSERT_EQUAL(got.output, OPS_OUTPUT_JSON);
}

CLAIM(flags__a_dry_run_wins_over_yes_wherever_it_stands)
{
    static const char *const lines[][2] = {
        { "--yes", "--dry-run" }, { "--dry-run", "--yes" }, { "-n", "-y" }, { "-yn", "-y" }
    };
    for (size_t i = 0; i < SL_COUNT(lines); i++) {
        struct sl_err err = { 0 };
        bool is_meant = false;
        int first = 0;
        const struct ops_flag flags[] = { OPS_FLAGS_MEANT(is_meant) };
        char name[] = "cmd";
        char words[2][16];
        snprintf(words[0], sizeof words[0], "%s", lines[i][0]);
        snprintf(words[1], sizeof words[1], "%s", lines[i][1]);
        char *argv[] = { name, words[0], words[1], NULL };
        CU_ASSERT_TRUE(ops_flags_read(flags, SL_COUNT(flags), 3, argv, 0, 0, &first, &err));
        CU_ASSERT_FALSE(is_meant);
    }
}

CLAIM(flags__what_is_not_given_keeps_its_value)
{
    struct got got;
    struct sl_err err = { 0 };
    CU_ASSERT_TRUE(read_line("cmd", &got, &err));
    CU_ASSERT_EQUAL(got.count, 7);
    CU_ASSERT_EQUAL(got.first, 1);
}

CLAIM(flags__after_two_dashes_everything_is_an_argument)
{
    struct got got;
    struct sl_err err = { 0 };
    CU_ASSERT_TRUE(read_line("cmd -- --all -x", &got, &err));
    CU_ASSERT_FALSE(got.all);
    CU_ASSERT_EQUAL(got.first, 2);
}

static const struct {
    const char *line;
    const char *said;
} mistakes[] = {
    { "cmd --al", "there is no flag --al; did you mean --all?" },
    { "cmd --frobnicate", "there is no flag --frobnicate" },
    { "cmd --coutn=3", "did you mean --count?" },
    { "cmd -z", "there is no flag -z here" },
    { "cmd --count", "--count needs a value" },
    { "cmd -n", "-n needs a value" },
    { "cmd --count 0", "--count takes a whole number from 1 to 100, not '0'" },
    { "cmd --count 5x", "not '5x'" },
    { "cmd --count -5", "--count takes a whole number" },
    { "cmd --wait 5", "--wait takes a duration with its unit" },
    { "cmd --wait 2m", "--wait must be between 0s and 1m" },
    { "cmd --all=yes", "--all takes no value" },
    { "cmd --file=", "--file needs a value that is not empty" },
    { "cmd -o jsn", "--output is not 'jsn'; did you mean json?" },
    { "cmd -o yaml", "--output is table or json, not 'yaml'" },
    { "cmd a b c", "'c' is one argument too many" },
};

CLAIM(flags__a_mistake_is_one_sentence_that_names_it)
{
    for (size_t i = 0; i < SL_COUNT(mistakes); i++) {
        struct got got;
        struct sl_err err = { 0 };
        CU_ASSERT_FALSE(read_line(mistakes[i].line, &got, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_USAGE);
        bool is_said = strstr(err.text, mistakes[i].said) != NULL;
        if (!is_said) {
            fprintf(stderr, "%s: %s\n", mistakes[i].line, err.text);
        }
        CU_ASSERT_TRUE(is_said);
    }
}

CLAIM(flags__only_a_command_of_rows_takes_ndjson_and_csv)
{
    struct got got;
    struct sl_err err = { 0 };
    enum ops_output output = OPS_OUTPUT_TABLE;
    const struct ops_flag rows[] = { OPS_FLAGS_ROWS(output) };
    char name[] = "cmd", flag[] = "-o", csv[] = "csv", xml[] = "xml";
    char *argv[] = { name, flag, csv, NULL };
    int first = 0;
    CU_ASSERT_FALSE(read_line("cmd -o csv", &got, &err));
    CU_ASSERT_STRING_EQUAL(err.text, "--output is table or json, not 'csv'");
    CU_ASSERT_TRUE(ops_flags_read(rows, SL_COUNT(rows), 3, argv, 0, 0, &first, &err));
    CU_ASSERT_EQUAL(output, OPS_OUTPUT_CSV);
    argv[2] = xml;
    CU_ASSERT_FALSE(ops_flags_read(rows, SL_COUNT(rows), 3, argv, 0, 0, &first, &err));
    CU_ASSERT_STRING_EQUAL(err.text, "--output is table, json, ndjson or csv, not 'xml'");
}
