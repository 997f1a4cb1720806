/*
 * notify - tells the service manager how far the program is, and that it is alive.
 *
 * Speaks only when NOTIFY_SOCKET is set; otherwise every call does nothing. After `ready` it pings as often as WATCHDOG_USEC wants (at half the
 * time), as long as is_alive says so: a loop that no longer turns, or threads that make no progress, are restarted by the manager.
 * Refuses: reporting anything that did not happen; a failed send is not an error (the manager may be restarting).
 * Source: sd_notify(3), sd_watchdog_enabled(3), systemd 252.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_NOTIFY_H
#define SHARED_NOTIFY_H

#include "shared/loop.h"

struct sl_notify;

struct sl_notify_opts {
    struct sl_loop *loop;
    /* Asked before every ping; NULL: that the loop turns is enough. */
    bool (*is_alive)(void *arg);
    void *arg;
};

struct sl_notify *sl_notify_new(const struct sl_notify_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void sl_notify_free(struct sl_notify *notify);

/* status: one line for people, shown by `systemctl status`. */
void sl_notify_ready(struct sl_notify *notify, const char *status);
/* Before a reload; sl_notify_ready ends it. */
void sl_notify_reloading(struct sl_notify *notify);
void sl_notify_stopping(struct sl_notify *notify, const char *status);

SL_DEFINE_AUTO(struct sl_notify *, sl_notify_free)

#endif
