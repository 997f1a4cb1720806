#include "consumer/statements.h"

#include "shared/embed.h"

extern const struct sl_embedded embedded_consumer_sql[];
extern const size_t embedded_consumer_sql_count;

static bool is_file_of(const char *file, const char *name);

void con_statements_add(struct con_statements *statements, const char *name)
{
    SL_ASSERT(statements->count < CON_STATEMENTS_MAX);
    statements->items[statements->count++] =
        (struct sl_pg_statement){ .name = name, .sql = con_statements_text(name) };
}

const char *con_statements_text(const char *name)
{
    for (size_t i = 0; i < embedded_consumer_sql_count; i++) {
        if (is_file_of(embedded_consumer_sql[i].name, name)) {
            return embedded_consumer_sql[i].data;
        }
    }
    sl_assert_failed("the statement is among the embedded files", __FILE__, __LINE__, name);
}

static bool is_file_of(const char *file, const char *name)
{
    size_t bytes = strlen(name);
    return strncmp(file, name, bytes) == 0 && strcmp(file + bytes, ".sql") == 0;
}
