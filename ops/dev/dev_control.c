#include "ops/dev/dev_control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ops/dev/dev_env.h"
#include "ops/table.h"
#include "shared/clock.h"

#define LOOK_EVERY_MS 50
#define STOP_WAIT_MS  40000  /* longer than the supervisor gives a server before it uses force */
#define START_WAIT_MS 300000 /* as long as the supervisor waits at its start */
#define ARGUMENTS_MAX 64

/* One line of the status file. */
struct line {
    char name[16];
    char state[16];
    int pid;
    long long since_s;
    unsigned starts;
    unsigned port;
};

static bool is_running(const struct dev_home *home, pid_t *out_pid);
static bool wait_for_state(const struct dev_home *home, enum dev_who who, const char *state,
                           int64_t wait_ms);
static unsigned read_status(const struct dev_home *home, struct line out_lines[DEV_WHO_COUNT]);

int dev_control_stop(const struct dev_home *home, enum dev_who who)
{
    char path[PATH_MAX];
    pid_t pid = 0;
    if (!is_running(home, &pid)) {
        return EX_UNAVAILABLE;
    }
    dev_home_path(home, path, "hold/%s", dev_who_name(who));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) != 0) {
        fprintf(stderr, "sluice dev stop: %s: %s\n", path, strerror(errno));
        return EX_CANTCREAT;
    }
    if (!wait_for_state(home, who, "stopped", STOP_WAIT_MS)) {
        fprintf(stderr, "sluice dev stop: %s has not stopped yet\n", dev_who_name(who));
        return EX_TEMPFAIL;
    }
    printf("%s is stopped; again: sluice dev start %s\n", dev_who_name(who), dev_who_name(who));
    return EXIT_SUCCESS;
}

int dev_control_start(const struct dev_home *home, enum dev_who who)
{
    char path[PATH_MAX];
    pid_t pid = 0;
    if (!is_running(home, &pid)) {
        return EX_UNAVAILABLE;
    }
    dev_home_path(home, path, "hold/%s", dev_who_name(who));
    if (unlink(path) != 0 && errno != ENOENT) {
        fprintf(stderr, "sluice dev start: %s: %s\n", path, strerror(errno));
        return EX_CANTCREAT;
    }
    if (!wait_for_state(home, who, "ready", START_WAIT_MS)) {
        fprintf(stderr, "sluice dev start: %s does not serve yet; its log: %s/logs/%s.log\n",
                dev_who_name(who), home->dir, dev_who_name(who));
        return EX_TEMPFAIL;
    }
    printf("%s is ready\n", dev_who_name(who));
    return EXIT_SUCCESS;
}

/* Says so when it is not. */
static bool is_running(const struct dev_home *home, pid_t *out_pid)
{
    if (ops_stack_is_running(home->dir, out_pid)) {
        return true;
    }
    fprintf(stderr, "no stack is running in %s; start one: sluice dev\n", home->dir);
    return false;
}

static bool wait_for_state(const struct dev_home *home, enum dev_who who, const char *state,
                           int64_t wait_ms)
{
    int64_t until_ms = sl_clock_mono_ms() + wait_ms;
    pid_t pid = 0;
    while (sl_clock_mono_ms() < until_ms && ops_stack_is_running(home->dir, &pid)) {
        struct line lines[DEV_WHO_COUNT] = { 0 };
        unsigned count = read_status(home, lines);
        for (unsigned i = 0; i < count; i++) {
            if (strcmp(lines[i].name, dev_who_name(who)) == 0 &&
                strcmp(lines[i].state, state) == 0) {
                return true;
            }
        }
        struct timespec wait = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
        (void)nanosleep(&wait, NULL);
    }
    return false;
}

static unsigned read_status(const struct dev_home *home, struct line out_lines[DEV_WHO_COUNT])
{
    char path[PATH_MAX];
    unsigned count = 0;
    dev_home_path(home, path, "status");
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (count < DEV_WHO_COUNT &&
           fscanf(file, "%15s %15s %d %lld %u %u", out_lines[count].name, out_lines[count].state,
                  &out_lines[count].pid, &out_lines[count].since_s, &out_lines[count].starts,
                  &out_lines[count].port) == 6) {
        count++;
    }
    (void)fclose(file);
    return count;
}

int dev_control_stop_all(const struct dev_home *home)
{
    pid_t pid = 0;
    if (!is_running(home, &pid)) {
        return EXIT_SUCCESS; /* what was asked for is so */
    }
    if (pid <= 1 || kill(pid, SIGTERM) != 0) {
        fprintf(stderr, "sluice dev stop: cannot signal process %d: %s\n", (int)pid,
                strerror(errno));
        return EX_NOPERM;
    }
    int64_t until_ms = sl_clock_mono_ms() + 2 * STOP_WAIT_MS;
    while (ops_stack_is_running(home->dir, &pid)) {
        if (sl_clock_mono_ms() >= until_ms) {
            fprintf(stderr, "sluice dev stop: process %d is still stopping\n", (int)pid);
            return EX_TEMPFAIL;
        }
        struct timespec wait = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
        (void)nanosleep(&wait, NULL);
    }
    printf("the stack in %s is stopped\n", home->dir);
    return EXIT_SUCCESS;
}

int dev_control_status(const struct dev_home *home, enum ops_output output)
{
    static const struct ops_column columns[] = {
        { .title = "NAME" },
        { .title = "STATE" },
        { .title = "PID", .is_number = true },
        { .title = "PORT", .is_number = true },
        { .title = "STARTS", .is_number = true },
        { .title = "SECONDS", .is_number = true },
    };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    struct line lines[DEV_WHO_COUNT] = { 0 };
    struct sl_err err = { 0 };
    pid_t pid = 0;
    unsigned count = is_running(home, &pid) ? read_status(home, lines) : 0;
    bool is_ready = count > 0;

    ops_table_init(&table, columns, SL_COUNT(columns));
    for (unsigned i = 0; i < count; i++) {
        char numbers[4][24];
        long long for_s = (long long)(sl_clock_wall_us() / 1000000) - lines[i].since_s;
        (void)snprintf(numbers[0], sizeof numbers[0], "%d", lines[i].pid);
        (void)snprintf(numbers[1], sizeof numbers[1], "%u", lines[i].port);
        (void)snprintf(numbers[2], sizeof numbers[2], "%u", lines[i].starts);
        (void)snprintf(numbers[3], sizeof numbers[3], "%lld", for_s);
        const char *const cells[] = {
            lines[i].name, lines[i].state, lines[i].pid == 0 ? NULL : numbers[0],
            numbers[1],    numbers[2],     lines[i].since_s == 0 ? NULL : numbers[3]
        };
        ops_table_add(&table, cells);
        is_ready = is_ready && strcmp(lines[i].state, "ready") == 0;
    }
    if ((count > 0 || output != OPS_OUTPUT_TABLE) &&
        !ops_table_print(&table, output, stdout, &err)) {
        fprintf(stderr, "sluice dev status: %s\n", err.text);
        return EX_IOERR;
    }
    return is_ready ? EXIT_SUCCESS : EXIT_FAILURE;
}

int dev_control_env(const struct dev_home *home)
{
    SL_DONE(ops_stack_done) struct ops_stack stack = { 0 };
    pid_t pid = 0;
    if (!is_running(home, &pid)) {
        return EX_UNAVAILABLE;
    }
    ops_stack_open_at(&stack, home->dir);
    if (stack.count == 0) {
        fprintf(stderr, "sluice dev env: the stack is still starting\n");
        return EX_TEMPFAIL;
    }
    for (size_t i = 0; i < stack.count; i++) {
        /* What only describes the stack is of no use to a program; no value holds a quote. */
        if (strncmp(stack.entries[i].name, "STACK_", 6) != 0) {
            printf("export %s='%s'\n", stack.entries[i].name, stack.entries[i].value);
        }
    }
    return EXIT_SUCCESS;
}

int dev_control_reset(const struct dev_home *home)
{
    struct sl_err err = { 0 };
    if (access(home->dir, F_OK) != 0) {
        printf("there is no stack in %s\n", home->dir);
        return EXIT_SUCCESS;
    }
    int lock = ops_stack_lock(home->dir, &err);
    if (lock < 0) {
        fprintf(stderr, "sluice dev reset: %s; stop it first: sluice dev stop\n", err.text);
        return EX_TEMPFAIL;
    }
    bool is_gone = dev_home_remove(home, &err);
    close(lock);
    if (!is_gone) {
        fprintf(stderr, "sluice dev reset: %s\n", err.text);
        return EX_IOERR;
    }
    printf("%s is removed\n", home->dir);
    return EXIT_SUCCESS;
}

int dev_control_rabbitmqctl(const struct dev_home *home, int argc, char **argv)
{
    SL_DONE(ops_stack_done) struct ops_stack stack = { 0 };
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    char script[PATH_MAX];
    char *arguments[ARGUMENTS_MAX + 4] = { 0 };
    pid_t pid = 0;

    if (!is_running(home, &pid)) {
        return EX_UNAVAILABLE;
    }
    if (argc > ARGUMENTS_MAX) {
        fprintf(stderr, "sluice dev rabbitmqctl: more than %d arguments\n", ARGUMENTS_MAX);
        return EX_USAGE;
    }
    ops_stack_open_at(&stack, home->dir);
    if (stack.count == 0) {
        fprintf(stderr, "sluice dev rabbitmqctl: the stack is still starting\n");
        return EX_TEMPFAIL;
    }
    dev_env_set(&env, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    for (size_t i = 0; i < stack.count; i++) {
        dev_env_set(&env, stack.entries[i].name, "%s", stack.entries[i].value);
    }
    dev_env_set(&env, "STACK_DIR", "%s/rabbitmq", home->dir);
    dev_home_path(home, script, "scripts/rabbitmq.sh");
    char shell[] = "/bin/bash";
    char verb[] = "ctl";
    unsigned count = 0;
    arguments[count++] = shell;
    arguments[count++] = script;
    arguments[count++] = verb;
    for (int i = 0; i < argc; i++) {
        arguments[count++] = argv[i];
    }
    (void)execve(shell, arguments, env.items);
    fprintf(stderr, "sluice dev rabbitmqctl: %s: %s\n", shell, strerror(errno));
    return EX_OSERR;
}
