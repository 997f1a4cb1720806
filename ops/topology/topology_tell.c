#include "ops/topology/topology_tell.h"

#include <stdio.h>

#include "ops/plural.h"
#include "ops/table.h"
#include "ops/topology/topology_remedy.h"
#include "shared/json/json_write.h"

#define OUT_BYTES_MAX   (4u * 1024u * 1024u)
#define CELL_BYTES      512u
#define STARS_SHOWN_MAX 3u

static const struct ops_column columns[] = {
    { .title = "STATE" },
    { .title = "KIND" },
    { .title = "NAME" },
    { .title = "DETAIL" },
};

static bool tell_people(const struct ops_topology_report *report, struct sl_err *err);
static bool tell_rows(const struct ops_topology_report *report, enum ops_output output,
                      struct sl_err *err);
static void add_rows(const struct ops_topology_report *report, struct ops_table *table);
static void describe_binding(const struct sl_amqp_declare *declare, char out[CELL_BYTES]);
static void add_delay_row(const struct ops_topology_report *report, struct ops_table *table);
static void add_extra_rows(const struct ops_topology_report *report, struct ops_table *table);
static void tell_summary(const struct ops_topology_report *report);
static void tell_differences(const struct ops_topology_report *report, size_t i);
static bool tell_programs(const struct ops_topology_report *report, struct sl_err *err);
static void put_object(const struct ops_topology_report *report, size_t i,
                       struct sl_json_writer *json);
static bool delay_state(const struct ops_topology_report *report,
                        enum ops_topology_state *out_state);

size_t ops_topology_count(const struct ops_topology_report *report, enum ops_topology_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < report->plan->count; i++) {
        count += report->seen[i].state == state ? 1 : 0;
    }
    return count;
}

bool ops_topology_tell(const struct ops_topology_report *report, enum ops_output output,
                       struct sl_err *err)
{
    return output == OPS_OUTPUT_JSON    ? tell_programs(report, err)
           : output == OPS_OUTPUT_TABLE ? tell_people(report, err)
                                        : tell_rows(report, output, err);
}

/* ---- people ---- */

static bool tell_people(const struct ops_topology_report *report, struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    add_rows(report, &table);
    add_extra_rows(report, &table);
    if (table.row_count > 0) {
        if (!ops_table_print(&table, OPS_OUTPUT_TABLE, stdout, err)) {
            return false;
        }
        printf("\n");
    }
    for (size_t i = 0; i < report->plan->count; i++) {
        if (report->seen[i].state == OPS_TOPOLOGY_DIFFERS) {
            tell_differences(report, i);
        }
    }
    ops_topology_tell_remedy(report);
    tell_summary(report);
    return true;
}

static bool tell_rows(const struct ops_topology_report *report, enum ops_output output,
                      struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    add_rows(report, &table);
    add_extra_rows(report, &table);
    return ops_table_print(&table, output, stdout, err);
}

/* States that say nothing new are left out unless asked for. */
static bool is_dull(enum ops_topology_state state)
{
    return state == OPS_TOPOLOGY_SAME || state == OPS_TOPOLOGY_ENSURED ||
           state == OPS_TOPOLOGY_UNKNOWN;
}

static void add_rows(const struct ops_topology_report *report, struct ops_table *table)
{
    enum ops_topology_state delays = OPS_TOPOLOGY_SAME;
    bool has_one_delay_row = !report->all && delay_state(report, &delays);
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct ops_topology_step *step = &report->plan->steps[i];
        const struct sl_amqp_declare *declare = &step->declare;
        enum ops_topology_state state = report->seen[i].state;
        if ((!report->all && is_dull(state)) || (has_one_delay_row && step->is_delay)) {
            continue;
        }
        char detail[CELL_BYTES] = "";
        if (declare->source != NULL) {
            describe_binding(declare, detail);
        } else if (declare->kind == SL_AMQP_DECLARE_QUEUE && state == OPS_TOPOLOGY_SAME) {
            unsigned messages = report->seen[i].counts.message_count;
            unsigned consumers = report->seen[i].counts.consumer_count;
            snprintf(detail, sizeof detail, "%u message%s, %u consumer%s", messages,
                     ops_plural(messages), consumers, ops_plural(consumers));
        }
        const char *cells[] = { ops_topology_state_name(state), ops_topology_kind(declare),
                                declare->name, detail };
        ops_table_add(table, cells);
    }
    if (has_one_delay_row && !is_dull(delays)) {
        add_delay_row(report, table);
    }
}

/* A row of stars is told by its length. */
static void describe_binding(const struct sl_amqp_declare *declare, char out[CELL_BYTES])
{
    const char *key = declare->routing_key;
    unsigned stars = 0;
    while (strncmp(key + 2 * stars, "*.", 2) == 0) {
        stars++;
    }
    if (*key == '\0') {
        snprintf(out, CELL_BYTES, "from %s", declare->source);
    } else if (stars > STARS_SHOWN_MAX) {
        snprintf(out, CELL_BYTES, "from %s, key (%u times *.)%s", declare->source, stars,
                 key + 2 * stars);
    } else {
        snprintf(out, CELL_BYTES, "from %s, key %s", declare->source, key);
    }
}

/* True when all delay levels are in the same state, bindings that cannot be asked for aside. */
static bool delay_state(const struct ops_topology_report *report,
                        enum ops_topology_state *out_state)
{
    bool has_state = false;
    for (size_t i = 0; i < report->plan->count; i++) {
        enum ops_topology_state state = report->seen[i].state;
        if (!report->plan->steps[i].is_delay || state == OPS_TOPOLOGY_UNKNOWN ||
            state == OPS_TOPOLOGY_ENSURED) {
            continue;
        }
        if (has_state && state != *out_state) {
            return false;
        }
        *out_state = state;
        has_state = true;
    }
    return has_state && *out_state != OPS_TOPOLOGY_DIFFERS;
}

static void add_delay_row(const struct ops_topology_report *report, struct ops_table *table)
{
    enum ops_topology_state state = OPS_TOPOLOGY_SAME;
    (void)delay_state(report, &state);
    char detail[CELL_BYTES];
    snprintf(detail, sizeof detail, "the retry delays: %u exchanges, %u queues, %u bindings",
             SL_DELAY_LEVELS, SL_DELAY_LEVELS, 2 * SL_DELAY_LEVELS);
    const char *cells[] = { ops_topology_state_name(state), "levels", "sluice.delay.00 to 19",
                            detail };
    ops_table_add(table, cells);
}

static void add_extra_rows(const struct ops_topology_report *report, struct ops_table *table)
{
    for (size_t i = 0; report->bindings != NULL && i < report->bindings->count; i++) {
        const struct ops_binding *binding = &report->bindings->items[i];
        if (!ops_topology_is_extra(report, binding)) {
            continue;
        }
        char name[CELL_BYTES];
        char detail[CELL_BYTES];
        snprintf(name, sizeof name, "%.*s", SL_SPAN_ARGS(binding->destination));
        snprintf(detail, sizeof detail, "from %.*s, key %.*s: no enabled subsystem asks for it",
                 SL_SPAN_ARGS(binding->source), SL_SPAN_ARGS(binding->routing_key));
        const char *cells[] = { "extra", "binding", name, detail };
        ops_table_add(table, cells);
    }
}

static void tell_differences(const struct ops_topology_report *report, size_t i)
{
    const struct sl_amqp_declare *declare = &report->plan->steps[i].declare;
    const struct ops_topology_seen *seen = &report->seen[i];
    printf("%s %s exists but differs; it is left as it is", ops_topology_kind(declare),
           declare->name);
    if (declare->kind == SL_AMQP_DECLARE_QUEUE) {
        printf(" (%u message%s, %u consumer%s)", seen->counts.message_count,
               ops_plural(seen->counts.message_count), seen->counts.consumer_count,
               ops_plural(seen->counts.consumer_count));
    }
    printf(":\n");
    for (size_t j = 0; j < seen->drift_count; j++) {
        const struct ops_drift *drift = &seen->drifts[j];
        printf("  %-26s is %s, should %s%s\n", drift->argument,
               drift->current[0] == '\0' ? "not set" : drift->current,
               drift->wanted[0] == '\0' ? "not be set" : "be ", drift->wanted);
    }
    if (seen->refusal != NULL) {
        printf("  The rest could not be compared; the broker says: %s\n", seen->refusal);
    }
    printf("\n");
}

static void tell_summary(const struct ops_topology_report *report)
{
    static const struct {
        enum ops_topology_state state;
        const char *said; /* the count comes first */
    } parts[] = {
        { OPS_TOPOLOGY_CREATED, "created" },
        { OPS_TOPOLOGY_MISSING, "missing" },
        { OPS_TOPOLOGY_DIFFERS, "different" },
        { OPS_TOPOLOGY_SAME, "as they should be" },
        { OPS_TOPOLOGY_ENSURED, "bindings ensured" },
        { OPS_TOPOLOGY_UNKNOWN, "bindings not known" },
    };
    printf("%s:%u, virtual host %s: ", report->url->hosts[0].name, report->url->hosts[0].port,
           report->url->vhost);
    const char *comma = "";
    for (size_t i = 0; i < SL_COUNT(parts); i++) {
        size_t count = ops_topology_count(report, parts[i].state);
        if (count > 0) {
            bool is_all = count == report->plan->count;
            printf("%s%s%zu %s", comma, is_all ? "all " : "", count, parts[i].said);
            comma = ", ";
        }
    }
    printf("\n");
    if (ops_topology_count(report, OPS_TOPOLOGY_UNKNOWN) > 0) {
        printf("Bindings can be listed only through the management interface: set "
               "RABBITMQ_API_URL. Applying them again is harmless.\n");
    }
    if (!report->is_apply && ops_topology_count(report, OPS_TOPOLOGY_MISSING) > 0) {
        printf("To create what is missing: sluice topology apply\n");
    }
}

/* ---- programs ---- */

static bool tell_programs(const struct ops_topology_report *report, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OUT_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "host", sl_span_of(report->url->hosts[0].name));
    sl_json_put_int(&json, "port", report->url->hosts[0].port);
    sl_json_put_text(&json, "vhost", sl_span_of(report->url->vhost));
    sl_json_put_bool(&json, "bindings_known", report->bindings != NULL);
    sl_json_put_object(&json, "counts");
    for (size_t state = 0; state < OPS_TOPOLOGY_STATES; state++) {
        size_t count = ops_topology_count(report, (enum ops_topology_state)state);
        sl_json_put_int(&json, ops_topology_state_name((enum ops_topology_state)state),
                        (int64_t)count);
    }
    sl_json_object_end(&json);
    sl_json_put_array(&json, "objects");
    for (size_t i = 0; i < report->plan->count; i++) {
        put_object(report, i, &json);
    }
    sl_json_array_end(&json);
    sl_json_put_array(&json, "extra");
    for (size_t i = 0; report->bindings != NULL && i < report->bindings->count; i++) {
        const struct ops_binding *binding = &report->bindings->items[i];
        if (ops_topology_is_extra(report, binding)) {
            sl_json_object_begin(&json);
            sl_json_put_text(&json, "kind", SL_SPAN_LITERAL("binding"));
            sl_json_put_text(&json, "name", binding->destination);
            sl_json_put_text(&json, "source", binding->source);
            sl_json_put_text(&json, "routing_key", binding->routing_key);
            sl_json_object_end(&json);
        }
    }
    sl_json_array_end(&json);
    sl_json_object_end(&json);
    if (!sl_buf_ok(&out)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the report");
    }
    printf("%.*s\n", SL_SPAN_ARGS(sl_buf_span(&out)));
    return true;
}

static void put_object(const struct ops_topology_report *report, size_t i,
                       struct sl_json_writer *json)
{
    const struct ops_topology_step *step = &report->plan->steps[i];
    const struct ops_topology_seen *seen = &report->seen[i];
    sl_json_object_begin(json);
    sl_json_put_text(json, "state", sl_span_of(ops_topology_state_name(seen->state)));
    sl_json_put_text(json, "kind", sl_span_of(ops_topology_kind(&step->declare)));
    sl_json_put_text(json, "name", sl_span_of(step->declare.name));
    if (step->subsystem != NULL) {
        sl_json_put_text(json, "subsystem", sl_span_of(step->subsystem));
    }
    if (step->declare.source != NULL) {
        sl_json_put_text(json, "source", sl_span_of(step->declare.source));
        sl_json_put_text(json, "routing_key", sl_span_of(step->declare.routing_key));
    }
    bool is_there = seen->state == OPS_TOPOLOGY_SAME || seen->state == OPS_TOPOLOGY_DIFFERS;
    if (step->declare.kind == SL_AMQP_DECLARE_QUEUE && is_there) {
        sl_json_put_int(json, "messages", seen->counts.message_count);
        sl_json_put_int(json, "consumers", seen->counts.consumer_count);
    }
    if (seen->state == OPS_TOPOLOGY_DIFFERS) {
        sl_json_put_array(json, "differences");
        for (size_t j = 0; j < seen->drift_count; j++) {
            const struct ops_drift *drift = &seen->drifts[j];
            sl_json_object_begin(json);
            sl_json_put_text(json, "argument", sl_span_of(drift->argument));
            sl_json_put_text(json, "is", sl_span_of(drift->current));
            sl_json_put_text(json, "should_be", sl_span_of(drift->wanted));
            sl_json_object_end(json);
        }
        sl_json_array_end(json);
    }
    sl_json_object_end(json);
}
