/*
 * table - rows for people (aligned columns) and the same rows for programs: a JSON array of objects, one object a line (ndjson), or CSV as in RFC 4180.
 *
 * Owns copies of its cells. Control characters in a cell (text of a server, a file's name) are shown as '?', so that a terminal is never driven by data.
 * Refuses: borders, colours, cutting a cell.
 * Threads: one owner.
 */
#ifndef OPS_TABLE_H
#define OPS_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "ops/flags.h"
#include "shared/arena.h"

#define OPS_TABLE_COLUMNS_MAX 20u

struct ops_column {
    const char *title;    /* as printed; the JSON key is its lower case with '_' for ' ' */
    bool is_number;       /* right-aligned; a bare number in JSON, null when empty */
    bool is_yes_no;       /* true or false in JSON, null when neither */
    bool is_for_programs; /* left out for people */
};

struct ops_table {
    const struct ops_column *columns; /* borrowed */
    size_t column_count;
    struct ops_row *first;
    struct ops_row **last;
    size_t row_count;
    struct sl_arena arena;
    bool failed; /* out of memory: print reports it */
};

void ops_table_init(struct ops_table *table, const struct ops_column *columns, size_t count);
void ops_table_done(struct ops_table *table);

/* cells has column_count texts; NULL is an empty cell. Copies. */
void ops_table_add(struct ops_table *table, const char *const *cells);

/* False when a row was lost for want of memory, or the stream failed. */
bool ops_table_print(const struct ops_table *table, enum ops_output output, FILE *stream,
                     struct sl_err *err) SL_MUST;

#endif
