#include "ops/table.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/claims.h"

/* Two rows with what a format has to be careful about. */
static char *printed(enum ops_output output)
{
    static const struct ops_column columns[] = { { .title = "ID", .is_number = true },
                                                 { .title = "LAST SEEN" } };
    const char *const first[] = { "7", "a \"b\", c" };
    const char *const second[] = { "", "=1+1\x1b" };
    char *text = NULL;
    size_t bytes = 0;
    struct sl_err err;
    FILE *stream = open_memstream(&text, &bytes);
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    ops_table_add(&table, first);
    ops_table_add(&table, second);
    CU_ASSERT_TRUE(ops_table_print(&table, output, stream, &err));
    (void)fclose(stream);
    return text;
}

static void expect(enum ops_output output, const char *right)
{
    char *text = printed(output);
    CU_ASSERT_STRING_EQUAL(text, right);
    free(text);
}

CLAIM(table__people_get_columns_and_no_control_characters)
{
    expect(OPS_OUTPUT_TABLE, "ID  LAST SEEN\n 7  a \"b\", c\n    =1+1?\n");
}

CLAIM(table__programs_get_json_as_a_list_or_a_line_a_row)
{
    expect(OPS_OUTPUT_JSON, "[{\"id\":7,\"last_seen\":\"a \\\"b\\\", c\"},"
                            "{\"id\":null,\"last_seen\":\"=1+1\\u001b\"}]\n");
    expect(OPS_OUTPUT_NDJSON, "{\"id\":7,\"last_seen\":\"a \\\"b\\\", c\"}\n"
                              "{\"id\":null,\"last_seen\":\"=1+1\\u001b\"}\n");
}

CLAIM(table__spreadsheets_get_csv_in_which_no_cell_is_a_formula)
{
    expect(OPS_OUTPUT_CSV, "id,last_seen\r\n7,\"a \"\"b\"\", c\"\r\n,\"'=1+1\x1b\"\r\n");
}
