#include "ops/dev/dev_supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/dev/dev_process.h"
#include "ops/dev/dev_supervisor.h"
#include "shared/clock.h"

#define TICK_MS          100
#define EXIT_INTERRUPTED 130

static void supervisor_done(struct dev_supervisor *sup);
static bool watch_signals(struct dev_supervisor *sup, struct sl_err *err);
static void wait_for_tick(struct dev_supervisor *sup);
static void request_stop(struct dev_supervisor *sup);
static void watch_demo(struct dev_supervisor *sup);

int dev_supervise(const struct dev_home *home, const struct dev_supervise_opts *opts)
{
    struct sl_err err = { 0 };
    SL_DONE(supervisor_done)
    struct dev_supervisor sup = {
        .home = home,
        .opts = *opts,
        .started_ms = sl_clock_mono_ms(),
        .signals = -1,
        .tasks = { { .noun = "migrate", .verb = "up", .needs = DEV_POSTGRES },
                   { .noun = "topology", .verb = "apply", .needs = DEV_RABBITMQ } },
    };
    if (!dev_setup_prepare(&sup, &err) || !watch_signals(&sup, &err)) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        return sl_err_exit_status(&err);
    }
    while (sup.phase != DEV_PHASE_ENDING || sup.demo_pid != 0 || !dev_children_are_stopped(&sup)) {
        wait_for_tick(&sup);
        dev_children_watch(&sup);
        if (sup.phase == DEV_PHASE_SETUP) {
            dev_setup_advance(&sup);
        }
        watch_demo(&sup);
        dev_publish_status(&sup);
    }
    fprintf(stderr, "sluice dev: everything is stopped\n");
    if (sup.programs_from_ms != 0) {
        fprintf(stderr, "The rows stay; to look at them and try more: %s/sluice dev\n",
                home->programs);
    }
    return sup.exit_status;
}

static void supervisor_done(struct dev_supervisor *sup)
{
    if (sup->signals >= 0) {
        close(sup->signals);
    }
    explicit_bzero(sup->secret, sizeof sup->secret);
    explicit_bzero(sup->password, sizeof sup->password);
}

static bool watch_signals(struct dev_supervisor *sup, struct sl_err *err)
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

static void wait_for_tick(struct dev_supervisor *sup)
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

static void request_stop(struct dev_supervisor *sup)
{
    sup->stop_requests++;
    if (sup->stop_requests == 1) {
        fprintf(stderr, "\nsluice dev: stopping (once more stops at once)\n");
        if (sup->phase == DEV_PHASE_SETUP) {
            sup->exit_status = EXIT_INTERRUPTED; /* nothing was delivered */
        }
        sup->phase = DEV_PHASE_ENDING;
        return;
    }
    fprintf(stderr, "\nsluice dev: stopping at once\n");
    sup->exit_status = EXIT_INTERRUPTED;
    dev_children_kill(sup);
}

static void watch_demo(struct dev_supervisor *sup)
{
    int status = 0;
    if (sup->demo_pid == 0) {
        return;
    }
    if (dev_process_has_ended(sup->demo_pid, &status)) {
        sup->demo_pid = 0;
        if (sup->phase == DEV_PHASE_UP && sup->opts.ends_after_demo) {
            sup->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
            sup->phase = DEV_PHASE_ENDING;
        } else if (sup->phase == DEV_PHASE_UP) {
            printf("\nThe stack stays up.\n\n");
            dev_show_banner(sup);
        }
        return;
    }
    if (sup->phase == DEV_PHASE_ENDING) {
        (void)kill(sup->demo_pid, SIGTERM);
    }
}
