/* look_broker - the broker over AMQP: the way to a confirmed publish, what is declared, who consumes and what waits. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/doctor/broker_way.h"
#include "ops/doctor/patient.h"
#include "ops/topology/topology_settle.h"

#define BINDINGS_ARENA_BYTES (256u * 1024u * 1024u)
#define NAME_BYTES           128u
#define NAMES_BYTES          256u
#define UNROUTED             "sluice.unrouted"

/* A list of names, cut where it is full. */
struct names {
    char text[NAMES_BYTES];
    size_t used;
    int64_t count;
};

static void see_topology(struct ops_patient *patient, struct ops_broker *broker);
static void compare(struct ops_patient *patient, struct ops_broker *broker,
                    const struct ops_topology_plan *plan, struct sl_arena *arena);
static void tell_topology(struct ops_patient *patient, const struct ops_topology_plan *plan,
                          const struct ops_topology_seen *seen);
static void see_queues(struct ops_patient *patient, struct ops_broker *broker);
static bool is_paused(const struct ops_patient *patient, const char *name);
static bool count(struct ops_broker *broker, const char *name, struct sl_amqp_declared *out,
                  struct sl_err *err);
static void put_name(struct names *names, const char *fmt, ...) SL_PRINTF(2, 3);

void ops_look_broker(struct ops_patient *patient)
{
    struct ops_facts *facts = &patient->facts;
    SL_AUTO(ops_broker_free) struct ops_broker *broker = NULL;
    struct sl_err why = { 0 };
    if (!patient->has_amqp) {
        ops_facts_skip(facts, OPS_CHECK_BROKER_WAY, OPS_CHECK_QUEUE_UNROUTED,
                       "AMQP_URL is not set, or cannot be read");
        return;
    }
    enum ops_layer failed = ops_broker_way(&patient->address, &broker, &why);
    if (failed == OPS_LAYERS) {
        ops_fact_see(facts, OPS_CHECK_BROKER_WAY, 0, "", " ");
    } else if (why.code == SL_E_CONFIG) {
        ops_fact_skip(facts, OPS_CHECK_BROKER_WAY, "the configuration is wrong: config.keys");
    } else {
        ops_fact_see(facts, OPS_CHECK_BROKER_WAY, 1, ops_layer_name(failed), "%s", why.text);
        ops_fact_fix(facts, OPS_CHECK_BROKER_WAY, ops_layer_remedy(failed));
    }
    if (broker != NULL) {
        see_topology(patient, broker);
        see_queues(patient, broker);
    }
    static const char unreached[] = "the broker cannot be reached";
    ops_facts_skip(facts, OPS_CHECK_BROKER_TOPOLOGY, OPS_CHECK_BROKER_DRIFT, unreached);
    ops_facts_skip(facts, OPS_CHECK_QUEUE_CONSUMERS, OPS_CHECK_QUEUE_UNROUTED, unreached);
}

/* What is declared ------------------------------------------------------------------------------ */

static void see_topology(struct ops_patient *patient, struct ops_broker *broker)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    struct ops_topology_plan plan = { 0 };
    struct sl_err why = { 0 };
    sl_arena_init(&arena, BINDINGS_ARENA_BYTES);
    if (patient->subsystems.count == 0) {
        ops_facts_skip(&patient->facts, OPS_CHECK_BROKER_TOPOLOGY, OPS_CHECK_BROKER_DRIFT,
                       "the file of subsystems cannot be read");
    } else if (ops_topology_plan_make(&patient->subsystems, &arena, &plan, &why)) {
        compare(patient, broker, &plan, &arena);
    } else {
        ops_fact_blind(&patient->facts, OPS_CHECK_BROKER_TOPOLOGY, why.text);
    }
}

static void compare(struct ops_patient *patient, struct ops_broker *broker,
                    const struct ops_topology_plan *plan, struct sl_arena *arena)
{
    const char *api_url = ops_address_api(&patient->address);
    struct ops_bindings bindings = { 0 };
    struct sl_err why = { 0 };
    bool has_bindings = api_url != NULL &&
                        ops_bindings_list(api_url, ops_broker_url(broker), arena, &bindings, &why);
    struct ops_topology_seen *seen = sl_arena_array(arena, plan->count, sizeof *seen);
    const struct ops_topology_settling settling = {
        .broker = broker, .plan = plan, .bindings = has_bindings ? &bindings : NULL, .arena = arena
    };
    if (seen != NULL && ops_topology_settle(&settling, seen, &why)) {
        tell_topology(patient, plan, seen);
    } else {
        ops_fact_blind(&patient->facts, OPS_CHECK_BROKER_TOPOLOGY, why.text);
        ops_fact_blind(&patient->facts, OPS_CHECK_BROKER_DRIFT, why.text);
    }
}

static void tell_topology(struct ops_patient *patient, const struct ops_topology_plan *plan,
                          const struct ops_topology_seen *seen)
{
    struct names missing = { 0 };
    struct names different = { 0 };
    for (size_t i = 0; i < plan->count; i++) {
        const struct sl_amqp_declare *declare = &plan->steps[i].declare;
        if (seen[i].state == OPS_TOPOLOGY_MISSING) {
            put_name(&missing, "%s %s", ops_topology_kind(declare), declare->name);
        } else if (seen[i].state == OPS_TOPOLOGY_DIFFERS && seen[i].drift_count > 0) {
            const struct ops_drift *drift = &seen[i].drifts[0];
            put_name(&different, "%s has %s %s, ours is %s", declare->name, drift->argument,
                     drift->current[0] == '\0' ? "unset" : drift->current,
                     drift->wanted[0] == '\0' ? "unset" : drift->wanted);
        } else if (seen[i].state == OPS_TOPOLOGY_DIFFERS) {
            put_name(&different, "%s", declare->name);
        }
    }
    ops_fact_see(&patient->facts, OPS_CHECK_BROKER_TOPOLOGY, missing.count, "", "%s", missing.text);
    ops_fact_see(&patient->facts, OPS_CHECK_BROKER_DRIFT, different.count, "", "%s",
                 different.text);
}

/* What is in them ------------------------------------------------------------------------------- */

static void see_queues(struct ops_patient *patient, struct ops_broker *broker)
{
    struct names lonely = { 0 };
    struct sl_amqp_declared counts = { 0 };
    struct sl_err why = { 0 };
    const char *first = "";
    const char *longest = "";
    const char *parked_of = "";
    int64_t most = 0;
    int64_t parked = 0;
    bool is_well = true;
    for (size_t i = 0; i < patient->subsystems.count && is_well; i++) {
        const struct sl_subsystem *one = &patient->subsystems.items[i];
        char name[NAME_BYTES];
        if (!one->enabled) {
            continue;
        }
        is_well = count(broker, one->queue, &counts, &why);
        if (is_well && counts.consumer_count == 0 && !is_paused(patient, one->name)) {
            first = lonely.count == 0 ? one->name : first;
            put_name(&lonely, "nobody consumes %s", one->queue);
        }
        longest = (int64_t)counts.message_count >= most ? one->name : longest;
        most = (int64_t)counts.message_count >= most ? (int64_t)counts.message_count : most;
        snprintf(name, sizeof name, "%s.parked", one->queue);
        is_well = is_well && count(broker, name, &counts, &why);
        parked_of = (int64_t)counts.message_count > parked ? one->name : parked_of;
        parked += counts.message_count;
    }
    is_well = is_well && count(broker, UNROUTED, &counts, &why);
    if (!is_well) {
        for (size_t id = OPS_CHECK_QUEUE_CONSUMERS; id <= OPS_CHECK_QUEUE_UNROUTED; id++) {
            ops_fact_blind(&patient->facts, (enum ops_check_id)id, why.text);
        }
        return;
    }
    ops_fact_see(&patient->facts, OPS_CHECK_QUEUE_CONSUMERS, lonely.count, first, "%s",
                 lonely.text);
    ops_fact_see(&patient->facts, OPS_CHECK_QUEUE_WAITING, most, longest, " ");
    ops_fact_see(&patient->facts, OPS_CHECK_QUEUE_PARKED, parked, parked_of, " ");
    ops_fact_see(&patient->facts, OPS_CHECK_QUEUE_UNROUTED, counts.message_count, "", " ");
}

/* Nobody consumes what is paused; that is named by itself. */
static bool is_paused(const struct ops_patient *patient, const char *name)
{
    const struct ops_fact *paused = &patient->facts.items[OPS_CHECK_CONSUMER_PAUSED];
    return paused->look == OPS_LOOK_SEEN && paused->number > 0 &&
           (strstr(paused->what, name) != NULL || strstr(paused->what, "every subsystem") != NULL);
}

/* A queue that is not there holds nothing and is named elsewhere. */
static bool count(struct ops_broker *broker, const char *name, struct sl_amqp_declared *out,
                  struct sl_err *err)
{
    const struct sl_amqp_declare question = { .kind = SL_AMQP_DECLARE_QUEUE,
                                              .passive = true,
                                              .name = name };
    *out = (struct sl_amqp_declared){ .consumer_count = 1 };
    struct sl_amqp_declared counts = { 0 };
    enum ops_declared answer = ops_broker_declare(broker, &question, &counts, err);
    if (answer == OPS_DECLARED) {
        *out = counts;
    }
    return answer == OPS_DECLARED || answer == OPS_DECLARED_MISSING;
}

static void put_name(struct names *names, const char *fmt, ...)
{
    char one[NAMES_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(one, sizeof one, fmt, args);
    va_end(args);
    int bytes = snprintf(names->text + names->used, sizeof names->text - names->used, "%s%s",
                         names->count == 0 ? "" : "; ", one);
    bool fits = bytes > 0 && names->used + (size_t)bytes < sizeof names->text;
    names->used += fits ? (size_t)bytes : 0;
    names->text[names->used] = '\0';
    names->count++;
}
