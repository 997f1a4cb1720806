#include "shared/config/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/claims.h"

#define MISTAKES_BYTES_MAX (256u * 1024u)

struct settings {
    char *name;
    char *secret;
    int64_t wait_ms;
    int64_t room_bytes;
    int64_t count;
    bool flag;
    int colour;
};

/* clang-format off */
static const struct sl_conf_key keys[] = {
    SL_CONF_ROW(struct settings, name, TEXT, .env = "SERVICE_NAME", .help = "a name")
    SL_CONF_ROW(struct settings, secret, SECRET, .env = "TEST_SECRET", .required = true, .help = "a secret")
    SL_CONF_ROW(struct settings, wait_ms, DURATION, .env = "SLUICE_CONFIRM_TIMEOUT", .fallback = "2s", .min = "10ms", .max = "4s", .help = "a wait")
    SL_CONF_ROW(struct settings, room_bytes, SIZE, .env = "SLUICE_BODY_MAX", .fallback = "1MiB", .min = "1KiB", .max = "1MiB", .help = "room")
    SL_CONF_ROW(struct settings, count, INT, .env = "TEST_COUNT", .min = "1", .max = "10", .help = "a number")
    SL_CONF_ROW(struct settings, flag, BOOL, .env = "TEST_FLAG", .fallback = "true", .help = "a flag")
    SL_CONF_ROW(struct settings, colour, CHOICE, .env = "TEST_COLOUR", .fallback = "red", .choices = "blue|red|green", .help = "a colour")
};

/* clang-format on */

struct reading {
    struct sl_conf_source source;
    struct settings settings;
    struct sl_buf mistakes;
};

static const char *read_all(struct reading *reading, const char *const *environment)
{
    *reading = (struct reading){ 0 };
    sl_buf_init(&reading->mistakes, MISTAKES_BYTES_MAX);
    sl_conf_source_init(&reading->source, (char *const *)(uintptr_t)environment,
                        &reading->mistakes);
    sl_conf_read(keys, SL_COUNT(keys), &reading->source, &reading->settings, &reading->mistakes);
    return sl_buf_span(&reading->mistakes).data;
}

static void reading_done(struct reading *reading)
{
    sl_conf_done(keys, SL_COUNT(keys), &reading->settings);
    sl_conf_source_done(&reading->source);
    sl_buf_done(&reading->mistakes);
}

/* "prefix<path of a new file that holds text>", to be freed with forget. */
static char *file_with(const char *prefix, const char *text)
{
    char *entry = malloc(256);
    snprintf(entry, 256, "%s/tmp/sluice-conf-XXXXXX", prefix);
    int fd = mkstemp(entry + strlen(prefix));
    CU_ASSERT_FATAL(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return entry;
}

static void forget(char *entry)
{
    unlink(strchr(entry, '/'));
    free(entry);
}

CLAIM(conf__values_are_typed_and_fallbacks_fill_the_rest)
{
    static const char *const set[] = {
        "SERVICE_NAME=hooks",    "TEST_SECRET=s=e=c", "SLUICE_CONFIRM_TIMEOUT=250ms",
        "SLUICE_BODY_MAX=64KiB", "TEST_COUNT=7",      "TEST_FLAG=Off",
        "TEST_COLOUR=green",     "PATH=/bin",         NULL
    };
    struct reading reading;
    CU_ASSERT_STRING_EQUAL(read_all(&reading, set), "");
    CU_ASSERT_STRING_EQUAL(reading.settings.name, "hooks");
    CU_ASSERT_STRING_EQUAL(reading.settings.secret, "s=e=c");
    CU_ASSERT(reading.settings.wait_ms == 250 && reading.settings.room_bytes == 65536);
    CU_ASSERT(reading.settings.count == 7 && !reading.settings.flag &&
              reading.settings.colour == 2);
    CU_ASSERT(sl_conf_verdict(&reading.mistakes, NULL));
    reading_done(&reading);

    static const char *const unset[] = { "TEST_SECRET=x", "SERVICE_NAME=", "TEST_FLAG=", NULL };
    CU_ASSERT_STRING_EQUAL(read_all(&reading, unset), "");
    CU_ASSERT(reading.settings.name == NULL && reading.settings.wait_ms == 2000);
    CU_ASSERT(reading.settings.room_bytes == 1048576 && reading.settings.count == 0);
    CU_ASSERT(reading.settings.flag && reading.settings.colour == 1);
    reading_done(&reading);
}

CLAIM(conf__all_mistakes_come_in_one_message)
{
    static const char *const wrong[] = { "SLUICE_CONFIRM_TIMEOUT=5",
                                         "SLUICE_BODY_MAX=2MiB",
                                         "TEST_COUNT=0",
                                         "TEST_FLAG=maybe",
                                         "TEST_COLOUR=pink",
                                         "SLUICE_HTTP_LISTE=127.0.0.1:1",
                                         "SLUICE_NOTHING_LIKE_IT_AT_ALL=1",
                                         NULL };
    struct reading reading;
    const char *text = read_all(&reading, wrong);
    static const char *const parts[] = {
        "SLUICE_CONFIRM_TIMEOUT: \"5\" is not a duration with a unit",
        "SLUICE_BODY_MAX: 2MiB is above the maximum 1MiB",
        "TEST_COUNT: 0 is below the minimum 1",
        "TEST_FLAG: \"maybe\" is not true or false",
        "TEST_COLOUR: \"pink\" is not blue|red|green",
        "TEST_SECRET: must be set: a secret",
        "SLUICE_HTTP_LISTE: no program knows this name; did you mean SLUICE_HTTP_LISTEN?",
        "SLUICE_NOTHING_LIKE_IT_AT_ALL: no program knows this name\n",
    };
    for (size_t i = 0; i < SL_COUNT(parts); i++) {
        CU_ASSERT(strstr(text, parts[i]) != NULL);
        if (strstr(text, parts[i]) == NULL) {
            printf("\n    not said: %s\n    in: %s\n", parts[i], text);
        }
    }
    struct sl_err err = { 0 };
    CU_ASSERT(!sl_conf_verdict(&reading.mistakes, &err) && err.code == SL_E_CONFIG);
    CU_ASSERT(strstr(err.text, "8 mistakes") != NULL);
    reading_done(&reading);
}

CLAIM(conf__bounds_belong_to_the_range)
{
    static const struct {
        const char *entry;
        bool is_valid;
    } rows[] = {
        { "SLUICE_CONFIRM_TIMEOUT=10ms", true },
        { "SLUICE_CONFIRM_TIMEOUT=9ms", false },
        { "SLUICE_CONFIRM_TIMEOUT=4s", true },
        { "SLUICE_CONFIRM_TIMEOUT=4001ms", false },
        { "SLUICE_BODY_MAX=1KiB", true },
        { "SLUICE_BODY_MAX=1023B", false },
        { "TEST_COUNT=10", true },
        { "TEST_COUNT=11", false },
        { "TEST_COUNT=-1", false },
        { "TEST_COUNT=1 ", false },
        { "SLUICE_CONFIRM_TIMEOUT=99999999999999999999s", false },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const char *const set[] = { "TEST_SECRET=x", rows[i].entry, NULL };
        struct reading reading;
        CU_ASSERT((read_all(&reading, set)[0] == '\0') == rows[i].is_valid);
        reading_done(&reading);
    }
}

CLAIM(conf__a_secret_comes_from_a_file_and_is_never_said)
{
    struct reading reading;
    char *entry = file_with("TEST_SECRET_FILE=", "canary\r\n\n");
    const char *const from_file[] = { entry, NULL };
    CU_ASSERT_STRING_EQUAL(read_all(&reading, from_file), "");
    CU_ASSERT_STRING_EQUAL(reading.settings.secret, "canary");
    reading_done(&reading);

    const char *const both[] = { entry, "TEST_SECRET=canary", NULL };
    const char *text = read_all(&reading, both);
    CU_ASSERT(strstr(text, "TEST_SECRET: set together with TEST_SECRET_FILE") != NULL);
    CU_ASSERT(strstr(text, "canary") == NULL);
    reading_done(&reading);
    forget(entry);

    static const char *const refused[] = { "TEST_SECRET_FILE=/nowhere/at/all",
                                           "TEST_SECRET_FILE=/tmp", "TEST_SECRET_FILE=/dev/null",
                                           "TEST_SECRET_FILE=/dev/zero" };
    for (size_t i = 0; i < SL_COUNT(refused); i++) {
        const char *const set[] = { refused[i], NULL };
        CU_ASSERT(strstr(read_all(&reading, set), "TEST_SECRET_FILE: ") != NULL);
        reading_done(&reading);
    }
    static const char *const number_file[] = { "TEST_SECRET=x",
                                               "SLUICE_CONFIRM_TIMEOUT_FILE=/etc/hostname", NULL };
    CU_ASSERT(strstr(read_all(&reading, number_file), "only a text or a secret") != NULL);
    reading_done(&reading);
}

CLAIM(conf__the_environment_wins_over_the_file)
{
    char *entry =
        file_with("SLUICE_CONFIG=", "# a comment\n\n TEST_SECRET = from file \nTEST_COUNT=3\r\n"
                                    "SERVICE_NAME=file");
    const char *const set[] = { entry, "SERVICE_NAME=environment", NULL };
    struct reading reading;
    CU_ASSERT_STRING_EQUAL(read_all(&reading, set), "");
    CU_ASSERT_STRING_EQUAL(reading.settings.name, "environment");
    CU_ASSERT_STRING_EQUAL(reading.settings.secret, "from file");
    CU_ASSERT(reading.settings.count == 3);
    CU_ASSERT(sl_conf_lookup(&reading.source, "TEST_NOTHING") == NULL);
    reading_done(&reading);
    forget(entry);
}

CLAIM(conf__mistakes_in_the_file_name_their_line)
{
    char *entry =
        file_with("SLUICE_CONFIG=", "TEST_SECRET=x\nno equals sign\n=value\nA B=c\n"
                                    "SLUICE_BODY_MAXX=1KiB\nTEST_COUNT=3\nTEST_COUNT=4\n");
    const char *const set[] = { entry, NULL };
    struct reading reading;
    const char *text = read_all(&reading, set);
    CU_ASSERT(strstr(text, ":2: expected NAME=value") != NULL);
    CU_ASSERT(strstr(text, ":3: expected NAME=value") != NULL);
    CU_ASSERT(strstr(text, ":4: expected NAME=value") != NULL);
    CU_ASSERT(strstr(text, "did you mean SLUICE_BODY_MAX?") != NULL);
    CU_ASSERT(strstr(text, ":7: TEST_COUNT is set twice") != NULL);
    reading_done(&reading);
    forget(entry);

    static const char *const unreadable[] = { "/nowhere/at/all", "/tmp", "/dev/zero" };
    for (size_t i = 0; i < SL_COUNT(unreadable); i++) {
        char config[64];
        snprintf(config, sizeof config, "SLUICE_CONFIG=%s", unreadable[i]);
        const char *const missing[] = { "TEST_SECRET=x", config, NULL };
        CU_ASSERT(strstr(read_all(&reading, missing), "SLUICE_CONFIG: ") != NULL);
        reading_done(&reading);
    }
}

CLAIM(conf__help_shows_every_key_with_its_fallback)
{
    SL_DONE(sl_buf_done) struct sl_buf help;
    sl_buf_init(&help, MISTAKES_BYTES_MAX);
    sl_conf_help(keys, SL_COUNT(keys), &help);
    for (size_t i = 0; i < SL_COUNT(keys); i++) {
        CU_ASSERT(strstr(help.data, keys[i].env) != NULL &&
                  strstr(help.data, keys[i].help) != NULL);
    }
    CU_ASSERT(strstr(help.data, "a colour (blue|red|green) [red]\n") != NULL);
    CU_ASSERT(strstr(help.data, "a secret [required]\n") != NULL);
}
