#include "ops/queue/cause_look.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/units.h"

#define MILLI      1000
#define DIGITS_MAX 18u
#define GLANCE_MS  400 /* between two glances at the sessions */

/* $1: names, comma separated; a row each. The inbox and the tries are read through their BRIN indexes on time. */
static const char history_sql[] =
    "SELECT s.name,"
    " (SELECT count(*) FROM sluice_inbox i WHERE i.subsystem = s.name AND i.received_at > now() - interval '5 minutes'),"
    " (SELECT count(*) * 1000 / 3600 FROM sluice_inbox i WHERE i.subsystem = s.name"
    "   AND i.received_at > now() - interval '65 minutes' AND i.received_at <= now() - interval '5 minutes'),"
    " t.tries, t.events, coalesce(t.error, ''), l.letters, coalesce(g.letters, 0), coalesce(g.error, ''), coalesce(g.fingerprint, ''),"
    " b.types, coalesce(b.type, ''), b.of_database,"
    " (SELECT count(*) FROM sluice_control o WHERE o.subsystem IN ('', s.name) AND o.name = 'paused' AND o.value = 'true'"
    "   AND (o.expires_at IS NULL OR o.expires_at > now())),"
    " current_setting('default_transaction_read_only') = 'on' OR pg_is_in_recovery()"
    " FROM unnest(string_to_array($1, ',')) AS s(name)"
    " CROSS JOIN LATERAL (SELECT count(*) AS tries, count(DISTINCT event_id) AS events,"
    "   mode() WITHIN GROUP (ORDER BY concat_ws(' ', type, nullif(code, ''))) AS error FROM sluice_attempt a"
    "   WHERE a.subsystem = s.name AND a.at > now() - interval '5 minutes' AND a.due_at IS NOT NULL) t"
    " CROSS JOIN LATERAL (SELECT count(*) AS letters FROM sluice_dead_letter d WHERE d.subsystem = s.name AND d.status = 'open'"
    "   AND d.created_at > now() - interval '15 minutes') l"
    " LEFT JOIN LATERAL (SELECT count(*) AS letters, d.fingerprint, min(concat_ws(' ', d.type, nullif(d.error_code, ''))) AS error"
    "   FROM sluice_dead_letter d WHERE d.subsystem = s.name AND d.status = 'open' AND d.created_at > now() - interval '15 minutes'"
    "   GROUP BY d.fingerprint ORDER BY 1 DESC LIMIT 1) g ON true"
    " CROSS JOIN LATERAL (SELECT count(DISTINCT x.type) FILTER (WHERE x.database IS NOT TRUE) AS types,"
    "   min(x.type) FILTER (WHERE x.database IS NOT TRUE) AS type, count(*) FILTER (WHERE x.database) AS of_database FROM sluice_consumer c,"
    "   jsonb_to_recordset(c.breakers) AS x(type text, database boolean) WHERE c.subsystem = s.name AND c.seen_at > now() - interval '15 seconds') b";
enum {
    NAME,
    ARRIVED,
    USUAL,
    TRIES,
    EVENTS,
    TRY_ERROR,
    LETTERS,
    GROUP,
    LETTER_ERROR,
    FINGERPRINT,
    BREAKERS,
    BREAKER,
    PG_BREAKERS,
    PAUSED,
    READ_ONLY
};

/* A worker's session is named <service>/<subsystem>/<host>/<pid>. */
static const char glance_sql[] =
    "SELECT s.name, count(a.pid) FILTER (WHERE a.wait_event_type = 'Lock'),"
    " coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start) * 1000) FILTER (WHERE a.state = 'active'), 0)::bigint,"
    " coalesce((SELECT format('pid %s (%s), in its transaction for %s s', h.pid, coalesce(nullif(h.application_name, ''), h.usename),"
    "     extract(epoch FROM clock_timestamp() - h.xact_start)::bigint)"
    "   FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS p(pid) JOIN pg_stat_activity h ON h.pid = p.pid"
    "   WHERE w.wait_event_type = 'Lock' AND w.datname = current_database() AND split_part(w.application_name, '/', 2) = s.name"
    "   ORDER BY h.xact_start LIMIT 1), ''),"
    " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
    " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " FROM unnest(string_to_array($1, ',')) AS s(name)"
    " LEFT JOIN pg_stat_activity a ON a.datname = current_database() AND split_part(a.application_name, '/', 2) = s.name"
    " GROUP BY s.name";
enum { G_NAME, G_BLOCKED, G_BUSY, G_BLOCKER, G_SESSIONS, G_SESSIONS_MAX };

static void watch(struct ops_queue_eyes *eyes, int64_t until_ms, struct ops_cause_look *out);
static void read_history(struct ops_pg_session *session, struct ops_cause_look *out);
static void take_facts(const struct ops_queue_look *then, int64_t took_ms,
                       struct ops_cause_look *out);
static struct ops_cause_figures *figures_of(struct ops_cause_look *out, const char *name);
static int64_t number(const struct ops_pg_rows *rows, size_t row, size_t column);

struct ops_cause_look *ops_cause_look_new(void)
{
    return calloc(1, sizeof(struct ops_cause_look));
}

void ops_cause_look_free(struct ops_cause_look *look)
{
    free(look);
}

bool ops_cause_look(struct ops_queue_eyes *eyes, const struct ops_address *address,
                    const struct sl_subsystems *subsystems, const char *only_name,
                    int64_t sample_ms, struct ops_cause_look *out, struct sl_err *err)
{
    struct ops_queue_look then;
    ops_queue_look(eyes, address, subsystems, only_name, &then);
    int64_t start_ms = sl_clock_mono_ms();
    ops_cause_begin(&then, out);
    watch(eyes, start_ms + sample_ms, out);
    ops_queue_look(eyes, address, subsystems, only_name, &out->look);
    take_facts(&then, sl_clock_mono_ms() - start_ms, out);
    read_history(eyes->session, out);
    for (size_t i = 0; i < out->look.count; i++) {
        if (out->look.items[i].is_missing) {
            return sl_fail(err, SL_E_AMQP_NOT_FOUND, "there is no queue %s: sluice topology apply",
                           out->look.items[i].subsystem->queue);
        }
    }
    if (out->look.broker_err.code != SL_E_NONE) {
        return sl_fail(err, out->look.broker_err.code,
                       "the broker does not tell: %s (runbooks/rabbitmq-unavailable.md)",
                       out->look.broker_err.text);
    }
    return true;
}

void ops_cause_begin(const struct ops_queue_look *look, struct ops_cause_look *out)
{
    size_t used = 0;
    out->names[0] = '\0';
    for (size_t i = 0; i < look->count; i++) {
        used += (size_t)snprintf(out->names + used, sizeof out->names - used, "%s%s",
                                 i == 0 ? "" : ",", look->items[i].subsystem->name);
        out->items[i] = (struct ops_cause_figures){
            .subsystem = look->items[i].subsystem->name,
            .is_http = look->items[i].subsystem->handler == SL_HANDLER_HTTP,
            .usual_milli = OPS_UNKNOWN,
            .arrived = OPS_UNKNOWN,
            .retries = OPS_UNKNOWN,
            .letters = OPS_UNKNOWN,
            .sessions = OPS_UNKNOWN,
        };
    }
    out->look.count = look->count;
}

static void watch(struct ops_queue_eyes *eyes, int64_t until_ms, struct ops_cause_look *out)
{
    for (;;) {
        ops_cause_glance(eyes->session, out);
        int64_t left_ms = until_ms - sl_clock_mono_ms();
        if (left_ms <= 0) {
            return;
        }
        int64_t pause_ms = left_ms < GLANCE_MS ? left_ms : GLANCE_MS;
        const struct timespec pause = { .tv_sec = pause_ms / MILLI,
                                        .tv_nsec = pause_ms % MILLI * 1000000 };
        (void)nanosleep(&pause, NULL);
    }
}

/* Keeps the worst of all glances. */
void ops_cause_glance(struct ops_pg_session *session, struct ops_cause_look *out)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    struct sl_err why;
    const struct sl_pg_param param = ops_pg_param(out->names);
    if (session == NULL || !ops_pg_query(session, glance_sql, &param, 1, &rows, &why)) {
        return; /* the look behind it says why */
    }
    for (size_t row = 0; row < rows.row_count; row++) {
        struct ops_cause_figures *figures = figures_of(out, ops_pg_cell_text(&rows, row, G_NAME));
        int64_t blocked = number(&rows, row, G_BLOCKED);
        int64_t busy_ms = number(&rows, row, G_BUSY);
        figures->sessions = number(&rows, row, G_SESSIONS);
        figures->sessions_max = number(&rows, row, G_SESSIONS_MAX);
        figures->busy_ms = busy_ms > figures->busy_ms ? busy_ms : figures->busy_ms;
        if (blocked > figures->blocked) {
            figures->blocked = blocked;
            snprintf(figures->blocker, sizeof figures->blocker, "%s",
                     ops_pg_cell_text(&rows, row, G_BLOCKER));
        }
    }
}

static void read_history(struct ops_pg_session *session, struct ops_cause_look *out)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    struct sl_err why = out->look.pg_err;
    const struct sl_pg_param param = ops_pg_param(out->names);
    if (session == NULL || !ops_pg_query(session, history_sql, &param, 1, &rows, &why)) {
        for (size_t i = 0; i < out->look.count; i++) {
            out->items[i].is_pg_away = true;
            snprintf(out->items[i].pg_error, OPS_CAUSE_TEXT_BYTES, "%s", why.text);
        }
        return;
    }
    for (size_t row = 0; row < rows.row_count; row++) {
        struct ops_cause_figures *figures = figures_of(out, ops_pg_cell_text(&rows, row, NAME));
        figures->arrived = number(&rows, row, ARRIVED);
        figures->usual_milli = number(&rows, row, USUAL);
        figures->retries = number(&rows, row, TRIES);
        figures->retried = number(&rows, row, EVENTS);
        figures->letters = number(&rows, row, LETTERS);
        figures->group = number(&rows, row, GROUP);
        figures->breakers = number(&rows, row, BREAKERS);
        figures->pg_breakers = number(&rows, row, PG_BREAKERS);
        figures->is_paused = number(&rows, row, PAUSED) > 0;
        figures->is_pg_read_only = sl_span_is(ops_pg_cell(&rows, row, READ_ONLY), "t");
        snprintf(figures->retry_error, OPS_CAUSE_TEXT_BYTES, "%s",
                 ops_pg_cell_text(&rows, row, TRY_ERROR));
        snprintf(figures->letter_error, OPS_CAUSE_TEXT_BYTES, "%s",
                 ops_pg_cell_text(&rows, row, LETTER_ERROR));
        snprintf(figures->breaker_type, OPS_CAUSE_TEXT_BYTES, "%s",
                 ops_pg_cell_text(&rows, row, BREAKER));
        snprintf(figures->fingerprint, sizeof figures->fingerprint, "%s",
                 ops_pg_cell_text(&rows, row, FINGERPRINT));
    }
}

static void take_facts(const struct ops_queue_look *then, int64_t took_ms,
                       struct ops_cause_look *out)
{
    for (size_t i = 0; i < out->look.count; i++) {
        const struct ops_queue_facts *now = &out->look.items[i];
        struct ops_cause_figures *figures = &out->items[i];
        struct ops_flow flow = ops_queue_flow(&then->items[i], now, took_ms);
        figures->waiting = now->waiting;
        figures->unacked = now->unacked;
        figures->delayed = now->delayed;
        figures->consumers = now->consumers;
        figures->running = now->running;
        figures->oldest_s = now->oldest_s;
        figures->idle_s = now->idle_s;
        figures->sample_ms = took_ms;
        figures->settled = flow.settled;
        figures->in_milli = flow.in_milli;
        figures->out_milli = flow.out_milli;
    }
}

static struct ops_cause_figures *figures_of(struct ops_cause_look *out, const char *name)
{
    for (size_t i = 0; i < out->look.count; i++) {
        if (strcmp(out->items[i].subsystem, name) == 0) {
            return &out->items[i];
        }
    }
    SL_ASSERT(false); /* the names were ours */
    return NULL;
}

static int64_t number(const struct ops_pg_rows *rows, size_t row, size_t column)
{
    int64_t found = 0;
    return sl_units_decimal(ops_pg_cell(rows, row, column), DIGITS_MAX, &found) ? found
                                                                                : OPS_UNKNOWN;
}
