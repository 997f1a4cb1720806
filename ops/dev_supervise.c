#include "ops/dev_supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/dev_banner.h"
#include "ops/dev_env.h"
#include "ops/dev_process.h"
#include "ops/dev_step.h"
#include "shared/clock.h"

#define TICK_MS          100
#define PROBE_EVERY_MS   200
#define SERVERS_WAIT_MS  60000 /* a broker boots in 5 to 18 s, half a minute on a loaded machine */
#define PROGRAMS_WAIT_MS 20000
#define KILL_AGAIN_MS    5000
#define STEADY_MS        10000 /* who served this long starts with the first pause again */
#define STEP_TRIES_MAX   3u
#define STEP_PAUSE_MS    1000
#define LEFTOVER_WAIT_MS 45000 /* longer than a script's own stop */
#define LOG_BYTES_MAX    (8 * 1024 * 1024)
#define SECRET_BYTES     24u

/* What is the same for every run. */
static const struct kind {
    const char *name;
    const char *script;  /* servers */
    const char *program; /* ours */
    enum dev_port port;  /* where it serves */
    enum dev_port probe; /* where /readyz is, ours only */
    int stop_signal;
    int kill_signal;
    int64_t stop_wait_ms;
} kinds[DEV_WHO_COUNT] = {
    /* INT makes Postgres end open sessions, QUIT makes it leave at once; a plain KILL would orphan its children. */
    [DEV_POSTGRES] = { "postgres", "postgres.sh", NULL, DEV_PORT_POSTGRES, DEV_PORTS, SIGINT,
                       SIGQUIT, 15000 },
    [DEV_RABBITMQ] = { "rabbitmq", "rabbitmq.sh", NULL, DEV_PORT_AMQP, DEV_PORTS, SIGTERM, SIGKILL,
                       20000 },
    [DEV_PUBLISHER] = { "publisher", NULL, "sluice-publisher", DEV_PORT_HTTP, DEV_PORT_HTTP,
                        SIGTERM, SIGKILL, 15000 },
    [DEV_CONSUMER] = { "consumer", NULL, "sluice-consumer", DEV_PORT_CONSUMER_METRICS,
                       DEV_PORT_CONSUMER_METRICS, SIGTERM, SIGKILL, 15000 },
};

/* Publisher first, so that nothing new is accepted while the rest goes. */
static const enum dev_who stop_order[DEV_WHO_COUNT] = { DEV_PUBLISHER, DEV_CONSUMER, DEV_RABBITMQ,
                                                        DEV_POSTGRES };

enum phase { PHASE_SETUP, PHASE_UP, PHASE_ENDING };

struct child {
    enum dev_state state;
    pid_t pid;          /* 0: none */
    pid_t probe_pid;    /* 0: no probe runs */
    int64_t probe_ms;   /* not before */
    int64_t due_ms;     /* 0: no timer */
    int64_t started_ms; /* last start */
    int64_t ready_ms;   /* 0: not since the last start */
    int64_t since_us;   /* wall clock of the last change */
    unsigned deaths;    /* in a row */
    unsigned starts;
    unsigned kills; /* of this stop */
};

enum step_state { STEP_IDLE, STEP_RUNS, STEP_WAITS, STEP_DONE };

/* One of our own commands that has to succeed once. */
struct step {
    const char *argv[4];
    enum dev_who needs;
    enum step_state state;
    pid_t pid;
    unsigned tries;
    int64_t due_ms;
};

struct supervisor {
    const struct dev_home *home;
    struct dev_supervise_opts opts;
    uint16_t ports[DEV_PORTS];
    char secret[80];   /* signing secret of the webhook endpoint */
    char password[80]; /* of the broker; known once it has run */
    struct child children[DEV_WHO_COUNT];
    struct step steps[2];
    enum phase phase;
    int64_t started_ms;
    int64_t programs_from_ms; /* when publisher and consumer were let go; 0 before */
    pid_t demo_pid;           /* 0: none */
    int signals;              /* signalfd */
    unsigned stop_requests;
    int exit_status;
};

static void supervisor_done(struct supervisor *sup);
static bool prepare(struct supervisor *sup, struct sl_err *err);
static void end_leftovers(const struct supervisor *sup);
static bool make_secret(char *out_text, size_t room, struct sl_err *err);
static bool watch_signals(struct supervisor *sup, struct sl_err *err);
static void wait_for_tick(struct supervisor *sup);
static void request_stop(struct supervisor *sup);
static void kill_all(struct supervisor *sup);

static void tick(struct supervisor *sup);
static void watch(struct supervisor *sup, enum dev_who who);
static bool is_wanted(const struct supervisor *sup, enum dev_who who);
static bool is_held(const struct supervisor *sup, enum dev_who who);
static bool is_stopped(const struct supervisor *sup, enum dev_who who);
static bool serves(struct supervisor *sup, enum dev_who who);
static void happen(struct supervisor *sup, enum dev_who who, enum dev_event event, int exit_status);
static void spawn_child(struct supervisor *sup, enum dev_who who);
static void report_death(struct supervisor *sup, enum dev_who who, int status);

static void advance_setup(struct supervisor *sup);
static void run_step(struct supervisor *sup, struct step *step);
static bool read_password(struct supervisor *sup, struct sl_err *err);
static bool save_addresses(const struct supervisor *sup, struct sl_err *err);
static void become_up(struct supervisor *sup);
static void watch_demo(struct supervisor *sup);
static void give_up(struct supervisor *sup, int exit_status, const char *log_name);
static void publish_status(const struct supervisor *sup);

static void environment_of_server(const struct supervisor *sup, enum dev_who who,
                                  struct dev_env *env);
static void environment_of_programs(const struct supervisor *sup, struct dev_env *env);
static void log_path_of(const struct supervisor *sup, const char *name, char out_path[PATH_MAX]);

const char *dev_who_name(enum dev_who who)
{
    SL_ASSERT(who < DEV_WHO_COUNT);
    return kinds[who].name;
}

enum dev_who dev_who_find(const char *name)
{
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return (enum dev_who)i;
        }
    }
    return DEV_WHO_COUNT;
}

int dev_supervise(const struct dev_home *home, const struct dev_supervise_opts *opts)
{
    struct sl_err err = { 0 };
    SL_DONE(supervisor_done)
    struct supervisor sup = { .home = home,
                              .opts = *opts,
                              .started_ms = sl_clock_mono_ms(),
                              .signals = -1,
                              .steps = {
                                  { { "sluice", "migrate", "up", NULL }, .needs = DEV_POSTGRES },
                                  { { "sluice", "topology", "apply", NULL },
                                    .needs = DEV_RABBITMQ },
                              } };
    if (!prepare(&sup, &err)) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        return sl_err_exit_status(&err);
    }
    bool is_over = false;
    while (!is_over) {
        wait_for_tick(&sup);
        tick(&sup);
        is_over = sup.phase == PHASE_ENDING && sup.demo_pid == 0;
        for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
            is_over = is_over && is_stopped(&sup, (enum dev_who)i);
        }
    }
    fprintf(stderr, "sluice dev: everything is stopped; the rows stay for the next start\n");
    return sup.exit_status;
}

static void supervisor_done(struct supervisor *sup)
{
    if (sup->signals >= 0) {
        close(sup->signals);
    }
    explicit_bzero(sup->secret, sizeof sup->secret);
    explicit_bzero(sup->password, sizeof sup->password);
}

/* Start */

static bool prepare(struct supervisor *sup, struct sl_err *err)
{
    char path[PATH_MAX];
    SL_DONE(ops_stack_done) struct ops_stack before = { 0 };

    end_leftovers(sup);
    ops_stack_load(&before, sup->home->dir);
    dev_home_path(sup->home, path, "stack.env");
    (void)unlink(path); /* nobody reads addresses of a stack that does not serve yet */
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        dev_home_path(sup->home, path, "hold/%s", kinds[i].name);
        (void)unlink(path);
    }
    const char *secret = ops_stack_get(&before, "STRIPE_WEBHOOK_SECRET");
    if (secret != NULL && strlen(secret) < sizeof sup->secret) {
        memcpy(sup->secret, secret, strlen(secret) + 1);
    } else if (!make_secret(sup->secret, sizeof sup->secret, err)) {
        return false;
    }
    return dev_ports_pick(&before, sup->ports, err) && watch_signals(sup, err);
}

/* What a supervisor that was killed has left, if the kernel's signal did not end it. Servers know how to prove what is theirs. */
static void end_leftovers(const struct supervisor *sup)
{
    static const char *const verbs[] = { "postgres.sh", "rabbitmq.sh" };
    static const char *const places[] = { "postgres", "rabbitmq" };
    static const char *const names[] = { "publisher", "consumer" };
    char path[PATH_MAX];
    char proof[PATH_MAX + sizeof "SLUICE_STATE_DIR="];

    dev_home_path(sup->home, path, "data");
    (void)snprintf(proof, sizeof proof, "SLUICE_STATE_DIR=%s", path);
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        dev_home_path(sup->home, path, "run/%s.pid", names[i]);
        if (dev_process_end_leftover(path, proof)) {
            fprintf(stderr, "  %-10s of an earlier run stopped\n", names[i]);
        }
    }
    for (size_t i = 0; i < SL_COUNT(verbs); i++) {
        SL_DONE(dev_env_done) struct dev_env env = { 0 };
        char log_path[PATH_MAX];
        struct sl_err err = { 0 };
        int status = 0;
        dev_home_path(sup->home, path, "scripts/%s", verbs[i]);
        log_path_of(sup, places[i], log_path);
        dev_env_set(&env, "PATH", "/usr/bin:/bin");
        dev_env_set(&env, "STACK_DIR", "%s/%s", sup->home->dir, places[i]);
        const char *const argv[] = { "/bin/bash", path, "stop", NULL };
        struct dev_spawn spawn = {
            .argv = argv, .environment = env.items, .log_path = log_path, .death_signal = SIGTERM
        };
        pid_t pid = dev_process_spawn(&spawn, &err);
        if (pid > 0 && !dev_process_wait(pid, LEFTOVER_WAIT_MS, &status)) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
        }
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

static bool watch_signals(struct supervisor *sup, struct sl_err *err)
{
    sigset_t watched;
    (void)sigemptyset(&watched);
    (void)sigaddset(&watched, SIGINT);
    (void)sigaddset(&watched, SIGTERM);
    (void)sigaddset(&watched, SIGHUP);
    (void)sigaddset(&watched, SIGCHLD);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &watched, NULL) != 0) {
        return sl_fail(err, SL_E_IO, "sigprocmask: %s", strerror(errno));
    }
    sup->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    return sup->signals >= 0 || sl_fail(err, SL_E_IO, "signalfd: %s", strerror(errno));
}

static void wait_for_tick(struct supervisor *sup)
{
    struct pollfd ready = { .fd = sup->signals, .events = POLLIN };
    struct signalfd_siginfo info;
    (void)poll(&ready, 1, TICK_MS);
    while (read(sup->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGCHLD) {
            request_stop(sup);
        }
    }
}

static void request_stop(struct supervisor *sup)
{
    sup->stop_requests++;
    if (sup->stop_requests == 1) {
        fprintf(stderr, "\nsluice dev: stopping (once more stops at once)\n");
        if (sup->phase == PHASE_SETUP) {
            sup->exit_status = 130; /* nothing was delivered */
        }
        sup->phase = PHASE_ENDING;
        return;
    }
    fprintf(stderr, "\nsluice dev: stopping at once\n");
    sup->exit_status = 130;
    kill_all(sup);
}

static void kill_all(struct supervisor *sup)
{
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        if (sup->children[i].pid != 0) {
            (void)kill(sup->children[i].pid, kinds[i].kill_signal);
        }
    }
}

/* One turn */

static void tick(struct supervisor *sup)
{
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        watch(sup, stop_order[i]);
    }
    if (sup->phase == PHASE_SETUP) {
        advance_setup(sup);
    }
    watch_demo(sup);
    publish_status(sup);
}

static void watch(struct supervisor *sup, enum dev_who who)
{
    struct child *child = &sup->children[who];
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

static bool is_wanted(const struct supervisor *sup, enum dev_who who)
{
    bool is_program = kinds[who].program != NULL;
    if (sup->phase == PHASE_ENDING) {
        /* Each waits for those before it; Postgres only for the programs, not for the broker. */
        bool programs_gone = is_stopped(sup, DEV_PUBLISHER) && is_stopped(sup, DEV_CONSUMER);
        bool waits = (who == DEV_CONSUMER && !is_stopped(sup, DEV_PUBLISHER)) ||
                     (!is_program && !programs_gone);
        return waits && sup->children[who].state != DEV_STOPPED;
    }
    if (is_program && sup->programs_from_ms == 0) {
        return false;
    }
    return !is_held(sup, who);
}

static bool is_held(const struct supervisor *sup, enum dev_who who)
{
    char path[PATH_MAX];
    dev_home_path(sup->home, path, "hold/%s", kinds[who].name);
    return access(path, F_OK) == 0;
}

static bool is_stopped(const struct supervisor *sup, enum dev_who who)
{
    return sup->children[who].state == DEV_STOPPED;
}

/* Asks a starting process whether it serves: a server through its script, in the background; a program over HTTP. */
static bool serves(struct supervisor *sup, enum dev_who who)
{
    struct child *child = &sup->children[who];
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
    if (kinds[who].program != NULL) {
        return dev_process_http_status(sup->ports[kinds[who].probe], "/readyz") == 200;
    }
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    char script[PATH_MAX];
    environment_of_server(sup, who, &env);
    dev_home_path(sup->home, script, "scripts/%s", kinds[who].script);
    const char *const argv[] = { "/bin/bash", script, "ready", NULL };
    struct dev_spawn spawn = {
        .argv = argv, .environment = env.items, .log_path = "/dev/null", .death_signal = SIGKILL
    };
    pid_t pid = dev_process_spawn(&spawn, &err);
    child->probe_pid = pid > 0 ? pid : 0;
    return false;
}

/* exit_status matters for DEV_EV_EXITED only. */
static void happen(struct supervisor *sup, enum dev_who who, enum dev_event event, int exit_status)
{
    struct child *child = &sup->children[who];
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
        child->due_ms = now_ms + kinds[who].stop_wait_ms;
        (void)kill(child->pid, kinds[who].stop_signal);
        break;
    case DEV_DO_KILL:
        child->due_ms = now_ms + KILL_AGAIN_MS;
        (void)kill(child->pid, child->kills++ == 0 ? kinds[who].kill_signal : SIGKILL);
        break;
    case DEV_DO_PAUSE:
        report_death(sup, who, exit_status);
        break;
    case DEV_DO_REST:
        child->due_ms = 0;
        child->deaths = 0;
        fprintf(stderr, "  %-10s stopped\n", kinds[who].name);
        break;
    case DEV_DO_SERVE:
        child->ready_ms = now_ms;
        fprintf(stderr, "  %-10s ready after %.1f s\n", kinds[who].name,
                (double)(now_ms - child->started_ms) / 1000.0);
        break;
    }
}

static void spawn_child(struct supervisor *sup, enum dev_who who)
{
    const struct kind *kind = &kinds[who];
    struct child *child = &sup->children[who];
    struct sl_err err = { 0 };
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    char path[PATH_MAX];
    char log_path[PATH_MAX];

    child->started_ms = sl_clock_mono_ms();
    child->ready_ms = 0;
    child->probe_ms = 0;
    child->starts++;
    log_path_of(sup, kind->name, log_path);
    const char *server_argv[] = { "/bin/bash", path, "run", NULL };
    const char *program_argv[] = { path, NULL };
    if (kind->script != NULL) {
        environment_of_server(sup, who, &env);
        dev_home_path(sup->home, path, "scripts/%s", kind->script);
    } else {
        environment_of_programs(sup, &env);
        dev_env_set(&env, "SERVICE_NAME", "%s", kind->program);
        dev_env_set(&env, "SLUICE_METRICS_LISTEN", "127.0.0.1:%u",
                    sup->ports[who == DEV_PUBLISHER ? DEV_PORT_PUBLISHER_METRICS
                                                    : DEV_PORT_CONSUMER_METRICS]);
        if (!ops_stack_path(path, sup->home->programs, kind->program, &err)) {
            fprintf(stderr, "sluice dev: %s\n", err.text);
        }
    }
    struct dev_spawn spawn = { .argv = kind->script != NULL ? server_argv : program_argv,
                               .environment = dev_env_list(&env, &err),
                               .log_path = log_path,
                               .death_signal = kind->stop_signal };
    pid_t pid = spawn.environment == NULL ? -1 : dev_process_spawn(&spawn, &err);
    if (pid < 0) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        happen(sup, who, DEV_EV_EXITED, 0);
        return;
    }
    child->pid = pid;
    fprintf(stderr, "  %-10s starting on 127.0.0.1:%u\n", kind->name, sup->ports[kind->port]);
    dev_home_path(sup->home, path, "run/%s.pid", kind->name);
    FILE *file = fopen(path, "we");
    if (file != NULL) {
        fprintf(file, "%d\n", (int)pid);
        (void)fclose(file);
    }
}

static void report_death(struct supervisor *sup, enum dev_who who, int status)
{
    struct child *child = &sup->children[who];
    char how[DEV_EXIT_TEXT_BYTES];
    char log_path[PATH_MAX];
    int64_t now_ms = sl_clock_mono_ms();

    bool was_steady = child->ready_ms != 0 && now_ms - child->ready_ms >= STEADY_MS;
    child->deaths = was_steady ? 1 : child->deaths + 1;
    int64_t pause_ms = dev_restart_pause_ms(child->deaths);
    child->due_ms = now_ms + pause_ms;
    dev_process_describe(status, how);
    log_path_of(sup, kinds[who].name, log_path);
    fprintf(stderr, "  %-10s died: %s, after %.1f s; starting it again in %lld s; its log: %s\n",
            kinds[who].name, how, (double)(now_ms - child->started_ms) / 1000.0,
            (long long)(pause_ms / 1000), log_path);

    bool is_setup_fault = WIFEXITED(status) &&
                          ((WEXITSTATUS(status) >= EX_USAGE && WEXITSTATUS(status) <= EX_CONFIG) ||
                           WEXITSTATUS(status) == 127);
    if (sup->phase == PHASE_SETUP && is_setup_fault) {
        give_up(sup, WEXITSTATUS(status) == 127 ? EX_UNAVAILABLE : WEXITSTATUS(status),
                kinds[who].name);
    }
}

/* From nothing to serving */

static void advance_setup(struct supervisor *sup)
{
    struct sl_err err = { 0 };
    int64_t now_ms = sl_clock_mono_ms();
    bool servers_ready = sup->children[DEV_POSTGRES].state == DEV_READY &&
                         sup->children[DEV_RABBITMQ].state == DEV_READY;

    if (sup->children[DEV_RABBITMQ].state == DEV_READY && sup->password[0] == '\0' &&
        !read_password(sup, &err)) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        give_up(sup, EX_SOFTWARE, "rabbitmq");
        return;
    }
    bool steps_done = true;
    for (size_t i = 0; i < SL_COUNT(sup->steps) && !sup->opts.servers_only; i++) {
        run_step(sup, &sup->steps[i]);
        steps_done = steps_done && sup->steps[i].state == STEP_DONE;
    }
    if (sup->phase != PHASE_SETUP) {
        return;
    }
    if (servers_ready && steps_done && sup->opts.servers_only) {
        become_up(sup);
        return;
    }
    if (servers_ready && steps_done && sup->programs_from_ms == 0) {
        sup->programs_from_ms = now_ms;
    }
    if (sup->programs_from_ms != 0 && sup->children[DEV_PUBLISHER].state == DEV_READY &&
        sup->children[DEV_CONSUMER].state == DEV_READY) {
        become_up(sup);
        return;
    }
    bool is_programs_turn = sup->programs_from_ms != 0;
    int64_t waited_ms = now_ms - (is_programs_turn ? sup->programs_from_ms : sup->started_ms);
    if (waited_ms < (is_programs_turn ? PROGRAMS_WAIT_MS : SERVERS_WAIT_MS)) {
        return;
    }
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        if (sup->children[i].state != DEV_READY && (kinds[i].program != NULL) == is_programs_turn) {
            fprintf(stderr, "sluice dev: %s does not serve after %lld s\n", kinds[i].name,
                    (long long)(waited_ms / 1000));
            give_up(sup, EX_UNAVAILABLE, kinds[i].name);
            return;
        }
    }
    fprintf(stderr, "sluice dev: migrations and topology are not done after %lld s\n",
            (long long)(waited_ms / 1000));
    give_up(sup, EX_UNAVAILABLE, "setup");
}

/* A dependency that is away for a moment (69, 75) gets another try. */
static void run_step(struct supervisor *sup, struct step *step)
{
    struct sl_err err = { 0 };
    int status = 0;
    int64_t now_ms = sl_clock_mono_ms();

    if (step->state == STEP_RUNS && dev_process_has_ended(step->pid, &status)) {
        char how[DEV_EXIT_TEXT_BYTES];
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
        if (code == 0) {
            step->state = STEP_DONE;
            fprintf(stderr, "  %-10s done\n", step->argv[1]);
        } else if ((code == EX_UNAVAILABLE || code == EX_TEMPFAIL) &&
                   step->tries < STEP_TRIES_MAX) {
            step->state = STEP_WAITS;
            step->due_ms = now_ms + STEP_PAUSE_MS;
        } else {
            dev_process_describe(status, how);
            fprintf(stderr, "sluice dev: `sluice %s %s` failed: %s\n", step->argv[1], step->argv[2],
                    how);
            give_up(sup, code, "setup");
        }
        return;
    }
    bool is_due = step->state == STEP_IDLE ? sup->children[step->needs].state == DEV_READY
                                           : step->state == STEP_WAITS && now_ms >= step->due_ms;
    if (!is_due) {
        return;
    }
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    char program[PATH_MAX];
    char log_path[PATH_MAX];
    environment_of_programs(sup, &env);
    log_path_of(sup, "setup", log_path);
    const char *argv[] = { program, step->argv[1], step->argv[2], NULL };
    struct dev_spawn spawn = { .argv = argv,
                               .environment = dev_env_list(&env, &err),
                               .log_path = log_path,
                               .death_signal = SIGTERM };
    if (!ops_stack_path(program, sup->home->programs, "sluice", &err) ||
        spawn.environment == NULL || (step->pid = dev_process_spawn(&spawn, &err)) < 0) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        give_up(sup, EX_OSERR, "setup");
        return;
    }
    step->tries++;
    step->state = STEP_RUNS;
}

static bool read_password(struct supervisor *sup, struct sl_err *err)
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

static void become_up(struct supervisor *sup)
{
    struct sl_err err = { 0 };
    bool is_default = !sup->opts.servers_only;
    if (!save_addresses(sup, &err) || (is_default && !ops_stack_point_to(sup->home->dir, &err))) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        give_up(sup, EX_CANTCREAT, NULL);
        return;
    }
    sup->phase = PHASE_UP;
    publish_status(sup);
    struct dev_banner banner = { .home = sup->home,
                                 .ports = sup->ports,
                                 .password = sup->password,
                                 .took_ms = sl_clock_mono_ms() - sup->started_ms,
                                 .servers_only = sup->opts.servers_only };
    dev_banner_print(&banner);
    if (!sup->opts.with_demo) {
        return;
    }
    SL_DONE(dev_env_done) struct dev_env env = { 0 };
    char program[PATH_MAX];
    char count[16];
    environment_of_programs(sup, &env);
    dev_env_set(&env, "SLUICE_DEV_DIR", "%s", sup->home->dir);
    (void)snprintf(count, sizeof count, "%u", sup->opts.demo_count);
    const char *argv[] = { program, "dev", "demo", "--count", count, NULL };
    struct dev_spawn spawn = { .argv = argv,
                               .environment = dev_env_list(&env, &err),
                               .death_signal = SIGTERM };
    if (!ops_stack_path(program, sup->home->programs, "sluice", &err) ||
        spawn.environment == NULL || (sup->demo_pid = dev_process_spawn(&spawn, &err)) < 0) {
        sup->demo_pid = 0;
        fprintf(stderr, "sluice dev: %s\n", err.text);
        give_up(sup, EX_OSERR, NULL);
    }
}

static bool save_addresses(const struct supervisor *sup, struct sl_err *err)
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

static void watch_demo(struct supervisor *sup)
{
    int status = 0;
    if (sup->demo_pid == 0) {
        return;
    }
    if (dev_process_has_ended(sup->demo_pid, &status)) {
        sup->demo_pid = 0;
        if (sup->phase == PHASE_UP && sup->opts.ends_after_demo) {
            sup->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
            sup->phase = PHASE_ENDING;
        } else if (sup->phase == PHASE_UP) {
            fprintf(stderr, "\nThe stack stays up: Ctrl-C stops it.\n");
        }
        return;
    }
    if (sup->phase == PHASE_ENDING) {
        (void)kill(sup->demo_pid, SIGTERM);
    }
}

static void give_up(struct supervisor *sup, int exit_status, const char *log_name)
{
    if (log_name != NULL) {
        char log_path[PATH_MAX];
        log_path_of(sup, log_name, log_path);
        fprintf(stderr, "  the last lines of %s:\n", log_path);
        dev_process_show_tail(log_path);
    }
    sup->exit_status = exit_status == 0 ? EX_SOFTWARE : exit_status;
    sup->phase = PHASE_ENDING;
}

/* Replaced in one step, so that a reader in another shell never sees half of it. */
static void publish_status(const struct supervisor *sup)
{
    char path[PATH_MAX];
    char fresh[PATH_MAX];
    dev_home_path(sup->home, path, "status");
    dev_home_path(sup->home, fresh, "status.new");
    FILE *file = fopen(fresh, "we");
    if (file == NULL) {
        return;
    }
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        const struct child *child = &sup->children[i];
        if (sup->opts.servers_only && kinds[i].program != NULL) {
            continue;
        }
        fprintf(file, "%s %s %d %lld %u %u\n", kinds[i].name, dev_state_word(child->state),
                (int)child->pid, (long long)(child->since_us / 1000000), child->starts,
                sup->ports[kinds[i].port]);
    }
    if (fclose(file) == 0) {
        (void)rename(fresh, path);
    }
}

/* Environments */

static void environment_of_server(const struct supervisor *sup, enum dev_who who,
                                  struct dev_env *env)
{
    dev_env_set(env, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    dev_env_set(env, "LANG", "C.UTF-8");
    dev_env_set(env, "STACK_DIR", "%s/%s", sup->home->dir, kinds[who].name);
    for (unsigned i = 0; i < DEV_PORTS; i++) {
        dev_env_set(env, dev_port_name((enum dev_port)i), "%u", sup->ports[i]);
    }
}

/* The caller's secret comes second: events that `stripe listen` forwards are signed with it. */
static void environment_of_programs(const struct supervisor *sup, struct dev_env *env)
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
    dev_env_set(env, "STRIPE_WEBHOOK_SECRET", "%s%s%s", sup->secret, has_also ? "," : "",
                has_also ? also : "");
}

/* A log that has grown large is put aside before it is continued. */
static void log_path_of(const struct supervisor *sup, const char *name, char out_path[PATH_MAX])
{
    struct stat about;
    char old[PATH_MAX];
    dev_home_path(sup->home, out_path, "logs/%s.log", name);
    if (stat(out_path, &about) == 0 && about.st_size > LOG_BYTES_MAX) {
        dev_home_path(sup->home, old, "logs/%s.log.old", name);
        (void)rename(out_path, old);
    }
}
