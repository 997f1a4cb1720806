/* A look for programs: numbers as they are, null for what is unknown. */
#include <string.h>

#include "ops/top/top_page.h"
#include "shared/clock.h"

static void put(struct sl_json_writer *json, const char *key, int64_t number);
static void put_error(struct sl_json_writer *json, const struct sl_err *err);
static void put_publisher(struct sl_json_writer *json, const struct ops_top_look *look);
static void put_database(struct sl_json_writer *json, const struct ops_top_database *database);
static void put_item(struct sl_json_writer *json, const struct ops_top_item *item);
static void put_state(struct sl_json_writer *json, enum ops_top_level level, const char *state);

void ops_top_json(const struct ops_top_look *look, struct sl_buf *out)
{
    struct sl_json_writer json = sl_json_writer_make(out);
    char at[SL_RFC3339_BYTES];
    sl_clock_rfc3339(look->at_us, at);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "at", sl_span_of(at));
    put(&json, "took_ms", look->took_ms);
    put_publisher(&json, look);
    sl_json_put_object(&json, "broker");
    put_error(&json, &look->queues.broker_err);
    put(&json, "delayed", look->queues.delayed_all);
    put(&json, "unrouted", look->queues.unrouted);
    sl_json_object_end(&json);
    put_database(&json, &look->database);
    sl_json_put_array(&json, "subsystems");
    for (size_t i = 0; i < look->queues.count; i++) {
        put_item(&json, &look->items[i]);
    }
    sl_json_array_end(&json);
    sl_json_object_end(&json);
}

static void put(struct sl_json_writer *json, const char *key, int64_t number)
{
    if (number == OPS_UNKNOWN || number == INT64_MAX) {
        sl_json_put_null(json, key);
    } else {
        sl_json_put_int(json, key, number);
    }
}

static void put_error(struct sl_json_writer *json, const struct sl_err *err)
{
    sl_json_put_text(json, "error",
                     err->code == SL_E_NONE ? (struct sl_span){ 0 } : sl_span_of(err->text));
}

static void put_publisher(struct sl_json_writer *json, const struct ops_top_look *look)
{
    const struct ops_top_publisher *publisher = &look->publisher;
    char state[OPS_TOP_STATE_BYTES];
    enum ops_top_level level = ops_top_judge_publisher(publisher, state);
    sl_json_put_object(json, "publisher");
    put_error(json, &publisher->err);
    put_state(json, level, state);
    if (publisher->err.code == SL_E_NONE) {
        sl_json_put_text(json, "version", sl_span_of(publisher->version));
        sl_json_put_text(json, "broker", sl_span_of(publisher->broker));
        sl_json_put_text(json, "journal", sl_span_of(publisher->journal));
    }
    put(json, "inflight", publisher->inflight);
    put(json, "pauses", publisher->pauses);
    put(json, "journal_events", publisher->journal_events);
    put(json, "journal_bytes", publisher->journal_bytes);
    put(json, "journal_oldest_s", publisher->journal_oldest_s);
    put(json, "answered_200", publisher->answers.confirmed);
    put(json, "answered_202", publisher->answers.kept);
    put(json, "answered_503", publisher->answers.refused);
    put(json, "answered_4xx", publisher->answers.rejected);
    put(json, "answered_200_milli", look->answers_milli.confirmed);
    put(json, "answered_202_milli", look->answers_milli.kept);
    put(json, "answered_503_milli", look->answers_milli.refused);
    put(json, "answered_4xx_milli", look->answers_milli.rejected);
    sl_json_object_end(json);
}

static void put_database(struct sl_json_writer *json, const struct ops_top_database *database)
{
    char state[OPS_TOP_STATE_BYTES];
    enum ops_top_level level = ops_top_judge_database(database, state);
    sl_json_put_object(json, "database");
    put_error(json, &database->err);
    put_state(json, level, state);
    put(json, "sessions", database->sessions);
    put(json, "sessions_max", database->sessions_max);
    put(json, "longest_ms", database->longest_ms);
    sl_json_put_text(json, "breaker",
                     database->breaker[0] == '\0' ? (struct sl_span){ 0 }
                                                  : sl_span_of(database->breaker));
    sl_json_object_end(json);
}

static void put_item(struct sl_json_writer *json, const struct ops_top_item *item)
{
    const struct ops_queue_facts *facts = item->facts;
    char state[OPS_TOP_STATE_BYTES];
    enum ops_top_level level = ops_top_judge(item, state);
    sl_json_object_begin(json);
    sl_json_put_text(json, "subsystem", sl_span_of(facts->subsystem->name));
    put_state(json, level, state);
    put(json, "waiting", facts->waiting);
    put(json, "unacked", facts->unacked);
    put(json, "delayed", facts->delayed);
    put(json, "oldest_s", facts->oldest_s);
    put(json, "consumers", facts->consumers);
    put(json, "in_milli",
        item->flow.in_milli != OPS_UNKNOWN ? item->flow.in_milli : facts->in_milli);
    put(json, "out_milli",
        item->flow.out_milli != OPS_UNKNOWN ? item->flow.out_milli : facts->out_milli);
    put(json, "p95_ms", item->p95_ms);
    put(json, "letters", facts->letters);
    put(json, "new_letters", item->new_letters);
    put(json, "parked", facts->parked);
    put(json, "breakers", item->breakers);
    sl_json_put_text(json, "breaker",
                     item->breaker[0] == '\0' ? (struct sl_span){ 0 } : sl_span_of(item->breaker));
    sl_json_put_text(json, "settings", sl_span_of(facts->note));
    sl_json_put_text(json, "severity",
                     sl_span_of(sl_subsystem_severity_name(facts->subsystem->severity)));
    sl_json_put_text(json, "owner", sl_span_of(facts->subsystem->owner));
    sl_json_put_text(json, "impact", sl_span_of(facts->subsystem->impact));
    sl_json_object_end(json);
}

static void put_state(struct sl_json_writer *json, enum ops_top_level level, const char *state)
{
    static const char *const levels[] = {
        [OPS_TOP_FINE] = "fine", [OPS_TOP_ODD] = "odd", [OPS_TOP_TROUBLE] = "trouble"
    };
    sl_json_put_text(json, "level", sl_span_of(levels[level]));
    sl_json_put_text(json, "state", sl_span_of(state));
}
