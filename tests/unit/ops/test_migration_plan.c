/* What a database says it has, against what a program brings. */
#include "ops/migrate/migration_plan.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/claims.h"

#define FILE_OF(name_, text_)                                                                      \
    {                                                                                              \
        .name = (name_), .data = (text_), .end = (text_) + sizeof(text_) - 1                       \
    }

static const char one[] = "CREATE TABLE one ();";
static const char two[] = "CREATE TABLE two ();";
static const char five[] = "CREATE TABLE five ();";

static const struct sl_embedded files[] = {
    FILE_OF("0001_one.sql", one),
    FILE_OF("0002_two.sql", two),
    FILE_OF("0005_five.sql", five),
};

static struct ops_migration_plan plan;

/* A row as the database would have it, for the text it was applied with. */
static struct ops_migration_applied row(int64_t version, const char *text)
{
    struct ops_migration_applied applied = { .version = version, .applied_at = "2026-01-02" };
    uint8_t hash[SL_SHA256_BYTES];
    snprintf(applied.name, sizeof applied.name, "%04lld_x.sql", (long long)version);
    CU_ASSERT_TRUE(sl_sha256(sl_span_of(text), hash));
    sl_hex_encode(hash, sizeof hash, applied.checksum);
    return applied;
}

static const char *states(void)
{
    static char text[256];
    text[0] = '\0';
    for (size_t i = 0; i < plan.count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%lld:%s", i == 0 ? "" : " ",
                 (long long)plan.items[i].version, ops_migration_state_name(plan.items[i].state));
    }
    return text;
}

static const char *make(const struct ops_migration_applied *applied, size_t count)
{
    CU_ASSERT_TRUE(ops_migration_plan_make(files, SL_COUNT(files), applied, count, &plan, NULL));
    return states();
}

CLAIM(migration_plan__an_empty_database_gets_everything)
{
    struct sl_err err;
    CU_ASSERT_STRING_EQUAL(make(NULL, 0), "1:pending 2:pending 5:pending");
    CU_ASSERT_EQUAL(plan.pending_count, 3);
    CU_ASSERT_EQUAL(plan.version, 0);
    CU_ASSERT_TRUE(ops_migration_plan_verdict(&plan, &err));
}

CLAIM(migration_plan__an_older_database_gets_the_rest)
{
    struct sl_err err;
    struct ops_migration_applied applied[] = { row(1, one), row(2, two) };
    CU_ASSERT_STRING_EQUAL(make(applied, 2), "1:applied 2:applied 5:pending");
    CU_ASSERT_EQUAL(plan.pending_count, 1);
    CU_ASSERT_EQUAL(plan.version, 2);
    CU_ASSERT_TRUE(ops_migration_plan_verdict(&plan, &err));
}

CLAIM(migration_plan__an_up_to_date_database_gets_nothing)
{
    struct sl_err err;
    struct ops_migration_applied applied[] = { row(1, one), row(2, two), row(5, five) };
    CU_ASSERT_STRING_EQUAL(make(applied, 3), "1:applied 2:applied 5:applied");
    CU_ASSERT_EQUAL(plan.pending_count, 0);
    CU_ASSERT_TRUE(ops_migration_plan_verdict(&plan, &err));
}

CLAIM(migration_plan__an_edited_file_is_drift)
{
    struct sl_err err;
    struct ops_migration_applied applied[] = { row(1, "CREATE TABLE other ();") };
    CU_ASSERT_STRING_EQUAL(make(applied, 1), "1:edited 2:pending 5:pending");
    CU_ASSERT_FALSE(ops_migration_plan_verdict(&plan, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_PG_DRIFT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "0001_one.sql"));
}

CLAIM(migration_plan__a_newer_database_is_drift)
{
    struct sl_err err;
    struct ops_migration_applied applied[] = { row(1, one), row(2, two), row(5, five),
                                               row(6, "x") };
    CU_ASSERT_STRING_EQUAL(make(applied, 4), "1:applied 2:applied 5:applied 6:unknown");
    CU_ASSERT_FALSE(ops_migration_plan_verdict(&plan, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_PG_DRIFT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "newer"));
}

CLAIM(migration_plan__a_file_slipped_in_below_an_applied_one_is_drift)
{
    struct sl_err err;
    struct ops_migration_applied applied[] = { row(1, one), row(3, "x"), row(5, five) };
    CU_ASSERT_STRING_EQUAL(make(applied, 3), "1:applied 2:missed 3:unknown 5:applied");
    CU_ASSERT_EQUAL(plan.pending_count, 0);
    CU_ASSERT_FALSE(ops_migration_plan_verdict(&plan, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_PG_DRIFT);
}

CLAIM(migration_plan__refuses_files_with_odd_names)
{
    static const char *const names[] = { "1_one.sql", "0001-one.sql", "0001_one.txt",
                                         "one.sql",   "00001_a.sql",  "0000_a.sql",
                                         "",          "0001",         "0001_one.sql " };
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        struct sl_embedded odd = { .name = names[i], .data = one, .end = one + 1 };
        struct sl_err err = { 0 };
        CU_ASSERT_FALSE(ops_migration_plan_make(&odd, 1, NULL, 0, &plan, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_BUG);
    }
    struct sl_embedded twice[] = { files[0], files[0] };
    struct sl_embedded backwards[] = { files[1], files[0] };
    CU_ASSERT_FALSE(ops_migration_plan_make(twice, 2, NULL, 0, &plan, NULL));
    CU_ASSERT_FALSE(ops_migration_plan_make(backwards, 2, NULL, 0, &plan, NULL));
}

CLAIM(migration_plan__the_files_of_this_program_are_in_order)
{
    extern const struct sl_embedded embedded_migrations[];
    extern const size_t embedded_migrations_count;
    struct sl_err err;
    CU_ASSERT_TRUE(ops_migration_plan_make(embedded_migrations, embedded_migrations_count, NULL, 0,
                                           &plan, &err));
    CU_ASSERT_EQUAL(plan.pending_count, embedded_migrations_count);
    CU_ASSERT(plan.count > 0);
}
