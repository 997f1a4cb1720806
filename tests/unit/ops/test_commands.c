#include "ops/commands.h"

#include <stdio.h>
#include <string.h>

#include "ops/command_table.h"
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
