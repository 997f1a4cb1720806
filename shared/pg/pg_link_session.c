#include "shared/pg/pg_link_parts.h"

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define OPTIONS_MAX 96 /* libpq 15 knows 45, we add a dozen */

/* Keywords and values for libpq; later ones win. */
struct options {
    const char *keywords[OPTIONS_MAX + 1];
    const char *values[OPTIONS_MAX + 1];
    size_t count;
};

/* READ COMMITTED is what the apply statements are written for; jit would compile for longer than they run. */
static const char session_sql[] =
    "SELECT set_config('DateStyle', 'ISO, MDY', false), set_config('TimeZone', 'UTC', false), "
    "set_config('client_min_messages', 'warning', false), set_config('jit', 'off', false), "
    "set_config('default_transaction_isolation', 'read committed', false), "
    "set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false), "
    "set_config('idle_in_transaction_session_timeout', $3, false)";

static void collect_options(const struct sl_pg_link *link, const char *address,
                            struct options *out);
static void add_option(struct options *options, const char *keyword, const char *value);
static void on_notice(void *arg, const PGresult *notice);
static void prepare_session(struct sl_pg_link *link);
static bool send_session(struct sl_pg_link *link);

/* What libpq says about a string it cannot parse repeats parts of it, and they may be the password: only our own words leave here. */
bool sl_pg_read_address(struct sl_pg_link *link, const char *conninfo, struct sl_err *err)
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
    const char *database = sl_pg_option(link, "dbname");
    if (strncmp(conninfo, "postgres", 8) == 0 && database != NULL &&
        strchr(database, '@') != NULL) {
        return sl_fail(err, SL_E_CONFIG,
                       "the database address has an @ behind the host: write the / of a password "
                       "as %%2F and its @ as %%40");
    }
    const char *host = sl_pg_option(link, "host");
    const char *hostaddr = sl_pg_option(link, "hostaddr");
    const char *port = sl_pg_option(link, "port");
    bool is_host_given = host != NULL || hostaddr != NULL;
    if (sl_pg_option(link, "service") != NULL || (!is_host_given && getenv("PGSERVICE") != NULL)) {
        return sl_fail(err, SL_E_CONFIG,
                       "the database address names a libpq service file, which is not supported: "
                       "write host, port and database");
    }
    return sl_pg_hosts_parse(is_host_given ? host : getenv("PGHOST"),
                             is_host_given ? hostaddr : getenv("PGHOSTADDR"),
                             port != NULL ? port : getenv("PGPORT"), &link->hosts, err);
}

void sl_pg_forget_address(struct sl_pg_link *link)
{
    for (PQconninfoOption *at = link->options; at != NULL && at->keyword != NULL; at++) {
        if (at->val != NULL) {
            explicit_bzero(at->val, strlen(at->val));
        }
    }
    PQconninfoFree(link->options);
    link->options = NULL;
}

/* One value of the parsed address; NULL when it was not given. */
const char *sl_pg_option(const struct sl_pg_link *link, const char *keyword)
{
    for (const PQconninfoOption *at = link->options; at->keyword != NULL; at++) {
        if (strcmp(at->keyword, keyword) == 0) {
            return at->val;
        }
    }
    return NULL;
}

void sl_pg_connect_to(struct sl_pg_link *link, const char *address)
{
    struct options options = { 0 };
    collect_options(link, address, &options);
    link->parting[0] = '\0';
    link->state = SL_PG_LINK_CONNECTING;
    link->conn = PQconnectStartParams(options.keywords, options.values, 0);
    if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        struct sl_err why;
        sl_pg_fail_from_conn(link, &why);
        sl_pg_go_down(link, &why);
        return;
    }
    PQsetErrorVerbosity(link->conn,
                        PQERRORS_VERBOSE); /* the only way to a SQLSTATE while connecting */
    PQsetNoticeReceiver(link->conn, on_notice, link);
    sl_pg_watch(link, EV_WRITE);
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

static void add_option(struct options *options, const char *keyword, const char *value)
{
    SL_ASSERT(options->count < OPTIONS_MAX);
    options->keywords[options->count] = keyword;
    options->values[options->count] = value;
    options->count++;
}

static void on_notice(void *arg, const PGresult *notice)
{
    struct sl_pg_link *link = arg;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (severity != NULL && message != NULL && strcmp(severity, "FATAL") == 0) {
        sl_pg_clean(link, message, link->parting, sizeof link->parting);
    }
}

void sl_pg_poll_connection(struct sl_pg_link *link)
{
    struct sl_err why;
    switch (PQconnectPoll(link->conn)) {
    case PGRES_POLLING_READING:
        sl_pg_watch(link, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        sl_pg_watch(link, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        prepare_session(link);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
    default:
        sl_pg_fail_from_conn(link, &why);
        sl_pg_go_down(link, &why);
        break;
    }
}

static void prepare_session(struct sl_pg_link *link)
{
    struct sl_err why;
    event_del(link->io);
    link->watching = 0;
    link->state = SL_PG_LINK_PREPARING;
    if (!sl_pg_script_init(&link->script, link->opts.statement_count + 1)) {
        sl_fail(&why, SL_E_MEMORY, "no memory to prepare a database session");
        sl_pg_go_down(link, &why);
    } else if (!send_session(link)) {
        sl_pg_fail_from_conn(link, &why);
        sl_pg_go_down(link, &why);
    } else {
        sl_pg_pump(link, false);
    }
}

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
