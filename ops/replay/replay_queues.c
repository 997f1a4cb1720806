#include "ops/replay/replay_queues.h"

#include <stdio.h>

#include "ops/replay/replay_route.h"
#include "shared/event/delay_route.h"

#define QUEUE_BYTES 128u

static bool is_there(struct ops_broker *broker, const char *subsystem, const char *which,
                     struct sl_amqp_declared *out_counts, struct sl_err *err) SL_MUST;
static enum ops_declared ask(struct ops_broker *broker, const char *subsystem, const char *which,
                             struct sl_amqp_declared *out_counts, struct sl_err *err);

bool ops_replay_queues_check(struct ops_broker *broker, const struct ops_pg_rows *subsystems,
                             struct sl_err *err)
{
    for (size_t row = 0; row < subsystems->row_count; row++) {
        const char *subsystem = ops_pg_cell_text(subsystems, row, 0);
        struct sl_amqp_declared counts = { 0 };
        if (strcmp(subsystem, OPS_UNROUTED_NAME) == 0) {
            continue; /* goes to whatever is bound to its key by now, or comes back */
        }
        if (!is_there(broker, subsystem, "", &counts, err) ||
            !is_there(broker, subsystem, "." SL_DELAY_REPLAY, &counts, err)) {
            return false;
        }
        if (counts.consumer_count == 0) {
            fprintf(stderr,
                    "nobody consumes sluice.%s." SL_DELAY_REPLAY
                    " now: the copies will wait there\n",
                    subsystem);
        }
    }
    return true;
}

/* A work queue that is not there: nobody has it. A queue of replays alone: the topology is older than those. */
static bool is_there(struct ops_broker *broker, const char *subsystem, const char *which,
                     struct sl_amqp_declared *out_counts, struct sl_err *err)
{
    switch (ask(broker, subsystem, which, out_counts, err)) {
    case OPS_DECLARED:
        return true;
    case OPS_DECLARED_MISSING:
        return sl_fail(err, SL_E_AMQP_NOT_FOUND,
                       which[0] == '\0'
                           ? "queue sluice.%s%s does not exist: enable the subsystem and run "
                             "`sluice topology apply`, or replay without it"
                           : "queue sluice.%s%s does not exist: copies of dead letters have a "
                             "queue of their own, which `sluice topology apply` makes",
                       subsystem, which);
    case OPS_DECLARED_CONFLICT:
    case OPS_DECLARED_FAILED:
        break;
    }
    return false;
}

bool ops_replay_queues_are_consumed(struct ops_broker *broker, const struct ops_pg_rows *subsystems,
                                    struct sl_err *err)
{
    for (size_t row = 0; row < subsystems->row_count; row++) {
        const char *subsystem = ops_pg_cell_text(subsystems, row, 0);
        struct sl_amqp_declared counts = { 0 };
        if (!is_there(broker, subsystem, "", &counts, err) ||
            !is_there(broker, subsystem, "." SL_DELAY_REPLAY, &counts, err)) {
            return false;
        }
        if (counts.consumer_count == 0) {
            return sl_fail(err, SL_E_AMQP_NOT_UP,
                           "nobody consumes sluice.%s." SL_DELAY_REPLAY
                           ", so nobody can try them: start sluice-consumer, or `sluice queue "
                           "resume %s` when it is paused; the plan alone needs no consumer",
                           subsystem, subsystem);
        }
    }
    return true;
}

int64_t ops_replay_queues_depth(struct ops_broker *broker, const struct ops_pg_rows *subsystems)
{
    int64_t depth = 0;
    for (size_t row = 0; row < subsystems->row_count; row++) {
        const char *subsystem = ops_pg_cell_text(subsystems, row, 0);
        struct sl_amqp_declared counts = { 0 };
        struct sl_err err = { 0 };
        if (strcmp(subsystem, OPS_UNROUTED_NAME) == 0) {
            continue;
        }
        if (ask(broker, subsystem, "", &counts, &err) != OPS_DECLARED) {
            return -1;
        }
        depth += counts.message_count;
    }
    return depth;
}

static enum ops_declared ask(struct ops_broker *broker, const char *subsystem, const char *which,
                             struct sl_amqp_declared *out_counts, struct sl_err *err)
{
    char queue[QUEUE_BYTES];
    snprintf(queue, sizeof queue, "sluice.%s%s", subsystem, which);
    const struct sl_amqp_declare declare = { .kind = SL_AMQP_DECLARE_QUEUE,
                                             .passive = true,
                                             .name = queue };
    return ops_broker_declare(broker, &declare, out_counts, err);
}
