#include "ops/journal/journal_replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/daemon.h"
#include "ops/journal/journal.h"
#include "ops/journal/journal_drain.h"
#include "ops/journal/journal_survey.h"
#include "ops/plan.h"
#include "shared/json/json_write.h"

#define RATE_DEFAULT   500
#define RATE_MAX       100000
#define LIMIT_MAX      INT64_C(1000000000)
#define TEXT_BYTES_MAX 4096u
#define EXIT_PARTIAL   3

const char ops_journal_replay_usage[] =
    "  --rate N          at most so many events a second (500); with a running publisher: its rate from\n"
    "                    now on, until it is restarted\n"
    "  --limit N         at most so many events, oldest first (only without a running publisher)\n" OPS_USAGE_YES
    "  --timeout D       longest wait for a running publisher's answer (3s)\n"
    "  --state-dir DIR   the publisher's state folder; default: SLUICE_STATE_DIR, the local stack,\n"
    "                    /var/lib/sluice\n" OPS_USAGE_OUTPUT
    "Reads AMQP_URL when no publisher runs. An event leaves the journal when the broker has confirmed it.\n"
    "A running publisher replays by itself; it is told to begin now, or at another rate. Exit status: 0 nothing is\n"
    "left, or the publisher was told; 2 the plan has work; 3 some are left, or\n"
    "were set aside; 66 there is no journal; 69 no broker.\n";

struct wish {
    int64_t rate;
    int64_t limit;
    int64_t timeout_ms;
    const char *state_dir;
    enum ops_output output;
    bool has_rate;
    bool is_meant;
    char dir[OPS_JOURNAL_PATH_BYTES];
};

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err);
static int tell_publisher(const struct wish *wish);
static int plan(const struct wish *wish, uint64_t waiting);
static int drain(const struct wish *wish);
static int tell_result(const struct wish *wish, const struct ops_journal_drain_result *result);

int ops_journal_replay(int argc, char **argv)
{
    struct wish wish = { .timeout_ms = OPS_DAEMON_TIMEOUT_MS };
    struct sl_err err = { 0 };
    struct ops_journal_survey survey = { 0 };
    int why = 0;
    if (!read_wish(argc, argv, &wish, &err)) {
        return ops_report("journal replay", &err);
    }
    if (!ops_journal_survey(wish.dir, &(struct ops_journal_visitor){ 0 }, &survey, &why, &err)) {
        return why == ENOENT ? ops_journal_absent("journal replay", wish.dir)
                             : ops_report("journal replay", &err);
    }
    if (survey.is_owned) {
        return tell_publisher(&wish);
    }
    uint64_t waiting = survey.events - survey.resolved;
    return wish.is_meant && waiting > 0 ? drain(&wish) : plan(&wish, waiting);
}

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "rate", .kind = OPS_FLAG_COUNT, .out = &wish->rate, .min = 1, .max = RATE_MAX },
        { .name = "limit",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->limit,
          .min = 1,
          .max = LIMIT_MAX },
        OPS_FLAGS_MEANT(wish->is_meant),
        { .name = "timeout",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->timeout_ms,
          .min = 100,
          .max = OPS_DAEMON_TIMEOUT_MS_MAX },
        { .name = "state-dir", .kind = OPS_FLAG_TEXT, .out = &wish->state_dir },
        OPS_FLAGS_OUTPUT(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err) ||
        !ops_journal_dir(wish->state_dir, wish->dir, err)) {
        return false;
    }
    wish->has_rate = wish->rate > 0;
    wish->rate = wish->has_rate ? wish->rate : RATE_DEFAULT;
    return true;
}

static int tell_publisher(const struct wish *wish)
{
    struct sl_err err = { 0 };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf request;
    sl_buf_init(&request, TEXT_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&request);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "command", sl_span_of(wish->is_meant ? "journal-replay" : "status"));
    if (wish->is_meant && wish->has_rate) {
        sl_json_put_int(&json, "rate", wish->rate);
    }
    sl_json_object_end(&json);
    const struct ops_daemon_where where = { .program = OPS_PUBLISHER,
                                            .state_dir = wish->state_dir,
                                            .timeout_ms = wish->timeout_ms };
    if (wish->limit > 0) {
        sl_fail(
            &err, SL_E_USAGE,
            "a publisher is running: it replays all of it; --limit is for a journal that nobody owns");
        return ops_report("journal replay", &err);
    }
    if (!ops_daemon_ask(&daemon, &where, sl_buf_span(&request), &err)) {
        (void)sl_err_wrap(&err, "a program holds the journal");
        return ops_report("journal replay", &err);
    }
    const char *events = ops_daemon_text(&daemon, sl_json_at(daemon.root, "journal.events"));
    bool has_work = wish->has_rate || strcmp(events, "0") != 0;
    if (wish->output == OPS_OUTPUT_JSON) {
        printf("%s\n", daemon.answer.data);
        return wish->is_meant ? EXIT_SUCCESS : ops_plan_end(has_work, OPS_PLAN_YES);
    }
    const char *state = ops_daemon_text(&daemon, sl_json_at(daemon.root, "broker.state"));
    printf("the publisher replays%s %s events, at most %s a second%s\n",
           wish->is_meant ? "" : " by itself", events,
           ops_daemon_text(&daemon, sl_json_at(daemon.root, "journal.replay_rate")),
           strcmp(state, "up") == 0 ? "" : "; it begins when the broker is back");
    if (!wish->is_meant && wish->has_rate) {
        printf("it would be at most %" PRId64 " a second from now on\n", wish->rate);
    }
    return wish->is_meant ? EXIT_SUCCESS : ops_plan_end(has_work, OPS_PLAN_YES);
}

static int plan(const struct wish *wish, uint64_t waiting)
{
    uint64_t would =
        wish->limit > 0 && (uint64_t)wish->limit < waiting ? (uint64_t)wish->limit : waiting;
    if (wish->output == OPS_OUTPUT_JSON) {
        printf("{\"waiting\":%" PRIu64 ",\"would_publish\":%" PRIu64 ",\"rate\":%" PRId64 "}\n",
               waiting, would, wish->rate);
    } else if (waiting == 0) {
        printf("nothing waits in %s\n", wish->dir);
    } else {
        printf("no publisher is running; %" PRIu64 " of %" PRIu64
               " events would be published to the broker of AMQP_URL, at most %" PRId64
               " a second\n",
               would, waiting, wish->rate);
    }
    return ops_plan_end(waiting > 0, OPS_PLAN_YES);
}

static int drain(const struct wish *wish)
{
    struct sl_err err = { 0 };
    struct ops_journal_drain_result result = { 0 };
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    const struct ops_journal_drain_opts opts = {
        .dir = wish->dir, .address = &address, .rate = wish->rate, .limit = wish->limit
    };
    bool is_done = ops_address_open(&address, &err) && ops_journal_drain(&opts, &result, &err);
    if (!is_done && result.published == 0) {
        return ops_report("journal replay", &err);
    }
    int status = tell_result(wish, &result);
    return is_done ? status : ops_report("journal replay", &err);
}

static int tell_result(const struct wish *wish, const struct ops_journal_drain_result *result)
{
    if (wish->output == OPS_OUTPUT_JSON) {
        printf("{\"published\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"set_aside\":%" PRIu64
               ",\"left\":%" PRIu64 "}\n",
               result->published, result->refused, result->set_aside, result->left);
    } else {
        printf("%" PRIu64 " events published and confirmed, %" PRIu64 " left\n", result->published,
               result->left);
    }
    if (result->refused > 0) {
        fprintf(stderr,
                "sluice journal replay: the broker refused %" PRIu64
                " publishes: no queue takes them, or one is full; see sluice topology diff\n",
                result->refused);
    }
    if (result->set_aside > 0) {
        fprintf(
            stderr,
            "sluice journal replay: set aside in poison/: %" PRIu64
            "; unreadable, or larger than the broker takes (its max_message_size): see runbooks/journal.md\n",
            result->set_aside);
    }
    return result->left > 0 || result->refused > 0 || result->set_aside > 0 ? EXIT_PARTIAL
                                                                            : EXIT_SUCCESS;
}
