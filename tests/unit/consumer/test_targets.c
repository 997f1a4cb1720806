#include "consumer/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/subsystem/subsystems.h"
#include "tests/support/claims.h"

#define KEY_A "whsec_dGhpcyBpcyBhIHRlc3Qga2V5IG9mIDMyIGJ5dGVzISE="
#define KEY_B "whsec_YW5vdGhlciB0ZXN0IGtleSBvZiAzMiBieXRlcyEhISE="

static struct sl_subsystems parsed;
static struct sl_buf mistakes;
static struct con_target target;

static const char *read_with(const char *section, char *const *environment)
{
    sl_buf_init(&mistakes, 4096);
    char text[512];
    snprintf(text, sizeof text, "[orders]\nbindings = #\n%s", section);
    sl_subsystems_parse(sl_span_of(text), "s.conf", &parsed, &mistakes);
    CU_ASSERT_STRING_EQUAL(sl_buf_span(&mistakes).data, "");
    struct sl_conf_source source;
    sl_conf_source_init(&source, environment, &mistakes);
    con_target_read(&target, &parsed.items[0], &source, &mistakes);
    sl_conf_source_done(&source);
    return sl_buf_span(&mistakes).data;
}

static void end(void)
{
    con_target_done(&target);
    sl_subsystems_done(&parsed);
    sl_buf_done(&mistakes);
}

CLAIM(targets__urls_and_secrets_come_from_the_environment)
{
    const char *said = read_with(
        "handler = http\nurl = $ORDERS_URL\nsecret = ORDERS_SECRET\non-dead = http $DEAD_URL\n"
        "on-trip = http http://trip.example/\n",
        (char *[]){ "ORDERS_URL=https://orders.example/x?y=1", "DEAD_URL=http://dead.example",
                    "ORDERS_SECRET=" KEY_A "," KEY_B, NULL });
    CU_ASSERT_STRING_EQUAL(said, "");
    CU_ASSERT_STRING_EQUAL(target.url, "https://orders.example/x?y=1");
    CU_ASSERT_STRING_EQUAL(target.dead_url, "http://dead.example");
    CU_ASSERT_STRING_EQUAL(target.trip_url, "http://trip.example/");
    CU_ASSERT_EQUAL(target.key_count, 2);
    end();
}

CLAIM(targets__a_section_that_calls_nobody_needs_nothing)
{
    CU_ASSERT_STRING_EQUAL(read_with("handler = sql\nfunction = f\n", (char *[]){ NULL }), "");
    CU_ASSERT_PTR_NULL(target.url);
    CU_ASSERT_EQUAL(target.key_count, 0);
    end();
}

CLAIM(targets__a_secret_may_lie_in_a_file)
{
    char path[] = "/tmp/sluice-test-secret-XXXXXX";
    char variable[80];
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0 && write(fd, KEY_A "\n", strlen(KEY_A) + 1) > 0);
    close(fd);
    snprintf(variable, sizeof variable, "S_FILE=%s", path);
    CU_ASSERT_STRING_EQUAL(
        read_with("handler = http\nurl = http://h/\nsecret = S\n", (char *[]){ variable, NULL }),
        "");
    CU_ASSERT_EQUAL(target.key_count, 1);
    unlink(path);
    end();
}

CLAIM(targets__what_is_missing_or_cannot_work_is_named_and_never_shown)
{
    static const struct {
        char *environment[3];
        const char *expected;
    } cases[] = {
        { { "S=" KEY_A }, "U: must be set: [orders] calls it\n" },
        { { "S=" KEY_A, "U=orders.example" }, "U: http://host/path or https://host/path, or" },
        { { "S=" KEY_A, "U=http://me:pw@h/" }, "U: no user or password in a URL" },
        { { "U=http://h/" }, "S: must be set: [orders] signs with it" },
        { { "U=http://h/", "S=whsec_c2hvcnQ=" }, "S: is shorter than 24 bytes once decoded\n" },
        { { "U=http://h/", "S=whsec_not base64 at all" }, "S: " },
        { { "U=http://h/", "S=" KEY_A "," KEY_B "," KEY_A }, "S: at most 2 secrets" },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        const char *said =
            read_with("handler = http\nurl = $U\nsecret = S\n", cases[i].environment);
        if (strncmp(said, cases[i].expected, strlen(cases[i].expected)) != 0) {
            printf("\n  expected %s, said %s", cases[i].expected, said);
        }
        CU_ASSERT_EQUAL(strncmp(said, cases[i].expected, strlen(cases[i].expected)), 0);
        CU_ASSERT_PTR_NULL(strstr(said, "dGhpcyBp"));
        CU_ASSERT_PTR_NULL(strstr(said, "pw"));
        end();
    }
}

CLAIM(targets__a_bearer_token_comes_from_the_environment_and_is_one_line)
{
    static const char section[] = "handler = http\nurl = http://h/\nbearer = T_TOKEN\n";
    char *good[] = { "T_TOKEN=abc-123", NULL };
    char *split[] = { "T_TOKEN=abc 123", NULL };
    char *none[] = { NULL };
    CU_ASSERT_STRING_EQUAL(read_with(section, good), "");
    CU_ASSERT_STRING_EQUAL(target.bearer, "Bearer abc-123");
    CU_ASSERT_EQUAL(target.key_count, 0);
    end();
    CU_ASSERT_PTR_NOT_NULL(strstr(read_with(section, split), "visible ASCII"));
    CU_ASSERT_PTR_NULL(target.bearer);
    end();
    CU_ASSERT_PTR_NOT_NULL(strstr(read_with(section, none), "T_TOKEN: must be set: [orders]"));
    end();
}
