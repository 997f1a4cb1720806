#include "ops/queue/cause.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define MILLI          1000
#define LETTERS_MANY   5     /* in fifteen minutes; runbooks/queue-management.md */
#define RETRIES_MANY   20    /* in five minutes */
#define RETRY_SHARE    4     /* one failed try for so many events that arrived */
#define STORM_FACTOR   3     /* times the usual rate */
#define STORM_MILLI    10000 /* ten a second: below that no rate is a storm */
#define BUSY_MS        1000  /* a transaction that is slow, not busy */
#define SESSIONS_SHARE 95    /* percent of what the server takes */
#define WAITING_FEW    10 /* runbooks/queue-backlog.md: more than that for five minutes is an alert */

static enum ops_cause judge(const struct ops_cause_figures *figures);
static enum ops_cause judge_failures(const struct ops_cause_figures *figures);
static enum ops_cause judge_pace(const struct ops_cause_figures *figures);
static bool is_full(const struct ops_cause_figures *figures);
static void tell(const struct ops_cause_figures *figures, enum ops_cause cause, char *out);
static void tell_database(const struct ops_cause_figures *figures, char *out);
static void advise(const struct ops_cause_figures *figures, struct ops_diagnosis *out);
static void put(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_count(char *out, const char *name, int64_t count);
static void put_rate(char *out, const char *name, int64_t milli);

struct ops_diagnosis ops_cause_find(const struct ops_cause_figures *figures)
{
    struct ops_diagnosis found = { .cause = judge(figures) };
    tell(figures, found.cause, found.evidence);
    advise(figures, &found);
    return found;
}

const char *ops_cause_name(enum ops_cause cause)
{
    static const char *const names[] = {
        [OPS_CAUSE_NONE] = "nothing wrong",
        [OPS_CAUSE_CATCHING_UP] = "catching up",
        [OPS_CAUSE_PAUSED] = "paused",
        [OPS_CAUSE_UNKNOWN] = "unknown",
        [OPS_CAUSE_CONSUMER_OUTAGE] = "consumer outage",
        [OPS_CAUSE_PRODUCER_STORM] = "producer storm",
        [OPS_CAUSE_SLOW_PROCESSING] = "slow processing",
        [OPS_CAUSE_RETRY_STORM] = "retry storm",
        [OPS_CAUSE_POISON] = "poison",
        [OPS_CAUSE_DATABASE] = "database",
    };
    return names[cause];
}

bool ops_cause_is_trouble(enum ops_cause cause)
{
    return cause >= OPS_CAUSE_CONSUMER_OUTAGE;
}

/* Judge ----------------------------------------------------------------------------------------- */

static enum ops_cause judge(const struct ops_cause_figures *figures)
{
    if (figures->is_pg_away || figures->is_pg_read_only) {
        return OPS_CAUSE_DATABASE;
    }
    if (figures->is_paused) {
        return OPS_CAUSE_PAUSED;
    }
    if (figures->consumers == 0) {
        return OPS_CAUSE_CONSUMER_OUTAGE;
    }
    if (figures->pg_breakers > 0 || figures->blocked > 0 || is_full(figures)) {
        return OPS_CAUSE_DATABASE;
    }
    enum ops_cause failing = judge_failures(figures);
    return failing == OPS_CAUSE_NONE ? judge_pace(figures) : failing;
}

/* A storm of events that come again, or a flood of those that never pass: whichever is more. */
static enum ops_cause judge_failures(const struct ops_cause_figures *figures)
{
    bool is_storm =
        (figures->retries >= RETRIES_MANY && figures->retries * RETRY_SHARE >= figures->arrived) ||
        (figures->breakers > 0 && figures->delayed > 0);
    bool is_poison = figures->letters > LETTERS_MANY;
    if (is_poison && (!is_storm || figures->letters >= figures->retried)) {
        return OPS_CAUSE_POISON;
    }
    return is_storm ? OPS_CAUSE_RETRY_STORM : OPS_CAUSE_NONE;
}

static enum ops_cause judge_pace(const struct ops_cause_figures *figures)
{
    if (figures->waiting == OPS_UNKNOWN) {
        return OPS_CAUSE_UNKNOWN;
    }
    bool is_stuck = figures->unacked > 0 && figures->settled == 0 &&
                    figures->oldest_s != OPS_UNKNOWN &&
                    figures->oldest_s * MILLI >= figures->sample_ms;
    if (is_stuck) { /* in hand throughout the sample */
        bool is_at_work = figures->is_http || figures->busy_ms >= BUSY_MS;
        return is_at_work ? OPS_CAUSE_SLOW_PROCESSING : OPS_CAUSE_POISON;
    }
    if (figures->waiting <= WAITING_FEW) {
        return OPS_CAUSE_NONE;
    }
    if (figures->in_milli == OPS_UNKNOWN || figures->out_milli == OPS_UNKNOWN) {
        return OPS_CAUSE_UNKNOWN;
    }
    if (figures->in_milli >= STORM_MILLI && figures->in_milli >= figures->out_milli &&
        figures->usual_milli != OPS_UNKNOWN &&
        figures->in_milli >= STORM_FACTOR * figures->usual_milli) {
        return OPS_CAUSE_PRODUCER_STORM;
    }
    bool is_slow = figures->out_milli <= figures->in_milli || figures->busy_ms >= BUSY_MS;
    return is_slow ? OPS_CAUSE_SLOW_PROCESSING : OPS_CAUSE_CATCHING_UP;
}

static bool is_full(const struct ops_cause_figures *figures)
{
    return figures->sessions > 0 && figures->sessions_max > 0 &&
           figures->sessions * 100 >= figures->sessions_max * SESSIONS_SHARE;
}

/* Tell ------------------------------------------------------------------------------------------ */

static void tell(const struct ops_cause_figures *figures, enum ops_cause cause, char *out)
{
    if (cause == OPS_CAUSE_DATABASE) {
        tell_database(figures, out);
    } else if (cause == OPS_CAUSE_RETRY_STORM) {
        put(out, "%" PRId64 " failed tries in 5 min of %" PRId64 " events", figures->retries,
            figures->retried);
        put_count(out, "delayed", figures->delayed);
        if (figures->retry_error[0] != '\0') {
            put(out, "mostly %s", figures->retry_error);
        }
        if (figures->breakers > 0) {
            put(out, "held back by its breaker: %s", figures->breaker_type);
        }
    } else if (cause == OPS_CAUSE_POISON && figures->letters > LETTERS_MANY) {
        put(out, "%" PRId64 " given up in 15 min, %" PRId64 " of one cause", figures->letters,
            figures->group);
        put(out, "mostly %s", figures->letter_error);
    } else if (cause == OPS_CAUSE_POISON) {
        put(out, "%" PRId64 " in hand since %" PRId64 " s, none settled", figures->unacked,
            figures->oldest_s);
        put(out, "no lock is waited for and no transaction is at work");
        if (figures->idle_s != OPS_UNKNOWN) {
            put(out, "nothing was settled for %" PRId64 " s", figures->idle_s);
        }
    }
    put_count(out, "waiting", figures->waiting);
    put_count(out, "in hand", figures->unacked);
    put_count(out, figures->consumers == 1 ? "consumer" : "consumers", figures->consumers);
    put_rate(out, "in", figures->in_milli);
    put_rate(out, "out", figures->out_milli);
    if (cause == OPS_CAUSE_PRODUCER_STORM) {
        put_rate(out, "usually in", figures->usual_milli);
    }
    if (cause == OPS_CAUSE_CONSUMER_OUTAGE) {
        put(out, figures->running > 0 ? "a consumer runs, but not for this queue"
                                      : "no consumer has said anything for 15 s");
    }
    if (cause == OPS_CAUSE_SLOW_PROCESSING && figures->busy_ms >= BUSY_MS) {
        put(out, "its longest transaction is at work for %" PRId64 " ms", figures->busy_ms);
    }
    if (cause == OPS_CAUSE_SLOW_PROCESSING && figures->busy_ms < BUSY_MS && figures->settled == 0) {
        put(out, "its URL answers nothing for now");
    }
}

static void tell_database(const struct ops_cause_figures *figures, char *out)
{
    if (figures->is_pg_away) {
        put(out, "Postgres gives no session: %s", figures->pg_error);
    }
    if (figures->is_pg_read_only) {
        put(out, "Postgres takes no rows: it is a standby, or read-only");
    }
    if (figures->pg_breakers > 0) {
        put(out, "the consumers hold the breaker of the database open: it fails for every event");
    }
    if (figures->blocked > 0) {
        put(out, "%" PRId64 " sessions of its workers wait for a lock", figures->blocked);
        put(out, "held by %s",
            figures->blocker[0] == '\0' ? "nobody that can be seen" : figures->blocker);
    }
    if (is_full(figures)) {
        put(out, "%" PRId64 " of %" PRId64 " sessions are in use", figures->sessions,
            figures->sessions_max);
    }
}

static void advise(const struct ops_cause_figures *figures, struct ops_diagnosis *out)
{
    const char *name = figures->subsystem;
    char *next = out->next;
    switch (out->cause) {
    case OPS_CAUSE_NONE:
    case OPS_CAUSE_UNKNOWN:
        break;
    case OPS_CAUSE_CATCHING_UP:
        snprintf(next, OPS_CAUSE_DO_BYTES, "sluice queue drain %s", name);
        break;
    case OPS_CAUSE_PAUSED:
        snprintf(next, OPS_CAUSE_DO_BYTES, "sluice queue resume %s", name);
        break;
    case OPS_CAUSE_CONSUMER_OUTAGE:
        snprintf(next, OPS_CAUSE_DO_BYTES, "start sluice-consumer; sluice health consumer");
        break;
    case OPS_CAUSE_PRODUCER_STORM:
        snprintf(next, OPS_CAUSE_DO_BYTES, "sluice ingest pause --for 10m");
        break;
    case OPS_CAUSE_SLOW_PROCESSING:
        snprintf(next, OPS_CAUSE_DO_BYTES, "sluice scale advise %s", name);
        break;
    case OPS_CAUSE_RETRY_STORM:
        snprintf(next, OPS_CAUSE_DO_BYTES,
                 "mend what refuses them, or sluice queue set %s retries=off --for 30m", name);
        break;
    case OPS_CAUSE_POISON:
        if (figures->letters > LETTERS_MANY) {
            snprintf(next, OPS_CAUSE_DO_BYTES, "sluice dead groups --subsystem %s --since 15m",
                     name);
        } else {
            snprintf(
                next, OPS_CAUSE_DO_BYTES,
                "the line consumer.held in its log names the event: sluice dead park --event ID "
                "--subsystem %s",
                name);
        }
        break;
    case OPS_CAUSE_DATABASE:
        snprintf(next, OPS_CAUSE_DO_BYTES, "runbooks/postgres.md");
        break;
    }
}

static void put(char *out, const char *format, ...)
{
    size_t used = 0;
    while (out[used] != '\0') {
        used++;
    }
    size_t room = OPS_CAUSE_EVIDENCE_BYTES - used;
    int added = snprintf(out + used, room, "%s", used == 0 ? "" : "; ");
    va_list args;
    va_start(args, format);
    if ((size_t)added < room) {
        (void)vsnprintf(out + used + added, room - (size_t)added, format, args);
    }
    va_end(args);
}

static void put_count(char *out, const char *name, int64_t count)
{
    if (count != OPS_UNKNOWN) {
        put(out, "%" PRId64 " %s", count, name);
    }
}

static void put_rate(char *out, const char *name, int64_t milli)
{
    if (milli != OPS_UNKNOWN) {
        put(out, "%s %" PRId64 ".%" PRId64 "/s", name, milli / MILLI, milli % MILLI / 100);
    }
}
