#include "shared/pg/pg_link.h"

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/pg/pg_link_parts.h"

#define ATTEMPT_MS_DEFAULT   5000
#define SCRIPT_MS_DEFAULT    30000
#define STATEMENT_MS_DEFAULT 20000
#define LOCK_MS_DEFAULT      5000
#define BACKOFF_BASE_MS      200
#define BACKOFF_CAP_MS       30000 /* runbooks/postgres.md */
#define STEADY_MS            10000 /* a session that lasted so long forgets earlier failures */

static void destroy(struct sl_pg_link *link);
static void leave(struct sl_pg_link *link);
static void on_timer(void *arg);
static void begin_attempt(struct sl_pg_link *link);
static const char *host_label(const struct sl_pg_host *host);
static void on_resolved(const struct sl_addresses *addresses, const struct sl_err *why, void *arg);
static void on_io(evutil_socket_t fd, short what, void *arg);
static void disconnect(struct sl_pg_link *link);
static int64_t wait_after_failure(struct sl_pg_link *link);
static int64_t wait_after_loss(struct sl_pg_link *link);

struct sl_pg_link *sl_pg_link_new(const struct sl_pg_link_opts *opts, struct sl_err *err)
{
    SL_AUTO(sl_pg_link_free) struct sl_pg_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        sl_fail(err, SL_E_MEMORY, "cannot create a database link");
        return NULL;
    }
    link->opts = *opts;
    link->opts.conninfo = NULL;
    link->opts.attempt_ms = opts->attempt_ms > 0 ? opts->attempt_ms : ATTEMPT_MS_DEFAULT;
    link->opts.script_ms = opts->script_ms > 0 ? opts->script_ms : SCRIPT_MS_DEFAULT;
    link->opts.statement_ms = opts->statement_ms > 0 ? opts->statement_ms : STATEMENT_MS_DEFAULT;
    link->opts.lock_ms = opts->lock_ms > 0 ? opts->lock_ms : LOCK_MS_DEFAULT;
    SL_ASSERT(opts->statement_count < SL_PG_STEPS_MAX);

    link->backoff = (struct sl_backoff){ .base_ms = BACKOFF_BASE_MS, .cap_ms = BACKOFF_CAP_MS };
    if (getrandom(&link->backoff.rng, sizeof link->backoff.rng, 0) < 0 || link->backoff.rng == 0) {
        link->backoff.rng = (uint64_t)sl_clock_wall_us();
    }
    sl_fail(&link->why, SL_E_PG_UNREACHABLE, "not connected yet");
    link->resolver = sl_resolver_new(opts->loop, on_resolved, link, err);
    link->timer = sl_timer_new(opts->loop, on_timer, link);
    link->io = event_new(sl_loop_base(opts->loop), -1, EV_READ, on_io, link);
    if (link->resolver == NULL || link->timer == NULL || link->io == NULL) {
        sl_fail(err, SL_E_MEMORY, "cannot create a database link");
        return NULL;
    }
    if (!sl_pg_read_address(link, opts->conninfo, err)) {
        return NULL;
    }
    sl_timer_arm(link->timer, 0);
    return SL_TAKE(link);
}

void sl_pg_link_free(struct sl_pg_link *link)
{
    if (link == NULL) {
        return;
    }
    if (link->is_entered) {
        link->is_doomed = true; /* leave() finishes this */
        return;
    }
    destroy(link);
}

static void destroy(struct sl_pg_link *link)
{
    if (link->timer != NULL && link->resolver != NULL && link->io != NULL) {
        disconnect(link);
    }
    sl_pg_script_done(&link->script);
    sl_timer_free(link->timer);
    sl_resolver_free(link->resolver);
    if (link->io != NULL) {
        event_free(link->io);
    }
    sl_pg_forget_address(link);
    free(link);
}

/* Ends every loop callback. */
static void leave(struct sl_pg_link *link)
{
    link->is_entered = false;
    if (link->is_doomed) {
        destroy(link);
    }
}

bool sl_pg_link_is_up(const struct sl_pg_link *link)
{
    return link->state == SL_PG_LINK_UP && !link->is_broken;
}

bool sl_pg_link_has_tried(const struct sl_pg_link *link)
{
    return link->has_tried;
}

bool sl_pg_link_is_busy(const struct sl_pg_link *link)
{
    return link->state == SL_PG_LINK_UP && link->script.count > 0;
}

static void on_timer(void *arg)
{
    struct sl_pg_link *link = arg;
    struct sl_err why;
    link->is_entered = true;
    switch (link->state) {
    case SL_PG_LINK_WAITING:
        begin_attempt(link);
        break;
    case SL_PG_LINK_RESOLVING:
    case SL_PG_LINK_CONNECTING:
    case SL_PG_LINK_PREPARING:
        sl_fail(&why, SL_E_PG_UNREACHABLE, "no database session at %s port %s within %lld ms",
                host_label(&link->hosts.items[link->host_at]),
                link->hosts.items[link->host_at].port, (long long)link->opts.attempt_ms);
        sl_pg_go_down(link, &why);
        break;
    case SL_PG_LINK_UP:
        if (link->is_broken) {
            sl_pg_lost(link);
            break;
        }
        sl_fail(&why, SL_E_DEADLINE, "no answer from the database within %lld ms",
                (long long)link->opts.script_ms);
        sl_pg_go_down(link, &why);
        break;
    }
    leave(link);
}

static const char *host_label(const struct sl_pg_host *host)
{
    const char *label = host->host[0] != '\0' ? host->host : host->address;
    return label[0] != '\0' ? label : "the local socket";
}

static void begin_attempt(struct sl_pg_link *link)
{
    const struct sl_pg_host *host = &link->hosts.items[link->host_at];
    sl_timer_arm(link->timer, link->opts.attempt_ms);
    if (!host->is_name) {
        sl_pg_connect_to(link, host->address);
    } else if (link->address_at < link->addresses.count) {
        sl_pg_connect_to(link, link->addresses.text[link->address_at]);
    } else {
        link->state = SL_PG_LINK_RESOLVING;
        sl_resolver_start(link->resolver, host->host);
    }
}

static void on_resolved(const struct sl_addresses *addresses, const struct sl_err *why, void *arg)
{
    struct sl_pg_link *link = arg;
    link->is_entered = true;
    if (why != NULL) {
        sl_pg_go_down(link, why);
    } else {
        link->addresses = *addresses;
        link->address_at = 0;
        sl_pg_connect_to(link, link->addresses.text[0]);
    }
    leave(link);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct sl_pg_link *link = arg;
    link->is_entered = true;
    if (link->state == SL_PG_LINK_CONNECTING) {
        sl_pg_poll_connection(link);
    } else {
        sl_pg_pump(link, (what & EV_READ) != 0);
    }
    leave(link);
}

/* While connecting libpq may change its socket, so that each turn registers anew, once. */
void sl_pg_watch(struct sl_pg_link *link, short what)
{
    if (link->state != SL_PG_LINK_CONNECTING && link->watching == what) {
        return;
    }
    int fd = PQsocket(link->conn);
    event_del(link->io);
    link->watching = what;
    short persist = link->state == SL_PG_LINK_CONNECTING ? 0 : EV_PERSIST;
    if (fd < 0 ||
        event_assign(link->io, sl_loop_base(link->opts.loop), fd, (short)(what | persist), on_io,
                     link) != 0 ||
        event_add(link->io, NULL) != 0) {
        link->is_broken = true;
        sl_timer_arm(link->timer, 0);
    }
}

void sl_pg_go_up(struct sl_pg_link *link)
{
    link->state = SL_PG_LINK_UP;
    link->has_tried = true;
    link->up_since_ms = sl_clock_mono_ms();
    sl_timer_disarm(link->timer);
    if (link->opts.on_up != NULL) {
        link->opts.on_up(link, link->opts.arg);
    }
}

/* Frees the connection, settles what ran on it, arms the next attempt and tells the owner; the last thing a callback does. */
void sl_pg_go_down(struct sl_pg_link *link, const struct sl_err *why)
{
    SL_DONE(sl_pg_script_done) struct sl_pg_script script = link->script;
    bool was_up = link->state == SL_PG_LINK_UP;
    link->script = (struct sl_pg_script){ 0 };
    link->why = *why;
    disconnect(link);
    link->state = SL_PG_LINK_WAITING;
    int64_t wait_ms = was_up ? wait_after_loss(link) : wait_after_failure(link);
    sl_timer_arm(link->timer, wait_ms);
    if (was_up && script.count > 0) {
        sl_pg_settle(link, &script, why);
    }
    if (!link->is_doomed && link->opts.on_down != NULL) {
        struct sl_err told = link->why;
        link->opts.on_down(link, &told, wait_ms, link->opts.arg);
    }
}

static void disconnect(struct sl_pg_link *link)
{
    sl_timer_disarm(link->timer);
    sl_resolver_cancel(link->resolver);
    event_del(link->io);
    link->watching = 0;
    link->is_broken = false;
    PQfinish(
        link->conn); /* accepts NULL; its farewell does not block, since the connection is non-blocking */
    link->conn = NULL;
}

/* The next address of this host, then the next host, at once; after the last one a wait, and a new round with fresh DNS. */
static int64_t wait_after_failure(struct sl_pg_link *link)
{
    if (link->address_at + 1 < link->addresses.count) {
        link->address_at++;
        return 0;
    }
    link->addresses.count = 0;
    link->address_at = 0;
    if (link->host_at + 1 < link->hosts.count) {
        link->host_at++;
        return 0;
    }
    link->host_at = 0;
    link->has_tried = true;
    return sl_backoff_next_ms(&link->backoff);
}

static int64_t wait_after_loss(struct sl_pg_link *link)
{
    link->addresses.count = 0;
    link->address_at = 0;
    link->host_at = 0;
    if (sl_clock_mono_ms() - link->up_since_ms >= STEADY_MS) {
        sl_backoff_reset(&link->backoff);
    }
    return sl_backoff_next_ms(&link->backoff);
}
