#include "shared/notify.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/support/claims.h"

#define PATIENCE_MS 60000

/* A service manager that only listens. */
struct manager {
    int fd;
    char name[48];
    struct sl_loop *loop;
    bool is_alive;
    size_t asked;
};

static void open_manager(struct manager *manager)
{
    struct sl_err err = { 0 };
    *manager = (struct manager){ .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0),
                                 .loop = sl_loop_new(&err) };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int bytes = snprintf(manager->name, sizeof manager->name, "@sluice-notify-%d", (int)getpid());
    memcpy(address.sun_path, manager->name, (size_t)bytes);
    address.sun_path[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(bind(manager->fd, (struct sockaddr *)&address,
                               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)bytes)),
                          0);
    setenv("NOTIFY_SOCKET", manager->name, 1);
}

static void close_manager(struct manager *manager)
{
    close(manager->fd);
    sl_loop_free(manager->loop);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static bool is_alive(void *arg)
{
    struct manager *manager = arg;
    manager->asked++;
    return manager->is_alive;
}

/* The next message; "" when none comes. */
static const char *hear(struct manager *manager, int64_t wait_ms)
{
    static char text[512];
    int64_t until_ms = sl_clock_mono_ms() + wait_ms;
    do {
        event_base_loop(sl_loop_base(manager->loop), EVLOOP_NONBLOCK);
        ssize_t got = recv(manager->fd, text, sizeof text - 1, 0);
        text[got < 0 ? 0 : got] = '\0';
    } while (text[0] == '\0' && sl_clock_mono_ms() < until_ms);
    return text;
}

CLAIM(notify__the_manager_hears_what_happens_in_its_words)
{
    struct manager manager;
    open_manager(&manager);
    struct sl_err err = { 0 };
    SL_AUTO(sl_notify_free)
    struct sl_notify *notify =
        sl_notify_new(&(struct sl_notify_opts){ .loop = manager.loop }, &err);
    CU_ASSERT_STRING_EQUAL(hear(&manager, 0), "");
    sl_notify_ready(notify, "taking webhooks");
    CU_ASSERT_STRING_EQUAL(hear(&manager, PATIENCE_MS), "READY=1\nSTATUS=taking webhooks");
    sl_notify_reloading(notify);
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&manager, PATIENCE_MS), "RELOADING=1\nMONOTONIC_USEC="));
    sl_notify_stopping(notify, "finishing");
    CU_ASSERT_STRING_EQUAL(hear(&manager, PATIENCE_MS), "STOPPING=1\nSTATUS=finishing");
    close_manager(&manager);
}

CLAIM(notify__pings_while_it_is_alive_and_no_longer)
{
    struct manager manager;
    open_manager(&manager);
    setenv("WATCHDOG_USEC", "20000", 1);
    struct sl_err err = { 0 };
    SL_AUTO(sl_notify_free)
    struct sl_notify *notify = sl_notify_new(
        &(struct sl_notify_opts){ .loop = manager.loop, .is_alive = is_alive, .arg = &manager },
        &err);
    manager.is_alive = true;
    sl_notify_ready(notify, "here");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&manager, PATIENCE_MS), "READY=1"));
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_STRING_EQUAL(hear(&manager, PATIENCE_MS), "WATCHDOG=1");
    }
    manager.is_alive = false;
    size_t asked = manager.asked;
    while (manager.asked < asked + 3) {
        CU_ASSERT_STRING_EQUAL(hear(&manager, 1), "");
    }
    close_manager(&manager);
}

CLAIM(notify__a_watchdog_meant_for_another_process_is_left_alone)
{
    struct manager manager;
    open_manager(&manager);
    setenv("WATCHDOG_USEC", "2000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    struct sl_err err = { 0 };
    SL_AUTO(sl_notify_free)
    struct sl_notify *notify = sl_notify_new(
        &(struct sl_notify_opts){ .loop = manager.loop, .is_alive = is_alive, .arg = &manager },
        &err);
    sl_notify_ready(notify, "here");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&manager, PATIENCE_MS), "READY=1"));
    CU_ASSERT_STRING_EQUAL(hear(&manager, 20), "");
    CU_ASSERT_EQUAL(manager.asked, 0);
    close_manager(&manager);
}

CLAIM(notify__without_a_manager_nothing_happens)
{
    static const char *const sockets[] = { NULL, "", "relative", "/nowhere/at/all" };
    struct sl_err err = { 0 };
    SL_AUTO(sl_loop_free) struct sl_loop *loop = sl_loop_new(&err);
    for (size_t i = 0; i < SL_COUNT(sockets); i++) {
        if (sockets[i] != NULL) {
            setenv("NOTIFY_SOCKET", sockets[i], 1);
        }
        struct sl_notify *notify = sl_notify_new(&(struct sl_notify_opts){ .loop = loop }, &err);
        sl_notify_ready(notify, "here");
        sl_notify_reloading(notify);
        sl_notify_stopping(notify, "gone");
        sl_notify_free(notify);
    }
    unsetenv("NOTIFY_SOCKET");
    sl_notify_free(NULL);
}
