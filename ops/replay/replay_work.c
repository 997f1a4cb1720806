#include "ops/replay/replay_work.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ops/replay/replay_copies.h"
#include "ops/replay/replay_queues.h"
#include "ops/table.h"

#define LOOK_EVERY_MS  500
#define LOOK_EVERY_NS  250000000
#define NUMBER_BYTES   24u
#define EX_PARTIAL     3
#define EX_INTERRUPTED 130

struct work {
    struct ops_replay_job *job;
    struct ops_courier *courier;
    struct ops_broker *broker; /* to ask how long the queues are */
    struct ops_pg_rows targets;
    struct ops_replay_copies *copies;
    struct ops_replay_pace pace;
    char said[OPS_REPLAY_WHY_BYTES]; /* the last reason for going slower */
    int64_t noted_rate;              /* as the run's row has it */
    bool is_over;                    /* paused, aborted, or stopped by a gate */
};

static volatile sig_atomic_t is_stopping; /* the first Ctrl-C; the second one ends the process */

static void work_done(struct work *work);
static bool begin(struct work *work, struct sl_err *err);
static bool send_canary(struct work *work, struct sl_err *err);
static bool await_canary(struct work *work, struct sl_err *err);
static bool send_rest(struct work *work, struct sl_err *err);
static bool keep_pace(struct work *work, bool *out_is_held, struct sl_err *err);
static bool finish(struct work *work, struct sl_err *err);
static bool look(struct work *work, struct sl_err *err);
static bool stop(struct work *work, const char *why, struct sl_err *err);
static void tell_progress(const struct work *work);
static void nap(void);
static void on_interrupt(int signal_number);

bool ops_replay_work(struct ops_replay_job *job, struct sl_err *err)
{
    SL_DONE(work_done) struct work work = { .job = job };
    return begin(&work, err) && send_canary(&work, err) && await_canary(&work, err) &&
           send_rest(&work, err) && finish(&work, err);
}

static void work_done(struct work *work)
{
    ops_replay_copies_free(work->copies);
    ops_pg_rows_done(&work->targets);
    ops_broker_free(work->broker);
    ops_courier_free(work->courier);
}

static bool begin(struct work *work, struct sl_err *err)
{
    struct ops_replay_job *job = work->job;
    bool is_new = strcmp(job->run.status, "planned") == 0;
    const struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
    if (!ops_replay_lock(job->session, job->run.name, err) ||
        !ops_replay_move(job->session, &job->run, "planned,running,paused,published", "running", "",
                         is_new ? "started" : "resumed", job->actor, job->reason, err)) {
        return false;
    }
    if (job->is_canary_waived && !job->run.is_canary_passed && job->run.canary > 0 &&
        !ops_replay_pass_canary(job->session, &job->run, "waived", job->actor, err)) {
        return false;
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    work->courier = ops_courier_new(job->address, err);
    work->broker = work->courier == NULL ? NULL : ops_broker_new(job->address, 0, err);
    if (work->broker == NULL ||
        !ops_replay_targets(job->session, job->run.name, &work->targets, err)) {
        return false;
    }
    work->copies = ops_replay_copies_new(job->session, work->courier, &job->run, err);
    return work->copies != NULL;
}

/* Canary ---------------------------------------------------------------------------------------- */

static bool send_canary(struct work *work, struct sl_err *err)
{
    const struct ops_replay_run *run = &work->job->run;
    if (run->canary == 0 || run->is_canary_passed) {
        return true;
    }
    fprintf(stderr, "run %s: the canary goes first, %" PRId64 " of %" PRId64 " letters\n",
            run->name, run->canary, run->letters);
    for (size_t found = 1; found > 0 && !work->is_over;) {
        size_t confirmed = 0;
        if (!look(work, err) ||
            (!work->is_over &&
             !ops_replay_copies_send(work->copies, true, run->rate, &found, &confirmed, err))) {
            return false;
        }
    }
    return true;
}

static bool await_canary(struct work *work, struct sl_err *err)
{
    struct ops_replay_job *job = work->job;
    if (work->is_over || job->run.canary == 0 || job->run.is_canary_passed) {
        return true;
    }
    int64_t until_ms = sl_clock_mono_ms() + job->wait_ms;
    char why[OPS_REPLAY_WHY_BYTES] = "";
    for (;;) {
        if (!look(work, err)) {
            return false;
        }
        if (work->is_over) {
            return true;
        }
        switch (ops_replay_gate(&job->counts.canary, sl_clock_mono_ms() >= until_ms, why)) {
        case OPS_GATE_WAIT:
            nap();
            break;
        case OPS_GATE_PASS:
            fprintf(stderr, "%s\n", why);
            return ops_replay_pass_canary(job->session, &job->run, why, "sluice", err);
        case OPS_GATE_STOP:
        case OPS_GATE_UNDECIDED:
            return stop(work, why, err);
        }
    }
}

/* The rest -------------------------------------------------------------------------------------- */

static bool send_rest(struct work *work, struct sl_err *err)
{
    struct ops_replay_job *job = work->job;
    int64_t looked_ms = 0;
    bool is_held = false;
    if (!work->is_over) {
        fprintf(stderr, "run %s: publishing\n", job->run.name);
        ops_replay_pace_init(&work->pace, job->run.rate, sl_clock_mono_ms());
        if (job->run.canary == 0) { /* so few that they need no steps */
            work->pace.began_ms -= 2 * OPS_REPLAY_RAMP_MS;
            work->pace.rate = job->run.rate;
        }
    }
    for (size_t found = 1; found > 0 && !work->is_over;) {
        size_t confirmed = 0;
        if (is_held) {
            nap();
        }
        if (is_stopping || sl_clock_mono_ms() - looked_ms >= LOOK_EVERY_MS) {
            looked_ms = sl_clock_mono_ms();
            if (!look(work, err) || (!work->is_over && !keep_pace(work, &is_held, err))) {
                return false;
            }
        }
        if (!work->is_over && !is_held &&
            !ops_replay_copies_send(work->copies, false, work->pace.rate, &found, &confirmed,
                                    err)) {
            return false;
        }
    }
    return true;
}

static bool keep_pace(struct work *work, bool *out_is_held, struct sl_err *err)
{
    struct ops_replay_look *seen = &work->job->counts.look;
    char why[OPS_REPLAY_WHY_BYTES] = "";
    seen->now_ms = sl_clock_mono_ms();
    seen->depth = ops_replay_queues_depth(work->broker, &work->targets);
    enum ops_replay_step step = ops_replay_pace_step(&work->pace, seen, why);
    if (why[0] != '\0' && strncmp(why, work->said, strcspn(why, "0123456789")) != 0) {
        fprintf(stderr, "%s: %s\n", step == OPS_PACE_HOLD ? "waiting" : "slower", why);
    }
    bool is_news = strcmp(why, work->said) != 0 || work->pace.rate != work->noted_rate;
    snprintf(work->said, sizeof work->said, "%s", why);
    tell_progress(work);
    *out_is_held = step == OPS_PACE_HOLD;
    work->noted_rate = work->pace.rate;
    if (is_news && !ops_replay_note_pace(work->job->session, &work->job->run,
                                         *out_is_held ? 0 : work->pace.rate, why, err)) {
        return false;
    }
    return step != OPS_PACE_PAUSE || stop(work, why, err);
}

/* Until each letter is decided, the patience is over, or a person has enough. */
static bool finish(struct work *work, struct sl_err *err)
{
    struct ops_replay_job *job = work->job;
    if (!work->is_over && !look(work, err)) {
        return false;
    }
    if (work->is_over) {
        return ops_replay_count(job->session, &job->run, &job->counts, err);
    }
    if (!ops_replay_move(job->session, &job->run, "running", "published", "", "published",
                         job->actor, "", err)) {
        return false;
    }
    int64_t until_ms = sl_clock_mono_ms() + job->wait_ms;
    for (;;) {
        if (!ops_replay_count(job->session, &job->run, &job->counts, err)) {
            return false;
        }
        tell_progress(work);
        if (job->counts.waiting == 0 || is_stopping || sl_clock_mono_ms() >= until_ms) {
            return true;
        }
        nap();
    }
}

/* What has happened meanwhile, and whether somebody wants it to stop. */
static bool look(struct work *work, struct sl_err *err)
{
    struct ops_replay_job *job = work->job;
    int64_t withdrawn = 0;
    if (!ops_replay_count(job->session, &job->run, &job->counts, err)) {
        return false;
    }
    if (strcmp(job->run.status, "aborted") == 0) {
        work->is_over = true;
        return ops_replay_withdraw(job->session, job->run.name, &withdrawn, err);
    }
    if (strcmp(job->run.status, "running") != 0) {
        work->is_over = true;
        return true;
    }
    return !is_stopping || stop(work, "stopped by a signal", err);
}

static bool stop(struct work *work, const char *why, struct sl_err *err)
{
    struct ops_replay_job *job = work->job;
    work->is_over = true;
    return ops_replay_move(job->session, &job->run, "running", "paused", why, "paused", job->actor,
                           "", err);
}

static void tell_progress(const struct work *work)
{
    const struct ops_replay_counts *counts = &work->job->counts;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr,
                "\r\033[K%" PRId64 " of %" PRId64 " published, %" PRId64 " applied, %" PRId64
                " failed again, at %" PRId64 "/s%s",
                work->job->run.letters - counts->unpublished, work->job->run.letters,
                counts->replayed, counts->failed, work->pace.rate,
                counts->unpublished + counts->waiting == 0 ? "\n" : "");
    }
}

static void nap(void)
{
    static const struct timespec pause = { .tv_nsec = LOOK_EVERY_NS };
    (void)nanosleep(&pause, NULL);
}

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    is_stopping = 1;
}

/* The end --------------------------------------------------------------------------------------- */

bool ops_replay_tell(const struct ops_replay_job *job, enum ops_output output, struct sl_err *err)
{
    static const struct ops_column columns[] = {
        { .title = "RUN" },
        { .title = "PLANNED", .is_number = true },
        { .title = "REPLAYED", .is_number = true },
        { .title = "FAILED AGAIN", .is_number = true },
        { .title = "WAITING", .is_number = true },
        { .title = "UNPUBLISHED", .is_number = true },
        { .title = "WITHDRAWN", .is_number = true },
        { .title = "STATUS" },
        { .title = "WHY" },
    };
    const struct ops_replay_counts *counts = &job->counts;
    const int64_t numbers[] = { job->run.letters, counts->replayed,    counts->failed,
                                counts->waiting,  counts->unpublished, counts->withdrawn };
    char texts[SL_COUNT(numbers)][NUMBER_BYTES];
    const char *cells[SL_COUNT(columns)] = { job->run.name };
    for (size_t i = 0; i < SL_COUNT(numbers); i++) {
        snprintf(texts[i], sizeof texts[i], "%" PRId64, numbers[i]);
        cells[i + 1] = texts[i];
    }
    cells[SL_COUNT(numbers) + 1] = job->run.status;
    cells[SL_COUNT(numbers) + 2] = job->run.why;
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    ops_table_add(&table, cells);
    if (!ops_table_print(&table, output, stdout, err)) {
        return false;
    }
    if (counts->unpublished > 0) {
        fprintf(stderr,
                "%" PRId64 " are not published; to go on: sluice replay resume %s --yes; to give "
                "up: sluice replay abort %s --reason WHY\n",
                counts->unpublished, job->run.name, job->run.name);
    } else if (counts->waiting > 0) {
        fprintf(stderr, "published, but not all are decided yet: sluice replay show %s\n",
                job->run.name);
    }
    if (counts->failed > 0) {
        fprintf(stderr, "what failed again is open: sluice dead list --run %s\n", job->run.name);
    }
    return true;
}

int ops_replay_exit_status(const struct ops_replay_job *job)
{
    const struct ops_replay_counts *counts = &job->counts;
    if (counts->failed > 0) {
        return EX_PARTIAL;
    }
    if (counts->unpublished + counts->withdrawn > 0) {
        return counts->canary.undecided > 0 && counts->canary_unpublished == 0 ? EX_TEMPFAIL
                                                                               : EX_INTERRUPTED;
    }
    return counts->waiting > 0 ? EX_TEMPFAIL : EX_OK;
}
