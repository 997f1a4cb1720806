#include "shared/amqp/amqp_url.h"

#include <stdlib.h>
#include <string.h>

#include "shared/scope.h"
#include "tests/support/claims.h"

static bool parse(const char *text, struct sl_amqp_url *url, struct sl_err *err)
{
    *url = (struct sl_amqp_url){ 0 };
    *err = (struct sl_err){ 0 };
    return sl_amqp_url_parse(text, url, err);
}

CLAIM(amqp_url__reads_hosts_login_and_virtual_host)
{
    static const struct {
        const char *text;
        const char *user, *password, *vhost;
        size_t host_count;
        const char *first, *last;
        unsigned first_port, last_port;
        bool is_tls;
    } rows[] = {
        { "amqp://u:p@h", "u", "p", "/", 1, "h", "h", 5672, 5672, false },
        { "  amqp://u:p@h:1\n", "u", "p", "/", 1, "h", "h", 1, 1, false },
        { "amqps://u:p@h", "u", "p", "/", 1, "h", "h", 5671, 5671, true },
        { "amqp://u:p@h/v", "u", "p", "v", 1, "h", "h", 5672, 5672, false },
        { "amqp://u:p@h/%2F", "u", "p", "/", 1, "h", "h", 5672, 5672, false },
        { "amqp://u:p@h/a/b", "u", "p", "a/b", 1, "h", "h", 5672, 5672, false },
        { "amqp://u%40x:p%3a%2f%25@h/v%20w", "u@x", "p:/%", "v w", 1, "h", "h", 5672, 5672, false },
        { "amqp://u:p:q@h", "u", "p:q", "/", 1, "h", "h", 5672, 5672, false },
        { "amqp://u:@h", "u", "", "/", 1, "h", "h", 5672, 5672, false },
        { "amqp://u:p@h1:1,h2:65535/v", "u", "p", "v", 2, "h1", "h2", 1, 65535, false },
        { "amqp://u:p@h1, h2,h3", "u", "p", "/", 3, "h1", "h3", 5672, 5672, false },
        { "amqp://u:p@h1/v,amqp://u:p@h2:7/v", "u", "p", "v", 2, "h1", "h2", 5672, 7, false },
        { "amqp://u:p@h1/v, amqp://u:p@h2,h3/v", "u", "p", "v", 3, "h1", "h3", 5672, 5672, false },
        { "amqp://u:p@[::1]:9,[fe80::1]", "u", "p", "/", 2, "::1", "fe80::1", 9, 5672, false },
        { "amqp://u:p@10.0.0.1", "u", "p", "/", 1, "10.0.0.1", "10.0.0.1", 5672, 5672, false },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_amqp_url_done) struct sl_amqp_url url;
        struct sl_err err;
        CU_ASSERT_FATAL(parse(rows[i].text, &url, &err));
        CU_ASSERT_STRING_EQUAL(url.user, rows[i].user);
        CU_ASSERT_STRING_EQUAL(url.password, rows[i].password);
        CU_ASSERT_STRING_EQUAL(url.vhost, rows[i].vhost);
        CU_ASSERT_EQUAL(url.host_count, rows[i].host_count);
        CU_ASSERT_STRING_EQUAL(url.hosts[0].name, rows[i].first);
        CU_ASSERT_EQUAL(url.hosts[0].port, rows[i].first_port);
        CU_ASSERT_STRING_EQUAL(url.hosts[url.host_count - 1].name, rows[i].last);
        CU_ASSERT_EQUAL(url.hosts[url.host_count - 1].port, rows[i].last_port);
        CU_ASSERT_EQUAL(url.is_tls, rows[i].is_tls);
    }
}

CLAIM(amqp_url__refuses_what_is_no_url_without_repeating_the_password)
{
    static const char *const rows[] = {
        NULL,
        "",
        " ",
        "h",
        "http://u:hunter2@h",
        "AMQP://u:hunter2@h",
        "amqp:/u:hunter2@h",
        "amqp://",
        "amqp://h",
        "amqp://u@h",
        "amqp://:hunter2@h",
        "amqp://u:hunter2@",
        "amqp://u:hunter2@h/", /* the empty virtual host */
        "amqp://u:hunter2@h:",
        "amqp://u:hunter2@h:0",
        "amqp://u:hunter2@h:65536",
        "amqp://u:hunter2@h:05672",
        "amqp://u:hunter2@h:x",
        "amqp://u:hunter2@h:5672:1",
        "amqp://u:hunter2@h,",
        "amqp://u:hunter2@,h",
        "amqp://u:hunter2@h1 h2",
        "amqp://u:hunter2@h%31",
        "amqp://u:hunter2@h\xc3\xa4",
        "amqp://u:hunter2@[::1",
        "amqp://u:hunter2@[]",
        "amqp://u:hunter2@[::1]x",
        "amqp://u:hunter2@h@i",
        "amqp://u:hunter2%@h",
        "amqp://u:hunter2%4@h",
        "amqp://u:hunter2%4g@h",
        "amqp://u:hunter2%00@h",
        "amqp://u:hunter2@h/%00",
        "amqp://u:hunter2@h?heartbeat=5",
        "amqp://u:hunter2@h#x",
        "amqp://u:hunter2@h1,h2,h3,h4,h5,h6,h7,h8,h9",
        "amqp://u:hunter2@h1,amqp://u:hunter3@h2",
        "amqp://u:hunter2@h1,amqp://v:hunter2@h2",
        "amqp://u:hunter2@h1,amqps://u:hunter2@h2",
        "amqp://u:hunter2@h1/a,amqp://u:hunter2@h2/b",
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_amqp_url_done) struct sl_amqp_url url;
        struct sl_err err;
        if (parse(rows[i], &url, &err)) {
            CU_FAIL("accepted");
            printf("(%s) ", rows[i]);
        }
        CU_ASSERT(err.code == SL_E_CONFIG);
        CU_ASSERT(strlen(err.text) > 10);
        CU_ASSERT(strstr(err.text, "hunter") == NULL);
        CU_ASSERT(url.user == NULL);
    }
}

CLAIM(amqp_url__refuses_names_that_do_not_fit_a_short_string)
{
    char text[600] = "amqp://";
    memset(text + 7, 'u', 256);
    memcpy(text + 7 + 256, ":p@h", 5);
    SL_DONE(sl_amqp_url_done) struct sl_amqp_url url;
    struct sl_err err;
    CU_ASSERT(!parse(text, &url, &err));
    memmove(text + 7, text + 8, strlen(text + 7)); /* 255 */
    CU_ASSERT(parse(text, &url, &err));
}
