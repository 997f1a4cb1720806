#include "shared/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/claims.h"

static char folder[32];

static const char *path_in_folder(const char *name)
{
    static char text[96];
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "/tmp/sluice-listen-XXXXXX");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    }
    snprintf(text, sizeof text, "unix:%s/%s", folder, name);
    return text;
}

static void clean(const char *address)
{
    unlink(address + 5);
    rmdir(folder);
    folder[0] = '\0';
}

CLAIM(listen__says_what_is_no_address)
{
    static const char *const bad[] = {
        NULL,           "",           "8080",    "127.0.0.1",       "[::1]",   "::1",
        "localhost:1",  "127.0.0.1:", "1.2.3:x", "127.0.0.1:99999", "[::1:80", "unix:",
        "unix:relative"
    };
    for (size_t i = 0; i < SL_COUNT(bad); i++) {
        struct sl_err err = { 0 };
        CU_ASSERT_PTR_NOT_NULL(sl_listen_objection(bad[i]));
        CU_ASSERT_EQUAL(sl_listen_open(bad[i], false, &err), -1);
        CU_ASSERT_EQUAL(err.code, SL_E_CONFIG);
    }
    char longest[160] = "unix:/";
    memset(longest + 6, 'a', 108);
    CU_ASSERT_PTR_NOT_NULL(sl_listen_objection(longest));
    CU_ASSERT_PTR_NULL(sl_listen_objection("unix:/run/sluice/ingest.sock"));
    CU_ASSERT_PTR_NULL(sl_listen_objection("[::1]:0"));
    CU_ASSERT_PTR_NULL(sl_listen_objection(":8080"));
}

CLAIM(listen__a_taken_port_is_an_error_unless_it_is_shared)
{
    struct sl_err err = { 0 };
    int first = sl_listen_open("127.0.0.1:0", true, &err);
    CU_ASSERT_FATAL(first >= 0);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", sl_listen_port(first));
    CU_ASSERT_EQUAL(sl_listen_open(address, false, &err), -1);
    CU_ASSERT_EQUAL(err.code, SL_E_NET_LISTEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "choose one outside net.ipv4.ip_local_port_range"));
    int second = sl_listen_open(address, true, &err);
    CU_ASSERT(second >= 0);
    close(first);
    close(second);
}

CLAIM(listen__a_socket_file_left_behind_is_replaced_and_a_living_one_is_not)
{
    struct sl_err err = { 0 };
    const char *address = path_in_folder("s");
    int first = sl_listen_open(address, false, &err);
    CU_ASSERT_FATAL(first >= 0);
    struct stat about = { 0 };
    CU_ASSERT_EQUAL(stat(address + 5, &about), 0);
    CU_ASSERT_EQUAL(about.st_mode & 0777, 0660);
    CU_ASSERT_EQUAL(sl_listen_open(address, false, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another process does"));
    close(first); /* the file stays */
    int second = sl_listen_open(address, false, &err);
    CU_ASSERT(second >= 0);
    close(second);
    clean(address);
}

CLAIM(listen__a_file_that_is_no_socket_is_left_alone)
{
    struct sl_err err = { 0 };
    const char *address = path_in_folder("f");
    int file = open(address + 5, O_CREAT | O_WRONLY, 0600);
    CU_ASSERT_EQUAL(write(file, "x", 1), 1);
    close(file);
    CU_ASSERT_EQUAL(sl_listen_open(address, false, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no socket"));
    CU_ASSERT_EQUAL(access(address + 5, F_OK), 0);
    clean(address);
}

/* As a service manager does it: descriptors from 3 on, their names in one variable. */
CLAIM(listen__takes_over_the_socket_that_was_passed_under_its_name)
{
    struct sl_err err = { 0 };
    int kept[2] = { fcntl(3, F_DUPFD, 10), fcntl(4, F_DUPFD, 10) };
    int opened = sl_listen_open("127.0.0.1:0", false, &err);
    int listening = fcntl(opened, F_DUPFD, 10);
    CU_ASSERT_FATAL(listening >= 10);
    unsigned port = sl_listen_port(listening);
    int plain = open("/dev/null", O_RDONLY);
    CU_ASSERT_EQUAL(dup2(plain, 3), 3);
    CU_ASSERT_EQUAL(dup2(listening, 4), 4);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "stored:ingest", 1);
    CU_ASSERT_EQUAL(sl_listen_inherited("other"), -1);
    CU_ASSERT_EQUAL(sl_listen_inherited("stored"), -1); /* does not listen */
    CU_ASSERT_EQUAL(sl_listen_inherited("ingest"), 4);
    CU_ASSERT_EQUAL(sl_listen_port(4), port);
    CU_ASSERT(fcntl(4, F_GETFD) & FD_CLOEXEC);
    setenv("LISTEN_PID", "1", 1); /* meant for somebody else */
    CU_ASSERT_EQUAL(sl_listen_inherited("ingest"), -1);
    unsetenv("LISTEN_PID");
    CU_ASSERT_EQUAL(sl_listen_inherited("ingest"), -1);
    for (int i = 0; i < 2; i++) {
        if (kept[i] >= 0) {
            dup2(kept[i], 3 + i);
            close(kept[i]);
        } else {
            close(3 + i);
        }
    }
}
