#include "ops/table.h"

#include <ctype.h>
#include <string.h>

#include "shared/json_write.h"

#define TABLE_BYTES_MAX (64u * 1024u * 1024u)
#define TITLE_BYTES     64u
#define GAP             2 /* spaces between columns */

struct ops_row {
    struct ops_row *next;
    struct sl_span *cells;
};

static void print_text(const struct ops_table *table, FILE *stream);
static bool print_json(const struct ops_table *table, FILE *stream, struct sl_err *err);
static void measure(const struct ops_table *table, size_t *out_widths);
static void print_row(const struct ops_table *table, const struct sl_span *cells,
                      const size_t *widths, FILE *stream);

void ops_table_init(struct ops_table *table, const struct ops_column *columns, size_t count)
{
    SL_ASSERT(count > 0 && count <= OPS_TABLE_COLUMNS_MAX);
    *table = (struct ops_table){ .columns = columns, .column_count = count };
    table->last = &table->first;
    sl_arena_init(&table->arena, TABLE_BYTES_MAX);
}

void ops_table_done(struct ops_table *table)
{
    if (table->columns != NULL) {
        sl_arena_done(&table->arena);
    }
}

void ops_table_add(struct ops_table *table, const char *const *cells)
{
    struct ops_row *row = sl_arena_alloc(&table->arena, sizeof *row);
    struct sl_span *copies = sl_arena_array(&table->arena, table->column_count, sizeof *copies);
    if (row == NULL || copies == NULL) {
        table->failed = true;
        return;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        copies[i] = sl_arena_copy(&table->arena, sl_span_of(cells[i] == NULL ? "" : cells[i]));
        if (copies[i].data == NULL) {
            table->failed = true;
            return;
        }
    }
    row->cells = copies;
    *table->last = row;
    table->last = &row->next;
    table->row_count++;
}

bool ops_table_print(const struct ops_table *table, enum ops_output output, FILE *stream,
                     struct sl_err *err)
{
    if (table->failed) {
        return sl_fail(err, SL_E_MEMORY, "the table does not fit into memory");
    }
    if (output == OPS_OUTPUT_JSON) {
        if (!print_json(table, stream, err)) {
            return false;
        }
    } else {
        print_text(table, stream);
    }
    if (fflush(stream) != 0 || ferror(stream)) {
        return sl_fail(err, SL_E_IO, "cannot write the table");
    }
    return true;
}

static void print_text(const struct ops_table *table, FILE *stream)
{
    size_t widths[OPS_TABLE_COLUMNS_MAX] = { 0 };
    struct sl_span titles[OPS_TABLE_COLUMNS_MAX];
    measure(table, widths);
    for (size_t i = 0; i < table->column_count; i++) {
        titles[i] = sl_span_of(table->columns[i].title);
    }
    print_row(table, titles, widths, stream);
    for (const struct ops_row *row = table->first; row != NULL; row = row->next) {
        print_row(table, row->cells, widths, stream);
    }
}

static void measure(const struct ops_table *table, size_t *out_widths)
{
    for (size_t i = 0; i < table->column_count; i++) {
        out_widths[i] = strlen(table->columns[i].title);
    }
    for (const struct ops_row *row = table->first; row != NULL; row = row->next) {
        for (size_t i = 0; i < table->column_count; i++) {
            if (row->cells[i].bytes > out_widths[i]) {
                out_widths[i] = row->cells[i].bytes;
            }
        }
    }
}

/* Nothing is padded behind the last cell that says something, so that no line ends in spaces. */
static void print_row(const struct ops_table *table, const struct sl_span *cells,
                      const size_t *widths, FILE *stream)
{
    size_t count = table->column_count;
    while (count > 0 && cells[count - 1].bytes == 0) {
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        int pad = (int)(widths[i] - cells[i].bytes);
        bool is_number = table->columns[i].is_number;
        if (is_number) {
            fprintf(stream, "%*s", pad, "");
        }
        for (size_t j = 0; j < cells[i].bytes; j++) {
            char byte = cells[i].data[j];
            fputc(iscntrl((unsigned char)byte) ? '?' : byte, stream);
        }
        if (i + 1 < count) {
            fprintf(stream, "%*s", GAP + (is_number ? 0 : pad), "");
        }
    }
    fputc('\n', stream);
}

static bool print_json(const struct ops_table *table, FILE *stream, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, TABLE_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&text);
    sl_json_array_begin(&json);
    for (const struct ops_row *row = table->first; row != NULL; row = row->next) {
        sl_json_object_begin(&json);
        for (size_t i = 0; i < table->column_count; i++) {
            char key[TITLE_BYTES];
            snprintf(key, sizeof key, "%s", table->columns[i].title);
            for (char *at = key; *at != '\0'; at++) {
                *at = *at == ' ' ? '_' : (char)tolower((unsigned char)*at);
            }
            if (!table->columns[i].is_number) {
                sl_json_put_text(&json, key, row->cells[i]);
            } else if (row->cells[i].bytes == 0) {
                sl_json_put_null(&json, key);
            } else {
                sl_json_put_raw(&json, key, row->cells[i]);
            }
        }
        sl_json_object_end(&json);
    }
    sl_json_array_end(&json);
    sl_buf_append_char(&text, '\n');
    if (!sl_buf_ok(&text)) {
        return sl_fail(err, SL_E_MEMORY, "the table does not fit into memory");
    }
    fwrite(text.data, 1, text.used_bytes, stream);
    return true;
}
