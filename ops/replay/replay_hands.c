/* The commands that change what a run does: pause, resume, abort. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "ops/actor.h"
#include "ops/address.h"
#include "ops/commands.h"
#include "ops/plan.h"
#include "ops/replay/replay.h"
#include "ops/replay/replay_queues.h"
#include "ops/replay/replay_work.h"

#define WAIT_MS_DEFAULT  30000
#define WAIT_MS_MAX      (24 * 3600 * 1000)
#define REASON_BYTES_MAX 400u
#define RELEASE_MS       15000 /* longer than a process at work publishes a portion */
#define LOOK_EVERY_NS    200000000

struct stop {
    const char *run;
    const char *reason;
    bool dry_run;
};

static bool read_stop(int argc, char **argv, struct stop *stop, struct sl_err *err);
static int stop_run(const char *command, int argc, char **argv,
                    bool (*act)(const char *name, const char *reason, struct sl_err *err));
static bool tell_dry(const char *name, struct sl_err *err);
static bool check_reason(const char *reason, struct sl_err *err);
static bool need_reason(const char *reason, struct sl_err *err);
static bool pause_run(const char *name, const char *reason, struct sl_err *err);
static bool abort_run(const char *name, const char *reason, struct sl_err *err);
static bool await_lock(struct ops_pg_session *session, const char *name, bool *out_is_ours,
                       struct sl_err *err);
static void tell_rest(const struct ops_replay_job *job);
static bool check_queues(struct ops_replay_job *job, struct sl_err *err);

int ops_replay_pause(int argc, char **argv)
{
    return stop_run("replay pause", argc, argv, pause_run);
}

int ops_replay_abort(int argc, char **argv)
{
    return stop_run("replay abort", argc, argv, abort_run);
}

static int stop_run(const char *command, int argc, char **argv,
                    bool (*act)(const char *name, const char *reason, struct sl_err *err))
{
    struct sl_err err = { 0 };
    struct stop stop = { 0 };
    bool needs_reason = act == abort_run; /* which cannot be taken back */
    bool is_done = read_stop(argc, argv, &stop, &err) &&
                   (stop.dry_run || !needs_reason || need_reason(stop.reason, &err)) &&
                   (stop.dry_run ? tell_dry(stop.run, &err) : act(stop.run, stop.reason, &err));
    return !is_done ? ops_report(command, &err) : stop.dry_run ? OPS_PLAN_HAS_WORK : EX_OK;
}

/* How it stands. */
static bool tell_dry(const char *name, struct sl_err *err)
{
    struct ops_replay_job job = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice replay", false, err);
    if (session == NULL || !ops_replay_load(session, name, &job.run, err) ||
        !ops_replay_count(session, &job.run, &job.counts, err)) {
        return false;
    }
    tell_rest(&job);
    (void)ops_plan_end(true, OPS_PLAN_WET);
    return true;
}

int ops_replay_resume(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct ops_replay_resume_wish wish = { .wait_ms = WAIT_MS_DEFAULT };
    const struct ops_flag flags[] = {
        { .name = "past-canary", .kind = OPS_FLAG_SWITCH, .out = &wish.past_canary },
        { .name = "wait", .kind = OPS_FLAG_DURATION, .out = &wish.wait_ms, .max = WAIT_MS_MAX },
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&wish.reason },
        OPS_FLAGS_MEANT(wish.yes),
        OPS_FLAGS_ROWS(wish.output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, &err) ||
        !check_reason(wish.reason, &err)) {
        return ops_report("replay resume", &err);
    }
    wish.run = argv[first];
    return ops_replay_resume_run("replay resume", &wish);
}

static bool read_stop(int argc, char **argv, struct stop *stop, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&stop->reason },
        OPS_FLAG_DRY_RUN(stop->dry_run),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, err)) {
        return false;
    }
    stop->run = argv[first];
    return check_reason(stop->reason, err);
}

static bool check_reason(const char *reason, struct sl_err *err)
{
    return reason == NULL || strlen(reason) <= REASON_BYTES_MAX ||
           sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", REASON_BYTES_MAX);
}

static bool need_reason(const char *reason, struct sl_err *err)
{
    return reason != NULL || sl_fail(err, SL_E_USAGE,
                                     "--reason is required: the audit says why it was given up, "
                                     "such as --reason 'wrong letters'");
}

static bool pause_run(const char *name, const char *reason, struct sl_err *err)
{
    struct ops_replay_run run = { 0 };
    char actor[OPS_ACTOR_BYTES];
    char why[OPS_REPLAY_WHY_BYTES];
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice replay", false, err);
    ops_actor(actor);
    snprintf(why, sizeof why, "by %.120s", actor);
    if (session == NULL || !ops_replay_load(session, name, &run, err)) {
        return false;
    }
    if (strcmp(run.status, "running") != 0) {
        fprintf(stderr, "%s is %s: there is nothing to pause\n", name, run.status);
        return true;
    }
    if (!ops_replay_move(session, &run, "running", "paused", why, "paused", actor, reason, err)) {
        return false;
    }
    printf("%s: paused; to go on: sluice replay resume %s --yes\n", name, name);
    return true;
}

static bool abort_run(const char *name, const char *reason, struct sl_err *err)
{
    struct ops_replay_run run = { 0 };
    struct ops_replay_counts counts = { 0 };
    char actor[OPS_ACTOR_BYTES];
    char why[OPS_REPLAY_WHY_BYTES];
    int64_t withdrawn = 0;
    bool is_ours = false;
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice replay", false, err);
    ops_actor(actor);
    snprintf(why, sizeof why, "by %.120s", actor);
    if (session == NULL || !ops_replay_load(session, name, &run, err)) {
        return false;
    }
    if (strcmp(run.status, "done") == 0) {
        fprintf(stderr, "%s is done: there is nothing to abort\n", name);
        return true;
    }
    /* Said twice it does the rest of what was begun. */
    if (strcmp(run.status, "aborted") != 0 &&
        !ops_replay_move(session, &run, "planned,running,paused", "aborted", why, "aborted", actor,
                         reason, err)) {
        return false;
    }
    if (!await_lock(session, name, &is_ours, err) ||
        (is_ours && !ops_replay_withdraw(session, name, &withdrawn, err)) ||
        !ops_replay_count(session, &run, &counts, err)) {
        return false;
    }
    printf("%s: aborted; %" PRId64 " were never published and are open, %" PRId64
           " were applied, %" PRId64 " failed again, %" PRId64 " are published and not decided\n",
           name, counts.withdrawn, counts.replayed, counts.failed, counts.waiting);
    return is_ours ||
           sl_fail(err, SL_E_PG_CONTENTION,
                   "the process at work has not let go of it within %d s; abort it again",
                   RELEASE_MS / 1000);
}

/* A process at work sees that the run is aborted before its next portion. */
static bool await_lock(struct ops_pg_session *session, const char *name, bool *out_is_ours,
                       struct sl_err *err)
{
    static const struct timespec nap = { .tv_nsec = LOOK_EVERY_NS };
    int64_t until_ms = sl_clock_mono_ms() + RELEASE_MS;
    while (!ops_replay_lock(session, name, err)) {
        if (err->code != SL_E_PG_CONTENTION) {
            return false;
        }
        if (sl_clock_mono_ms() >= until_ms) {
            return true;
        }
        (void)nanosleep(&nap, NULL);
    }
    *out_is_ours = true;
    return true;
}

int ops_replay_resume_run(const char *command, const struct ops_replay_resume_wish *wish)
{
    struct sl_err err = { 0 };
    char actor[OPS_ACTOR_BYTES];
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice replay", false, &err);
    struct ops_replay_job job = { .session = session,
                                  .address = &address,
                                  .wait_ms = wish->wait_ms,
                                  .actor = actor,
                                  .reason = wish->reason,
                                  .is_canary_waived = wish->past_canary };
    ops_actor(actor);
    if (session == NULL || !ops_replay_load(session, wish->run, &job.run, &err) ||
        !ops_replay_count(session, &job.run, &job.counts, &err)) {
        return ops_report(command, &err);
    }
    tell_rest(&job);
    bool is_ended = strcmp(job.run.status, "done") == 0 || strcmp(job.run.status, "aborted") == 0;
    if (!wish->yes || is_ended) {
        int status = ops_plan_end(!is_ended, OPS_PLAN_YES);
        return ops_replay_tell(&job, wish->output, &err) ? status : ops_report(command, &err);
    }
    if (!ops_address_open(&address, &err) || !check_queues(&job, &err) ||
        !ops_replay_work(&job, &err) || !ops_replay_tell(&job, wish->output, &err)) {
        return ops_report(command, &err);
    }
    return ops_replay_exit_status(&job);
}

static void tell_rest(const struct ops_replay_job *job)
{
    const struct ops_replay_counts *counts = &job->counts;
    fprintf(stderr,
            "run %s is %s%s%s: %" PRId64 " to publish, %" PRId64
            " published and not decided, %" PRId64 " replayed, %" PRId64 " failed again\n",
            job->run.name, job->run.status, job->run.why[0] == '\0' ? "" : ", ", job->run.why,
            counts->unpublished, counts->waiting, counts->replayed, counts->failed);
}

static bool check_queues(struct ops_replay_job *job, struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_broker_free) struct ops_broker *broker = ops_broker_new(job->address, 0, err);
    return broker != NULL && ops_replay_targets(job->session, job->run.name, &rows, err) &&
           ops_replay_queues_check(broker, &rows, err);
}
