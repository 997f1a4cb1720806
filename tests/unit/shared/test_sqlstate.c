/* Every row of shared/pg/sqlstate.def, and the rules around the table. */
#include "shared/pg/sqlstate.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/claims.h"

struct expectation {
    const char *sqlstate;
    enum sl_code code;
};

/* One line per rule that the apply loop relies on: written by hand, not taken from the table it tests. */
static const struct expectation expectations[] = {
    { "03000", SL_E_PG_HALT },       { "08000", SL_E_PG_SYSTEMIC },
    { "08001", SL_E_PG_SYSTEMIC },   { "08003", SL_E_PG_SYSTEMIC },
    { "08004", SL_E_PG_SYSTEMIC },   { "08006", SL_E_PG_SYSTEMIC },
    { "08007", SL_E_PG_SYSTEMIC },   { "08P01", SL_E_PG_HALT },
    { "09000", SL_E_PG_HALT },       { "0A000", SL_E_PG_HALT },
    { "0B000", SL_E_PG_HALT },       { "0F001", SL_E_PG_HALT },
    { "0LP01", SL_E_PG_HALT },       { "0P000", SL_E_PG_HALT },
    { "0Z002", SL_E_PG_HALT },       { "20000", SL_E_PG_HALT },
    { "21000", SL_E_PG_HALT },       { "22000", SL_E_PG_PERMANENT },
    { "22001", SL_E_PG_PERMANENT },  { "22003", SL_E_PG_PERMANENT },
    { "22007", SL_E_PG_PERMANENT },  { "22008", SL_E_PG_PERMANENT },
    { "22021", SL_E_PG_PERMANENT },  { "22023", SL_E_PG_PERMANENT },
    { "22P02", SL_E_PG_PERMANENT },  { "22P03", SL_E_PG_PERMANENT },
    { "22P05", SL_E_PG_PERMANENT },  { "22030", SL_E_PG_PERMANENT },
    { "2203F", SL_E_PG_PERMANENT },  { "23000", SL_E_PG_PERMANENT },
    { "23001", SL_E_PG_PERMANENT },  { "23502", SL_E_PG_PERMANENT },
    { "23503", SL_E_PG_ITEM },       { "23505", SL_E_PG_ITEM },
    { "23514", SL_E_PG_PERMANENT },  { "23P01", SL_E_PG_PERMANENT },
    { "24000", SL_E_PG_HALT },       { "25000", SL_E_PG_HALT },
    { "25001", SL_E_PG_HALT },       { "25006", SL_E_PG_SYSTEMIC },
    { "25P01", SL_E_PG_HALT },       { "25P02", SL_E_PG_HALT },
    { "25P03", SL_E_PG_SYSTEMIC },   { "25P04", SL_E_PG_SYSTEMIC },
    { "26000", SL_E_PG_HALT },       { "27000", SL_E_PG_SYSTEMIC },
    { "28000", SL_E_PG_UNREADY },    { "28P01", SL_E_PG_UNREADY },
    { "2BP01", SL_E_PG_HALT },       { "2D000", SL_E_PG_HALT },
    { "2F005", SL_E_PG_HALT },       { "34000", SL_E_PG_HALT },
    { "38000", SL_E_PG_HALT },       { "39P01", SL_E_PG_HALT },
    { "3B001", SL_E_PG_HALT },       { "3D000", SL_E_PG_HALT },
    { "3F000", SL_E_PG_UNREADY },    { "40000", SL_E_PG_CONTENTION },
    { "40001", SL_E_PG_CONTENTION }, { "40002", SL_E_PG_ITEM },
    { "40003", SL_E_PG_SYSTEMIC },   { "40P01", SL_E_PG_CONTENTION },
    { "42501", SL_E_PG_HALT },       { "42601", SL_E_PG_HALT },
    { "42703", SL_E_PG_UNREADY },    { "42883", SL_E_PG_UNREADY },
    { "42P01", SL_E_PG_UNREADY },    { "42P05", SL_E_PG_HALT },
    { "44000", SL_E_PG_HALT },       { "53000", SL_E_PG_SYSTEMIC },
    { "53100", SL_E_PG_SYSTEMIC },   { "53200", SL_E_PG_SYSTEMIC },
    { "53300", SL_E_PG_SYSTEMIC },   { "53400", SL_E_PG_SYSTEMIC },
    { "54000", SL_E_PG_ITEM },       { "54001", SL_E_PG_ITEM },
    { "55000", SL_E_PG_SYSTEMIC },   { "55006", SL_E_PG_SYSTEMIC },
    { "55P02", SL_E_PG_HALT },       { "55P03", SL_E_PG_CONTENTION },
    { "55P04", SL_E_PG_HALT },       { "57000", SL_E_PG_SYSTEMIC },
    { "57014", SL_E_PG_CONTENTION }, { "57P01", SL_E_PG_SYSTEMIC },
    { "57P02", SL_E_PG_SYSTEMIC },   { "57P03", SL_E_PG_SYSTEMIC },
    { "57P04", SL_E_PG_HALT },       { "57P05", SL_E_PG_SYSTEMIC },
    { "58000", SL_E_PG_SYSTEMIC },   { "58030", SL_E_PG_SYSTEMIC },
    { "58P01", SL_E_PG_SYSTEMIC },   { "58P02", SL_E_PG_SYSTEMIC },
    { "72000", SL_E_PG_SYSTEMIC },   { "F0000", SL_E_PG_SYSTEMIC },
    { "HV000", SL_E_PG_SYSTEMIC },   { "P0000", SL_E_PG_HALT },
    { "P0001", SL_E_PG_PERMANENT },  { "P0002", SL_E_PG_HALT },
    { "SLRTY", SL_E_PG_ITEM },       { "SLBAD", SL_E_PG_PERMANENT },
    { "SLOUT", SL_E_PG_SYSTEMIC },   { "SLHLT", SL_E_PG_HALT },
    { "XX000", SL_E_PG_SYSTEMIC },   { "XX001", SL_E_PG_HALT },
    { "XX002", SL_E_PG_HALT },
};

struct row {
    const char *prefix;
    const char *meaning;
};

static const struct row rows[] = {
#define SL_SQLSTATE(prefix_, verdict_, session_, meaning_)                                         \
    { .prefix = (prefix_), .meaning = (meaning_) },
#include "shared/pg/sqlstate.def"
#undef SL_SQLSTATE
};

CLAIM(sqlstate__every_code_has_the_verdict_the_apply_loop_expects)
{
    for (size_t i = 0; i < SL_COUNT(expectations); i++) {
        const struct expectation *expected = &expectations[i];
        enum sl_code code = sl_sqlstate_code(expected->sqlstate);
        CU_ASSERT_EQUAL(code, expected->code);
        if (code != expected->code) {
            printf("\n  %s: %s\n", expected->sqlstate, sl_code_name(code));
        }
    }
}

CLAIM(sqlstate__every_row_is_covered_by_an_expectation)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        bool covered = false;
        for (size_t k = 0; k < SL_COUNT(expectations); k++) {
            const char *meaning = sl_sqlstate_meaning(expectations[k].sqlstate);
            covered = covered || (meaning != NULL && strcmp(meaning, rows[i].meaning) == 0);
        }
        CU_ASSERT(covered);
        if (!covered) {
            printf("\n  row \"%s\" has no expectation\n", rows[i].prefix);
        }
    }
}

CLAIM(sqlstate__prefixes_are_classes_or_codes_and_appear_once)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        size_t bytes = strlen(rows[i].prefix);
        CU_ASSERT(bytes == 2 || bytes == 5);
        for (size_t k = i + 1; k < SL_COUNT(rows); k++) {
            CU_ASSERT(strcmp(rows[i].prefix, rows[k].prefix) != 0);
        }
    }
}

CLAIM(sqlstate__what_is_unknown_is_nobodys_fault)
{
    static const char *const unknown[] = { "99000", "ZZ999", "23999", "55999", "XX999", "", "2" };
    for (size_t i = 0; i < SL_COUNT(unknown); i++) {
        CU_ASSERT_EQUAL(sl_sqlstate_code(unknown[i]), SL_E_PG_SYSTEMIC);
        CU_ASSERT_PTR_NULL(sl_sqlstate_meaning(unknown[i]));
        CU_ASSERT_FALSE(sl_sqlstate_drops_session(unknown[i]));
    }
    CU_ASSERT_EQUAL(sl_sqlstate_code(NULL), SL_E_PG_SYSTEMIC);
    CU_ASSERT_FALSE(sl_sqlstate_drops_session(NULL));
}

CLAIM(sqlstate__a_session_is_dropped_when_it_cannot_serve_any_more)
{
    static const char *const dropped[] = { "25006", "57P01", "57P02", "57P03", "08006",
                                           "08007", "26000", "25P03", "40003" };
    static const char *const kept[] = { "23505", "40001", "40P01", "55P03", "57014",
                                        "22P02", "42P01", "53100", "25P02" };
    for (size_t i = 0; i < SL_COUNT(dropped); i++) {
        CU_ASSERT_TRUE(sl_sqlstate_drops_session(dropped[i]));
    }
    for (size_t i = 0; i < SL_COUNT(kept); i++) {
        CU_ASSERT_FALSE(sl_sqlstate_drops_session(kept[i]));
    }
}
