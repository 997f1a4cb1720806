#include "publisher/drops.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/claims.h"

static char dir[64];

static void new_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/sluice-test-drops-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static void remove_dir(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/drops.jsonl", dir);
    unlink(path);
    for (int i = 1; i <= 16; i++) {
        snprintf(path, sizeof path, "%s/drops-%02d.jsonl", dir, i);
        unlink(path);
    }
    rmdir(dir);
}

static size_t read_file(const char *name, char *out, size_t room)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, out, room - 1);
    if (fd >= 0) {
        close(fd);
    }
    out[bytes < 0 ? 0 : bytes] = '\0';
    return bytes < 0 ? 0 : (size_t)bytes;
}

static const struct pub_drop drop = { .at_us = 1700000000000001,
                                      .id = { "evt_\"1\"", 7 },
                                      .type = { "invoice.paid", 12 },
                                      .source = { "stripe", 6 },
                                      .body_bytes = 3200,
                                      .body_sha256 = "abc",
                                      .reason = "broker_away" };

#define LINE                                                                                       \
    "{\"at\":\"2023-11-14T22:13:20.000001Z\",\"id\":\"evt_\\\"1\\\"\",\"type\":\"invoice.paid\","  \
    "\"source\":\"stripe\",\"body_bytes\":3200,\"body_sha256\":\"abc\",\"reason\":\"broker_away\"}\n"

CLAIM(drops__a_line_is_in_the_file_when_the_write_returns_and_only_we_may_read_it)
{
    new_dir();
    struct pub_drops drops;
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(pub_drops_open(&drops, dir, &err));
    CU_ASSERT(pub_drops_write(&drops, &drop, &err));
    char text[1024];
    read_file("drops.jsonl", text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, LINE);
    char path[128];
    struct stat about = { 0 };
    snprintf(path, sizeof path, "%s/drops.jsonl", dir);
    CU_ASSERT_EQUAL(stat(path, &about), 0);
    CU_ASSERT_EQUAL(about.st_mode & 0777u, 0600u);
    pub_drops_close(&drops);
    remove_dir();
}

CLAIM(drops__a_later_run_goes_on_behind_what_is_there)
{
    new_dir();
    struct pub_drops drops;
    struct sl_err err = { 0 };
    for (int run = 0; run < 2; run++) {
        CU_ASSERT_FATAL(pub_drops_open(&drops, dir, &err));
        CU_ASSERT(pub_drops_write(&drops, &drop, &err));
        pub_drops_close(&drops);
    }
    char text[1024];
    read_file("drops.jsonl", text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, LINE "\n" LINE);
    remove_dir();
}

CLAIM(drops__a_full_file_is_set_aside_and_the_last_one_refuses)
{
    new_dir();
    struct pub_drops drops;
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(pub_drops_open(&drops, dir, &err));
    drops.bytes_max = 1;
    unsigned written = 0;
    while (written < 100 && pub_drops_write(&drops, &drop, &err)) {
        written++;
    }
    CU_ASSERT_EQUAL(written, 17);
    CU_ASSERT_EQUAL(err.code, SL_E_LIMIT);
    char text[1024];
    read_file("drops-16.jsonl", text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, LINE);
    pub_drops_close(&drops);
    remove_dir();
}

CLAIM(drops__a_directory_that_cannot_be_written_is_told)
{
    struct pub_drops drops;
    struct sl_err err = { 0 };
    CU_ASSERT_FALSE(pub_drops_open(&drops, "/nonexistent/sluice", &err));
    CU_ASSERT_EQUAL(err.code, SL_E_IO);
    CU_ASSERT_FALSE(pub_drops_write(&drops, &drop, &err));
    pub_drops_close(&drops);
}
