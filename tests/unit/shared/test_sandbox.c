#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/sandbox/landlock.h"
#include "shared/sandbox/sandbox.h"
#include "shared/sandbox/seccomp.h"
#include "tests/support/claims.h"

#define CANNOT 77

/* Runs fn in a process of its own, which gives everything up for good; its exit status, or -signal. */
static int in_child(int (*fn)(void *arg), void *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(fn(arg));
    }
    int status = 0;
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void expect(int (*fn)(void *arg), void *arg, int wanted)
{
    int got = in_child(fn, arg);
    if (got == CANNOT) {
        printf("[skipped: not in this kernel] ");
        return;
    }
    if (got != wanted) {
        fprintf(stderr, "\nended with %d, not %d\n", got, wanted);
    }
    CU_ASSERT_EQUAL(got, wanted);
}

struct folders {
    char open[64];
    char readable[64];
    char closed[64];
};

static void make_folders(struct folders *folders)
{
    char *const paths[] = { folders->open, folders->readable, folders->closed };
    for (size_t i = 0; i < SL_COUNT(paths); i++) {
        snprintf(paths[i], sizeof folders->open, "/tmp/sluice-sandbox-XXXXXX");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(paths[i]));
        char file[96];
        snprintf(file, sizeof file, "%s/f", paths[i]);
        close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
}

static void remove_folders(struct folders *folders)
{
    char *const paths[] = { folders->open, folders->readable, folders->closed };
    for (size_t i = 0; i < SL_COUNT(paths); i++) {
        char file[96];
        snprintf(file, sizeof file, "%s/f", paths[i]);
        unlink(file);
        CU_ASSERT_EQUAL(rmdir(paths[i]), 0);
    }
}

static bool can_open(const char *folder, const char *name, int flags)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}

/* 0, or the number of what is not as it should be. */
static int use_files(void *arg)
{
    const struct folders *folders = arg;
    struct sl_sandbox_paths paths = { .count = 0 };
    sl_sandbox_paths_add(&paths, sl_span_of("/nowhere/at/all"), false);
    sl_sandbox_paths_add(&paths, sl_span_of("/usr"), false);
    sl_sandbox_paths_add(&paths, sl_span_of(folders->open), true);
    sl_sandbox_paths_add(&paths, sl_span_of(folders->readable), false);
    const char *why = NULL;
    if (sl_landlock_enter(&paths, &why) == 0) {
        return CANNOT;
    }
    char from[128];
    char to[128];
    snprintf(from, sizeof from, "%s/new", folders->open);
    snprintf(to, sizeof to, "%s/newer", folders->open);
    const bool is_right[] = {
        can_open(folders->open, "f", O_RDWR),
        can_open(folders->open, "new", O_CREAT | O_WRONLY),
        rename(from, to) == 0 && unlink(to) == 0,
        mkdir(from, 0700) == 0 && rmdir(from) == 0,
        can_open(folders->readable, "f", O_RDONLY),
        !can_open(folders->readable, "f", O_RDWR) && errno == EACCES,
        !can_open(folders->readable, "new", O_CREAT | O_WRONLY) && errno == EACCES,
        !can_open(folders->closed, "f", O_RDONLY) && errno == EACCES,
        !can_open("/etc", "passwd", O_RDONLY) && errno == EACCES,
        can_open("/usr", "bin/env", O_RDONLY),
        execl("/usr/bin/env", "env", (char *)NULL) != 0 && errno == EACCES,
    };
    for (size_t i = 0; i < SL_COUNT(is_right); i++) {
        if (!is_right[i]) {
            return (int)i + 1;
        }
    }
    return 0;
}

CLAIM(sandbox__files_that_are_not_listed_cannot_be_opened_and_none_be_run)
{
    struct folders folders;
    make_folders(&folders);
    expect(use_files, &folders, 0);
    remove_folders(&folders);
}

static void *nothing(void *arg)
{
    return arg;
}

static int use_calls(void *arg)
{
    (void)arg;
    const char *why = NULL;
    if (!sl_seccomp_enter(&why)) {
        return CANNOT;
    }
    pthread_t thread;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool is_right[] = {
        pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0,
        socket(AF_INET, SOCK_STREAM, 0) >= 0,
        socket(AF_UNIX, SOCK_DGRAM, 0) >= 0,
        socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM,
        socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0,
        socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) < 0 && errno == EPERM,
        page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0,
        mprotect(page, 4096, PROT_WRITE | PROT_EXEC) != 0 && errno == EPERM,
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
            MAP_FAILED,
        syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) < 0 && errno == EPERM,
        syscall(SYS_kill, 1, 0) < 0 && errno == EPERM,
        syscall(SYS_setuid, 0) < 0 && errno == EPERM,
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 && errno == EPERM,
        syscall(SYS_keyctl, 0, 0, 0, 0, 0) < 0 && errno == EPERM,
        syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EPERM,
    };
    for (size_t i = 0; i < SL_COUNT(is_right); i++) {
        if (!is_right[i]) {
            return (int)i + 1;
        }
    }
    return 0;
}

CLAIM(sandbox__threads_and_sockets_work_processes_and_raw_sockets_do_not)
{
    expect(use_calls, NULL, 0);
}

static int call_one(void *arg)
{
    const char *why = NULL;
    if (!sl_seccomp_enter(&why)) {
        return CANNOT;
    }
    syscall(*(const long *)arg, 0, 0, 0, 0, 0, 0);
    return 0;
}

CLAIM(sandbox__a_call_that_is_never_ours_ends_the_process)
{
    static const long calls[] = {
        SYS_execve, SYS_ptrace, SYS_bpf, SYS_mount, SYS_unshare, SYS_setns
    };
    for (size_t i = 0; i < SL_COUNT(calls); i++) {
        expect(call_one, (void *)(uintptr_t)&calls[i], -SIGSYS);
    }
}

static const char *path_at(const struct sl_sandbox_paths *paths, const char *path)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (strcmp(paths->items[i].text, path) == 0) {
            return paths->items[i].is_writable ? "write" : "read";
        }
    }
    return "none";
}

CLAIM(sandbox__the_environment_says_which_files_are_needed)
{
    static char *const environment[] = { (char *)"STRIPE_WEBHOOK_SECRET_FILE=/run/secrets/stripe",
                                         (char *)"SLUICE_CONFIG=/srv/sluice/sluice.conf",
                                         (char *)"SSL_CERT_DIR=/opt/authorities",
                                         (char *)"SLUICE_TLS_KEY=relative/key.pem",
                                         (char *)"SLUICE_AMQP_CERT=/opt/papers/client.pem",
                                         (char *)"HOME=/home/app",
                                         (char *)"DATABASE_URL=/not/a/file",
                                         (char *)"NO_VALUE",
                                         NULL };
    struct sl_conf_entry entries[] = { { (char *)"AMQP_URL_FILE", (char *)"/srv/broker/url" } };
    const struct sl_conf_source source = { .environment = environment,
                                           .entries = entries,
                                           .entry_count = SL_COUNT(entries) };
    struct sl_sandbox_paths paths;
    sl_sandbox_paths_init(&paths, &source);
    sl_sandbox_paths_add(&paths, sl_span_of("/var/lib/sluice"), true);
    sl_sandbox_paths_add_folder_of(&paths, sl_span_of("/run/sluice/ingest.sock"), true);
    sl_sandbox_paths_add_postgres(
        &paths, "postgres://u:p@h/d?sslmode=verify-full&sslrootcert=%2Fopt%2Fpg%2Froot.crt&x=y");
    sl_sandbox_paths_add_postgres(&paths,
                                  "host=h sslkey=/opt/pgkeys/client.key passfile='relative'");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/run/secrets"), "read");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/srv/sluice"), "read");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/opt/papers"), "read");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/srv/broker"), "read");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/opt/authorities"), "read");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/home/app/.postgresql"), "read");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/home/app"), "none");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/not/a"), "none");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/var/lib/sluice"), "write");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/run/sluice"), "write");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/opt/pg"), "read");
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/opt/pgkeys"), "read");
    CU_ASSERT_FALSE(paths.is_overfull);
    sl_sandbox_paths_add(&paths, sl_span_of("/run/secrets"), true);
    CU_ASSERT_STRING_EQUAL(path_at(&paths, "/run/secrets"), "write");
}

CLAIM(sandbox__a_list_that_does_not_fit_says_so)
{
    struct sl_sandbox_paths paths = { .count = 0 };
    for (unsigned i = 0; i <= SL_SANDBOX_PATHS_MAX; i++) {
        char path[32];
        snprintf(path, sizeof path, "/folder/%u", i);
        CU_ASSERT_FALSE(paths.is_overfull);
        sl_sandbox_paths_add(&paths, sl_span_of(path), false);
    }
    CU_ASSERT(paths.is_overfull);
}

CLAIM(sandbox__off_gives_nothing_up_and_says_why)
{
    struct sl_sandbox_paths paths = { .count = 0 };
    struct sl_sandbox sandbox = { .landlock_abi = 7 };
    struct sl_err err = { 0 };
    CU_ASSERT(sl_sandbox_enter(SL_SANDBOX_OFF, &paths, &sandbox, &err));
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, 256);
    sl_sandbox_describe(&sandbox, &text);
    CU_ASSERT_STRING_EQUAL(text.data, "none");
    CU_ASSERT_STRING_EQUAL(sandbox.missing, "switched off");
    CU_ASSERT_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}
