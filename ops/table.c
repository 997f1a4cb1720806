#include "ops/table.h"

#include <ctype.h>
#include <string.h>

#include "shared/json/json_write.h"

#define TABLE_BYTES_MAX (64u * 1024u * 1024u)
#define TITLE_BYTES     64u
#define GAP             2 /* spaces between columns */

struct ops_row {
    struct ops_row *next;
    struct sl_span *cells;
};

static void print_text(const struct ops_table *table, FILE *stream);
static bool print_json(const struct ops_table *table, enum ops_output output, FILE *stream,
                       struct sl_err *err);
static void put_row(struct sl_json_writer *json, const struct ops_table *table,
                    const struct ops_row *row);
static void put_yes_no(struct sl_json_writer *json, const char *key, struct sl_span cell);
static void name_key(const char *title, char out_key[TITLE_BYTES]);
static void print_csv(const struct ops_table *table, FILE *stream);
static void print_csv_cell(struct sl_span cell, FILE *stream);
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
    switch (output) {
    case OPS_OUTPUT_TABLE:
        print_text(table, stream);
        break;
    case OPS_OUTPUT_CSV:
        print_csv(table, stream);
        break;
    case OPS_OUTPUT_JSON:
    case OPS_OUTPUT_NDJSON:
        if (!print_json(table, output, stream, err)) {
            return false;
        }
        break;
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
    while (count > 0 &&
           (cells[count - 1].bytes == 0 || table->columns[count - 1].is_for_programs)) {
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        int pad = (int)(widths[i] - cells[i].bytes);
        if (table->columns[i].is_for_programs) {
            continue;
        }
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

static bool print_json(const struct ops_table *table, enum ops_output output, FILE *stream,
                       struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, TABLE_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&text);
    if (output == OPS_OUTPUT_JSON) {
        sl_json_array_begin(&json);
    }
    for (const struct ops_row *row = table->first; row != NULL; row = row->next) {
        put_row(&json, table, row);
        if (output == OPS_OUTPUT_NDJSON) {
            sl_buf_append_char(&text, '\n');
            json.needs_comma = false;
        }
    }
    if (output == OPS_OUTPUT_JSON) {
        sl_json_array_end(&json);
        sl_buf_append_char(&text, '\n');
    }
    if (!sl_buf_ok(&text)) {
        return sl_fail(err, SL_E_MEMORY, "the table does not fit into memory");
    }
    fwrite(sl_buf_span(&text).data, 1, text.used_bytes, stream);
    return true;
}

static void put_row(struct sl_json_writer *json, const struct ops_table *table,
                    const struct ops_row *row)
{
    sl_json_object_begin(json);
    for (size_t i = 0; i < table->column_count; i++) {
        char key[TITLE_BYTES];
        name_key(table->columns[i].title, key);
        if (table->columns[i].is_yes_no) {
            put_yes_no(json, key, row->cells[i]);
        } else if (!table->columns[i].is_number) {
            sl_json_put_text(json, key, row->cells[i]);
        } else if (row->cells[i].bytes == 0) {
            sl_json_put_null(json, key);
        } else {
            sl_json_put_raw(json, key, row->cells[i]);
        }
    }
    sl_json_object_end(json);
}

static void put_yes_no(struct sl_json_writer *json, const char *key, struct sl_span cell)
{
    if (sl_span_is(cell, "yes") || sl_span_is(cell, "no")) {
        sl_json_put_bool(json, key, sl_span_is(cell, "yes"));
    } else {
        sl_json_put_null(json, key);
    }
}

static void name_key(const char *title, char out_key[TITLE_BYTES])
{
    snprintf(out_key, TITLE_BYTES, "%s", title);
    for (char *at = out_key; *at != '\0'; at++) {
        *at = *at == ' ' ? '_' : (char)tolower((unsigned char)*at);
    }
}

/* A head line, then a line a row, each ended by CR LF. */
static void print_csv(const struct ops_table *table, FILE *stream)
{
    for (size_t i = 0; i < table->column_count; i++) {
        char key[TITLE_BYTES];
        name_key(table->columns[i].title, key);
        fprintf(stream, "%s%s", i == 0 ? "" : ",", key);
    }
    fputs("\r\n", stream);
    for (const struct ops_row *row = table->first; row != NULL; row = row->next) {
        for (size_t i = 0; i < table->column_count; i++) {
            fputs(i == 0 ? "" : ",", stream);
            print_csv_cell(row->cells[i], stream);
        }
        fputs("\r\n", stream);
    }
}

/* A cell that a spreadsheet would take for a formula gets an apostrophe in front. */
static void print_csv_cell(struct sl_span cell, FILE *stream)
{
    bool is_formula = cell.bytes > 0 && strchr("=+-@\t\r", cell.data[0]) != NULL;
    bool is_quoted = is_formula;
    for (size_t i = 0; i < cell.bytes && !is_quoted; i++) {
        is_quoted = strchr(",\"\r\n", cell.data[i]) != NULL;
    }
    if (!is_quoted) {
        fwrite(cell.data, 1, cell.bytes, stream);
        return;
    }
    fputs(is_formula ? "\"'" : "\"", stream);
    for (size_t i = 0; i < cell.bytes; i++) {
        fputs(cell.data[i] == '"' ? "\"" : "", stream);
        fputc(cell.data[i], stream);
    }
    fputc('"', stream);
}
