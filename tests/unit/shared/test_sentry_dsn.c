#include "shared/sentry/sentry_dsn.h"

#include <string.h>

#include "tests/support/claims.h"

CLAIM(sentry_dsn__names_the_place_and_the_key)
{
    static const struct {
        const char *dsn;
        const char *url;
        const char *key;
    } rows[] = {
        { "https://abc123@o1.ingest.sentry.io/42", "https://o1.ingest.sentry.io/api/42/envelope/",
          "abc123" },
        { "https://abc:secret@sentry.example.com/1", "https://sentry.example.com/api/1/envelope/",
          "abc" },
        { "http://k@127.0.0.1:9000/7", "http://127.0.0.1:9000/api/7/envelope/", "k" },
        { "https://k@[::1]:9000/7", "https://[::1]:9000/api/7/envelope/", "k" },
        { "https://k@example.com/sentry/in/7", "https://example.com/sentry/in/api/7/envelope/",
          "k" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_sentry_dsn dsn = { 0 };
        struct sl_err err = { 0 };
        CU_ASSERT_FATAL(sl_sentry_dsn_parse(rows[i].dsn, &dsn, &err));
        CU_ASSERT_STRING_EQUAL(dsn.url, rows[i].url);
        CU_ASSERT_STRING_EQUAL(dsn.key, rows[i].key);
    }
}

CLAIM(sentry_dsn__a_wrong_one_is_refused_without_being_repeated)
{
    static const char *const wrong[] = {
        "",
        "abc123",
        "ftp://abc123@host/1",
        "https://host/1",
        "https://@host/1",
        "https://:abc123@host/1",
        "https://abc123@host",
        "https://abc123@host/",
        "https://abc123@/1",
        "https://abc123@host/1?x=abc123",
        "https://abc123@host/1#abc123",
        "https://abc 123@host/1",
        "https://abc123@ho st/1",
        "https://abc123@ho\nst/1",
        "https://abc123@a@b/1",
    };
    for (size_t i = 0; i < SL_COUNT(wrong); i++) {
        struct sl_sentry_dsn dsn = { 0 };
        struct sl_err err = { 0 };
        CU_ASSERT_FALSE(sl_sentry_dsn_parse(wrong[i], &dsn, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_CONFIG);
        CU_ASSERT_PTR_NULL(strstr(err.text, "abc123"));
        CU_ASSERT_EQUAL(dsn.url[0], '\0');
    }
}

CLAIM(sentry_dsn__one_that_is_too_long_is_refused)
{
    char text[1024] = "https://k@";
    memset(text + 10, 'h', 600);
    memcpy(text + 610, "/1", 3);
    struct sl_sentry_dsn dsn = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FALSE(sl_sentry_dsn_parse(text, &dsn, &err));
}
