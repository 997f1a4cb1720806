/* dead replay: plan, then make a run of the chosen letters and work on it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ops/actor.h"
#include "ops/address.h"
#include "ops/commands.h"
#include "ops/dead/dead.h"
#include "ops/dead/dead_plan.h"
#include "ops/plan.h"
#include "ops/replay/rehearsal.h"
#include "ops/replay/replay.h"
#include "ops/replay/replay_queues.h"
#include "ops/replay/replay_route.h"
#include "ops/replay/replay_work.h"
#include "ops/sections.h"
#include "shared/units.h"

#define RATE_DEFAULT     10
#define RATE_DIGITS      4u
#define CANARY_DEFAULT   20
#define CANARY_MAX       1000
#define WAIT_MS_DEFAULT  30000
#define WAIT_MS_MAX      (24 * 3600 * 1000)
#define REASON_BYTES_MAX 400u
#define MS_PER_DAY       (INT64_C(24) * 3600 * 1000)

static const char subsystems_sql[] =
    "SELECT DISTINCT coalesce($13::text, d.subsystem) FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE;
static const char unfinished_sql[] =
    "SELECT run, status, why FROM sluice_replay_run WHERE status IN ('planned', 'running', 'paused') ORDER BY run";

struct wish {
    struct ops_dead_filter filter;
    int64_t limit;
    int64_t rate; /* a second */
    const char *rate_text;
    int64_t canary;
    int64_t rehearse; /* letters to try and roll back; 0: none */
    int64_t wait_ms;
    const char *reason;
    const char *target;
    const char *resume;
    bool freeze;
    bool yes;
    bool dry_run; /* wins over both */
    bool allow_reapply;
    enum ops_output output;
};

/* What the command works with. */
struct replay {
    struct wish wish;
    struct ops_address address;
    struct ops_pg_session *session;
    int64_t planned;
};

static void replay_done(struct replay *replay);
static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool check_wish(const struct wish *wish, struct sl_err *err);
static bool read_rate(struct wish *wish, struct sl_err *err);
static bool open_both(struct replay *replay, struct sl_err *err);
static bool plan(struct replay *replay, struct sl_err *err);
static bool check_queues(struct replay *replay, struct sl_err *err);
static bool find_keep(const struct ops_address *address, int64_t *out_ms, struct sl_err *err);
static bool check_forgotten(const struct wish *wish, int64_t forgotten, int64_t keep_ms,
                            struct sl_err *err);
static bool tell_unfinished(struct replay *replay, struct sl_err *err);
static bool rehearse(struct replay *replay, int *out_status, struct sl_err *err);
static bool act(struct replay *replay, int *out_status, struct sl_err *err);

int ops_dead_replay(int argc, char **argv)
{
    struct sl_err err = { 0 };
    int status = EX_OK;
    SL_DONE(replay_done)
    struct replay replay = { .wish = { .limit = OPS_DEAD_LIMIT_DEFAULT,
                                       .rate = RATE_DEFAULT,
                                       .canary = CANARY_DEFAULT,
                                       .wait_ms = WAIT_MS_DEFAULT } };
    if (!read_wish(&replay.wish, argc, argv, &err)) {
        return ops_report("dead replay", &err);
    }
    if (replay.wish.resume != NULL) {
        const struct ops_replay_resume_wish resume = { .run = replay.wish.resume,
                                                       .reason = replay.wish.reason,
                                                       .wait_ms = replay.wish.wait_ms,
                                                       .yes = replay.wish.yes,
                                                       .output = replay.wish.output };
        return ops_replay_resume_run("dead replay", &resume);
    }
    if (!open_both(&replay, &err) || !plan(&replay, &err)) {
        return ops_report("dead replay", &err);
    }
    if (replay.planned > 0 && replay.wish.rehearse > 0) {
        return rehearse(&replay, &status, &err) ? status : ops_report("dead replay", &err);
    }
    if (replay.planned == 0 || !(replay.wish.yes || replay.wish.freeze)) {
        fputs(replay.planned == 0
                  ? ""
                  : "replay only after the cause is fixed: what failed once fails again\n",
              stderr);
        return ops_plan_end(
            replay.planned > 0,
            OPS_PLAN_YES " --reason WHY; --rehearse 20 tries some of them in a transaction that is "
                         "rolled back; --freeze keeps exactly this set for later");
    }
    return act(&replay, &status, &err) ? status : ops_report("dead replay", &err);
}

static void replay_done(struct replay *replay)
{
    ops_pg_session_free(replay->session);
    ops_address_done(&replay->address);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    struct ops_flag flags[OPS_DEAD_FILTER_FLAGS + 14] = { 0 };
    const struct ops_flag more[] = {
        { .name = "limit",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->limit,
          .min = 1,
          .max = OPS_DEAD_LIMIT_MAX },
        { .name = "rate", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->rate_text },
        { .name = "canary", .kind = OPS_FLAG_COUNT, .out = &wish->canary, .max = CANARY_MAX },
        { .name = "rehearse",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->rehearse,
          .min = 1,
          .max = OPS_REHEARSAL_LETTERS_MAX },
        { .name = "wait", .kind = OPS_FLAG_DURATION, .out = &wish->wait_ms, .max = WAIT_MS_MAX },
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->reason },
        { .name = "to", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->target },
        { .name = "resume", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->resume },
        { .name = "freeze", .kind = OPS_FLAG_SWITCH, .out = &wish->freeze },
        { .name = "yes", .letter = 'y', .kind = OPS_FLAG_SWITCH, .out = &wish->yes },
        OPS_FLAG_DRY_RUN(wish->dry_run),
        { .name = "allow-reapply", .kind = OPS_FLAG_SWITCH, .out = &wish->allow_reapply },
        OPS_FLAGS_ROWS(wish->output),
    };
    _Static_assert(SL_COUNT(flags) == OPS_DEAD_FILTER_FLAGS + SL_COUNT(more), "each flag is read");
    wish->filter.status = "open";
    ops_dead_filter_flags(&wish->filter, flags);
    memcpy(flags + OPS_DEAD_FILTER_FLAGS, more, sizeof more);
    int first = 0;
    bool is_read = ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err) &&
                   ops_dead_filter_finish(&wish->filter, first < argc ? argv[first] : NULL,
                                          sl_clock_wall_us(), err) &&
                   read_rate(wish, err) && check_wish(wish, err);
    wish->yes = wish->yes && !wish->dry_run;
    wish->freeze = wish->freeze && !wish->dry_run;
    return is_read;
}

static bool check_wish(const struct wish *wish, struct sl_err *err)
{
    bool is_narrow = ops_dead_filter_is_narrow(&wish->filter);
    if (wish->reason != NULL && strlen(wish->reason) > REASON_BYTES_MAX) {
        return sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", REASON_BYTES_MAX);
    }
    if (wish->resume != NULL && is_narrow) {
        return sl_fail(err, SL_E_USAGE,
                       "--resume goes on with the letters of that run, so it takes no filter");
    }
    if (wish->yes && wish->freeze) {
        return sl_fail(err, SL_E_USAGE, "--freeze publishes nothing, --yes does: one of them");
    }
    if (wish->rehearse > 0 && (wish->yes || wish->freeze || wish->resume != NULL)) {
        return sl_fail(err, SL_E_USAGE,
                       "--rehearse changes nothing: first that, then the same without it and "
                       "with --yes or --freeze");
    }
    bool acts = (wish->yes || wish->freeze) && !wish->dry_run;
    if (acts && wish->resume == NULL && wish->reason == NULL) {
        return sl_fail(err, SL_E_USAGE,
                       "--reason is required: the letters' notes and the audit say why they were "
                       "replayed, such as --reason 'constraint dropped'");
    }
    if (wish->target != NULL &&
        (wish->filter.subsystem == NULL || strcmp(wish->target, wish->filter.subsystem) == 0 ||
         strcmp(wish->target, OPS_UNROUTED_NAME) == 0 ||
         strlen(wish->target) >= OPS_REPLAY_TARGET_BYTES)) {
        return sl_fail(err, SL_E_USAGE,
                       "--to takes another subsystem than that of --subsystem, which it needs");
    }
    return is_narrow || wish->resume != NULL ||
           sl_fail(err, SL_E_USAGE,
                   "it needs a filter, such as --subsystem, --fingerprint or a letter's number");
}

static bool read_rate(struct wish *wish, struct sl_err *err)
{
    struct sl_span text = sl_span_of(wish->rate_text);
    if (text.data == NULL) {
        return true;
    }
    if (text.bytes > 2 && strcmp(text.data + text.bytes - 2, "/s") == 0) {
        text.bytes -= 2;
    }
    return (sl_units_decimal(text, RATE_DIGITS, &wish->rate) && wish->rate > 0 &&
            wish->rate <= OPS_REPLAY_RATE_MAX) ||
           sl_fail(err, SL_E_USAGE, "--rate takes letters a second from 1/s to %d/s, not '%.40s'",
                   OPS_REPLAY_RATE_MAX, wish->rate_text);
}

static bool open_both(struct replay *replay, struct sl_err *err)
{
    SL_DONE(sl_amqp_url_done) struct sl_amqp_url known = { 0 };
    if (!ops_address_open(&replay->address, err) ||
        !ops_address_amqp(&replay->address, &known, err)) {
        return false;
    }
    replay->session = ops_pg_session_here("sluice dead replay", false, err);
    return replay->session != NULL;
}

/* Plan ------------------------------------------------------------------------------------------ */

static bool plan(struct replay *replay, struct sl_err *err)
{
    const struct wish *wish = &replay->wish;
    struct ops_dead_plan found = { 0 };
    struct ops_dead_plan_wish show = { .limit = wish->limit,
                                       .verb = "replay",
                                       .is_meant = wish->yes || wish->freeze || wish->rehearse > 0,
                                       .output = wish->output };
    if (!find_keep(&replay->address, &show.keep_ms, err) || !tell_unfinished(replay, err) ||
        !ops_dead_plan_show(replay->session, &wish->filter, &show, &found, err)) {
        return false;
    }
    replay->planned = found.chosen;
    if (found.applied > 0 && wish->target == NULL) {
        fprintf(stderr,
                "%" PRId64 " of them were applied since: their copies will be duplicates, and "
                "the letters are closed\n",
                found.applied);
    }
    if (found.chosen == 0) {
        return true;
    }
    if (!check_forgotten(wish, found.forgotten, show.keep_ms, err)) {
        return false;
    }
    if (wish->target != NULL) {
        fprintf(stderr, "they go to %s, and are done when it has applied them\n", wish->target);
    }
    if (wish->canary > 0 && found.chosen > wish->canary) {
        fprintf(stderr, "%" PRId64 " go first; the rest follows when they were applied\n",
                wish->canary);
    }
    fprintf(stderr, "at %" PRId64 " a second it takes %" PRId64 " s\n", wish->rate,
            (found.chosen + wish->rate - 1) / wish->rate);
    return check_queues(replay, err);
}

/* For as long as the section that keeps longest says, all inbox rows are kept. */
static bool find_keep(const struct ops_address *address, int64_t *out_ms, struct sl_err *err)
{
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    if (!ops_sections_load(address, &subsystems, err)) {
        return false;
    }
    for (size_t i = 0; i < subsystems.count; i++) {
        int64_t keep_ms = subsystems.items[i].keep_done_ms;
        *out_ms = keep_ms > *out_ms ? keep_ms : *out_ms;
    }
    return true;
}

/* What was applied meanwhile is found in the inbox; of what is older than the inbox remembers nobody can tell. */
static bool check_forgotten(const struct wish *wish, int64_t forgotten, int64_t keep_ms,
                            struct sl_err *err)
{
    int64_t days = keep_ms / MS_PER_DAY;
    if (forgotten == 0) {
        return true;
    }
    if ((wish->yes || wish->freeze) && !wish->allow_reapply) {
        return sl_fail(
            err, SL_E_USAGE,
            "%" PRId64 " of them came more than %" PRId64
            " days ago, which is as long as the inbox remembers: if they were applied since, they would be "
            "applied twice; --allow-reapply replays them all the same, --since %" PRId64
            "d leaves older letters out",
            forgotten, days, days);
    }
    fprintf(stderr,
            "%" PRId64 " of them came more than %" PRId64
            " days ago, which is as long as the inbox remembers: if they were applied since, they "
            "will be applied twice%s\n",
            forgotten, days, wish->allow_reapply ? "" : "; it takes --allow-reapply");
    return true;
}

static bool tell_unfinished(struct replay *replay, struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_pg_query(replay->session, unfinished_sql, NULL, 0, &rows, err)) {
        return false;
    }
    for (size_t row = 0; row < rows.row_count; row++) {
        const char *run = ops_pg_cell_text(&rows, row, 0);
        fprintf(stderr, "run %s is %s, and has letters of its own: sluice replay show %s\n", run,
                ops_pg_cell_text(&rows, row, 1), run);
    }
    return true;
}

static bool check_queues(struct replay *replay, struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 1];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    ops_dead_filter_params(&replay->wish.filter, params);
    params[OPS_DEAD_FILTER_PARAMS] =
        (struct sl_pg_param){ .value = sl_span_of(replay->wish.target) };
    if (!ops_pg_query(replay->session, subsystems_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    SL_AUTO(ops_broker_free) struct ops_broker *broker = ops_broker_new(&replay->address, 0, err);
    return broker != NULL && ops_replay_queues_check(broker, &rows, err);
}

/* Rehearse -------------------------------------------------------------------------------------- */

static bool rehearse(struct replay *replay, int *out_status, struct sl_err *err)
{
    const struct wish *wish = &replay->wish;
    const struct ops_rehearsal_wish wanted = { .filter = &wish->filter,
                                               .limit = wish->limit,
                                               .letters = wish->rehearse,
                                               .target = wish->target,
                                               .wait_ms = wish->wait_ms,
                                               .output = wish->output };
    return ops_rehearse(replay->session, &replay->address, &wanted, out_status, err);
}

/* Act ------------------------------------------------------------------------------------------- */

static bool act(struct replay *replay, int *out_status, struct sl_err *err)
{
    const struct wish *wish = &replay->wish;
    char actor[OPS_ACTOR_BYTES];
    ops_actor(actor);
    const struct ops_replay_wish made = { .filter = &wish->filter,
                                          .limit = wish->limit,
                                          .canary = wish->canary,
                                          .rate = wish->rate,
                                          .target = wish->target,
                                          .actor = actor,
                                          .reason = wish->reason };
    struct ops_replay_job job = { .session = replay->session,
                                  .address = &replay->address,
                                  .wait_ms = wish->wait_ms,
                                  .actor = actor };
    if (!ops_replay_make(replay->session, &made, &job.run, err)) {
        return false;
    }
    if (job.run.letters < replay->planned) {
        fprintf(stderr, "%" PRId64 " of them are in another run by now\n",
                replay->planned - job.run.letters);
    }
    if (job.run.letters == 0) {
        fputs("nothing to do\n", stderr);
        return true;
    }
    if (wish->freeze) {
        fprintf(stderr, "run %s has %" PRId64 " letters; to begin: sluice replay resume %s --yes\n",
                job.run.name, job.run.letters, job.run.name);
        return ops_replay_count(replay->session, &job.run, &job.counts, err) &&
               ops_replay_tell(&job, wish->output, err);
    }
    if (!ops_replay_work(&job, err)) {
        return sl_err_wrap(err,
                           "run %s is not finished, `sluice replay resume %s --yes` goes on with "
                           "it",
                           job.run.name, job.run.name);
    }
    *out_status = ops_replay_exit_status(&job);
    return ops_replay_tell(&job, wish->output, err);
}
