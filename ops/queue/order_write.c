#include "ops/queue/order_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "ops/actor.h"
#include "ops/plan.h"
#include "shared/clock.h"
#include "shared/units.h"

#define DIGITS_MAX    18u
#define NUMBER_BYTES  24u
#define LOOK_EVERY_NS 100000000

static const char set_sql[] =
    "INSERT INTO sluice_control (subsystem, name, value, reason, actor, expires_at)"
    " VALUES ($1, $2, $3::text::jsonb, $4, $5, now() + nullif($6::text::bigint, 0) * interval '1 millisecond')"
    " ON CONFLICT (subsystem, name) DO UPDATE SET (value, reason, actor, expires_at, updated_at)"
    " = (excluded.value, excluded.reason, excluded.actor, excluded.expires_at, now())";
static const char remove_sql[] = "DELETE FROM sluice_control WHERE subsystem = $1 AND name = $2";
static const char standing_sql[] =
    "SELECT 1 FROM sluice_control WHERE subsystem = $1 AND name = $2";
static const char now_sql[] = "SELECT clock_timestamp()::text";
static const char follow_sql[] =
    "SELECT count(*), count(*) FILTER (WHERE coalesce(orders_at > $2::text::timestamptz, false)"
    "   AND ($3 = 'no' OR paused))"
    " FROM sluice_consumer WHERE seen_at > now() - interval '15 seconds' AND ($1 = '' OR subsystem = $1)";

static bool await(struct ops_pg_session *session, const char *subsystem, const char *at, bool rest,
                  int64_t *out_running, int64_t *out_following, struct sl_err *err);

bool ops_order_write(struct ops_pg_session *session, const struct ops_order *order,
                     int64_t *out_changed, char out_at[OPS_ORDER_TIME_BYTES], struct sl_err *err)
{
    char actor[OPS_ACTOR_BYTES];
    char for_text[NUMBER_BYTES];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    ops_actor(actor);
    snprintf(for_text, sizeof for_text, "%" PRId64, order->for_ms);
    const struct sl_pg_param params[] = {
        ops_pg_param(order->subsystem),
        ops_pg_param(order->name),
        ops_pg_param(order->value),
        ops_pg_param(order->reason == NULL ? "" : order->reason),
        ops_pg_param(actor),
        ops_pg_param(for_text),
    };
    bool is_set = order->value != NULL;
    out_at[0] = '\0';
    if (order->dry_run) {
        bool is_asked = ops_pg_query(session, standing_sql, params, 2, &rows, err);
        if (is_asked && out_changed != NULL) {
            *out_changed = is_set || rows.row_count > 0 ? 1 : 0;
        }
        return is_asked;
    }
    if (!ops_pg_query(session, is_set ? set_sql : remove_sql, params, is_set ? SL_COUNT(params) : 2,
                      &rows, err)) {
        return false;
    }
    if (out_changed != NULL) {
        *out_changed = rows.changed;
    }
    if (!ops_pg_query(session, now_sql, NULL, 0, &rows, err)) {
        return false;
    }
    snprintf(out_at, OPS_ORDER_TIME_BYTES, "%s", ops_pg_cell_text(&rows, 0, 0));
    return true;
}

/*
 * Waits until the running consumers of the subsystem ("": of any) have read the orders as of `at` and, when `rest` is true, those that are told to
 * pause are at rest. *out_running of them there are, *out_following follow. Ends after OPS_ORDER_WAIT_MS.
 */
static bool await(struct ops_pg_session *session, const char *subsystem, const char *at, bool rest,
                  int64_t *out_running, int64_t *out_following, struct sl_err *err)
{
    static const struct timespec pause = { .tv_nsec = LOOK_EVERY_NS };
    const struct sl_pg_param params[] = { ops_pg_param(subsystem), ops_pg_param(at),
                                          ops_pg_param(rest ? "yes" : "no") };
    int64_t until_ms = sl_clock_mono_ms() + OPS_ORDER_WAIT_MS;
    for (;;) {
        SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
        if (!ops_pg_query(session, follow_sql, params, SL_COUNT(params), &rows, err)) {
            return false;
        }
        if (!sl_units_decimal(ops_pg_cell(&rows, 0, 0), DIGITS_MAX, out_running) ||
            !sl_units_decimal(ops_pg_cell(&rows, 0, 1), DIGITS_MAX, out_following)) {
            return sl_fail(err, SL_E_BUG, "a count is no number");
        }
        if (*out_following >= *out_running || sl_clock_mono_ms() >= until_ms) {
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
}

bool ops_order_tell(struct ops_pg_session *session, const char *subsystem, const char *at,
                    bool rest, int *out_status, struct sl_err *err)
{
    int64_t running = 0;
    int64_t following = 0;
    if (*at == '\0') {
        *out_status = ops_plan_end(true, OPS_PLAN_WET);
        return true;
    }
    if (!await(session, subsystem, at, rest, &running, &following, err)) {
        return false;
    }
    if (running == 0) {
        fputs("no consumer is running; the next one that starts will follow it\n", stderr);
    } else if (following == running) {
        fprintf(stderr, "followed by every running consumer (%" PRId64 ")\n", running);
    } else {
        fprintf(stderr, "followed by %" PRId64 " of %" PRId64 " running consumers so far%s\n",
                following, running,
                rest ? ": the others end their running transactions, or cannot read the database"
                     : "");
        *out_status = EX_TEMPFAIL;
    }
    return true;
}
