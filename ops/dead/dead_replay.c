/* dead replay: plan, then publish the chosen letters to their own subsystem, then tell what became of them. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ops/actor.h"
#include "ops/address.h"
#include "ops/broker.h"
#include "ops/commands.h"
#include "ops/dead/dead.h"
#include "ops/dead/dead_plan.h"
#include "ops/dead/replay_route.h"
#include "ops/dead/replay_run.h"
#include "ops/table.h"
#include "shared/units.h"

#define RATE_DEFAULT     10
#define RATE_MAX         1000
#define RATE_DIGITS      4u
#define WAIT_MS_DEFAULT  30000
#define WAIT_MS_MAX      (24 * 3600 * 1000)
#define LOOK_EVERY_NS    250000000
#define NOTE_BYTES       (512u + OPS_ACTOR_BYTES + OPS_REPLAY_NAME_BYTES)
#define REASON_BYTES_MAX 400u
#define QUEUE_BYTES      128u
#define EX_PARTIAL       3
#define EX_INTERRUPTED   130

static const char subsystems_sql[] =
    "SELECT DISTINCT d.subsystem FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE;
static const char unfinished_sql[] =
    "SELECT replay_run, count(*) FROM sluice_dead_letter"
    " WHERE status = 'replaying' AND published_at IS NULL GROUP BY 1 ORDER BY 1";

struct wish {
    struct ops_dead_filter filter;
    int64_t limit;
    int64_t rate; /* a second */
    const char *rate_text;
    int64_t wait_ms;
    const char *reason;
    const char *resume;
    bool yes;
    enum ops_output output;
};

/* What the command works with. */
struct replay {
    struct wish wish;
    struct ops_address address;
    struct ops_pg_session *session;
    char run[OPS_REPLAY_NAME_BYTES];
    int64_t planned;
    struct ops_replay_counts counts;
};

static volatile sig_atomic_t is_stopping; /* the first Ctrl-C; the second one ends the process */

static void replay_done(struct replay *replay);
static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool read_rate(struct wish *wish, struct sl_err *err);
static bool open_both(struct replay *replay, struct sl_err *err);
static bool plan(struct replay *replay, struct sl_err *err);
static bool plan_rest(struct replay *replay, struct sl_err *err);
static bool check_queues(struct replay *replay, const struct ops_dead_filter *filter,
                         struct sl_err *err);
static bool tell_unfinished(struct replay *replay, struct sl_err *err);
static bool act(struct replay *replay, struct sl_err *err);
static bool publish(struct replay *replay, struct sl_err *err);
static void on_progress(void *arg, int64_t published);
static bool await_outcome(struct replay *replay, struct sl_err *err);
static bool tell(const struct replay *replay, struct sl_err *err);
static int status_of(const struct replay *replay);
static void on_interrupt(int signal_number);

int ops_dead_replay(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(replay_done)
    struct replay replay = { .wish = { .limit = OPS_DEAD_LIMIT_DEFAULT,
                                       .rate = RATE_DEFAULT,
                                       .wait_ms = WAIT_MS_DEFAULT } };
    bool is_done = read_wish(&replay.wish, argc, argv, &err) && open_both(&replay, &err) &&
                   (replay.wish.resume != NULL ? plan_rest(&replay, &err) : plan(&replay, &err));
    if (is_done && (!replay.wish.yes || replay.planned == 0)) {
        fputs(replay.planned == 0 ? "nothing to do\n"
                                  : "replay only after the cause is fixed: what failed once fails "
                                    "again\nnothing was published; --yes publishes\n",
              stderr);
        return tell(&replay, &err) ? EX_OK : ops_report("dead replay", &err);
    }
    if (is_done && !act(&replay, &err)) {
        is_done = sl_err_wrap(&err,
                              "run %s is not finished, `sluice dead replay --resume %s --yes` "
                              "goes on with it",
                              replay.run, replay.run);
    }
    return is_done ? status_of(&replay) : ops_report("dead replay", &err);
}

static void replay_done(struct replay *replay)
{
    ops_pg_session_free(replay->session);
    ops_address_done(&replay->address);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    struct ops_flag flags[OPS_DEAD_FILTER_FLAGS + 8] = { 0 };
    const struct ops_flag more[] = {
        { .name = "limit",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->limit,
          .min = 1,
          .max = OPS_DEAD_LIMIT_MAX },
        { .name = "rate", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->rate_text },
        { .name = "wait", .kind = OPS_FLAG_DURATION, .out = &wish->wait_ms, .max = WAIT_MS_MAX },
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->reason },
        { .name = "resume", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->resume },
        { .name = "yes", .letter = 'y', .kind = OPS_FLAG_SWITCH, .out = &wish->yes },
        OPS_FLAGS_ROWS(wish->output),
    };
    wish->filter.status = "open";
    ops_dead_filter_flags(&wish->filter, flags);
    memcpy(flags + OPS_DEAD_FILTER_FLAGS, more, sizeof more);
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err) ||
        !ops_dead_filter_finish(&wish->filter, first < argc ? argv[first] : NULL,
                                sl_clock_wall_us(), err) ||
        !read_rate(wish, err)) {
        return false;
    }
    if (wish->reason != NULL && strlen(wish->reason) > REASON_BYTES_MAX) {
        return sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", REASON_BYTES_MAX);
    }
    bool is_narrow = ops_dead_filter_is_narrow(&wish->filter);
    if (wish->resume != NULL && is_narrow) {
        return sl_fail(err, SL_E_USAGE,
                       "--resume goes on with the letters of that run, so it takes no filter");
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
            wish->rate <= RATE_MAX) ||
           sl_fail(err, SL_E_USAGE, "--rate takes letters a second from 1/s to %d/s, not '%.40s'",
                   RATE_MAX, wish->rate_text);
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
    struct ops_dead_plan found = { 0 };
    if (!tell_unfinished(replay, err) ||
        !ops_dead_plan_show(replay->session, &replay->wish.filter, replay->wish.limit, "replay",
                            &found, err)) {
        return false;
    }
    replay->planned = found.chosen;
    if (found.applied > 0) {
        fprintf(stderr,
                "%" PRId64 " of them were applied since: their copies will be duplicates, and "
                "the letters are closed\n",
                found.applied);
    }
    if (found.chosen == 0) {
        return true;
    }
    fprintf(stderr, "at %" PRId64 " a second it takes %" PRId64 " s\n", replay->wish.rate,
            (found.chosen + replay->wish.rate - 1) / replay->wish.rate);
    return check_queues(replay, &replay->wish.filter, err);
}

static bool plan_rest(struct replay *replay, struct sl_err *err)
{
    const struct wish *wish = &replay->wish;
    snprintf(replay->run, sizeof replay->run, "%s", wish->resume);
    if (!ops_replay_count(replay->session, replay->run, &replay->counts, err)) {
        return false;
    }
    const struct ops_replay_counts *counts = &replay->counts;
    if (counts->unpublished + counts->waiting + counts->replayed + counts->failed == 0) {
        return sl_fail(err, SL_E_USAGE, "there is no run '%.40s'", wish->resume);
    }
    fprintf(stderr,
            "run %s: %" PRId64 " to publish, %" PRId64 " published and not decided, %" PRId64
            " replayed, %" PRId64 " failed again\n",
            replay->run, counts->unpublished, counts->waiting, counts->replayed, counts->failed);
    replay->planned = counts->unpublished;
    const struct ops_dead_filter rest = { .status = "replaying", .run = replay->run };
    return counts->unpublished == 0 || check_queues(replay, &rest, err);
}

/* A copy for a queue that does not exist would come back as unrouted. */
static bool check_queues(struct replay *replay, const struct ops_dead_filter *filter,
                         struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    ops_dead_filter_params(filter, params);
    if (!ops_pg_query(replay->session, subsystems_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    SL_AUTO(ops_broker_free) struct ops_broker *broker = ops_broker_new(&replay->address, 0, err);
    for (size_t row = 0; broker != NULL && row < rows.row_count; row++) {
        const char *subsystem = ops_pg_cell_text(&rows, row, 0);
        if (strcmp(subsystem, OPS_UNROUTED_NAME) == 0) {
            continue; /* goes to whatever is bound to its key by now, or comes back */
        }
        char queue[QUEUE_BYTES];
        snprintf(queue, sizeof queue, "sluice.%s", subsystem);
        struct sl_amqp_declared counts = { 0 };
        const struct sl_amqp_declare ask = { .kind = SL_AMQP_DECLARE_QUEUE,
                                             .passive = true,
                                             .name = queue };
        enum ops_declared answer = ops_broker_declare(broker, &ask, &counts, err);
        if (answer == OPS_DECLARED_MISSING) {
            return sl_fail(err, SL_E_AMQP_NOT_FOUND,
                           "queue %s does not exist: enable the subsystem and run `sluice topology "
                           "apply`, or replay without it",
                           queue);
        }
        if (answer != OPS_DECLARED) {
            return false;
        }
        if (counts.consumer_count == 0) {
            fprintf(stderr, "nobody consumes %s now: the copies will wait there\n", queue);
        }
    }
    return broker != NULL;
}

static bool tell_unfinished(struct replay *replay, struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_pg_query(replay->session, unfinished_sql, NULL, 0, &rows, err)) {
        return false;
    }
    for (size_t row = 0; row < rows.row_count; row++) {
        const char *run = ops_pg_cell_text(&rows, row, 0);
        fprintf(stderr,
                "run %s is at work, or was cut off with %s letters unpublished: sluice dead "
                "replay --resume %s --yes\n",
                run, ops_pg_cell_text(&rows, row, 1), run);
    }
    return true;
}

/* Act ------------------------------------------------------------------------------------------- */

static bool act(struct replay *replay, struct sl_err *err)
{
    struct wish *wish = &replay->wish;
    char actor[OPS_ACTOR_BYTES];
    char note[NOTE_BYTES];
    if (wish->resume == NULL && !ops_replay_name(replay->run, err)) {
        return false;
    }
    if (!ops_replay_lock(replay->session, replay->run, err)) {
        return false;
    }
    if (wish->resume == NULL) {
        ops_actor(actor);
        snprintf(note, sizeof note, "replay %s by %s%s%s", replay->run, actor,
                 wish->reason == NULL ? "" : ": ", wish->reason == NULL ? "" : wish->reason);
        if (!ops_replay_claim(replay->session, &wish->filter, wish->limit, replay->run, note,
                              &replay->planned, err)) {
            return false;
        }
    }
    return publish(replay, err) && await_outcome(replay, err) && tell(replay, err);
}

static bool publish(struct replay *replay, struct sl_err *err)
{
    const struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    fprintf(stderr, "run %s: publishing\n", replay->run);
    SL_AUTO(ops_courier_free) struct ops_courier *courier = ops_courier_new(&replay->address, err);
    return courier != NULL &&
           ops_replay_publish(replay->session, courier, replay->run, 1000000 / replay->wish.rate,
                              &is_stopping, on_progress, replay, err);
}

static void on_progress(void *arg, int64_t published)
{
    const struct replay *replay = arg;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%" PRId64 " of %" PRId64 " published", published, replay->planned);
        fputs(published >= replay->planned ? "\n" : "", stderr);
    }
}

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    is_stopping = 1;
}

/* Until each letter is decided, the patience is over, or a person has enough. */
static bool await_outcome(struct replay *replay, struct sl_err *err)
{
    int64_t until_ms = sl_clock_mono_ms() + replay->wish.wait_ms;
    static const struct timespec pause = { .tv_nsec = LOOK_EVERY_NS };
    for (;;) {
        if (!ops_replay_count(replay->session, replay->run, &replay->counts, err)) {
            return false;
        }
        if (replay->counts.waiting == 0 || is_stopping || sl_clock_mono_ms() >= until_ms) {
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static bool tell(const struct replay *replay, struct sl_err *err)
{
    static const struct ops_column columns[] = {
        { .title = "RUN" },
        { .title = "PLANNED", .is_number = true },
        { .title = "REPLAYED", .is_number = true },
        { .title = "FAILED AGAIN", .is_number = true },
        { .title = "WAITING", .is_number = true },
        { .title = "UNPUBLISHED", .is_number = true },
    };
    const int64_t numbers[] = { replay->planned, replay->counts.replayed, replay->counts.failed,
                                replay->counts.waiting, replay->counts.unpublished };
    char texts[SL_COUNT(numbers)][OPS_DEAD_NUMBER_BYTES];
    const char *cells[SL_COUNT(columns)] = { replay->run };
    for (size_t i = 0; i < SL_COUNT(numbers); i++) {
        snprintf(texts[i], sizeof texts[i], "%" PRId64, numbers[i]);
        cells[i + 1] = texts[i];
    }
    if (replay->run[0] == '\0' && replay->wish.output == OPS_OUTPUT_TABLE) {
        return true; /* the plan has said it */
    }
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    ops_table_add(&table, cells);
    if (!ops_table_print(&table, replay->wish.output, stdout, err)) {
        return false;
    }
    if (replay->counts.unpublished > 0) {
        fprintf(stderr, "stopped; to go on: sluice dead replay --resume %s --yes\n", replay->run);
    } else if (replay->counts.waiting > 0) {
        fprintf(stderr,
                "published, but not all are decided yet: sluice dead list --run %s --status all\n",
                replay->run);
    }
    return true;
}

static int status_of(const struct replay *replay)
{
    if (replay->counts.unpublished > 0) {
        return EX_INTERRUPTED;
    }
    if (replay->counts.failed > 0) {
        return EX_PARTIAL;
    }
    return replay->counts.waiting > 0 ? EX_TEMPFAIL : EX_OK;
}
