#include "publisher/control.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/support/claims.h"

static struct pub_pauses pauses(struct pub_gate *gate)
{
    struct pub_pauses now = { 0 };
    pub_gate_read_pauses(gate, &now);
    return now;
}

/* The commands without their socket; log lines go to a file. */
struct world {
    struct sl_loop *loop;
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct pub_levels levels;
    struct pub_sources sources;
    struct pub_control control;
    struct sl_control_desk desk;
    struct sl_buf answer;
    struct pub_control_view view;
    unsigned replays;
    char path[64];
};

static void look(void *arg, struct pub_control_view *out_view)
{
    const struct world *world = arg;
    *out_view = world->view;
}

static bool replay(void *arg, int64_t rate, struct sl_err *err)
{
    struct world *world = arg;
    world->replays++;
    if (world->view.journal.quota_bytes == 0) {
        return sl_fail(err, SL_E_JOURNAL_FAILED, "no journal");
    }
    world->view.replay_rate = rate > 0 ? rate : world->view.replay_rate;
    return true;
}

static void open_world(struct world *world)
{
    struct sl_err err = { 0 };
    size_t count = 0;
    *world = (struct world){ .path = "/tmp/sluice-control-log-XXXXXX" };
    int fd = mkstemp(world->path);
    world->loop = sl_loop_new(&err);
    world->metrics = sl_metrics_new(&err);
    world->log = sl_log_new(
        &(struct sl_log_opts){
            .service = "t", .version = "1", .level = SL_INFO, .format = SL_LOG_JSON, .fd = fd },
        &err);
    world->levels = (struct pub_levels){ .log = world->log, .level = SL_INFO, .degraded = SL_WARN };
    world->sources.items[0].name = "stripe";
    world->sources.items[1].name = "internal";
    world->sources.count = 2;
    world->view.outage = PUB_OUTAGE_UP;
    world->control = (struct pub_control){
        .gate = pub_gate_new(world->loop, world->log, world->metrics, &err),
        .levels = &world->levels,
        .sources = &world->sources,
        .metrics = world->metrics,
        .service = "billing-in",
        .look = look,
        .replay = replay,
        .arg = world,
    };
    const struct sl_control_command *commands = pub_control_commands(&count);
    CU_ASSERT_FATAL(sl_control_desk_init(&world->desk, commands, count, &world->control, &err));
    sl_buf_init(&world->answer, SL_CONTROL_LINE_BYTES_MAX);
}

/* Ends the world; what it has logged is in `out`. */
static void close_world(struct world *world, char *out, size_t room)
{
    sl_control_desk_done(&world->desk);
    pub_gate_free(world->control.gate);
    sl_log_free(world->log);
    sl_metrics_free(world->metrics);
    sl_loop_free(world->loop);
    sl_buf_done(&world->answer);
    int fd = open(world->path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = read(fd, out, room - 1);
    out[bytes < 0 ? 0 : bytes] = '\0';
    close(fd);
    unlink(world->path);
}

static const char *ask(struct world *world, const char *line)
{
    sl_control_desk_answer(&world->desk, sl_span_of(line), 1000, &world->answer);
    return world->answer.data;
}

static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

CLAIM(control__a_pause_is_told_shown_and_ended)
{
    struct world world;
    static char logged[16384];
    open_world(&world);
    const char *said = ask(&world, "{\"command\":\"pause\",\"source\":\"stripe\",\"answer\":429}");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(said, "{\"ok\":true,\"paused\":[{\"source\":\"stripe\",\"answer\":429,\"since\":"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"until\":null,\"refused\":0}]}"));
    said = ask(&world, "{\"command\":\"pause\",\"for_ms\":60000}");
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "{\"source\":null,\"answer\":503,"));
    CU_ASSERT_EQUAL(pauses(world.control.gate).count, 2);
    said = ask(&world, "{\"command\":\"resume\"}");
    CU_ASSERT_STRING_EQUAL(said, "{\"ok\":true,\"ended\":2,\"paused\":[]}\n");
    said = ask(&world, "{\"command\":\"resume\",\"source\":\"stripe\"}");
    CU_ASSERT_STRING_EQUAL(said, "{\"ok\":true,\"ended\":0,\"paused\":[]}\n");
    close_world(&world, logged, sizeof logged);
    CU_ASSERT_EQUAL(count_of(logged, "ingest.paused"), 2);
    CU_ASSERT_EQUAL(count_of(logged, "ingest.resumed"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "\"uid\":1000"));
}

CLAIM(control__a_pause_with_an_end_ends_by_itself)
{
    struct world world;
    static char logged[16384];
    open_world(&world);
    ask(&world, "{\"command\":\"pause\",\"source\":\"internal\",\"for_ms\":1000}");
    CU_ASSERT_EQUAL(pauses(world.control.gate).count, 1);
    int64_t until_ms = sl_clock_mono_ms() + 60000;
    while (pauses(world.control.gate).count > 0 && sl_clock_mono_ms() < until_ms) {
        event_base_loop(sl_loop_base(world.loop), EVLOOP_ONCE);
    }
    CU_ASSERT_EQUAL(pauses(world.control.gate).count, 0);
    close_world(&world, logged, sizeof logged);
    CU_ASSERT_EQUAL(count_of(logged, "ingest.resumed"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "its time is over"));
}

CLAIM(control__what_makes_no_sense_changes_nothing)
{
    static const char *const lines[] = {
        "{\"command\":\"pause\",\"source\":\"strpie\"}",
        "{\"command\":\"pause\",\"answer\":500}",
        "{\"command\":\"pause\",\"answer\":200}",
        "{\"command\":\"pause\",\"for_ms\":0}",
        "{\"command\":\"pause\",\"for_ms\":-1}",
        "{\"command\":\"pause\",\"for\":\"30m\"}",
        "{\"command\":\"log-level\"}",
        "{\"command\":\"log-level\",\"level\":\"loud\"}",
        "{\"command\":\"degraded-log-level\",\"level\":7}",
        "{\"command\":\"status\",\"source\":\"stripe\"}",
    };
    struct world world;
    static char logged[16384];
    open_world(&world);
    for (size_t i = 0; i < SL_COUNT(lines); i++) {
        CU_ASSERT(sl_span_starts_with(sl_span_of(ask(&world, lines[i])), "{\"ok\":false,"));
    }
    CU_ASSERT_EQUAL(pauses(world.control.gate).count, 0);
    CU_ASSERT_EQUAL(world.levels.level, SL_INFO);
    CU_ASSERT_EQUAL(world.levels.degraded, SL_WARN);
    close_world(&world, logged, sizeof logged);
    CU_ASSERT_STRING_EQUAL(logged, "");
}

CLAIM(control__levels_change_at_once_and_once_only)
{
    struct world world;
    static char logged[16384];
    open_world(&world);
    const char *said = ask(&world, "{\"command\":\"log-level\",\"level\":\"error\"}");
    CU_ASSERT_STRING_EQUAL(
        said, "{\"ok\":true,\"log_level\":\"error\",\"degraded_log_level\":\"warn\"}\n");
    ask(&world, "{\"command\":\"log-level\",\"level\":\"error\"}");
    said = ask(&world, "{\"command\":\"degraded-log-level\",\"level\":\"info\"}");
    CU_ASSERT_STRING_EQUAL(
        said, "{\"ok\":true,\"log_level\":\"error\",\"degraded_log_level\":\"info\"}\n");
    sl_warn(world.log, "x", "filtered");
    CU_ASSERT_EQUAL(world.levels.degraded, SL_INFO);
    close_world(&world, logged, sizeof logged);
    CU_ASSERT_EQUAL(count_of(logged, "log.level_changed"), 2);
    CU_ASSERT_PTR_NULL(strstr(logged, "filtered"));
}

CLAIM(control__status_says_it_all)
{
    struct world world;
    static char logged[16384];
    open_world(&world);
    world.view = (struct pub_control_view){
        .outage = PUB_OUTAGE_WAITING,
        .away_since_us = 1000000,
        .waiting = 3,
        .sentry_pending = 9,
        .replay_rate = 500,
        .journal = { .is_durable = true,
                     .pending = 5,
                     .quota_bytes = 100,
                     .oldest_ns = 2000000000 },
    };
    const char *said = ask(&world, "{\"command\":\"status\"}");
    static const char *const parts[] = {
        "\"program\":\"sluice-publisher\"",
        "\"service\":\"billing-in\"",
        "\"draining\":false,\"inflight\":3",
        "\"degraded\":true,\"degraded_since\":\"1970-01-01T00:00:01.000000Z\"",
        "\"broker\":{\"state\":\"waiting\",\"changing\":false}",
        "\"journal\":{\"state\":\"ok\",\"durable\":true,\"events\":5,",
        "\"oldest\":\"1970-01-01T00:00:02.000000Z\",\"replay_rate\":500}",
        "\"sentry_pending\":9",
        "\"sources\":[\"stripe\",\"internal\"],\"paused\":[]",
    };
    for (size_t i = 0; i < SL_COUNT(parts); i++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(said, parts[i]));
    }
    world.view = (struct pub_control_view){ .outage = PUB_OUTAGE_UP };
    said = ask(&world, "{\"command\":\"status\"}");
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"degraded\":false,\"degraded_since\":null"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"journal\":null"));
    close_world(&world, logged, sizeof logged);
}

CLAIM(control__a_replay_is_begun_and_its_rate_is_set_only_when_one_is_named)
{
    struct world world;
    static char logged[16384];
    open_world(&world);
    world.view = (struct pub_control_view){ .outage = PUB_OUTAGE_UP, .replay_rate = 500 };
    const char *said = ask(&world, "{\"command\":\"journal-replay\"}");
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"error\":\"no journal\""));
    world.view.journal.quota_bytes = 100;
    said = ask(&world, "{\"command\":\"journal-replay\"}");
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"replay_rate\":500}"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"state\":\"up\""));
    said = ask(&world, "{\"command\":\"journal-replay\",\"rate\":77}");
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"replay_rate\":77}"));
    CU_ASSERT_EQUAL(world.replays, 3);
    said = ask(&world, "{\"command\":\"journal-replay\",\"rate\":0}");
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"ok\":false"));
    CU_ASSERT_EQUAL(world.replays, 3);
    close_world(&world, logged, sizeof logged);
}

CLAIM(control__metrics_are_told_as_one_text)
{
    static struct world world;
    char said[4096];
    open_world(&world);
    sl_series_add(sl_metrics_series(world.metrics, SL_M_EVENTS_RECEIVED, "stripe", "unavailable"),
                  7);
    const char *answer = ask(&world, "{\"command\":\"metrics\"}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "{\"ok\":true,\"metrics\":\""));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(answer, "sluice_events_received_total{source=\\\"stripe\\\",outcome=\\\"unavailable"
                       "\\\"} 7\\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "process_start_time_seconds"));
    close_world(&world, said, sizeof said);
}
