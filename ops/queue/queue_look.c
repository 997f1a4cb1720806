#include "ops/queue/queue_look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/api.h"
#include "shared/event/delay_route.h"
#include "shared/json/json.h"
#include "shared/units.h"

#define ANSWER_BYTES_MAX (16u * 1024u * 1024u)
#define ARENA_BYTES_MAX  (64u * 1024u * 1024u)
#define NODES_MAX        1000000u
#define JSON_DEPTH       4u
#define MILLI            1000
#define NAME_BYTES       128u
#define DIGITS_MAX       18u

static void begin(const struct sl_subsystems *subsystems, const char *only_name,
                  struct ops_queue_look *out_look);
static void ask_broker(struct ops_queue_eyes *eyes, const struct ops_address *address,
                       struct ops_queue_look *look);
static bool count_queue(struct ops_broker *broker, const char *name, int64_t *out_waiting,
                        int64_t *out_consumers, bool *out_missing, struct sl_err *err);
static bool count_first(struct ops_broker *broker, struct ops_queue_facts *facts,
                        struct sl_err *err);
static bool count_shared(struct ops_broker *broker, struct ops_queue_look *look);
static void ask_api(struct ops_queue_eyes *eyes, const struct ops_address *address,
                    struct ops_queue_look *look);
static void read_api_queue(const struct sl_json *item, struct sl_arena *arena,
                           struct ops_queue_look *look);
static int64_t milli_of(const struct sl_json *number);
static void ask_database(struct ops_queue_eyes *eyes, struct ops_queue_look *look);
static struct ops_pg_session *open_session(const struct ops_queue_eyes *eyes, struct sl_err *err);
static void read_standing(const struct ops_pg_rows *rows, struct ops_queue_look *look);
static int64_t number_of(struct sl_span text);
static void agree(struct ops_queue_look *look);

/* A row per subsystem that has anything: of running consumers, letters, delays and orders. */
static const char standing_sql[] =
    "WITH live AS (SELECT * FROM sluice_consumer WHERE seen_at > now() - interval '15 seconds'),"
    " orders AS (SELECT * FROM sluice_control WHERE expires_at IS NULL OR expires_at > now())"
    " SELECT s.name,"
    " (SELECT count(*) FROM live l WHERE l.subsystem = s.name),"
    " (SELECT sum(held) FROM live l WHERE l.subsystem = s.name),"
    " (SELECT sum(settled) FROM live l WHERE l.subsystem = s.name),"
    " (SELECT extract(epoch FROM now() - min(oldest_at))::bigint FROM live l WHERE l.subsystem = s.name),"
    " (SELECT sum(workers) FROM live l WHERE l.subsystem = s.name),"
    " (SELECT count(*) FROM sluice_dead_letter d WHERE d.subsystem = s.name AND d.status = 'open'),"
    " (SELECT count(DISTINCT event_id) FROM sluice_attempt a WHERE a.subsystem = s.name AND a.due_at > now()),"
    " (SELECT string_agg(CASE WHEN o.name = 'paused' THEN 'paused since ' || to_char(o.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI\"Z\"') WHEN o.name LIKE 'park %' THEN o.name"
    "    ELSE o.name || '=' || (o.value #>> '{}') END"
    "    || coalesce(' until ' || to_char(o.expires_at AT TIME ZONE 'UTC', 'HH24:MI\"Z\"'), ''), ', ' ORDER BY o.name)"
    "  FROM orders o WHERE o.subsystem IN ('', s.name) AND (o.name <> 'paused' OR o.value = 'true')),"
    " (SELECT sum(workers_max) FROM live l WHERE l.subsystem = s.name),"
    " (SELECT extract(epoch FROM now() - max(progress_at))::bigint FROM live l WHERE l.subsystem = s.name),"
    " w.s, w.instance"
    " FROM unnest(string_to_array($1, ',')) AS s(name)"
    " LEFT JOIN LATERAL (SELECT l.instance, extract(epoch FROM now() - l.progress_at)::bigint AS s FROM live l"
    "   WHERE l.subsystem = s.name AND l.held > 0 ORDER BY l.progress_at LIMIT 1) w ON true";
enum {
    NAME,
    RUNNING,
    HELD,
    SETTLED,
    OLDEST,
    WORKERS,
    LETTERS,
    DELAYED,
    NOTE,
    WORKERS_MADE,
    IDLE,
    WEDGED_S,
    WEDGED
};

void ops_queue_look(struct ops_queue_eyes *eyes, const struct ops_address *address,
                    const struct sl_subsystems *subsystems, const char *only_name,
                    struct ops_queue_look *out_look)
{
    begin(subsystems, only_name, out_look);
    ask_broker(eyes, address, out_look);
    ask_database(eyes, out_look);
    ask_api(eyes, address, out_look);
    agree(out_look);
}

void ops_queue_eyes_done(struct ops_queue_eyes *eyes)
{
    ops_broker_free(eyes->broker);
    ops_pg_session_free(eyes->session);
    *eyes = (struct ops_queue_eyes){ .patience_ms = eyes->patience_ms };
}

static void begin(const struct sl_subsystems *subsystems, const char *only_name,
                  struct ops_queue_look *out_look)
{
    *out_look = (struct ops_queue_look){ .delayed_all = OPS_UNKNOWN, .unrouted = OPS_UNKNOWN };
    for (size_t i = 0; i < subsystems->count; i++) {
        const struct sl_subsystem *one = &subsystems->items[i];
        bool is_meant = only_name == NULL ? one->enabled : strcmp(one->name, only_name) == 0;
        if (is_meant) {
            out_look->items[out_look->count++] = (struct ops_queue_facts){
                .subsystem = one,
                .waiting = OPS_UNKNOWN,
                .replays = OPS_UNKNOWN,
                .unacked = OPS_UNKNOWN,
                .consumers = OPS_UNKNOWN,
                .parked = OPS_UNKNOWN,
                .delayed = OPS_UNKNOWN,
                .first = OPS_UNKNOWN,
                .letters = OPS_UNKNOWN,
                .oldest_s = OPS_UNKNOWN,
                .settled = OPS_UNKNOWN,
                .in_milli = OPS_UNKNOWN,
                .out_milli = OPS_UNKNOWN,
                .running = OPS_UNKNOWN,
                .workers = OPS_UNKNOWN,
                .workers_made = OPS_UNKNOWN,
                .idle_s = OPS_UNKNOWN,
                .wedged_s = OPS_UNKNOWN,
            };
        }
    }
}

/* Broker ---------------------------------------------------------------------------------------- */

static void ask_broker(struct ops_queue_eyes *eyes, const struct ops_address *address,
                       struct ops_queue_look *look)
{
    struct sl_err *err = &look->broker_err;
    if (eyes->broker == NULL) {
        eyes->broker = ops_broker_new(address, 0, err);
    }
    bool is_well = eyes->broker != NULL;
    for (size_t i = 0; i < look->count && is_well; i++) {
        struct ops_queue_facts *facts = &look->items[i];
        char parked[NAME_BYTES];
        bool ignored = false;
        snprintf(parked, sizeof parked, "%s.parked", facts->subsystem->queue);
        is_well = count_queue(eyes->broker, facts->subsystem->queue, &facts->waiting,
                              &facts->consumers, &facts->is_missing, err) &&
                  count_queue(eyes->broker, facts->subsystem->replay_queue, &facts->replays, NULL,
                              &facts->is_missing_replays, err) &&
                  count_queue(eyes->broker, parked, &facts->parked, NULL, &ignored, err) &&
                  count_first(eyes->broker, facts, err);
    }
    if (!is_well || !count_shared(eyes->broker, look)) {
        ops_broker_free(eyes->broker);
        eyes->broker = NULL; /* connects anew at the next look */
    }
}

/* A missing queue is told, not an error. */
static bool count_queue(struct ops_broker *broker, const char *name, int64_t *out_waiting,
                        int64_t *out_consumers, bool *out_missing, struct sl_err *err)
{
    struct sl_amqp_declared counts = { 0 };
    struct sl_err why;
    const struct sl_amqp_declare question = { .kind = SL_AMQP_DECLARE_QUEUE,
                                              .passive = true,
                                              .name = name };
    enum ops_declared answer = ops_broker_declare(broker, &question, &counts, &why);
    if (answer != OPS_DECLARED && answer != OPS_DECLARED_MISSING) {
        *err = why;
        return false;
    }
    *out_missing = answer == OPS_DECLARED_MISSING;
    if (answer == OPS_DECLARED) {
        *out_waiting = counts.message_count;
        if (out_consumers != NULL) {
            *out_consumers = counts.consumer_count;
        }
    }
    return true;
}

/* A queue that is not there yet holds nothing. */
static bool count_first(struct ops_broker *broker, struct ops_queue_facts *facts,
                        struct sl_err *err)
{
    int64_t sum = 0;
    for (size_t i = 0; i < facts->subsystem->delays.count; i++) {
        int64_t wait_s = sl_subsystem_first_wait_ms(facts->subsystem, i) / 1000;
        char name[NAME_BYTES];
        int64_t waiting = 0;
        bool is_missing = false;
        snprintf(name, sizeof name, "%s.first.%" PRId64, facts->subsystem->queue, wait_s);
        if (wait_s > 0 && !count_queue(broker, name, &waiting, NULL, &is_missing, err)) {
            return false;
        }
        if (waiting > 0 && wait_s > facts->first_wait_s) {
            facts->first_wait_s = wait_s;
        }
        sum += waiting;
    }
    facts->first = sum;
    return true;
}

static bool count_shared(struct ops_broker *broker, struct ops_queue_look *look)
{
    int64_t sum = 0;
    bool is_missing = false;
    if (!count_queue(broker, "sluice.unrouted", &look->unrouted, NULL, &is_missing,
                     &look->broker_err)) {
        return false;
    }
    for (unsigned level = 0; level < SL_DELAY_LEVELS; level++) {
        char name[NAME_BYTES];
        int64_t waiting = 0;
        snprintf(name, sizeof name, "sluice.delay.%02u", level);
        if (!count_queue(broker, name, &waiting, NULL, &is_missing, &look->broker_err)) {
            return false;
        }
        sum += waiting;
    }
    look->delayed_all = sum;
    return true;
}

/* Management interface -------------------------------------------------------------------------- */

static void ask_api(struct ops_queue_eyes *eyes, const struct ops_address *address,
                    struct ops_queue_look *look)
{
    const char *api_url = ops_address_api(address);
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    if (api_url == NULL || eyes->broker == NULL) {
        sl_fail(&look->api_err, SL_E_CONFIG, "RABBITMQ_API_URL is not set");
        return;
    }
    sl_buf_init(&body, ANSWER_BYTES_MAX);
    sl_arena_init(&arena, ARENA_BYTES_MAX);
    if (!ops_api_get(api_url, ops_broker_url(eyes->broker), "queues", &body, &look->api_err)) {
        return;
    }
    SL_AUTO(sl_json_parser_free)
    struct sl_json_parser *parser = sl_json_parser_new(body.used_bytes + 1);
    const struct sl_json *root = parser == NULL
                                     ? NULL
                                     : sl_json_parse(parser, &arena, sl_buf_span(&body), JSON_DEPTH,
                                                     NODES_MAX, &look->api_err);
    for (const struct sl_json *item = root == NULL ? NULL : root->first; item != NULL;
         item = item->next) {
        read_api_queue(item, &arena, look);
    }
}

static void read_api_queue(const struct sl_json *item, struct sl_arena *arena,
                           struct ops_queue_look *look)
{
    struct sl_span name = sl_json_text(sl_json_get(item, "name"), arena, true, NULL);
    for (size_t i = 0; i < look->count; i++) {
        struct ops_queue_facts *facts = &look->items[i];
        int64_t unacked = 0;
        if (!sl_span_is(name, facts->subsystem->queue)) {
            continue;
        }
        /* What consumers write themselves is seconds younger. */
        if (facts->unacked == OPS_UNKNOWN &&
            sl_json_int(sl_json_get(item, "messages_unacknowledged"), &unacked)) {
            facts->unacked = unacked;
        }
        facts->in_milli = milli_of(sl_json_at(item, "message_stats.publish_details.rate"));
        facts->out_milli = milli_of(sl_json_at(item, "message_stats.ack_details.rate"));
    }
}

static int64_t milli_of(const struct sl_json *number)
{
    struct sl_span text = sl_json_number_text(number);
    if (text.data == NULL) {
        return OPS_UNKNOWN;
    }
    return (int64_t)(strtod(text.data, NULL) *
                     1000.0); /* ends at the first byte that is no number */
}

/* Database -------------------------------------------------------------------------------------- */

static void ask_database(struct ops_queue_eyes *eyes, struct ops_queue_look *look)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    char names[SL_SUBSYSTEMS_MAX * (SL_SUBSYSTEM_NAME_BYTES + 1)] = "";
    size_t used = 0;
    for (size_t i = 0; i < look->count; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ",",
                                 look->items[i].subsystem->name);
    }
    if (eyes->session == NULL) {
        eyes->session = open_session(eyes, &look->pg_err);
    }
    const struct sl_pg_param param = ops_pg_param(names);
    if (eyes->session == NULL) {
        return;
    }
    if (ops_pg_query(eyes->session, standing_sql, &param, 1, &rows, &look->pg_err)) {
        read_standing(&rows, look);
    } else {
        ops_pg_session_free(eyes->session);
        eyes->session = NULL;
    }
}

static struct ops_pg_session *open_session(const struct ops_queue_eyes *eyes, struct sl_err *err)
{
    SL_AUTO(ops_pg_address_free) char *conninfo = ops_pg_address(NULL, err);
    const struct ops_pg_session_opts opts = { .conninfo = conninfo,
                                              .application_name = "sluice queue",
                                              .read_only = true,
                                              .open_ms = eyes->patience_ms,
                                              .statement_ms = eyes->patience_ms };
    return conninfo == NULL ? NULL : ops_pg_session_open(&opts, err);
}

static void read_standing(const struct ops_pg_rows *rows, struct ops_queue_look *look)
{
    for (size_t row = 0; row < rows->row_count; row++) {
        for (size_t i = 0; i < look->count; i++) {
            struct ops_queue_facts *facts = &look->items[i];
            if (!sl_span_is(ops_pg_cell(rows, row, NAME), facts->subsystem->name)) {
                continue;
            }
            facts->running = number_of(ops_pg_cell(rows, row, RUNNING));
            facts->settled = number_of(ops_pg_cell(rows, row, SETTLED));
            facts->oldest_s = number_of(ops_pg_cell(rows, row, OLDEST));
            facts->letters = number_of(ops_pg_cell(rows, row, LETTERS));
            facts->delayed = number_of(ops_pg_cell(rows, row, DELAYED));
            /* What our consumers hold is all there is in hand when the broker counts no others. */
            if (number_of(ops_pg_cell(rows, row, WORKERS)) == facts->consumers) {
                facts->unacked = number_of(ops_pg_cell(rows, row, HELD));
            }
            facts->workers = number_of(ops_pg_cell(rows, row, WORKERS));
            facts->workers_made = number_of(ops_pg_cell(rows, row, WORKERS_MADE));
            facts->idle_s = number_of(ops_pg_cell(rows, row, IDLE));
            facts->wedged_s = number_of(ops_pg_cell(rows, row, WEDGED_S));
            snprintf(facts->wedged, sizeof facts->wedged, "%s",
                     ops_pg_cell_text(rows, row, WEDGED));
            snprintf(facts->note, sizeof facts->note, "%s", ops_pg_cell_text(rows, row, NOTE));
        }
    }
}

static int64_t number_of(struct sl_span text)
{
    int64_t number = 0;
    return sl_units_decimal(text, DIGITS_MAX, &number) ? number : OPS_UNKNOWN;
}

/* Where two sources bound each other. */
static void agree(struct ops_queue_look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        struct ops_queue_facts *facts = &look->items[i];
        bool is_bound = look->delayed_all != OPS_UNKNOWN;
        if (is_bound && (look->delayed_all == 0 || facts->delayed > look->delayed_all)) {
            facts->delayed = look->delayed_all;
        }
        if (facts->first == OPS_UNKNOWN && facts->subsystem->delays.count > 0) {
            facts->delayed = OPS_UNKNOWN;
        } else if (facts->delayed != OPS_UNKNOWN && facts->first != OPS_UNKNOWN) {
            facts->delayed += facts->first;
        }
        if (facts->consumers == 0 && facts->unacked == OPS_UNKNOWN && facts->running == 0) {
            facts->unacked = 0; /* nobody there who could hold one */
        }
        if (facts->waiting == 0 && facts->unacked == 0) {
            facts->oldest_s = 0;
        }
    }
}

int64_t ops_queue_replays(const struct ops_queue_facts *facts)
{
    return facts->replays == OPS_UNKNOWN ? 0 : facts->replays;
}

bool ops_queue_is_stuck(const struct ops_queue_facts *facts, int64_t stuck_s)
{
    return facts->waiting > 0 && facts->idle_s != OPS_UNKNOWN && facts->idle_s >= stuck_s;
}

struct ops_flow ops_queue_flow(const struct ops_queue_facts *then,
                               const struct ops_queue_facts *now, int64_t took_ms)
{
    struct ops_flow flow = { .settled = OPS_UNKNOWN,
                             .in_milli = OPS_UNKNOWN,
                             .out_milli = OPS_UNKNOWN };
    bool is_counted = now->settled != OPS_UNKNOWN && then->settled != OPS_UNKNOWN &&
                      now->settled >= then->settled && took_ms > 0;
    if (!is_counted) {
        return flow;
    }
    flow.settled = now->settled - then->settled;
    flow.out_milli = flow.settled * MILLI * MILLI / took_ms;
    if (now->waiting != OPS_UNKNOWN && then->waiting != OPS_UNKNOWN &&
        now->unacked != OPS_UNKNOWN && then->unacked != OPS_UNKNOWN) {
        int64_t in = flow.settled + now->waiting + ops_queue_replays(now) + now->unacked -
                     then->waiting - ops_queue_replays(then) - then->unacked;
        flow.in_milli = (in > 0 ? in : 0) * MILLI * MILLI / took_ms;
    }
    return flow;
}
