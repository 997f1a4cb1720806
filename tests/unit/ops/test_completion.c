#include "ops/completion.h"

#include <stdlib.h>
#include <string.h>

#include "ops/command_table.h"
#include "ops/manual.h"
#include "ops/usage.h"
#include "tests/support/claims.h"

/* What one of the writers writes; free it. */
static char *written(const char *shell)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (shell == NULL) {
        ops_manual_write(out);
    } else {
        CU_ASSERT_TRUE(ops_completion_write(shell, out));
    }
    fclose(out);
    return text;
}

static bool has(const char *text, const char *before, const char *name, const char *behind)
{
    char line[256];
    snprintf(line, sizeof line, "%s%s%s", before, name, behind);
    return strstr(text, line) != NULL;
}

CLAIM(completion__every_command_and_every_flag_of_its_help_is_in_every_script)
{
    static const char *const shells[] = { "bash", "zsh", "fish" };
    for (size_t s = 0; s < SL_COUNT(shells); s++) {
        char *script = written(shells[s]);
        const struct ops_command *command = NULL;
        for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
            CU_ASSERT_TRUE(has(script, "'", command->name, "'"));
            struct sl_span rest = sl_span_of(command->usage);
            struct ops_usage_item item = { 0 };
            while (ops_usage_next(&rest, &item)) {
                char flag[64];
                snprintf(flag, sizeof flag, "%.*s", SL_SPAN_ARGS(item.text));
                bool is_long = strncmp(flag, "--", 2) == 0;
                if (item.kind == OPS_USAGE_FLAG && s == 2) {
                    CU_ASSERT_TRUE(has(script, is_long ? " -l " : " -s ", flag + 1 + is_long, ""));
                } else if (item.kind == OPS_USAGE_FLAG) {
                    CU_ASSERT_TRUE(has(script, " ", flag, ""));
                }
            }
        }
        free(script);
    }
}

CLAIM(completion__an_unknown_shell_gets_nothing)
{
    CU_ASSERT_FALSE(ops_completion_write("tcsh", stdout));
}

CLAIM(manual__every_command_has_its_section)
{
    char *page = written(NULL);
    const struct ops_command *command = NULL;
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        CU_ASSERT_TRUE(has(page, ".Ss ", command->name, "\n"));
    }
    static const char *const parts[] = { ".It Ev AMQP_URL\n", ".Sh FILES\n",    ".Sh EXIT STATUS\n",
                                         ".Sh SIGNALS\n",     ".Sh SEE ALSO\n", ".Ev NO_COLOR\n" };
    for (size_t i = 0; i < SL_COUNT(parts); i++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(page, parts[i]));
    }
    free(page);
}
