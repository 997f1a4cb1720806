#include "ops/commands.h"

#include <stdio.h>
#include <string.h>

#include "shared/nearest.h"
#include "tests/support/claims.h"

CLAIM(commands__every_one_has_a_purpose_an_example_and_is_found_by_its_name)
{
    const struct ops_command *command = NULL;
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        CU_ASSERT_PTR_EQUAL(ops_commands_find(command->name), command);
        CU_ASSERT_TRUE(strlen(command->purpose) > 10);
        CU_ASSERT_PTR_NOT_NULL(command->run);
        char start[128];
        snprintf(start, sizeof start, "sluice %s", command->name);
        CU_ASSERT_EQUAL(strncmp(command->example, start, strlen(start)), 0);
        size_t bytes = strlen(command->usage);
        CU_ASSERT_TRUE(bytes == 0 || command->usage[bytes - 1] == '\n');
    }
    CU_ASSERT_PTR_NULL(ops_commands_find("topology"));
    CU_ASSERT_PTR_NULL(ops_commands_find(""));
}

static const char *const words[] = { "trigger", "topology apply", "topology diff", "sign", NULL };

static const char *next_word(const void *arg, size_t i)
{
    (void)arg;
    return words[i];
}

CLAIM(nearest__suggests_a_slip_and_not_a_guess)
{
    CU_ASSERT_STRING_EQUAL(sl_nearest_of(sl_span_of("triger"), next_word, NULL), "trigger");
    CU_ASSERT_STRING_EQUAL(sl_nearest_of(sl_span_of("topology dif"), next_word, NULL),
                           "topology diff");
    CU_ASSERT_STRING_EQUAL(sl_nearest_of(sl_span_of("sgin"), next_word, NULL), "sign");
    CU_ASSERT_PTR_NULL(sl_nearest_of(sl_span_of("frobnicate"), next_word, NULL));
    CU_ASSERT_PTR_NULL(sl_nearest_of(sl_span_of(""), next_word, NULL));
}

CLAIM(nearest__counts_edits)
{
    CU_ASSERT_EQUAL(sl_nearest_edits(sl_span_of(""), sl_span_of("")), 0);
    CU_ASSERT_EQUAL(sl_nearest_edits(sl_span_of("abc"), sl_span_of("")), 3);
    CU_ASSERT_EQUAL(sl_nearest_edits(sl_span_of("kitten"), sl_span_of("sitting")), 3);
}
