#include "ops/pg_table.h"

bool ops_pg_table_print(const struct ops_pg_rows *rows, const struct ops_column *columns,
                        size_t count, enum ops_output output, struct sl_err *err)
{
    return ops_pg_table_print_to(rows, columns, count, output, stdout, err);
}

bool ops_pg_table_print_to(const struct ops_pg_rows *rows, const struct ops_column *columns,
                           size_t count, enum ops_output output, FILE *stream, struct sl_err *err)
{
    SL_ASSERT(rows->row_count == 0 || rows->column_count == count);
    SL_ASSERT(count <= OPS_TABLE_COLUMNS_MAX);
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, count);
    for (size_t row = 0; row < rows->row_count; row++) {
        const char *cells[OPS_TABLE_COLUMNS_MAX];
        for (size_t column = 0; column < count; column++) {
            cells[column] = ops_pg_cell_text(rows, row, column);
        }
        ops_table_add(&table, cells);
    }
    return ops_table_print(&table, output, stream, err);
}
