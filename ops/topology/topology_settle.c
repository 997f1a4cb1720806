#include "ops/topology/topology_settle.h"

#define DRIFTS_MAX 10u

static bool settle_object(const struct ops_topology_settling *settling,
                          const struct sl_amqp_declare *declare, struct ops_topology_seen *seen,
                          struct sl_err *err);
static bool settle_binding(const struct ops_topology_settling *settling,
                           const struct sl_amqp_declare *declare,
                           const struct ops_topology_seen *all, struct ops_topology_seen *seen,
                           struct sl_err *err);
static bool find_drifts(const struct ops_topology_settling *settling,
                        const struct sl_amqp_declare *declare, const struct sl_err *first,
                        struct ops_topology_seen *seen, struct sl_err *err);
static enum ops_topology_state state_of(const struct ops_topology_settling *settling,
                                        const struct ops_topology_seen *all,
                                        enum sl_amqp_declare_kind kind, const char *name);

const char *ops_topology_state_name(enum ops_topology_state state)
{
    switch (state) {
    case OPS_TOPOLOGY_SAME:
        return "unchanged";
    case OPS_TOPOLOGY_CREATED:
        return "created";
    case OPS_TOPOLOGY_ENSURED:
        return "ensured";
    case OPS_TOPOLOGY_MISSING:
        return "missing";
    case OPS_TOPOLOGY_DIFFERS:
        return "differs";
    case OPS_TOPOLOGY_UNKNOWN:
        return "unknown";
    }
    return "?";
}

bool ops_topology_settle(const struct ops_topology_settling *settling,
                         struct ops_topology_seen *seen, struct sl_err *err)
{
    for (size_t i = 0; i < settling->plan->count; i++) {
        const struct sl_amqp_declare *declare = &settling->plan->steps[i].declare;
        bool is_binding =
            declare->kind == SL_AMQP_BIND_QUEUE || declare->kind == SL_AMQP_BIND_EXCHANGE;
        bool is_settled = is_binding ? settle_binding(settling, declare, seen, &seen[i], err)
                                     : settle_object(settling, declare, &seen[i], err);
        if (!is_settled) {
            return sl_err_wrap(err, "%s %s", ops_topology_kind(declare), declare->name);
        }
    }
    return true;
}

static bool settle_object(const struct ops_topology_settling *settling,
                          const struct sl_amqp_declare *declare, struct ops_topology_seen *seen,
                          struct sl_err *err)
{
    struct sl_amqp_declare question = *declare;
    question.passive = true;
    enum ops_declared there = ops_broker_declare(settling->broker, &question, &seen->counts, err);
    if (there == OPS_DECLARED_FAILED || there == OPS_DECLARED_CONFLICT) {
        return false;
    }
    if (there == OPS_DECLARED_MISSING && !settling->may_create) {
        seen->state = OPS_TOPOLOGY_MISSING;
        return true;
    }
    struct sl_err refusal = { 0 };
    switch (ops_broker_declare(settling->broker, declare, NULL, &refusal)) {
    case OPS_DECLARED:
        seen->state = there == OPS_DECLARED ? OPS_TOPOLOGY_SAME : OPS_TOPOLOGY_CREATED;
        return true;
    case OPS_DECLARED_CONFLICT:
        seen->state = OPS_TOPOLOGY_DIFFERS;
        return find_drifts(settling, declare, &refusal, seen, err);
    case OPS_DECLARED_MISSING:
    case OPS_DECLARED_FAILED:
        break;
    }
    *err = refusal;
    return false;
}

/* Takes over one reported difference after the other until the broker has no more of them. */
static bool find_drifts(const struct ops_topology_settling *settling,
                        const struct sl_amqp_declare *declare, const struct sl_err *first,
                        struct ops_topology_seen *seen, struct sl_err *err)
{
    struct sl_err refusal = *first;
    struct sl_amqp_declare question = *declare;
    seen->drifts = sl_arena_array(settling->arena, DRIFTS_MAX, sizeof *seen->drifts);
    if (seen->drifts == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the differences");
    }
    while (seen->drift_count < DRIFTS_MAX) {
        struct ops_drift *drift = &seen->drifts[seen->drift_count];
        struct sl_amqp_header *arguments = sl_arena_array(
            settling->arena, question.argument_count + 1, sizeof *question.arguments);
        struct sl_amqp_declare conceded = { 0 };
        if (arguments == NULL) {
            return sl_fail(err, SL_E_MEMORY, "no memory for the differences");
        }
        bool is_named = ops_drift_parse(sl_span_of(refusal.text), drift);
        seen->drift_count += is_named ? 1 : 0;
        if (!is_named || !ops_drift_concede(&question, drift, arguments, &conceded)) {
            break;
        }
        question = conceded;
        enum ops_declared answer = ops_broker_declare(settling->broker, &question, NULL, &refusal);
        if (answer == OPS_DECLARED) {
            return true;
        }
        if (answer != OPS_DECLARED_CONFLICT) {
            *err = refusal;
            return false;
        }
    }
    seen->refusal = sl_arena_copy(settling->arena, sl_span_of(refusal.text)).data;
    return true;
}

static bool settle_binding(const struct ops_topology_settling *settling,
                           const struct sl_amqp_declare *declare,
                           const struct ops_topology_seen *all, struct ops_topology_seen *seen,
                           struct sl_err *err)
{
    enum sl_amqp_declare_kind end =
        declare->kind == SL_AMQP_BIND_EXCHANGE ? SL_AMQP_DECLARE_EXCHANGE : SL_AMQP_DECLARE_QUEUE;
    enum ops_topology_state source =
        state_of(settling, all, SL_AMQP_DECLARE_EXCHANGE, declare->source);
    enum ops_topology_state destination = state_of(settling, all, end, declare->name);
    bool is_known = settling->bindings != NULL;
    if (is_known && ops_bindings_have(settling->bindings, declare)) {
        seen->state = OPS_TOPOLOGY_SAME;
        return true;
    }
    if (!settling->may_create) {
        bool is_missing =
            is_known || source == OPS_TOPOLOGY_MISSING || destination == OPS_TOPOLOGY_MISSING;
        seen->state = is_missing ? OPS_TOPOLOGY_MISSING : OPS_TOPOLOGY_UNKNOWN;
        return true;
    }
    if (ops_broker_declare(settling->broker, declare, NULL, err) != OPS_DECLARED) {
        return false;
    }
    bool is_new = is_known || source == OPS_TOPOLOGY_CREATED || destination == OPS_TOPOLOGY_CREATED;
    seen->state = is_new ? OPS_TOPOLOGY_CREATED : OPS_TOPOLOGY_ENSURED;
    return true;
}

/* Objects come before the bindings that name them. */
static enum ops_topology_state state_of(const struct ops_topology_settling *settling,
                                        const struct ops_topology_seen *all,
                                        enum sl_amqp_declare_kind kind, const char *name)
{
    for (size_t i = 0; i < settling->plan->count; i++) {
        const struct sl_amqp_declare *declare = &settling->plan->steps[i].declare;
        if (declare->kind == kind && strcmp(declare->name, name) == 0) {
            return all[i].state;
        }
    }
    return OPS_TOPOLOGY_UNKNOWN;
}
