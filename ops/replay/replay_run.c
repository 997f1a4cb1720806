#include "ops/replay/replay_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ops/actor.h"
#include "shared/digest.h"
#include "shared/units.h"

#define DIGITS_MAX   18u
#define NUMBER_BYTES 24u
#define NOTE_BYTES   (512u + OPS_ACTOR_BYTES + OPS_REPLAY_NAME_BYTES)

/* $13 limit, $14 run, $15 the letters' note, $16 actor, $17 reason, $18 canary, $19 rate, $20 target. Of each cause one letter is in the canary before any has two. */
static const char make_sql[] =
    "WITH chosen AS MATERIALIZED (SELECT d.id, d.subsystem, d.event_id, d.type, d.fingerprint"
    "  FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
    "  AND d.status = 'open' ORDER BY d.id LIMIT $13::text::bigint FOR UPDATE SKIP LOCKED),"
    " ranked AS (SELECT *, row_number() OVER (ORDER BY turn, id) AS place"
    "  FROM (SELECT *, row_number() OVER (PARTITION BY subsystem, fingerprint, type ORDER BY id) AS turn FROM chosen) c),"
    " made AS (INSERT INTO sluice_replay_run (run, status, filter, target, actor, reason, letters, canary, rate)"
    "  SELECT $14::text, 'planned', jsonb_strip_nulls(jsonb_build_object('subsystem', $1::text, 'type', $2::text,"
    "   'event', $3::text, 'object', $4::text, 'class', $5::text, 'code', $6::text, 'fingerprint', $7::text,"
    "   'since', $8::text, 'until', $9::text, 'id', $11::text, 'run', $12::text, 'limit', $13::text::bigint)),"
    "   $20::text, $16::text, coalesce($17::text, ''), count(*),"
    "   CASE WHEN count(*) > $18::text::bigint THEN $18::text::bigint ELSE 0 END, $19::text::int"
    "   FROM chosen HAVING count(*) > 0 RETURNING run, filter, target, letters, canary, rate),"
    " items AS (INSERT INTO sluice_replay_item (run, dead_letter_id, subsystem, event_id, type, fingerprint, is_canary)"
    "  SELECT $14::text, id, subsystem, event_id, type, fingerprint, place <= (SELECT canary FROM made) FROM ranked),"
    " claimed AS (UPDATE sluice_dead_letter d SET status = 'replaying', replay_run = $14::text, published_at = NULL,"
    "  replays = replays + 1, updated_at = now(),"
    "  note = concat_ws(E'\\n', note, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\" ') || $15::text)"
    "  FROM chosen WHERE d.id = chosen.id),"
    " noted AS (SELECT letters, sluice_replay_note(run, 'planned', $16::text, $17::text, to_jsonb(made) - 'run') FROM made)"
    " SELECT coalesce(max(letters), 0), count(*) FROM noted";

static const char load_sql[] =
    "SELECT run, status, why, coalesce(target, ''), letters, canary, canary_passed_at IS NOT NULL, rate"
    " FROM sluice_replay_run WHERE run = $1";
enum { RUN, STATUS, WHY, TARGET, LETTERS, CANARY, PASSED, RATE };

static const char lock_sql[] =
    "SELECT pg_try_advisory_lock(hashtextextended('sluice replay ' || $1::text, 0))";

static const char move_sql[] =
    "SELECT sluice_replay_move($1, string_to_array($2, ','), $3, $4, $5, $6, $7), (SELECT status FROM sluice_replay_run WHERE run = $1)";

static const char pass_sql[] =
    "WITH passed AS (UPDATE sluice_replay_run SET canary_passed_at = now(), updated_at = now() WHERE run = $1 RETURNING run)"
    " SELECT sluice_replay_note(run, 'canary', $3, '', jsonb_build_object('why', $2::text)) FROM passed";

static const char withdraw_sql[] = "SELECT sluice_dead_letter_close(), sluice_replay_withdraw($1)";

static const char close_sql[] = "SELECT sluice_dead_letter_close()";
/* Lately: in the last ten seconds, and since it was started, resumed, or its canary passed; what failed before a person resumed it says nothing of what is to come. */
static const char count_sql[] =
    "WITH i AS (SELECT i.outcome, i.is_canary, i.new_cause, i.decided_at, i.type, i.subsystem, d.published_at IS NULL AS is_unpublished"
    "  FROM sluice_replay_item i JOIN sluice_dead_letter d ON d.id = i.dead_letter_id WHERE i.run = $1),"
    " since AS (SELECT greatest(a.at, now() - interval '10 seconds') AS at FROM sluice_replay_run r JOIN sluice_audit a ON a.seq = r.audit_seq WHERE r.run = $1),"
    " held AS (SELECT EXISTS (SELECT FROM sluice_consumer c WHERE c.seen_at > now() - interval '15 seconds'"
    "  AND c.subsystem IN (SELECT coalesce(nullif($2, ''), subsystem) FROM i WHERE outcome IS NULL AND is_unpublished)"
    "  AND (c.paused OR EXISTS (SELECT FROM jsonb_to_recordset(c.breakers) AS b(type text, state text, database boolean)"
    "   WHERE b.state = 'open' AND (b.database OR b.type IN (SELECT type FROM i WHERE outcome IS NULL AND is_unpublished))))) AS held)"
    " SELECT count(*) FILTER (WHERE outcome IS NULL AND is_unpublished),"
    " count(*) FILTER (WHERE outcome IS NULL AND NOT is_unpublished),"
    " count(*) FILTER (WHERE outcome = 'applied'), count(*) FILTER (WHERE outcome = 'failed'),"
    " count(*) FILTER (WHERE outcome = 'withdrawn'),"
    " count(*) FILTER (WHERE is_canary), count(*) FILTER (WHERE is_canary AND outcome = 'failed'),"
    " count(*) FILTER (WHERE is_canary AND new_cause), count(*) FILTER (WHERE is_canary AND outcome IS NULL),"
    " count(*) FILTER (WHERE is_canary AND outcome IS NULL AND is_unpublished),"
    " count(*) FILTER (WHERE outcome = 'applied' AND decided_at > (SELECT at FROM since)),"
    " count(*) FILTER (WHERE outcome = 'failed' AND decided_at > (SELECT at FROM since)),"
    " (SELECT held::int FROM held),"
    " (SELECT greatest(max(extract(epoch FROM c.seen_at - c.oldest_at) * 1000), 0)::bigint FROM sluice_consumer c"
    "  WHERE c.seen_at > now() - interval '15 seconds' AND c.subsystem IN (SELECT coalesce(nullif($2, ''), subsystem) FROM i)),"
    " (SELECT coalesce(max(c.apply_us), 0) FROM sluice_consumer c"
    "  WHERE c.seen_at > now() - interval '15 seconds' AND c.subsystem IN (SELECT coalesce(nullif($2, ''), subsystem) FROM i)) FROM i";

static const char pace_sql[] =
    "UPDATE sluice_replay_run SET pace = $2::text::int, pace_why = $3, updated_at = now() WHERE run = $1";

static const char targets_sql[] =
    "SELECT DISTINCT coalesce(r.target, i.subsystem) FROM sluice_replay_item i JOIN sluice_replay_run r USING (run)"
    " WHERE i.run = $1 AND i.outcome IS NULL ORDER BY 1";

static bool read_numbers(const struct ops_pg_rows *rows, size_t first, int64_t *const *numbers,
                         size_t count, struct sl_err *err);

bool ops_replay_make(struct ops_pg_session *session, const struct ops_replay_wish *wish,
                     struct ops_replay_run *out_run, struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 8];
    char name[OPS_REPLAY_NAME_BYTES];
    char note[NOTE_BYTES];
    char limit[NUMBER_BYTES];
    char canary[NUMBER_BYTES];
    char rate[NUMBER_BYTES];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_replay_name(name, err)) {
        return false;
    }
    const char *reason = wish->reason == NULL ? "" : wish->reason;
    snprintf(note, sizeof note, "replay %s by %s%s%s", name, wish->actor,
             reason[0] == '\0' ? "" : ": ", reason);
    snprintf(limit, sizeof limit, "%" PRId64, wish->limit);
    snprintf(canary, sizeof canary, "%" PRId64, wish->canary);
    snprintf(rate, sizeof rate, "%" PRId64, wish->rate);
    ops_dead_filter_params(wish->filter, params);
    const struct sl_pg_param more[] = {
        ops_pg_param(limit),  ops_pg_param(name),
        ops_pg_param(note),   ops_pg_param(wish->actor),
        ops_pg_param(reason), ops_pg_param(canary),
        ops_pg_param(rate),   { .value = sl_span_of(wish->target) },
    };
    memcpy(params + OPS_DEAD_FILTER_PARAMS, more, sizeof more);
    int64_t letters = 0;
    int64_t *const numbers[] = { &letters };
    if (!ops_pg_query(session, make_sql, params, SL_COUNT(params), &rows, err) ||
        !read_numbers(&rows, 0, numbers, 1, err)) {
        return false;
    }
    if (letters == 0) {
        *out_run = (struct ops_replay_run){ 0 };
        return true;
    }
    return ops_replay_load(session, name, out_run, err);
}

bool ops_replay_name(char out_name[OPS_REPLAY_NAME_BYTES], struct sl_err *err)
{
    uint8_t random[3];
    char hex[2 * sizeof random + 1];
    char day[20];
    time_t now = time(NULL);
    struct tm parts;
    if (!sl_random_bytes(random, sizeof random) || gmtime_r(&now, &parts) == NULL ||
        strftime(day, sizeof day, "%Y%m%d-%H%M%S", &parts) == 0) {
        return sl_fail(err, SL_E_IO, "no random bytes for the run's name");
    }
    sl_hex_encode(random, sizeof random, hex);
    snprintf(out_name, OPS_REPLAY_NAME_BYTES, "%s-%s", day, hex);
    return true;
}

bool ops_replay_load(struct ops_pg_session *session, const char *name,
                     struct ops_replay_run *out_run, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(name);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    struct ops_replay_run run = { 0 };
    if (!ops_pg_query(session, load_sql, &param, 1, &rows, err)) {
        return false;
    }
    if (rows.row_count == 0) {
        return sl_fail(err, SL_E_ABSENT, "there is no run '%.40s': sluice replay list", name);
    }
    snprintf(run.name, sizeof run.name, "%s", ops_pg_cell_text(&rows, 0, RUN));
    snprintf(run.status, sizeof run.status, "%s", ops_pg_cell_text(&rows, 0, STATUS));
    snprintf(run.why, sizeof run.why, "%s", ops_pg_cell_text(&rows, 0, WHY));
    snprintf(run.target, sizeof run.target, "%s", ops_pg_cell_text(&rows, 0, TARGET));
    run.is_canary_passed = sl_span_is(ops_pg_cell(&rows, 0, PASSED), "t");
    int64_t *const counts[] = { &run.letters, &run.canary };
    int64_t *const rate[] = { &run.rate };
    if (!read_numbers(&rows, LETTERS, counts, SL_COUNT(counts), err) ||
        !read_numbers(&rows, RATE, rate, SL_COUNT(rate), err)) {
        return false;
    }
    *out_run = run;
    return true;
}

static bool read_numbers(const struct ops_pg_rows *rows, size_t first, int64_t *const *numbers,
                         size_t count, struct sl_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!sl_units_decimal(ops_pg_cell(rows, 0, first + i), DIGITS_MAX, numbers[i])) {
            return sl_fail(err, SL_E_BUG, "a count is no number");
        }
    }
    return true;
}

bool ops_replay_lock(struct ops_pg_session *session, const char *name, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(name);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_pg_query(session, lock_sql, &param, 1, &rows, err)) {
        return false;
    }
    return sl_span_is(ops_pg_cell(&rows, 0, 0), "t") ||
           sl_fail(err, SL_E_PG_CONTENTION,
                   "another process works on the run %s; it can be resumed when that has ended",
                   name);
}

bool ops_replay_move(struct ops_pg_session *session, struct ops_replay_run *run, const char *froms,
                     const char *goal, const char *why, const char *act, const char *actor,
                     const char *reason, struct sl_err *err)
{
    const struct sl_pg_param params[] = {
        ops_pg_param(run->name),
        ops_pg_param(froms),
        ops_pg_param(goal),
        ops_pg_param(why),
        ops_pg_param(act),
        ops_pg_param(actor),
        ops_pg_param(reason == NULL ? "" : reason),
    };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_pg_query(session, move_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    if (!sl_span_is(ops_pg_cell(&rows, 0, 0), "t")) {
        return sl_fail(err, SL_E_USAGE, "the run %s is %s", run->name,
                       ops_pg_cell_text(&rows, 0, 1));
    }
    snprintf(run->status, sizeof run->status, "%s", goal);
    snprintf(run->why, sizeof run->why, "%s", why);
    return true;
}

bool ops_replay_pass_canary(struct ops_pg_session *session, struct ops_replay_run *run,
                            const char *why, const char *actor, struct sl_err *err)
{
    const struct sl_pg_param params[] = { ops_pg_param(run->name), ops_pg_param(why),
                                          ops_pg_param(actor) };
    if (!ops_pg_query(session, pass_sql, params, SL_COUNT(params), NULL, err)) {
        return false;
    }
    run->is_canary_passed = true;
    return true;
}

bool ops_replay_withdraw(struct ops_pg_session *session, const char *name, int64_t *out_withdrawn,
                         struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(name);
    int64_t *const numbers[] = { out_withdrawn };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    return ops_pg_query(session, withdraw_sql, &param, 1, &rows, err) &&
           read_numbers(&rows, 1, numbers, 1, err);
}

bool ops_replay_count(struct ops_pg_session *session, struct ops_replay_run *run,
                      struct ops_replay_counts *out_counts, struct sl_err *err)
{
    const struct sl_pg_param params[] = { ops_pg_param(run->name), ops_pg_param(run->target) };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    int64_t held = 0;
    int64_t *const numbers[] = {
        &out_counts->unpublished,
        &out_counts->waiting,
        &out_counts->replayed,
        &out_counts->failed,
        &out_counts->withdrawn,
        &out_counts->canary.letters,
        &out_counts->canary.failed,
        &out_counts->canary.new_causes,
        &out_counts->canary.undecided,
        &out_counts->canary_unpublished,
        &out_counts->look.applied,
        &out_counts->look.failed,
        &held,
        &out_counts->look.age_ms,
        &out_counts->look.apply_us,
    };
    if (!ops_pg_query(session, close_sql, NULL, 0, NULL, err) ||
        !ops_pg_query(session, count_sql, params, SL_COUNT(params), &rows, err) ||
        !read_numbers(&rows, 0, numbers, SL_COUNT(numbers), err)) {
        return false;
    }
    out_counts->look.waiting = out_counts->waiting;
    out_counts->look.is_held = held != 0;
    return ops_replay_load(session, run->name, run, err);
}

bool ops_replay_note_pace(struct ops_pg_session *session, const struct ops_replay_run *run,
                          int64_t pace, const char *why, struct sl_err *err)
{
    char number[NUMBER_BYTES];
    snprintf(number, sizeof number, "%" PRId64, pace);
    const struct sl_pg_param params[] = { ops_pg_param(run->name), ops_pg_param(number),
                                          ops_pg_param(why) };
    return ops_pg_query(session, pace_sql, params, SL_COUNT(params), NULL, err);
}

bool ops_replay_targets(struct ops_pg_session *session, const char *name,
                        struct ops_pg_rows *out_rows, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(name);
    return ops_pg_query(session, targets_sql, &param, 1, out_rows, err);
}
