#include "consumer/fusebox.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/digest.h"

static void tell_closed(struct con_fusebox *box, const char *why);
static bool is_database_fault(const struct sl_err *why, const char *sqlstate);
static void show_state(struct con_fusebox *box);

void con_fusebox_init(struct con_fusebox *box, struct sl_log *log, struct sl_metrics *metrics,
                      const struct con_fuse_policy *policy)
{
    *box = (struct con_fusebox){ .log = log };
    con_fuse_init(&box->fuse, policy);
    for (enum con_breaker_state i = CON_BREAKER_CLOSED; i < CON_BREAKER_STATES; i++) {
        box->gauges[i] =
            sl_metrics_series(metrics, SL_M_DATABASE_CIRCUIT, con_breaker_state_name(i), NULL);
    }
    show_state(box);
}

bool con_fusebox_admits(struct con_fusebox *box, const void *who, int64_t *out_wait_ms)
{
    if (box == NULL) {
        return true;
    }
    int64_t now_ms = sl_clock_mono_ms();
    if (con_fuse_admit(&box->fuse, who, now_ms) == CON_ADMIT_NOT) {
        *out_wait_ms = con_fuse_wait_ms(&box->fuse, now_ms);
        return false;
    }
    show_state(box);
    return true;
}

bool con_fusebox_is_closed(const struct con_fusebox *box)
{
    return box == NULL || box->fuse.state == CON_BREAKER_CLOSED;
}

int64_t con_fusebox_wait_ms(const struct con_fusebox *box)
{
    return box == NULL ? 0 : con_fuse_wait_ms(&box->fuse, sl_clock_mono_ms());
}

void con_fusebox_passed(struct con_fusebox *box)
{
    if (box != NULL && con_fuse_passed(&box->fuse) == CON_BREAKER_CLOSES) {
        tell_closed(box, "the database was written again; everybody goes on, first in small steps");
    }
}

void con_fusebox_wrote(struct con_fusebox *box)
{
    if (box != NULL && con_fuse_wrote(&box->fuse, sl_clock_mono_ms()) == CON_BREAKER_CLOSES) {
        tell_closed(box, "the database was written again; everybody goes on, first in small steps");
    }
}

static void tell_closed(struct con_fusebox *box, const char *why)
{
    sl_info(box->log, "database.closed", why,
            sl_int("open_ms", sl_clock_mono_ms() - box->fuse.since_ms));
    show_state(box);
    if (box->on_closed != NULL) {
        box->on_closed(box->arg);
    }
}

void con_fusebox_failed(struct con_fusebox *box, const struct sl_err *why, const char *sqlstate)
{
    if (box == NULL || !is_database_fault(why, sqlstate)) {
        return;
    }
    uint64_t random = 0;
    bool is_random = sl_random_bytes(&random, sizeof random);
    int64_t now_ms = sl_clock_mono_ms();
    enum con_breaker_change change =
        con_fuse_failed(&box->fuse, sqlstate, now_ms, is_random ? random : 0);
    show_state(box);
    if (change == CON_BREAKER_OPENED) {
        snprintf(box->code, sizeof box->code, "%s",
                 sqlstate[0] == '\0' ? sl_code_name(why->code) : sqlstate);
        sl_log_err(
            box->log, SL_ERROR, "database.opened",
            "the database cannot do what it is asked; what is in hand is kept, no attempt is "
            "spent, and one worker at a time tries",
            why, sl_str("code", box->code),
            sl_int("wait_ms", con_fuse_wait_ms(&box->fuse, now_ms)));
    }
}

/* Not that of an event, of a target, of our program's memory, or of a schema that is on its way. */
static bool is_database_fault(const struct sl_err *why, const char *sqlstate)
{
    bool is_ours = why->code == SL_E_PG_SYSTEMIC || why->code == SL_E_PG_UNREACHABLE ||
                   why->code == SL_E_PG_HALT || why->code == SL_E_DEADLINE;
    return is_ours && con_fuse_counts(sqlstate) &&
           (why->code != SL_E_PG_HALT || sqlstate[0] != '\0');
}

void con_fusebox_reached(struct con_fusebox *box)
{
    if (box != NULL) {
        con_fuse_reached(&box->fuse, sl_clock_mono_ms());
    }
}

void con_fusebox_force(struct con_fusebox *box, enum con_force force, const char *reason)
{
    enum con_breaker_change change = con_fuse_force(&box->fuse, force, sl_clock_mono_ms());
    show_state(box);
    if (change == CON_BREAKER_OPENED) {
        snprintf(box->code, sizeof box->code, "%s", reason);
        sl_warn(
            box->log, "database.opened",
            "an operator wants it so; no transaction begins and no delivery is taken until it is closed, what is in hand is kept",
            sl_str("code", box->code));
    } else if (change == CON_BREAKER_CLOSES) {
        tell_closed(box, "an operator wants it so; everybody goes on, first in small steps");
    }
}

void con_fusebox_show(const struct con_fusebox *box, struct sl_json_writer *json)
{
    if (box == NULL || box->fuse.state == CON_BREAKER_CLOSED) {
        return;
    }
    int64_t to_wall_ms = sl_clock_wall_us() / 1000 - sl_clock_mono_ms();
    sl_json_put_object(json, NULL);
    sl_json_put_bool(json, "database", true);
    sl_json_put_text(json, "type", SL_SPAN_LITERAL("(database)"));
    sl_json_put_text(json, "state", sl_span_of(con_breaker_state_name(box->fuse.state)));
    sl_json_put_text(json, "code", sl_span_of(box->code));
    sl_json_put_int(json, "since_ms", box->fuse.since_ms + to_wall_ms);
    if (box->fuse.force != CON_FORCE_OPEN) {
        sl_json_put_int(json, "probe_ms", box->fuse.probe_at_ms + to_wall_ms);
    }
    sl_json_object_end(json);
}

static void show_state(struct con_fusebox *box)
{
    for (enum con_breaker_state i = CON_BREAKER_CLOSED; i < CON_BREAKER_STATES; i++) {
        sl_series_set(box->gauges[i], box->fuse.state == i ? 1 : 0);
    }
}
