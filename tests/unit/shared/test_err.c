#include "shared/err.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/claims.h"

CLAIM(err__every_code_has_its_own_name_and_a_page)
{
    bool has_pages = access("runbooks", R_OK) == 0;
    for (int code = 0; code < SL_E_COUNT; code++) {
        const char *name = sl_code_name((enum sl_code)code);
        const char *page = sl_code_page((enum sl_code)code);
        CU_ASSERT_FATAL(name != NULL && page != NULL);
        for (const char *at = name; *at != '\0'; at++) {
            CU_ASSERT(islower((unsigned char)*at) || strchr("._", *at) != NULL);
        }
        for (int other = 0; other < code; other++) {
            CU_ASSERT(strcmp(name, sl_code_name((enum sl_code)other)) != 0);
        }
        char path[128];
        snprintf(path, sizeof path, "runbooks/%s", page);
        bool is_page = strlen(page) > 3 && strcmp(page + strlen(page) - 3, ".md") == 0 &&
                       (!has_pages || access(path, R_OK) == 0);
        CU_ASSERT(is_page);
        if (!is_page) {
            printf("\n    %s: no page %s\n", name, path);
        }
        struct sl_err err = { .code = (enum sl_code)code };
        CU_ASSERT(sl_err_fault(&err) <= SL_FAULT_BUG);
    }
}

CLAIM(err__context_is_outermost_first_and_long_text_is_cut_not_spilled)
{
    struct sl_err err = { 0 };
    CU_ASSERT(!sl_fail(&err, SL_E_PG_ITEM, "row %d", 7));
    CU_ASSERT(!sl_err_wrap(&err, "apply %s", "evt_1"));
    CU_ASSERT(!sl_err_wrap(&err, "batch"));
    CU_ASSERT_STRING_EQUAL(err.text, "batch: apply evt_1: row 7");
    CU_ASSERT(err.code == SL_E_PG_ITEM);

    char longest[2 * sizeof err.text];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    sl_err_wrap(&err, "%s", longest);
    CU_ASSERT(strlen(err.text) == sizeof err.text - 1);
    sl_fail(&err, SL_E_IO, "%s", longest);
    sl_err_wrap(&err, "short");
    CU_ASSERT(strncmp(err.text, "short: xxx", 10) == 0 && strlen(err.text) == sizeof err.text - 1);
    CU_ASSERT(!sl_fail(NULL, SL_E_IO, "nobody listens") && !sl_err_wrap(NULL, "still nobody"));
}

CLAIM(err__the_fault_decides_the_exit_status)
{
    static const struct {
        enum sl_code code;
        int status;
    } rows[] = {
        { SL_E_USAGE, 64 },
        { SL_E_EVENT_MALFORMED, 65 },
        { SL_E_AMQP_UNREACHABLE, 69 },
        { SL_E_ABSENT, 66 },
        { SL_E_BUG, 70 },
        { SL_E_CREATE, 73 },
        { SL_E_IO, 74 },
        { SL_E_CONFIG, 78 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_err err = { .code = rows[i].code };
        CU_ASSERT_EQUAL(sl_err_exit_status(&err), rows[i].status);
    }
}
