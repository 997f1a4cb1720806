#include "ops/doctor/doctor_broker.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "ops/api.h"
#include "ops/commands.h"
#include "ops/doctor/broker_way.h"
#include "ops/table.h"
#include "shared/json/json.h"

#define EX_FOUND         1
#define TEXT_BYTES       512u
#define ANSWER_BYTES_MAX (4u * 1024u * 1024u)
#define ARENA_BYTES_MAX  (16u * 1024u * 1024u)
#define JSON_DEPTH       4u
#define NODES_MAX        100000u
#define MIB              (1024 * 1024)

const char ops_doctor_broker_usage[] = OPS_USAGE_ROWS
    "Reads AMQP_URL and, for the alarms, RABBITMQ_API_URL. Names the first layer that fails, why, and what to do.\n"
    "Nothing is created and nothing stays behind. Exit status: 0 all is well; 1 something is wrong.\n";

static const struct ops_column columns[] = {
    { .title = "LAYER" }, { .title = "VERDICT" }, { .title = "DETAIL" }, { .title = "DO" }
};

struct doctor {
    enum ops_output output;
    struct ops_address address;
    struct sl_amqp_url url;
    struct ops_table table;
    size_t wrong;
};

static void doctor_done(struct doctor *doctor);
static bool examine(struct doctor *doctor, struct sl_err *err);
static void tell_until(struct doctor *doctor, enum ops_layer failed, const struct sl_err *why);
static void look_at_nodes(struct doctor *doctor);
static void look_at_node(struct doctor *doctor, const struct sl_json *node, struct sl_arena *arena);
static void add(struct doctor *doctor, const char *layer, const char *verdict, const char *detail,
                const char *remedy);

int ops_doctor_broker(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(doctor_done) struct doctor doctor = { 0 };
    const struct ops_flag flags[] = { OPS_FLAGS_ROWS(doctor.output) };
    int first = 0;
    ops_table_init(&doctor.table, columns, SL_COUNT(columns));
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, &err) ||
        !ops_address_open(&doctor.address, &err) ||
        !ops_address_amqp(&doctor.address, &doctor.url, &err) || !examine(&doctor, &err) ||
        !ops_table_print(&doctor.table, doctor.output, stdout, &err)) {
        return ops_report("doctor broker", &err);
    }
    return doctor.wrong == 0 ? EX_OK : EX_FOUND;
}

static void doctor_done(struct doctor *doctor)
{
    sl_amqp_url_done(&doctor->url);
    ops_address_done(&doctor->address);
    ops_table_done(&doctor->table);
}

/* False only without memory, or for a configuration that names no broker. */
static bool examine(struct doctor *doctor, struct sl_err *err)
{
    struct sl_err why = { 0 };
    SL_AUTO(ops_broker_free) struct ops_broker *broker = NULL;
    enum ops_layer failed = ops_broker_way(&doctor->address, &broker, &why);
    if (failed != OPS_LAYERS && (why.code == SL_E_MEMORY || why.code == SL_E_CONFIG)) {
        *err = why;
        return false;
    }
    tell_until(doctor, failed, failed == OPS_LAYERS ? NULL : &why);
    look_at_nodes(doctor);
    return true;
}

/* What is before the layer that failed is well, what is behind it was not reached. */
static void tell_until(struct doctor *doctor, enum ops_layer failed, const struct sl_err *why)
{
    char hosts[TEXT_BYTES] = "";
    size_t used = 0;
    for (size_t i = 0; i < doctor->url.host_count && used < sizeof hosts; i++) {
        used += (size_t)snprintf(hosts + used, sizeof hosts - used, "%s%s:%u", i == 0 ? "" : ", ",
                                 doctor->url.hosts[i].name, (unsigned)doctor->url.hosts[i].port);
    }
    for (enum ops_layer layer = 0; layer < OPS_LAYERS; layer++) {
        const char *name = ops_layer_name(layer);
        const char *detail = layer == OPS_LAYER_DNS        ? hosts
                             : layer == OPS_LAYER_LOGIN    ? doctor->url.user
                             : layer == OPS_LAYER_VHOST    ? doctor->url.vhost
                             : layer == OPS_LAYER_EXCHANGE ? OPS_WAY_EXCHANGE
                                                           : "";
        if (layer == OPS_LAYER_TLS && !doctor->url.is_tls && layer != failed) {
            add(doctor, name, "not used", "", "");
        } else if (layer < failed) {
            add(doctor, name, "ok", detail, "");
        } else if (layer == failed) {
            add(doctor, name, "FAILS", why->text, ops_layer_remedy(layer));
        } else {
            add(doctor, name, "not reached", "", "");
        }
    }
}

static void look_at_nodes(struct doctor *doctor)
{
    const char *api_url = ops_address_api(&doctor->address);
    struct sl_err why = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_buf_init(&body, ANSWER_BYTES_MAX);
    sl_arena_init(&arena, ARENA_BYTES_MAX);
    if (api_url == NULL) {
        add(doctor, "alarms", "unknown", "RABBITMQ_API_URL is not set",
            "set it to see memory and disk");
        return;
    }
    if (!ops_api_get_all(api_url, &doctor->url, "nodes", &body, &why)) {
        bool is_away = why.code == SL_E_HTTP_UNREACHABLE || why.code == SL_E_NET_RESOLVE;
        add(doctor, "alarms", "unknown", why.text,
            is_away ? "nobody listens there: the broker is down, or RABBITMQ_API_URL is wrong"
                    : "a user with the tag monitoring may look there");
        return;
    }
    SL_AUTO(sl_json_parser_free)
    struct sl_json_parser *parser = sl_json_parser_new(body.used_bytes + 1);
    const struct sl_json *nodes = parser == NULL ? NULL
                                                 : sl_json_parse(parser, &arena, sl_buf_span(&body),
                                                                 JSON_DEPTH, NODES_MAX, &why);
    if (nodes == NULL) {
        add(doctor, "alarms", "unknown", why.text, "");
        return;
    }
    for (const struct sl_json *node = nodes->first; node != NULL; node = node->next) {
        look_at_node(doctor, node, &arena);
    }
}

static void look_at_node(struct doctor *doctor, const struct sl_json *node, struct sl_arena *arena)
{
    char layer[TEXT_BYTES];
    char detail[TEXT_BYTES];
    int64_t free_bytes = -1;
    int64_t limit_bytes = -1;
    int64_t used_bytes = -1;
    int64_t most_bytes = -1;
    struct sl_span name = sl_json_text(sl_json_get(node, "name"), arena, true, NULL);
    snprintf(layer, sizeof layer, "node %.*s", SL_SPAN_ARGS(name));
    if (!sl_json_true(sl_json_get(node, "running"))) {
        add(doctor, layer, "FAILS", "it does not run",
            "start it: a quorum needs most of its nodes");
        return;
    }
    (void)sl_json_int(sl_json_get(node, "disk_free"), &free_bytes);
    (void)sl_json_int(sl_json_get(node, "disk_free_limit"), &limit_bytes);
    (void)sl_json_int(sl_json_get(node, "mem_used"), &used_bytes);
    (void)sl_json_int(sl_json_get(node, "mem_limit"), &most_bytes);
    bool has_disk_alarm = sl_json_true(sl_json_get(node, "disk_free_alarm"));
    bool has_memory_alarm = sl_json_true(sl_json_get(node, "mem_alarm"));
    snprintf(detail, sizeof detail,
             "%s%sdisk %" PRId64 " MiB free (alarm below %" PRId64 "), memory %" PRId64
             " of %" PRId64 " MiB",
             has_disk_alarm ? "disk alarm, " : "", has_memory_alarm ? "memory alarm, " : "",
             free_bytes / MIB, limit_bytes / MIB, used_bytes / MIB, most_bytes / MIB);
    add(doctor, layer, has_disk_alarm || has_memory_alarm ? "FAILS" : "ok", detail,
        has_disk_alarm     ? "free disk space on it: it takes no publishes until then"
        : has_memory_alarm ? "drain its queues, or give it memory: it takes no publishes until then"
                           : "");
}

static void add(struct doctor *doctor, const char *layer, const char *verdict, const char *detail,
                const char *remedy)
{
    doctor->wrong += strcmp(verdict, "FAILS") == 0 ? 1 : 0;
    ops_table_add(&doctor->table, (const char *const[]){ layer, verdict, detail, remedy });
}
