#include "shared/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"

#define STATE_BYTES_MAX 256

struct sl_notify {
    struct sl_notify_opts opts;
    struct sl_timer *timer;
    int fd; /* -1: nobody listens */
    struct sockaddr_un manager;
    socklen_t manager_bytes;
    int64_t ping_ms; /* 0: no pings wanted */
};

static void find_manager(struct sl_notify *notify);
static int64_t ping_interval_ms(void);
static void on_ping(void *arg);
static void tell(struct sl_notify *notify, const char *state);

struct sl_notify *sl_notify_new(const struct sl_notify_opts *opts, struct sl_err *err)
{
    struct sl_notify *notify = calloc(1, sizeof *notify);
    if (notify != NULL) {
        *notify = (struct sl_notify){ .opts = *opts, .fd = -1 };
        notify->timer = sl_timer_new(opts->loop, on_ping, notify);
    }
    if (notify == NULL || notify->timer == NULL) {
        free(notify);
        sl_fail(err, SL_E_MEMORY, "no memory for the service manager's news");
        return NULL;
    }
    find_manager(notify);
    notify->ping_ms = notify->fd < 0 ? 0 : ping_interval_ms();
    return notify;
}

/* A path, or "@" and a name in the abstract namespace. */
static void find_manager(struct sl_notify *notify)
{
    const char *address = getenv("NOTIFY_SOCKET");
    size_t bytes = address == NULL ? 0 : strlen(address);
    if (bytes < 2 || bytes >= sizeof notify->manager.sun_path ||
        (address[0] != '/' && address[0] != '@')) {
        return;
    }
    notify->manager.sun_family = AF_UNIX;
    memcpy(notify->manager.sun_path, address, bytes);
    if (address[0] == '@') {
        notify->manager.sun_path[0] = '\0';
    }
    notify->manager_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int64_t ping_interval_ms(void)
{
    const char *wanted_us = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (wanted_us == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid())) {
        return 0;
    }
    long long us = strtoll(wanted_us, NULL, 10);
    return us < 2000 ? 0 : us / 2000;
}

void sl_notify_free(struct sl_notify *notify)
{
    if (notify == NULL) {
        return;
    }
    sl_timer_free(notify->timer);
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    free(notify);
}

void sl_notify_ready(struct sl_notify *notify, const char *status)
{
    char state[STATE_BYTES_MAX];
    snprintf(state, sizeof state, "READY=1\nSTATUS=%.200s", status);
    tell(notify, state);
    if (notify->ping_ms > 0) {
        sl_timer_arm(notify->timer, notify->ping_ms);
    }
}

void sl_notify_reloading(struct sl_notify *notify)
{
    char state[STATE_BYTES_MAX];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, sl_clock_mono_us());
    tell(notify, state);
}

void sl_notify_stopping(struct sl_notify *notify, const char *status)
{
    char state[STATE_BYTES_MAX];
    snprintf(state, sizeof state, "STOPPING=1\nSTATUS=%.200s", status);
    tell(notify, state);
}

static void on_ping(void *arg)
{
    struct sl_notify *notify = arg;
    if (notify->opts.is_alive == NULL || notify->opts.is_alive(notify->opts.arg)) {
        tell(notify, "WATCHDOG=1");
    }
    sl_timer_arm(notify->timer, notify->ping_ms);
}

static void tell(struct sl_notify *notify, const char *state)
{
    if (notify->fd >= 0) {
        (void)sendto(notify->fd, state, strlen(state), MSG_NOSIGNAL,
                     (const struct sockaddr *)&notify->manager, notify->manager_bytes);
    }
}
