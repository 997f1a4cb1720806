/*
 * Happy path: timer -> (resolve) -> PQconnectPoll until it is open -> one pipeline with the session's settings and the owner's statements ->
 * up. A script is written into libpq's buffer at once; after that the socket drives: what can be read is consumed before and after what can
 * be written is flushed, so that a server that answers while we still send never waits for us.
 * Failure: everything that ends a connection goes through go_down, which closes, settles the running script, picks the next address or a
 * wait, and tells the owner. A call of the owner that finds the connection dead leaves this to the next turn of the loop.
 */
#include "shared/pg_link.h"

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "shared/backoff.h"
#include "shared/clock.h"
#include "shared/pg_hosts.h"
#include "shared/pg_text.h"
#include "shared/resolve.h"
#include "shared/units.h"

#define ATTEMPT_MS_DEFAULT   5000
#define SCRIPT_MS_DEFAULT    30000
#define STATEMENT_MS_DEFAULT 20000
#define LOCK_MS_DEFAULT      5000
#define BACKOFF_BASE_MS      200
#define BACKOFF_CAP_MS       30000 /* runbooks/postgres.md */
#define STEADY_MS            10000 /* a session that lasted so long forgets earlier failures */
#define STALE_SESSIONS_MAX                                                                         \
    3u /* sessions lost in a row over prepared statements before it is a matter for people */
#define OPTIONS_MAX 96 /* libpq 15 knows 45, we add a dozen */

enum link_state { LINK_WAITING, LINK_RESOLVING, LINK_CONNECTING, LINK_PREPARING, LINK_UP };

struct script {
    size_t count; /* steps; 0: no script */
    size_t at;    /* the step whose results are being read */
    bool is_text; /* simple protocol: one step, any number of results */
    bool has_result;
    struct sl_pg_result **results;
    const char **names; /* of prepared statements, NULL for SQL texts; the names are the owner's */
    PGresult *failure;  /* the first error */
    size_t failed_step;
    sl_pg_done_fn *on_done;
    void *arg;
};

struct sl_pg_link {
    struct sl_pg_link_opts opts;
    PQconninfoOption *options; /* DATABASE_URL, parsed; holds the password */
    struct sl_pg_hosts hosts;
    size_t host_at;
    struct sl_addresses addresses; /* of hosts.items[host_at] */
    size_t address_at;
    struct sl_resolver *resolver;
    struct sl_timer
        *timer; /* waiting: next attempt; connecting: its deadline; busy: the script's deadline */
    struct sl_backoff backoff;
    struct event *io;
    short watching; /* EV_READ, EV_WRITE; 0: nothing */
    PGconn *conn;
    enum link_state state;
    bool has_tried;
    bool is_broken;  /* found dead while the owner was calling; the timer is armed to say so */
    bool is_entered; /* below one of our loop callbacks */
    bool is_doomed;  /* freed by the owner below one of our loop callbacks */
    unsigned stale_sessions;
    int64_t up_since_ms;
    char parting[192]; /* what the server said before it closed an idle session */
    struct sl_err why; /* of the last failure */
    struct script script;
};

enum progress { PROGRESS_WAIT, PROGRESS_COMPLETE, PROGRESS_BROKEN };

SL_DEFINE_AUTO(char *, free)

static bool read_address(struct sl_pg_link *link, const char *conninfo, struct sl_err *err);
static void destroy(struct sl_pg_link *link);
static void leave(struct sl_pg_link *link);
static void disconnect(struct sl_pg_link *link);
static void go_down(struct sl_pg_link *link, const struct sl_err *why);
static void lost(struct sl_pg_link *link);
static void on_timer(void *arg);
static void on_io(evutil_socket_t fd, short what, void *arg);
static void on_resolved(const struct sl_addresses *addresses, const struct sl_err *why, void *arg);
static void on_notice(void *arg, const PGresult *notice);
static void watch(struct sl_pg_link *link, short what);
static void fail_from_conn(const struct sl_pg_link *link, struct sl_err *err);
static void clean(const struct sl_pg_link *link, const char *message, char *out, size_t out_bytes);
static bool script_init(struct script *script, size_t count);
static void script_done(struct script *script);

/* ---- life ---- */

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
    if (!read_address(link, opts->conninfo, err)) {
        return NULL;
    }
    sl_timer_arm(link->timer, 0);
    return SL_TAKE(link);
}

/* One value of the parsed address; NULL when it was not given. */
static const char *option(const struct sl_pg_link *link, const char *keyword)
{
    for (const PQconninfoOption *at = link->options; at->keyword != NULL; at++) {
        if (strcmp(at->keyword, keyword) == 0) {
            return at->val;
        }
    }
    return NULL;
}

/* What libpq says about a string it cannot parse repeats parts of it, and they may be the password: only our own words leave here. */
static bool read_address(struct sl_pg_link *link, const char *conninfo, struct sl_err *err)
{
    if (conninfo == NULL) {
        return sl_fail(err, SL_E_CONFIG, "no database address is given");
    }
    char *complaint = NULL;
    link->options = PQconninfoParse(conninfo, &complaint);
    PQfreemem(complaint);
    if (link->options == NULL) {
        return sl_fail(err, SL_E_CONFIG,
                       "the database address is not of the form "
                       "postgres://user:password@host:port/database, nor of libpq's key=value form "
                       "(in a URL, special characters of a password are percent-encoded)");
    }
    const char *database = option(link, "dbname");
    if (strncmp(conninfo, "postgres", 8) == 0 && database != NULL &&
        strchr(database, '@') != NULL) {
        return sl_fail(err, SL_E_CONFIG,
                       "the database address has an @ behind the host: write the / of a password "
                       "as %%2F and its @ as %%40");
    }
    const char *host = option(link, "host");
    const char *hostaddr = option(link, "hostaddr");
    const char *port = option(link, "port");
    bool is_host_given = host != NULL || hostaddr != NULL;
    if (option(link, "service") != NULL || (!is_host_given && getenv("PGSERVICE") != NULL)) {
        return sl_fail(err, SL_E_CONFIG,
                       "the database address names a libpq service file, which is not supported: "
                       "write host, port and database");
    }
    return sl_pg_hosts_parse(is_host_given ? host : getenv("PGHOST"),
                             is_host_given ? hostaddr : getenv("PGHOSTADDR"),
                             port != NULL ? port : getenv("PGPORT"), &link->hosts, err);
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
    script_done(&link->script);
    sl_timer_free(link->timer);
    sl_resolver_free(link->resolver);
    if (link->io != NULL) {
        event_free(link->io);
    }
    for (PQconninfoOption *at = link->options; at != NULL && at->keyword != NULL; at++) {
        if (at->val != NULL) {
            explicit_bzero(at->val, strlen(at->val));
        }
    }
    PQconninfoFree(link->options);
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
    return link->state == LINK_UP && !link->is_broken;
}

bool sl_pg_link_has_tried(const struct sl_pg_link *link)
{
    return link->has_tried;
}

bool sl_pg_link_is_busy(const struct sl_pg_link *link)
{
    return link->state == LINK_UP && link->script.count > 0;
}

/* ---- connecting ---- */

static void begin_attempt(struct sl_pg_link *link);
static void connect_to(struct sl_pg_link *link, const char *address);
static void poll_connection(struct sl_pg_link *link);
static void prepare_session(struct sl_pg_link *link);

static const char *host_label(const struct sl_pg_host *host)
{
    const char *label = host->host[0] != '\0' ? host->host : host->address;
    return label[0] != '\0' ? label : "the local socket";
}

static void on_timer(void *arg)
{
    struct sl_pg_link *link = arg;
    struct sl_err why;
    link->is_entered = true;
    switch (link->state) {
    case LINK_WAITING:
        begin_attempt(link);
        break;
    case LINK_RESOLVING:
    case LINK_CONNECTING:
    case LINK_PREPARING:
        sl_fail(&why, SL_E_PG_UNREACHABLE, "no database session at %s port %s within %lld ms",
                host_label(&link->hosts.items[link->host_at]),
                link->hosts.items[link->host_at].port, (long long)link->opts.attempt_ms);
        go_down(link, &why);
        break;
    case LINK_UP:
        if (link->is_broken) {
            lost(link);
            break;
        }
        sl_fail(&why, SL_E_DEADLINE, "no answer from the database within %lld ms",
                (long long)link->opts.script_ms);
        go_down(link, &why);
        break;
    }
    leave(link);
}

static void begin_attempt(struct sl_pg_link *link)
{
    const struct sl_pg_host *host = &link->hosts.items[link->host_at];
    sl_timer_arm(link->timer, link->opts.attempt_ms);
    if (!host->is_name) {
        connect_to(link, host->address);
    } else if (link->address_at < link->addresses.count) {
        connect_to(link, link->addresses.text[link->address_at]);
    } else {
        link->state = LINK_RESOLVING;
        sl_resolver_start(link->resolver, host->host);
    }
}

static void on_resolved(const struct sl_addresses *addresses, const struct sl_err *why, void *arg)
{
    struct sl_pg_link *link = arg;
    link->is_entered = true;
    if (why != NULL) {
        go_down(link, why);
    } else {
        link->addresses = *addresses;
        link->address_at = 0;
        connect_to(link, link->addresses.text[0]);
    }
    leave(link);
}

/* Keywords and values for libpq; later ones win. */
struct options {
    const char *keywords[OPTIONS_MAX + 1];
    const char *values[OPTIONS_MAX + 1];
    size_t count;
};

static void add_option(struct options *options, const char *keyword, const char *value)
{
    SL_ASSERT(options->count < OPTIONS_MAX);
    options->keywords[options->count] = keyword;
    options->values[options->count] = value;
    options->count++;
}

static void collect_options(const struct sl_pg_link *link, const char *address, struct options *out)
{
    static const char *const own[] = { "host", "hostaddr", "port", "connect_timeout",
                                       "client_encoding" };
    const struct sl_pg_host *host = &link->hosts.items[link->host_at];

    /* Defaults of ours, which DATABASE_URL may change. Source: libpq, "Parameter Key Words". */
    add_option(out, "fallback_application_name", link->opts.application_name);
    add_option(out, "tcp_user_timeout",
               "5000"); /* ms until unacknowledged data ends a connection */
    add_option(out, "keepalives", "1");
    add_option(out, "keepalives_idle", "10"); /* s */
    add_option(out, "keepalives_interval", "3");
    add_option(out, "keepalives_count", "3");
    add_option(out, "gssencmode", "disable"); /* looks for a Kerberos realm, blocking */
    for (const PQconninfoOption *at = link->options; at->keyword != NULL; at++) {
        bool is_own = at->val == NULL;
        for (size_t i = 0; i < SL_COUNT(own); i++) {
            is_own = is_own || strcmp(at->keyword, own[i]) == 0;
        }
        if (!is_own) {
            add_option(out, at->keyword, at->val);
        }
    }
    /* host stays the name, for certificates and .pgpass; hostaddr is where to go. */
    add_option(out, "host", host->host);
    add_option(out, "hostaddr", address);
    add_option(out, "port", host->port);
    add_option(out, "client_encoding", "UTF8");
    if (!link->opts.read_only) {
        add_option(out, "target_session_attrs", "read-write");
    }
}

static void connect_to(struct sl_pg_link *link, const char *address)
{
    struct options options = { 0 };
    collect_options(link, address, &options);
    link->parting[0] = '\0';
    link->state = LINK_CONNECTING;
    link->conn = PQconnectStartParams(options.keywords, options.values, 0);
    if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        struct sl_err why;
        fail_from_conn(link, &why);
        go_down(link, &why);
        return;
    }
    PQsetErrorVerbosity(link->conn,
                        PQERRORS_VERBOSE); /* the only way to a SQLSTATE while connecting */
    PQsetNoticeReceiver(link->conn, on_notice, link);
    watch(link, EV_WRITE);
}

static void on_notice(void *arg, const PGresult *notice)
{
    struct sl_pg_link *link = arg;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (severity != NULL && message != NULL && strcmp(severity, "FATAL") == 0) {
        clean(link, message, link->parting, sizeof link->parting);
    }
}

static void pump(struct sl_pg_link *link, bool can_read);

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct sl_pg_link *link = arg;
    link->is_entered = true;
    if (link->state == LINK_CONNECTING) {
        poll_connection(link);
    } else {
        pump(link, (what & EV_READ) != 0);
    }
    leave(link);
}

/* While connecting libpq may change its socket, so that each turn registers anew, once. */
static void watch(struct sl_pg_link *link, short what)
{
    if (link->state != LINK_CONNECTING && link->watching == what) {
        return;
    }
    int fd = PQsocket(link->conn);
    event_del(link->io);
    link->watching = what;
    short persist = link->state == LINK_CONNECTING ? 0 : EV_PERSIST;
    if (fd < 0 ||
        event_assign(link->io, sl_loop_base(link->opts.loop), fd, (short)(what | persist), on_io,
                     link) != 0 ||
        event_add(link->io, NULL) != 0) {
        link->is_broken = true;
        sl_timer_arm(link->timer, 0);
    }
}

static void poll_connection(struct sl_pg_link *link)
{
    struct sl_err why;
    switch (PQconnectPoll(link->conn)) {
    case PGRES_POLLING_READING:
        watch(link, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        watch(link, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        prepare_session(link);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
    default:
        fail_from_conn(link, &why);
        go_down(link, &why);
        break;
    }
}

/* READ COMMITTED is what the apply statements are written for; jit would compile for longer than they run. */
static const char session_sql[] =
    "SELECT set_config('DateStyle', 'ISO, MDY', false), set_config('TimeZone', 'UTC', false), "
    "set_config('client_min_messages', 'warning', false), set_config('jit', 'off', false), "
    "set_config('default_transaction_isolation', 'read committed', false), "
    "set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false), "
    "set_config('idle_in_transaction_session_timeout', $3, false)";

static bool send_session(struct sl_pg_link *link)
{
    char numbers[3][24];
    snprintf(numbers[0], sizeof numbers[0], "%lld", (long long)link->opts.statement_ms);
    snprintf(numbers[1], sizeof numbers[1], "%lld", (long long)link->opts.lock_ms);
    snprintf(numbers[2], sizeof numbers[2], "%lld", (long long)link->opts.script_ms);
    const char *const values[] = { numbers[0], numbers[1], numbers[2] };
    if (PQsetnonblocking(link->conn, 1) != 0 || PQenterPipelineMode(link->conn) == 0 ||
        PQsendQueryParams(link->conn, session_sql, 3, NULL, values, NULL, NULL, 0) == 0) {
        return false;
    }
    for (size_t i = 0; i < link->opts.statement_count; i++) {
        const struct sl_pg_statement *statement = &link->opts.statements[i];
        if (PQsendPrepare(link->conn, statement->name, statement->sql, 0, NULL) == 0) {
            return false;
        }
        link->script.names[i + 1] = statement->name;
    }
    return PQpipelineSync(link->conn) != 0;
}

static void prepare_session(struct sl_pg_link *link)
{
    struct sl_err why;
    event_del(link->io);
    link->watching = 0;
    link->state = LINK_PREPARING;
    if (!script_init(&link->script, link->opts.statement_count + 1)) {
        sl_fail(&why, SL_E_MEMORY, "no memory to prepare a database session");
        go_down(link, &why);
    } else if (!send_session(link)) {
        fail_from_conn(link, &why);
        go_down(link, &why);
    } else {
        pump(link, false);
    }
}

static void go_up(struct sl_pg_link *link)
{
    link->state = LINK_UP;
    link->has_tried = true;
    link->up_since_ms = sl_clock_mono_ms();
    sl_timer_disarm(link->timer);
    if (link->opts.on_up != NULL) {
        link->opts.on_up(link, link->opts.arg);
    }
}

/* ---- going down ---- */

static int64_t wait_after_failure(struct sl_pg_link *link);
static int64_t wait_after_loss(struct sl_pg_link *link);
static void settle(struct sl_pg_link *link, struct script *script, const struct sl_err *why);

/* Frees the connection, settles what ran on it, arms the next attempt and tells the owner; the last thing a callback does. */
static void go_down(struct sl_pg_link *link, const struct sl_err *why)
{
    SL_DONE(script_done) struct script script = link->script;
    bool was_up = link->state == LINK_UP;
    link->script = (struct script){ 0 };
    link->why = *why;
    disconnect(link);
    link->state = LINK_WAITING;
    int64_t wait_ms = was_up ? wait_after_loss(link) : wait_after_failure(link);
    sl_timer_arm(link->timer, wait_ms);
    if (was_up && script.count > 0) {
        settle(link, &script, why);
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

/* ---- scripts ---- */

static bool can_start(const struct sl_pg_link *link, struct sl_err *err);
static bool check_steps(const struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
                        struct sl_err *err);
static const char *statement_name(const struct sl_pg_link *link, const char *name);
static bool send_step(struct sl_pg_link *link, const struct sl_pg_step *step);
static void set_off(struct sl_pg_link *link, bool is_sent);
static bool flush(struct sl_pg_link *link);
static enum progress read_results(struct sl_pg_link *link);
static void complete(struct sl_pg_link *link);
static void describe_failure(const struct sl_pg_link *link, const struct script *script,
                             struct sl_pg_error *out);

bool sl_pg_run(struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
               sl_pg_done_fn *on_done, void *arg, struct sl_err *err)
{
    if (!can_start(link, err) || !check_steps(link, steps, count, err)) {
        return false;
    }
    if (!script_init(&link->script, count)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a script of %zu steps", count);
    }
    link->script.on_done = on_done;
    link->script.arg = arg;
    bool is_sent = true;
    for (size_t i = 0; i < count && is_sent; i++) {
        link->script.names[i] = statement_name(link, steps[i].name);
        is_sent = send_step(link, &steps[i]);
    }
    set_off(link, is_sent && PQpipelineSync(link->conn) != 0);
    return true;
}

bool sl_pg_run_text(struct sl_pg_link *link, const char *sql, sl_pg_done_fn *on_done, void *arg,
                    struct sl_err *err)
{
    if (!can_start(link, err)) {
        return false;
    }
    if (strlen(sql) > SL_PG_SCRIPT_BYTES_MAX) {
        return sl_fail(err, SL_E_LIMIT, "SQL text of more than %zu bytes", SL_PG_SCRIPT_BYTES_MAX);
    }
    if (!script_init(&link->script, 1)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a script");
    }
    link->script.is_text = true;
    link->script.on_done = on_done;
    link->script.arg = arg;
    set_off(link, PQexitPipelineMode(link->conn) != 0 && PQsendQuery(link->conn, sql) != 0);
    return true;
}

static bool can_start(const struct sl_pg_link *link, struct sl_err *err)
{
    if (!sl_pg_link_is_up(link)) {
        return sl_fail(err, SL_E_PG_UNREACHABLE, "the database is away: %s", link->why.text);
    }
    if (link->script.count > 0) {
        return sl_fail(err, SL_E_BUG, "a script is still running on this database link");
    }
    return true;
}

static bool check_steps(const struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
                        struct sl_err *err)
{
    size_t bytes = 0;
    if (count == 0 || count > SL_PG_STEPS_MAX) {
        return sl_fail(err, SL_E_BUG, "a script of %zu steps", count);
    }
    for (size_t i = 0; i < count; i++) {
        const struct sl_pg_step *step = &steps[i];
        if (step->param_count > SL_PG_PARAMS_MAX) {
            return sl_fail(err, SL_E_BUG, "step %zu has %zu parameters", i, step->param_count);
        }
        if (step->name == NULL ? step->sql == NULL : statement_name(link, step->name) == NULL) {
            return sl_fail(err, SL_E_BUG, "step %zu names no prepared statement", i);
        }
        bytes += step->sql == NULL ? 0 : strlen(step->sql);
        for (size_t k = 0; k < step->param_count; k++) {
            struct sl_span value = step->params[k].value;
            if (value.bytes > SL_PG_SCRIPT_BYTES_MAX ||
                (bytes += value.bytes) > SL_PG_SCRIPT_BYTES_MAX) {
                return sl_fail(err, SL_E_LIMIT, "a script of more than %zu bytes",
                               SL_PG_SCRIPT_BYTES_MAX);
            }
            if (!step->params[k].is_binary && value.bytes > 0 &&
                memchr(value.data, '\0', value.bytes) != NULL) {
                return sl_fail(err, SL_E_PG_PERMANENT,
                               "parameter %zu of step %zu holds a NUL byte, which no text in "
                               "Postgres can",
                               k + 1, i);
            }
        }
    }
    return true;
}

/* The owner's own copy of the name, which lives as long as the link; NULL when there is none. */
static const char *statement_name(const struct sl_pg_link *link, const char *name)
{
    for (size_t i = 0; name != NULL && i < link->opts.statement_count; i++) {
        if (strcmp(link->opts.statements[i].name, name) == 0) {
            return link->opts.statements[i].name;
        }
    }
    return NULL;
}

/* libpq wants text parameters NUL-terminated: they are copied behind one another; binary ones are sent from where they are. */
static bool send_step(struct sl_pg_link *link, const struct sl_pg_step *step)
{
    const char *values[SL_PG_PARAMS_MAX];
    int lengths[SL_PG_PARAMS_MAX];
    int formats[SL_PG_PARAMS_MAX];
    size_t text_bytes = 0;
    for (size_t i = 0; i < step->param_count; i++) {
        text_bytes += step->params[i].is_binary ? 0 : step->params[i].value.bytes + 1;
    }
    SL_AUTO(free) char *texts = malloc(text_bytes + 1);
    if (texts == NULL) {
        return false;
    }
    char *free_text = texts;
    for (size_t i = 0; i < step->param_count; i++) {
        const struct sl_pg_param *param = &step->params[i];
        values[i] = param->value.data;
        lengths[i] = (int)param->value.bytes;
        formats[i] = param->is_binary ? 1 : 0;
        if (!param->is_binary && param->value.data != NULL) {
            memcpy(free_text, param->value.data, param->value.bytes);
            free_text[param->value.bytes] = '\0';
            values[i] = free_text;
            free_text += param->value.bytes + 1;
        }
    }
    int count = (int)step->param_count;
    if (step->name != NULL) {
        return PQsendQueryPrepared(link->conn, step->name, count, values, lengths, formats, 0) != 0;
    }
    return PQsendQueryParams(link->conn, step->sql, count, NULL, values, lengths, formats, 0) != 0;
}

/* A script that could not be sent is settled by the next turn of the loop, like one whose connection was lost. */
static void set_off(struct sl_pg_link *link, bool is_sent)
{
    if (!is_sent || !flush(link)) {
        link->is_broken = true;
    }
    sl_timer_arm(link->timer, link->is_broken ? 0 : link->opts.script_ms);
}

static bool flush(struct sl_pg_link *link)
{
    int pending = PQflush(link->conn);
    if (pending < 0 || PQstatus(link->conn) == CONNECTION_BAD) {
        return false;
    }
    watch(link, pending > 0 ? EV_READ | EV_WRITE : EV_READ);
    return true;
}

static void pump(struct sl_pg_link *link, bool can_read)
{
    bool is_alive = !can_read || PQconsumeInput(link->conn) != 0;
    /* What has arrived is read even from a dead connection: it may say how the script ended. */
    enum progress progress = read_results(link);
    is_alive = is_alive && progress != PROGRESS_BROKEN && flush(link);
    if (progress == PROGRESS_COMPLETE) {
        link->is_broken = link->is_broken || !is_alive;
        complete(link);
        if (link->is_doomed || link->conn == NULL) {
            return;
        }
    }
    if (!is_alive) {
        lost(link);
    }
}

/* The connection cannot be used any more; says why as exactly as is known. */
static void lost(struct sl_pg_link *link)
{
    struct sl_err why;
    struct sl_pg_error error;
    if (link->script.failure != NULL) {
        describe_failure(link, &link->script, &error);
        why = error.err;
    } else if (link->parting[0] != '\0') {
        sl_fail(&why, SL_E_PG_UNREACHABLE, "the database connection ended: %s", link->parting);
    } else {
        fail_from_conn(link, &why);
    }
    go_down(link, &why);
}

static bool ends_session(const PGresult *failure);
static bool is_stale(const PGresult *failure);

/* Takes what libpq has, without waiting. In a pipeline a step's results end with NULL, the script with a sync; a text's script ends with NULL. */
static enum progress read_results(struct sl_pg_link *link)
{
    struct script *script = &link->script;
    while (!PQisBusy(link->conn) && script->count > 0) {
        PGresult *result = PQgetResult(link->conn);
        if (result == NULL) {
            if (!script->has_result) {
                return PROGRESS_BROKEN; /* out of step with the server, or disconnected */
            }
            if (script->is_text) {
                return PROGRESS_COMPLETE;
            }
            script->has_result = false;
            script->at++;
            continue;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return script->at == script->count || script->failure != NULL ? PROGRESS_COMPLETE
                                                                          : PROGRESS_BROKEN;
        }
        script->has_result = true;
        if (script->at >= script->count) {
            PQclear(result);
            return PROGRESS_BROKEN;
        }
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
            status == PGRES_EMPTY_QUERY) {
            PQclear((PGresult *)script->results[script->at]);
            script->results[script->at] = (struct sl_pg_result *)result;
        } else if (status == PGRES_FATAL_ERROR && script->failure == NULL) {
            script->failure = result;
            script->failed_step = script->at;
            if (ends_session(result)) {
                return PROGRESS_BROKEN;
            }
        } else {
            PQclear(
                result); /* skipped by the server after the failure, or a second word about it */
            if (status != PGRES_PIPELINE_ABORTED && status != PGRES_FATAL_ERROR) {
                snprintf(link->parting, sizeof link->parting, "COPY is not supported here");
                return PROGRESS_BROKEN;
            }
        }
    }
    return PROGRESS_WAIT;
}

static const char *field(const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);
    return text == NULL ? "" : text;
}

static bool ends_session(const PGresult *failure)
{
    const char *severity = field(failure, PG_DIAG_SEVERITY_NONLOCALIZED);
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 || is_stale(failure) ||
           sl_sqlstate_drops_session(field(failure, PG_DIAG_SQLSTATE));
}

/*
 * A prepared statement that is gone, or whose result no longer has the shape it was prepared with ("cached plan must not change result
 * type", 0A000; known by the server's function, since messages are translated): a new session prepares anew.
 */
static bool is_stale(const PGresult *failure)
{
    return strcmp(field(failure, PG_DIAG_SQLSTATE), "26000") == 0 ||
           strcmp(field(failure, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery") == 0;
}

static void complete(struct sl_pg_link *link)
{
    SL_DONE(script_done) struct script script = link->script;
    struct sl_pg_error error;
    link->script = (struct script){ 0 };
    if (script.is_text && PQenterPipelineMode(link->conn) == 0) {
        link->is_broken = true;
        sl_timer_arm(link->timer, 0);
    } else if (link->state == LINK_UP && !link->is_broken) {
        sl_timer_disarm(link->timer);
    }
    if (link->state == LINK_UP) {
        settle(link, &script, NULL);
    } else if (script.failure != NULL) {
        describe_failure(link, &script, &error);
        go_down(link, &error.err);
    } else {
        go_up(link);
    }
}

/* Tells the owner how its script ended; why is NULL when the connection is still there. */
static void settle(struct sl_pg_link *link, struct script *script, const struct sl_err *why)
{
    struct sl_pg_error error = { .constraint = "", .table = "", .column = "", .detail = "" };
    bool is_success = script->failure == NULL && why == NULL;
    if (script->failure != NULL) {
        describe_failure(link, script, &error);
        link->stale_sessions += is_stale(script->failure);
    } else if (why != NULL) {
        error.err = *why;
        error.step = script->at < script->count ? script->at : script->count - 1;
    } else {
        link->stale_sessions = 0;
        sl_backoff_reset(&link->backoff);
    }
    script->on_done(link, script->results, script->count, is_success ? NULL : &error, script->arg);
}

static void describe_failure(const struct sl_pg_link *link, const struct script *script,
                             struct sl_pg_error *out)
{
    const PGresult *failure = script->failure;
    char message[256];
    char step[80];
    int64_t position = 0;
    *out = (struct sl_pg_error){
        .constraint = field(failure, PG_DIAG_CONSTRAINT_NAME),
        .table = field(failure, PG_DIAG_TABLE_NAME),
        .column = field(failure, PG_DIAG_COLUMN_NAME),
        .detail = field(failure, PG_DIAG_MESSAGE_DETAIL),
        .step = script->failed_step,
    };
    snprintf(out->sqlstate, sizeof out->sqlstate, "%s", field(failure, PG_DIAG_SQLSTATE));
    if (sl_units_decimal(sl_span_of(field(failure, PG_DIAG_STATEMENT_POSITION)), 9, &position)) {
        out->position = (size_t)position;
    }
    const char *primary = field(failure, PG_DIAG_MESSAGE_PRIMARY);
    clean(link, primary[0] == '\0' ? PQresultErrorMessage(failure) : primary, message,
          sizeof message);
    sl_pg_text_cut_value(message, out->sqlstate);
    if (script->names[out->step] != NULL) {
        snprintf(step, sizeof step, "%s: ", script->names[out->step]);
    } else if (script->count > 1) {
        snprintf(step, sizeof step, "step %zu: ", out->step + 1);
    } else {
        step[0] = '\0';
    }

    enum sl_code code = sl_sqlstate_code(out->sqlstate);
    if (out->sqlstate[0] == '\0') {
        sl_fail(&out->err, SL_E_PG_UNREACHABLE, "%s%s", step, message);
    } else if (is_stale(failure)) {
        bool is_halt = link->stale_sessions >= STALE_SESSIONS_MAX;
        sl_fail(&out->err, is_halt ? SL_E_PG_HALT : SL_E_PG_SYSTEMIC, "%s%s (SQLSTATE %s)%s", step,
                message, out->sqlstate,
                is_halt ? "; prepared statements do not last: is a transaction pooler in between?"
                        : "; preparing anew");
    } else {
        const char *meaning = sl_sqlstate_meaning(out->sqlstate);
        sl_fail(&out->err, code, "%s%s (SQLSTATE %s)%s", step, message, out->sqlstate,
                meaning == NULL ? ", which shared/sqlstate.def does not know" : "");
    }
}

static bool script_init(struct script *script, size_t count)
{
    SL_ASSERT(count > 0);
    *script = (struct script){
        .results = calloc(count, sizeof *script->results),
        .names = calloc(count, sizeof *script->names),
    };
    if (script->results == NULL || script->names == NULL) {
        script_done(script);
        return false;
    }
    script->count = count;
    return true;
}

static void script_done(struct script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        PQclear((PGresult *)script->results[i]);
    }
    PQclear(script->failure);
    free(script->results);
    free(script->names);
    *script = (struct script){ 0 };
}

/* ---- texts ---- */

static void clean(const struct sl_pg_link *link, const char *message, char *out, size_t out_bytes)
{
    const char *const secrets[] = { option(link, "password"), option(link, "sslpassword") };
    sl_pg_text_clean(message, secrets, SL_COUNT(secrets), out, out_bytes);
}

static void fail_from_conn(const struct sl_pg_link *link, struct sl_err *err)
{
    char message[300];
    char sqlstate[SL_SQLSTATE_BYTES];
    if (link->conn == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a database connection");
        return;
    }
    clean(link, PQerrorMessage(link->conn), message, sizeof message);
    sl_pg_text_take_sqlstate(message, sqlstate);
    if (sqlstate[0] == '\0') {
        sl_fail(err, SL_E_PG_UNREACHABLE, "%s",
                message[0] == '\0' ? "the database connection was lost" : message);
    } else {
        sl_fail(err, sl_sqlstate_code(sqlstate), "%s (SQLSTATE %s)", message, sqlstate);
    }
}

bool sl_pg_has_password(const char *conninfo)
{
    char *complaint = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &complaint);
    bool has_password = options == NULL;
    PQfreemem(complaint);
    for (const PQconninfoOption *at = options; at != NULL && at->keyword != NULL; at++) {
        /* '*' is libpq's mark for values that are not to be shown. */
        has_password = has_password || (at->val != NULL && strcmp(at->dispchar, "*") == 0);
    }
    PQconninfoFree(options);
    return has_password;
}

/* ---- results ---- */

size_t sl_pg_rows(const struct sl_pg_result *result)
{
    return (size_t)PQntuples((const PGresult *)result);
}

size_t sl_pg_columns(const struct sl_pg_result *result)
{
    return (size_t)PQnfields((const PGresult *)result);
}

const char *sl_pg_column_name(const struct sl_pg_result *result, size_t column)
{
    const char *name = PQfname((const PGresult *)result, (int)column);
    return name == NULL ? "" : name;
}

struct sl_span sl_pg_value(const struct sl_pg_result *result, size_t row, size_t column)
{
    const PGresult *rows = (const PGresult *)result;
    SL_ASSERT(row < sl_pg_rows(result));
    SL_ASSERT(column < sl_pg_columns(result));
    if (PQgetisnull(rows, (int)row, (int)column) != 0) {
        return (struct sl_span){ NULL, 0 };
    }
    return sl_span_make(PQgetvalue(rows, (int)row, (int)column),
                        (size_t)PQgetlength(rows, (int)row, (int)column));
}

int64_t sl_pg_changed(const struct sl_pg_result *result)
{
    int64_t rows = 0;
    if (result == NULL ||
        !sl_units_decimal(sl_span_of(PQcmdTuples((PGresult *)(uintptr_t)result)), 18, &rows)) {
        return 0;
    }
    return rows;
}
