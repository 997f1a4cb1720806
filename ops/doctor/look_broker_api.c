/* look_broker_api - what only RabbitMQ's management interface tells: version, nodes, alarms, members of queues, policies, permissions. Without it: skipped. */
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/api.h"
#include "ops/doctor/patient.h"

#define ANSWER_BYTES_MAX (16u * 1024u * 1024u)
#define ARENA_BYTES_MAX  (64u * 1024u * 1024u)
#define NODES_MAX        1000000u
#define JSON_DEPTH       5u
#define TEXT_BYTES       192u
#define OURS             "sluice."
#define UNTOLD           INT64_MIN

struct answer {
    struct sl_buf body;
    struct sl_arena arena;
    struct sl_json_parser *parser;
    const struct sl_json *root;
};

static void answer_done(struct answer *answer);
static bool ask(struct ops_patient *patient, bool of_vhost, const char *what, struct answer *answer,
                struct sl_err *err);
static void see_version(struct ops_patient *patient);
static void see_nodes(struct ops_patient *patient);
static void see_node(struct ops_patient *patient, const struct sl_json *node,
                     struct sl_arena *arena);
static void see_worst(struct ops_facts *facts, enum ops_check_id id, int64_t number,
                      const char *which, const char *what);
static int64_t percent(const struct sl_json *node, const char *part, const char *whole);
static void see_queues(struct ops_patient *patient);
static const char *harm_of(const struct sl_json *policy);
static void see_permissions(struct ops_patient *patient);
static void judge_permissions(struct ops_patient *patient, const struct sl_json *row,
                              struct sl_arena *arena);
static bool allows(const struct sl_json *row, struct sl_arena *arena, const char *what,
                   const char *name);
static void text_of(const struct sl_json *value, struct sl_arena *arena, char out[TEXT_BYTES]);

void ops_look_broker_api(struct ops_patient *patient)
{
    if (!patient->has_amqp || ops_address_api(&patient->address) == NULL) {
        ops_facts_skip(&patient->facts, OPS_CHECK_BROKER_VERSION, OPS_CHECK_BROKER_PERMISSIONS,
                       "RABBITMQ_API_URL is not set");
        return;
    }
    see_version(patient);
    if (patient->facts.items[OPS_CHECK_BROKER_VERSION].look == OPS_LOOK_BLIND) {
        ops_facts_skip(&patient->facts, OPS_CHECK_BROKER_NODES, OPS_CHECK_BROKER_PERMISSIONS,
                       "the management interface does not answer");
        return;
    }
    see_nodes(patient);
    see_queues(patient);
    see_permissions(patient);
}

static void see_version(struct ops_patient *patient)
{
    SL_DONE(answer_done) struct answer answer = { 0 };
    struct sl_err why = { 0 };
    char version[TEXT_BYTES];
    if (!ask(patient, false, "overview", &answer, &why)) {
        ops_fact_blind(&patient->facts, OPS_CHECK_BROKER_VERSION, why.text);
        ops_fact_fix(
            &patient->facts, OPS_CHECK_BROKER_VERSION,
            "RABBITMQ_API_URL=http://<user with the tag monitoring>:<password>@<host>:15672");
        return;
    }
    text_of(sl_json_get(answer.root, "rabbitmq_version"), &answer.arena, version);
    char *point = NULL;
    int64_t major = strtoll(version, &point, 10);
    int64_t minor = point != NULL && *point == '.' ? strtoll(point + 1, NULL, 10) : 0;
    ops_fact_see(&patient->facts, OPS_CHECK_BROKER_VERSION, major * 100 + minor, "", "%s", version);
}

/* Nodes ----------------------------------------------------------------------------------------- */

static void see_nodes(struct ops_patient *patient)
{
    SL_DONE(answer_done) struct answer answer = { 0 };
    struct sl_err why = { 0 };
    int64_t count = 0;
    if (!ask(patient, false, "nodes", &answer, &why)) {
        for (size_t id = OPS_CHECK_BROKER_NODES; id <= OPS_CHECK_BROKER_FILES; id++) {
            ops_fact_blind(&patient->facts, (enum ops_check_id)id, why.text);
        }
        return;
    }
    for (const struct sl_json *node = answer.root->first; node != NULL; node = node->next) {
        see_node(patient, node, &answer.arena);
        count++;
    }
    if (patient->facts.items[OPS_CHECK_BROKER_NODES].look == OPS_LOOK_NONE) {
        ops_fact_see(&patient->facts, OPS_CHECK_BROKER_NODES, 0, "", "%" PRId64 " run%s", count,
                     count == 1 ? "s" : "");
    }
    ops_facts_skip(&patient->facts, OPS_CHECK_BROKER_ALARMS, OPS_CHECK_BROKER_FILES,
                   "no node tells");
}

static void see_node(struct ops_patient *patient, const struct sl_json *node,
                     struct sl_arena *arena)
{
    struct ops_facts *facts = &patient->facts;
    const struct sl_json *partitions = sl_json_get(node, "partitions");
    char name[TEXT_BYTES];
    text_of(sl_json_get(node, "name"), arena, name);
    if (!sl_json_true(sl_json_get(node, "running"))) {
        ops_fact_see(facts, OPS_CHECK_BROKER_NODES, 1, "", "%s does not run", name);
        return;
    }
    if (partitions != NULL && partitions->child_count > 0) {
        ops_fact_see(facts, OPS_CHECK_BROKER_NODES, 1, "",
                     "%s does not see all the others: a partition", name);
    }
    bool has_disk = sl_json_true(sl_json_get(node, "disk_free_alarm"));
    bool has_memory = sl_json_true(sl_json_get(node, "mem_alarm"));
    char disk[TEXT_BYTES];
    int64_t disk_percent = percent(node, "disk_free", "disk_free_limit");
    snprintf(disk, sizeof disk, "free space is %" PRId64 " %% of the limit", disk_percent);
    see_worst(facts, OPS_CHECK_BROKER_ALARMS, (has_disk ? 1 : 0) + (has_memory ? 1 : 0), name,
              has_disk && has_memory ? "disk and memory"
              : has_disk             ? "disk"
                                     : "memory");
    see_worst(facts, OPS_CHECK_BROKER_DISK, disk_percent, name, disk);
    see_worst(facts, OPS_CHECK_BROKER_MEMORY, percent(node, "mem_used", "mem_limit"), name, "");
    see_worst(facts, OPS_CHECK_BROKER_FILES, percent(node, "fd_used", "fd_total"), name, "");
}

/* Of all nodes the one that is worst off. */
static void see_worst(struct ops_facts *facts, enum ops_check_id id, int64_t number,
                      const char *which, const char *what)
{
    const struct ops_fact *known = &facts->items[id];
    if (number == UNTOLD) {
        return;
    }
    bool less_is_worse = ops_check_at(id)->warn_below != 0;
    bool is_worse = known->look == OPS_LOOK_NONE ||
                    (less_is_worse ? number < known->number : number > known->number);
    if (is_worse) {
        ops_fact_see(facts, id, number, which, "%s", what);
    }
}

/* UNTOLD by a node that has only just started. */
static int64_t percent(const struct sl_json *node, const char *part, const char *whole)
{
    int64_t some = 0;
    int64_t all = 0;
    bool is_told = sl_json_int(sl_json_get(node, part), &some) &&
                   sl_json_int(sl_json_get(node, whole), &all) && all > 0;
    return is_told ? (int64_t)((double)some / (double)all * 100.0) : UNTOLD;
}

/* Queues ---------------------------------------------------------------------------------------- */

static void see_queues(struct ops_patient *patient)
{
    SL_DONE(answer_done) struct answer answer = { 0 };
    struct sl_err why = { 0 };
    char name[TEXT_BYTES];
    char lacking[TEXT_BYTES] = "";
    int64_t lacks = 0;
    if (!ask(patient, true, "queues", &answer, &why)) {
        ops_fact_blind(&patient->facts, OPS_CHECK_BROKER_QUORUM, why.text);
        ops_fact_blind(&patient->facts, OPS_CHECK_BROKER_POLICY, why.text);
        return;
    }
    ops_fact_see(&patient->facts, OPS_CHECK_BROKER_POLICY, 0, "", " ");
    for (const struct sl_json *queue = answer.root->first; queue != NULL; queue = queue->next) {
        text_of(sl_json_get(queue, "name"), &answer.arena, name);
        if (strncmp(name, OURS, strlen(OURS)) != 0) {
            continue;
        }
        const struct sl_json *members = sl_json_get(queue, "members");
        const struct sl_json *online = sl_json_get(queue, "online");
        if (members != NULL && online != NULL && online->child_count < members->child_count) {
            snprintf(lacking, sizeof lacking, "%s", name);
            lacks++;
        }
        const char *harm = harm_of(sl_json_get(queue, "effective_policy_definition"));
        if (harm != NULL) {
            ops_fact_see(&patient->facts, OPS_CHECK_BROKER_POLICY, 1, name, "%s", harm);
        }
    }
    ops_fact_see(&patient->facts, OPS_CHECK_BROKER_QUORUM, lacks, "", "%s", lacking);
}

static const char *harm_of(const struct sl_json *policy)
{
    static const char *const harms[] = { "max-length", "max-length-bytes", "message-ttl",
                                         "expires" };
    for (size_t i = 0; i < SL_COUNT(harms); i++) {
        if (!sl_json_is_null(sl_json_get(policy, harms[i]))) {
            return harms[i];
        }
    }
    return NULL;
}

/* Permissions ----------------------------------------------------------------------------------- */

static void see_permissions(struct ops_patient *patient)
{
    SL_DONE(answer_done) struct answer answer = { 0 };
    struct sl_err why = { 0 };
    char user[TEXT_BYTES];
    char vhost[TEXT_BYTES];
    if (!ask(patient, false, "permissions", &answer, &why)) {
        ops_fact_skip(&patient->facts, OPS_CHECK_BROKER_PERMISSIONS,
                      "only a user with the tag administrator may look");
        return;
    }
    for (const struct sl_json *row = answer.root->first; row != NULL; row = row->next) {
        text_of(sl_json_get(row, "user"), &answer.arena, user);
        text_of(sl_json_get(row, "vhost"), &answer.arena, vhost);
        if (strcmp(user, patient->amqp.user) == 0 && strcmp(vhost, patient->amqp.vhost) == 0) {
            judge_permissions(patient, row, &answer.arena);
            return;
        }
    }
    ops_fact_see(&patient->facts, OPS_CHECK_BROKER_PERMISSIONS, 1, patient->amqp.user,
                 "%s may do nothing in %s", patient->amqp.user, patient->amqp.vhost);
}

static void judge_permissions(struct ops_patient *patient, const struct sl_json *row,
                              struct sl_arena *arena)
{
    static const struct {
        const char *what;
        const char *name;
        const char *lack;
    } needs[] = {
        { "write", "sluice.events", "publish to sluice.events" },
        { "write", "sluice.parked", "write to sluice.parked" },
        { "read", "sluice.billing", "read sluice.billing" },
        { "configure", "sluice.billing", "declare sluice.billing (topology apply needs it)" },
    };
    for (size_t i = 0; i < SL_COUNT(needs); i++) {
        if (!allows(row, arena, needs[i].what, needs[i].name)) {
            ops_fact_see(&patient->facts, OPS_CHECK_BROKER_PERMISSIONS, 1, patient->amqp.user,
                         "%s may not %s", patient->amqp.user, needs[i].lack);
            return;
        }
    }
    ops_fact_see(&patient->facts, OPS_CHECK_BROKER_PERMISSIONS, 0, "",
                 "%s may publish, consume and declare", patient->amqp.user);
}

/* RabbitMQ's patterns are PCRE; what this cannot read is given the benefit of the doubt. */
static bool allows(const struct sl_json *row, struct sl_arena *arena, const char *what,
                   const char *name)
{
    char pattern[TEXT_BYTES];
    regex_t regex;
    text_of(sl_json_get(row, what), arena, pattern);
    if (pattern[0] == '\0') {
        return false;
    }
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return true;
    }
    bool is_allowed = regexec(&regex, name, 0, NULL, 0) == 0;
    regfree(&regex);
    return is_allowed;
}

/* JSON ------------------------------------------------------------------------------------------ */

static bool ask(struct ops_patient *patient, bool of_vhost, const char *what, struct answer *answer,
                struct sl_err *err)
{
    const char *api_url = ops_address_api(&patient->address);
    sl_buf_init(&answer->body, ANSWER_BYTES_MAX);
    sl_arena_init(&answer->arena, ARENA_BYTES_MAX);
    bool is_heard = of_vhost ? ops_api_get(api_url, &patient->amqp, what, &answer->body, err)
                             : ops_api_get_all(api_url, &patient->amqp, what, &answer->body, err);
    if (!is_heard) {
        return false;
    }
    answer->parser = sl_json_parser_new(answer->body.used_bytes + 1);
    if (answer->parser == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the broker's answer");
    }
    answer->root = sl_json_parse(answer->parser, &answer->arena, sl_buf_span(&answer->body),
                                 JSON_DEPTH, NODES_MAX, err);
    return answer->root != NULL;
}

static void answer_done(struct answer *answer)
{
    sl_json_parser_free(answer->parser);
    sl_arena_done(&answer->arena);
    sl_buf_done(&answer->body);
}

static void text_of(const struct sl_json *value, struct sl_arena *arena, char out[TEXT_BYTES])
{
    struct sl_span text = sl_json_text(value, arena, true, NULL);
    snprintf(out, TEXT_BYTES, "%.*s", text.data == NULL ? 0 : (int)text.bytes,
             text.data == NULL ? "" : text.data);
}
