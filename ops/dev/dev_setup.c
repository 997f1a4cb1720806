#include "ops/dev/dev_supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/dev/dev_process.h"
#include "shared/clock.h"

#define SERVERS_WAIT_MS                                                                            \
    300000 /* a broker boots in 5 to 18 s, minutes where much else is going on */
#define PROGRAMS_WAIT_MS 120000
#define TRIES_MAX        3u
#define TRY_PAUSE_MS     1000
#define LEFTOVER_WAIT_MS 45000 /* longer than a script's own stop */
#define SECRET_BYTES     24u
#define SUBSYSTEMS_KEY   "SLUICE_SUBSYSTEMS"

static void end_leftovers(const struct dev_home *home);
static void end_server(const struct dev_home *home, enum dev_who who);
static bool make_secret(char *out_text, size_t room, struct sl_err *err);
static bool run_tasks(struct dev_supervisor *sup);
static void run_task(struct dev_supervisor *sup, struct dev_task *task);
static void judge_task(struct dev_supervisor *sup, struct dev_task *task, int status);
static void check_deadline(struct dev_supervisor *sup);
static bool read_password(struct dev_supervisor *sup, struct sl_err *err);
static void become_up(struct dev_supervisor *sup);
static bool save_addresses(const struct dev_supervisor *sup, struct sl_err *err);
static void start_demo(struct dev_supervisor *sup);

bool dev_setup_prepare(struct dev_supervisor *sup, struct sl_err *err)
{
    char path[PATH_MAX];
    SL_DONE(ops_stack_done) struct ops_stack before = { 0 };

    ops_stack_load(&before, sup->home->dir);
    dev_home_path(sup->home, path, "stack.env");
    (void)unlink(path);
    end_leftovers(sup->home);
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        dev_home_path(sup->home, path, "hold/%s", dev_who_name((enum dev_who)i));
        (void)unlink(path);
    }
    const char *secret = ops_stack_get(&before, "STRIPE_WEBHOOK_SECRET");
    if (secret != NULL && strlen(secret) < sizeof sup->secret) {
        memcpy(sup->secret, secret, strlen(secret) + 1);
    } else if (!make_secret(sup->secret, sizeof sup->secret, err)) {
        return false;
    }
    /* Once its queue exists somebody has to read it. */
    sup->has_activity = getenv(SUBSYSTEMS_KEY) == NULL &&
                        (sup->opts.with_demo || ops_stack_get(&before, SUBSYSTEMS_KEY) != NULL);
    return dev_ports_pick(&before, sup->ports, err);
}

/* What a supervisor that was killed has left, if the kernel's signal did not end it. Servers know how to prove what is theirs. */
static void end_leftovers(const struct dev_home *home)
{
    static const enum dev_who order[] = { DEV_PUBLISHER, DEV_CONSUMER, DEV_RABBITMQ, DEV_POSTGRES };
    char path[PATH_MAX];
    char proof[PATH_MAX + sizeof "SLUICE_STATE_DIR="];

    dev_home_path(home, path, "data");
    (void)snprintf(proof, sizeof proof, "SLUICE_STATE_DIR=%s", path);
    for (size_t i = 0; i < SL_COUNT(order); i++) {
        if (dev_kind_of(order[i])->script != NULL) {
            end_server(home, order[i]);
            continue;
        }
        dev_home_path(home, path, "run/%s.pid", dev_who_name(order[i]));
        if (dev_process_end_leftover(path, proof)) {
            fprintf(stderr, "  %-10s of an earlier run stopped\n", dev_who_name(order[i]));
        }
    }
}

static void end_server(const struct dev_home *home, enum dev_who who)
{
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    struct sl_err err = { 0 };
    char script[PATH_MAX];
    char log_path[PATH_MAX];
    int status = 0;

    dev_home_path(home, script, "scripts/%s", dev_kind_of(who)->script);
    dev_log_path(home, dev_who_name(who), log_path);
    dev_env_set(&env, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    dev_env_set(&env, "STACK_DIR", "%s/%s", home->dir, dev_who_name(who));
    const char *const argv[] = { "/bin/bash", script, "stop", NULL };
    struct dev_spawn spawn = {
        .argv = argv, .environment = env.items, .log_path = log_path, .death_signal = SIGTERM
    };
    pid_t pid = dev_process_spawn(&spawn, &err);
    if (pid > 0 && !dev_process_wait(pid, LEFTOVER_WAIT_MS, &status)) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
    }
}

static bool make_secret(char *out_text, size_t room, struct sl_err *err)
{
    unsigned char bytes[SECRET_BYTES];
    SL_ASSERT(room > sizeof "whsec_" + 2u * SECRET_BYTES);
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return sl_fail(err, SL_E_IO, "getrandom: %s", strerror(errno));
    }
    size_t used = (size_t)snprintf(out_text, room, "whsec_");
    for (size_t i = 0; i < sizeof bytes; i++) {
        used += (size_t)snprintf(out_text + used, room - used, "%02x", bytes[i]);
    }
    return true;
}

void dev_setup_advance(struct dev_supervisor *sup)
{
    struct sl_err err = { 0 };
    bool has_broker = dev_child_is(sup, DEV_RABBITMQ, DEV_READY);
    bool has_servers = has_broker && dev_child_is(sup, DEV_POSTGRES, DEV_READY);

    if (has_broker && sup->password[0] == '\0' && !read_password(sup, &err)) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        dev_give_up(sup, EX_SOFTWARE, "rabbitmq");
        return;
    }
    bool has_tasks = sup->opts.servers_only || run_tasks(sup);
    if (sup->phase != DEV_PHASE_SETUP) {
        return; /* a task has failed */
    }
    if (has_servers && has_tasks && sup->programs_from_ms == 0 && !sup->opts.servers_only) {
        sup->programs_from_ms = sl_clock_mono_ms();
    }
    bool has_programs =
        dev_child_is(sup, DEV_PUBLISHER, DEV_READY) && dev_child_is(sup, DEV_CONSUMER, DEV_READY);
    if (has_servers && (sup->opts.servers_only || has_programs)) {
        become_up(sup);
        return;
    }
    check_deadline(sup);
}

/* True once all are done. */
static bool run_tasks(struct dev_supervisor *sup)
{
    bool is_done = true;
    for (size_t i = 0; i < DEV_TASKS && sup->phase == DEV_PHASE_SETUP; i++) {
        run_task(sup, &sup->tasks[i]);
        is_done = is_done && sup->tasks[i].state == DEV_TASK_DONE;
    }
    return is_done;
}

static void run_task(struct dev_supervisor *sup, struct dev_task *task)
{
    struct sl_err err = { 0 };
    char log_path[PATH_MAX];
    bool is_due = false;
    int status = 0;

    switch (task->state) {
    case DEV_TASK_IDLE:
        is_due = dev_child_is(sup, task->needs, DEV_READY);
        break;
    case DEV_TASK_RUNS:
        if (dev_process_has_ended(task->pid, &status)) {
            judge_task(sup, task, status);
        }
        break;
    case DEV_TASK_WAITS:
        is_due = sl_clock_mono_ms() >= task->due_ms;
        break;
    case DEV_TASK_DONE:
        break;
    }
    if (!is_due) {
        return;
    }
    const char *const arguments[] = { task->noun, task->verb, NULL };
    dev_log_path(sup->home, "setup", log_path);
    task->pid = dev_spawn_sluice(sup, arguments, log_path, &err);
    if (task->pid < 0) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        dev_give_up(sup, EX_OSERR, NULL);
        return;
    }
    task->tries++;
    task->state = DEV_TASK_RUNS;
}

/* A dependency that is away for a moment gets another try. */
static void judge_task(struct dev_supervisor *sup, struct dev_task *task, int status)
{
    char how[DEV_EXIT_TEXT_BYTES];
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;

    if (code == 0) {
        task->state = DEV_TASK_DONE;
        fprintf(stderr, "  %-10s done\n", task->noun);
        return;
    }
    if ((code == EX_UNAVAILABLE || code == EX_TEMPFAIL) && task->tries < TRIES_MAX) {
        task->state = DEV_TASK_WAITS;
        task->due_ms = sl_clock_mono_ms() + TRY_PAUSE_MS;
        return;
    }
    dev_process_describe(status, how);
    fprintf(stderr, "sluice dev: `sluice %s %s` failed: %s\n", task->noun, task->verb, how);
    dev_give_up(sup, code, "setup");
}

static void check_deadline(struct dev_supervisor *sup)
{
    bool is_programs_turn = sup->programs_from_ms != 0;
    int64_t from_ms = is_programs_turn ? sup->programs_from_ms : sup->started_ms;
    int64_t wait_ms = is_programs_turn ? PROGRAMS_WAIT_MS : SERVERS_WAIT_MS;

    if (sl_clock_mono_ms() - from_ms < wait_ms) {
        return;
    }
    const char *late = "setup"; /* migrations or topology, when both servers serve */
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        bool is_program = dev_kind_of((enum dev_who)i)->program != NULL;
        if (is_program == is_programs_turn && !dev_child_is(sup, (enum dev_who)i, DEV_READY)) {
            late = dev_who_name((enum dev_who)i);
        }
    }
    fprintf(stderr, "sluice dev: %s is not ready after %lld s\n", late,
            (long long)(wait_ms / 1000));
    dev_give_up(sup, EX_UNAVAILABLE, late);
}

static bool read_password(struct dev_supervisor *sup, struct sl_err *err)
{
    char path[PATH_MAX];
    dev_home_path(sup->home, path, "rabbitmq/password");
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return sl_fail(err, SL_E_IO, "%s: %s", path, strerror(errno));
    }
    bool is_read = fgets(sup->password, sizeof sup->password, file) != NULL;
    (void)fclose(file);
    sup->password[strcspn(sup->password, "\n")] = '\0';
    return (is_read && sup->password[0] != '\0') || sl_fail(err, SL_E_IO, "%s is empty", path);
}

static void become_up(struct dev_supervisor *sup)
{
    struct sl_err err = { 0 };
    bool is_default = !sup->opts.servers_only;
    if (!save_addresses(sup, &err) || (is_default && !ops_stack_point_to(sup->home->dir, &err))) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        dev_give_up(sup, EX_CANTCREAT, NULL);
        return;
    }
    sup->phase = DEV_PHASE_UP;
    printf("\nThe stack is up after %.1f s.\n\n",
           (double)(sl_clock_mono_ms() - sup->started_ms) / 1000.0);
    (void)fflush(stdout);
    if (sup->opts.with_demo) {
        start_demo(sup);
    } else {
        dev_show_banner(sup);
    }
}

static bool save_addresses(const struct dev_supervisor *sup, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf lines = { 0 };
    sl_buf_init(&lines, OPS_STACK_BYTES_MAX - 1);
    (void)sl_buf_printf(&lines,
                        "AMQP_URL=amqp://sluice:%s@127.0.0.1:%u\n"
                        "RABBITMQ_API_URL=http://sluice:%s@127.0.0.1:%u\n"
                        "DATABASE_URL=postgres://sluice@127.0.0.1:%u/sluice\n"
                        "STRIPE_WEBHOOK_SECRET=%s\n",
                        sup->password, sup->ports[DEV_PORT_AMQP], sup->password,
                        sup->ports[DEV_PORT_MANAGEMENT], sup->ports[DEV_PORT_POSTGRES],
                        sup->secret);
    if (!sup->opts.servers_only) {
        (void)sl_buf_printf(&lines,
                            "SLUICE_HTTP_LISTEN=127.0.0.1:%u\n"
                            "STACK_PUBLISHER_METRICS=127.0.0.1:%u\n"
                            "STACK_CONSUMER_METRICS=127.0.0.1:%u\n"
                            "SLUICE_STATE_DIR=%s/data\n",
                            sup->ports[DEV_PORT_HTTP], sup->ports[DEV_PORT_PUBLISHER_METRICS],
                            sup->ports[DEV_PORT_CONSUMER_METRICS], sup->home->dir);
    }
    if (sup->has_activity) {
        (void)sl_buf_printf(&lines, SUBSYSTEMS_KEY "=%s/scripts/demo.conf\n", sup->home->dir);
    }
    (void)sl_buf_printf(&lines,
                        "STACK_DIR=%s\n"
                        "STACK_PID=%d\n"
                        "STACK_RABBITMQ_USER=sluice\n"
                        "STACK_RABBITMQ_PASSWORD=%s\n",
                        sup->home->dir, (int)getpid(), sup->password);
    for (unsigned i = 0; i < DEV_PORTS; i++) {
        (void)sl_buf_printf(&lines, "%s=%u\n", dev_port_name((enum dev_port)i), sup->ports[i]);
    }
    if (!sl_buf_ok(&lines)) {
        return sl_fail(err, SL_E_LIMIT, "addresses do not fit");
    }
    return ops_stack_save(sup->home->dir, sl_buf_span(&lines), err);
}

static void start_demo(struct dev_supervisor *sup)
{
    struct sl_err err = { 0 };
    char count[16];
    (void)snprintf(count, sizeof count, "%u", sup->opts.demo_count);
    const char *const arguments[] = { "dev", "demo", "--count", count, NULL };
    pid_t pid = dev_spawn_sluice(sup, arguments, NULL, &err);
    if (pid < 0) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        dev_give_up(sup, EX_OSERR, NULL);
        return;
    }
    sup->demo_pid = pid;
}
