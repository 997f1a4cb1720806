#include "ops/dev/dev_supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/dev/dev_process.h"
#include "shared/clock.h"

#define PROBE_EVERY_MS 200
#define KILL_AGAIN_MS  5000
#define STEADY_MS      10000 /* who served this long starts with the first pause again */
#define ARGUMENTS_MAX  8u
#define EXIT_NO_EXEC   127 /* dev_process, as shells do */

/* Publisher first, so that nothing new is accepted while the rest goes. */
static const enum dev_who stop_order[DEV_WHO_COUNT] = { DEV_PUBLISHER, DEV_CONSUMER, DEV_RABBITMQ,
                                                        DEV_POSTGRES };

static void watch(struct dev_supervisor *sup, enum dev_who who);
static bool is_wanted(const struct dev_supervisor *sup, enum dev_who who);
static bool is_held(const struct dev_supervisor *sup, enum dev_who who);
static bool serves(struct dev_supervisor *sup, enum dev_who who);
static void happen(struct dev_supervisor *sup, enum dev_who who, enum dev_event event,
                   int exit_status);
static void spawn_child(struct dev_supervisor *sup, enum dev_who who);
static pid_t spawn_server(const struct dev_supervisor *sup, enum dev_who who, const char *verb,
                          const char *log_path, struct sl_err *err);
static pid_t spawn_program(const struct dev_supervisor *sup, enum dev_who who, const char *log_path,
                           struct sl_err *err);
static void record_pid(const struct dev_supervisor *sup, enum dev_who who);
static void report_death(struct dev_supervisor *sup, enum dev_who who, int status);

bool dev_child_is(const struct dev_supervisor *sup, enum dev_who who, enum dev_state state)
{
    return sup->children[who].state == state;
}

bool dev_children_are_stopped(const struct dev_supervisor *sup)
{
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        if (sup->children[i].state != DEV_STOPPED) {
            return false;
        }
    }
    return true;
}

void dev_children_kill(const struct dev_supervisor *sup)
{
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        if (sup->children[i].pid != 0) {
            (void)kill(sup->children[i].pid, dev_kind_of(i)->kill_signal);
        }
    }
}

void dev_children_watch(struct dev_supervisor *sup)
{
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        watch(sup, stop_order[i]);
    }
}

static void watch(struct dev_supervisor *sup, enum dev_who who)
{
    struct dev_child *child = &sup->children[who];
    int status = 0;

    if (child->pid != 0 && dev_process_has_ended(child->pid, &status)) {
        child->pid = 0;
        happen(sup, who, DEV_EV_EXITED, status);
    }
    if (is_wanted(sup, who)) {
        happen(sup, who, DEV_EV_WANTED, 0);
    } else {
        happen(sup, who, DEV_EV_HELD, 0);
    }
    if (serves(sup, who)) {
        happen(sup, who, DEV_EV_SERVES, 0);
    }
    if (child->due_ms != 0 && sl_clock_mono_ms() >= child->due_ms) {
        child->due_ms = 0;
        happen(sup, who, DEV_EV_DUE, 0);
    }
}

static bool is_wanted(const struct dev_supervisor *sup, enum dev_who who)
{
    bool is_program = dev_kind_of(who)->program != NULL;
    if (sup->phase == DEV_PHASE_ENDING) {
        /* Each waits for those before it; Postgres only for the programs, not for the broker. */
        bool programs_gone = dev_child_is(sup, DEV_PUBLISHER, DEV_STOPPED) &&
                             dev_child_is(sup, DEV_CONSUMER, DEV_STOPPED);
        bool waits = (who == DEV_CONSUMER && !dev_child_is(sup, DEV_PUBLISHER, DEV_STOPPED)) ||
                     (!is_program && !programs_gone);
        return waits && sup->children[who].state != DEV_STOPPED;
    }
    if (is_program && sup->programs_from_ms == 0) {
        return false;
    }
    return !is_held(sup, who);
}

static bool is_held(const struct dev_supervisor *sup, enum dev_who who)
{
    char path[PATH_MAX];
    dev_home_path(sup->home, path, "hold/%s", dev_who_name(who));
    return access(path, F_OK) == 0;
}

/* Asks a starting process whether it serves: a server through its script, in the background; a program over HTTP. */
static bool serves(struct dev_supervisor *sup, enum dev_who who)
{
    struct dev_child *child = &sup->children[who];
    struct sl_err err = { 0 };
    int status = 0;

    if (child->probe_pid != 0) {
        if (!dev_process_has_ended(child->probe_pid, &status)) {
            return false;
        }
        child->probe_pid = 0;
        return child->state == DEV_STARTING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    if (child->state != DEV_STARTING || sl_clock_mono_ms() < child->probe_ms) {
        return false;
    }
    child->probe_ms = sl_clock_mono_ms() + PROBE_EVERY_MS;
    if (dev_kind_of(who)->program != NULL) {
        return dev_process_http_status(sup->ports[dev_kind_of(who)->ready], "/readyz") == 200;
    }
    pid_t pid = spawn_server(sup, who, "ready", "/dev/null", &err);
    child->probe_pid = pid > 0 ? pid : 0;
    return false;
}

/* exit_status matters for DEV_EV_EXITED only. */
static void happen(struct dev_supervisor *sup, enum dev_who who, enum dev_event event,
                   int exit_status)
{
    struct dev_child *child = &sup->children[who];
    struct dev_rule rule = dev_step(child->state, event);
    int64_t now_ms = sl_clock_mono_ms();

    if (rule.to != child->state) {
        child->since_us = sl_clock_wall_us();
    }
    child->state = rule.to;
    switch (rule.action) {
    case DEV_DO_NOTHING:
        break;
    case DEV_DO_SPAWN:
        spawn_child(sup, who);
        break;
    case DEV_DO_STOP:
        child->kills = 0;
        child->due_ms = now_ms + dev_kind_of(who)->stop_wait_ms;
        (void)kill(child->pid, dev_kind_of(who)->stop_signal);
        break;
    case DEV_DO_KILL:
        child->due_ms = now_ms + KILL_AGAIN_MS;
        (void)kill(child->pid, child->kills++ == 0 ? dev_kind_of(who)->kill_signal : SIGKILL);
        break;
    case DEV_DO_PAUSE:
        report_death(sup, who, exit_status);
        break;
    case DEV_DO_REST:
        child->due_ms = 0;
        child->deaths = 0;
        fprintf(stderr, "  %-10s stopped\n", dev_who_name(who));
        break;
    case DEV_DO_SERVE:
        child->ready_ms = now_ms;
        fprintf(stderr, "  %-10s ready after %.1f s\n", dev_who_name(who),
                (double)(now_ms - child->started_ms) / 1000.0);
        break;
    }
}

static void spawn_child(struct dev_supervisor *sup, enum dev_who who)
{
    struct dev_child *child = &sup->children[who];
    struct sl_err err = { 0 };
    char log_path[PATH_MAX];

    child->started_ms = sl_clock_mono_ms();
    child->ready_ms = 0;
    child->probe_ms = 0;
    child->starts++;
    dev_log_path(sup->home, dev_who_name(who), log_path);
    pid_t pid = dev_kind_of(who)->script != NULL ? spawn_server(sup, who, "run", log_path, &err)
                                                 : spawn_program(sup, who, log_path, &err);
    if (pid < 0) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        happen(sup, who, DEV_EV_EXITED, 0);
        return;
    }
    child->pid = pid;
    record_pid(sup, who);
    fprintf(stderr, "  %-10s starting on 127.0.0.1:%u\n", dev_who_name(who),
            sup->ports[dev_kind_of(who)->port]);
}

static pid_t spawn_server(const struct dev_supervisor *sup, enum dev_who who, const char *verb,
                          const char *log_path, struct sl_err *err)
{
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    char script[PATH_MAX];

    dev_env_set(&env, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    dev_env_set(&env, "LANG", "C.UTF-8");
    dev_env_set(&env, "STACK_DIR", "%s/%s", sup->home->dir, dev_who_name(who));
    for (unsigned i = 0; i < DEV_PORTS; i++) {
        dev_env_set(&env, dev_port_name((enum dev_port)i), "%u", sup->ports[i]);
    }
    dev_home_path(sup->home, script, "scripts/%s", dev_kind_of(who)->script);
    const char *const argv[] = { "/bin/bash", script, verb, NULL };
    struct dev_spawn spawn = { .argv = argv,
                               .environment = dev_env_list(&env, err),
                               .log_path = log_path,
                               .death_signal = dev_kind_of(who)->stop_signal };
    return spawn.environment == NULL ? -1 : dev_process_spawn(&spawn, err);
}

static pid_t spawn_program(const struct dev_supervisor *sup, enum dev_who who, const char *log_path,
                           struct sl_err *err)
{
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    char program[PATH_MAX];
    enum dev_port metrics =
        who == DEV_PUBLISHER ? DEV_PORT_PUBLISHER_METRICS : DEV_PORT_CONSUMER_METRICS;

    dev_programs_environment(sup, &env);
    dev_env_set(&env, "SERVICE_NAME", "%s", dev_kind_of(who)->program);
    dev_env_set(&env, "SLUICE_METRICS_LISTEN", "127.0.0.1:%u", sup->ports[metrics]);
    const char *const argv[] = { program, NULL };
    struct dev_spawn spawn = { .argv = argv,
                               .environment = dev_env_list(&env, err),
                               .log_path = log_path,
                               .death_signal = dev_kind_of(who)->stop_signal };
    if (spawn.environment == NULL ||
        !ops_stack_path(program, sup->home->programs, dev_kind_of(who)->program, err)) {
        return -1;
    }
    return dev_process_spawn(&spawn, err);
}

static void record_pid(const struct dev_supervisor *sup, enum dev_who who)
{
    char path[PATH_MAX];
    dev_home_path(sup->home, path, "run/%s.pid", dev_who_name(who));
    FILE *file = fopen(path, "we");
    if (file != NULL) {
        fprintf(file, "%d\n", (int)sup->children[who].pid);
        (void)fclose(file);
    }
}

static void report_death(struct dev_supervisor *sup, enum dev_who who, int status)
{
    struct dev_child *child = &sup->children[who];
    char how[DEV_EXIT_TEXT_BYTES];
    char log_path[PATH_MAX];
    int64_t now_ms = sl_clock_mono_ms();
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    bool is_setup_fault = (code >= EX__BASE && code <= EX__MAX) || code == EXIT_NO_EXEC;

    dev_process_describe(status, how);
    fprintf(stderr, "  %-10s died: %s, after %.1f s", dev_who_name(who), how,
            (double)(now_ms - child->started_ms) / 1000.0);
    if (sup->phase == DEV_PHASE_SETUP && is_setup_fault) {
        fprintf(stderr, "\n");
        dev_give_up(sup, code == EXIT_NO_EXEC ? EX_UNAVAILABLE : code, dev_who_name(who));
        return;
    }
    bool was_steady = child->ready_ms != 0 && now_ms - child->ready_ms >= STEADY_MS;
    child->deaths = was_steady ? 1 : child->deaths + 1;
    int64_t pause_ms = dev_restart_pause_ms(child->deaths);
    child->due_ms = now_ms + pause_ms;
    dev_log_path(sup->home, dev_who_name(who), log_path);
    fprintf(stderr, "; starting it again in %lld s; its log: %s\n", (long long)(pause_ms / 1000),
            log_path);
}

/* The caller's secret comes second: events that `stripe listen` forwards are signed with it. */
void dev_programs_environment(const struct dev_supervisor *sup, struct dev_env *env)
{
    const char *also = getenv("STRIPE_WEBHOOK_SECRET");
    bool has_also = also != NULL && also[0] != '\0';
    dev_env_inherit(env);
    dev_env_set(env, "AMQP_URL", "amqp://sluice:%s@127.0.0.1:%u", sup->password,
                sup->ports[DEV_PORT_AMQP]);
    dev_env_set(env, "RABBITMQ_API_URL", "http://sluice:%s@127.0.0.1:%u", sup->password,
                sup->ports[DEV_PORT_MANAGEMENT]);
    dev_env_set(env, "DATABASE_URL", "postgres://sluice@127.0.0.1:%u/sluice",
                sup->ports[DEV_PORT_POSTGRES]);
    dev_env_set(env, "SLUICE_HTTP_LISTEN", "127.0.0.1:%u", sup->ports[DEV_PORT_HTTP]);
    dev_env_set(env, "SLUICE_STATE_DIR", "%s/data", sup->home->dir);
    /* Wherever the state directory is: what a local stack keeps need not survive the machine. */
    dev_env_set(env, "SLUICE_JOURNAL_ALLOW_VOLATILE", "true");
    if (sup->has_activity) {
        dev_env_set(env, "SLUICE_SUBSYSTEMS", "%s/scripts/demo.conf", sup->home->dir);
    }
    dev_env_set(env, "STRIPE_WEBHOOK_SECRET", "%s%s%s", sup->secret, has_also ? "," : "",
                has_also ? also : "");
}

pid_t dev_spawn_sluice(const struct dev_supervisor *sup, const char *const *arguments,
                       const char *log_path, struct sl_err *err)
{
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    char program[PATH_MAX];
    const char *argv[ARGUMENTS_MAX] = { program };

    for (size_t i = 0; arguments[i] != NULL; i++) {
        SL_ASSERT(i + 2 < ARGUMENTS_MAX);
        argv[i + 1] = arguments[i];
    }
    dev_programs_environment(sup, &env);
    dev_env_set(&env, "SLUICE_DEV_DIR", "%s", sup->home->dir);
    struct dev_spawn spawn = { .argv = argv,
                               .environment = dev_env_list(&env, err),
                               .log_path = log_path,
                               .death_signal = SIGTERM };
    if (spawn.environment == NULL || !ops_stack_path(program, sup->home->programs, "sluice", err)) {
        return -1;
    }
    return dev_process_spawn(&spawn, err);
}
