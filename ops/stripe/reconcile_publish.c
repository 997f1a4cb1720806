#include "ops/stripe/reconcile_publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/event/event_message.h"

#define YIELD_MS_MAX  (10 * 60 * 1000)
#define YIELD_LOOK_NS 500000000
#define US_PER_S      1000000

static bool open_links(struct ops_reconcile_publisher *publisher, struct sl_err *err);
static bool yield_to_live(struct ops_reconcile_publisher *publisher, struct sl_err *err);
static bool write_messages(struct sl_arena *arena, const struct sl_envelope *const *events,
                           size_t count, struct sl_buf *bytes, struct sl_amqp_message *out_messages,
                           struct sl_err *err);

void ops_reconcile_publisher_done(struct ops_reconcile_publisher *publisher)
{
    ops_courier_free(publisher->courier);
    ops_broker_free(publisher->broker);
}

bool ops_reconcile_publish(struct ops_reconcile_publisher *publisher,
                           const struct sl_envelope *const *events, size_t count,
                           enum sl_publish_outcome *out_outcomes, struct sl_err *err)
{
    SL_ASSERT(count > 0);
    SL_ASSERT(count <= OPS_COURIER_BATCH_MAX);
    struct sl_amqp_message messages[OPS_COURIER_BATCH_MAX] = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    if (!open_links(publisher, err) || !yield_to_live(publisher, err) ||
        !write_messages(publisher->arena, events, count, &bytes, messages, err) ||
        !ops_courier_send(publisher->courier, messages, count, US_PER_S / publisher->rate,
                          out_outcomes, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        publisher->since_yield += out_outcomes[i] == SL_PUBLISH_CONFIRMED ? 1 : 0;
    }
    return true;
}

static bool open_links(struct ops_reconcile_publisher *publisher, struct sl_err *err)
{
    if (publisher->courier != NULL) {
        return true;
    }
    publisher->broker = ops_broker_new(publisher->address, 0, err);
    publisher->courier =
        publisher->broker == NULL ? NULL : ops_courier_new(publisher->address, err);
    return publisher->courier != NULL;
}

/* After each batch, until no more than a batch waits in the subsystem's queue: live events come first. */
static bool yield_to_live(struct ops_reconcile_publisher *publisher, struct sl_err *err)
{
    if (publisher->since_yield < publisher->batch) {
        return true;
    }
    char queue[128];
    snprintf(queue, sizeof queue, "sluice.%s", publisher->subsystem);
    const struct sl_amqp_declare ask = { .kind = SL_AMQP_DECLARE_QUEUE,
                                         .passive = true,
                                         .name = queue };
    static const struct timespec pause = { .tv_nsec = YIELD_LOOK_NS };
    int64_t until_ms = sl_clock_mono_ms() + YIELD_MS_MAX;
    for (;;) {
        struct sl_amqp_declared found = { 0 };
        if (ops_broker_declare(publisher->broker, &ask, &found, err) != OPS_DECLARED) {
            return false;
        }
        if ((int64_t)found.message_count <= publisher->batch) {
            publisher->since_yield = 0;
            return true;
        }
        if (sl_clock_mono_ms() >= until_ms) {
            return sl_fail(err, SL_E_DEADLINE,
                           "%" PRId64 " events wait in %s and do not drain: see "
                           "runbooks/queue-backlog.md",
                           (int64_t)found.message_count, queue);
        }
        (void)nanosleep(&pause, NULL);
    }
}

/* The messages borrow from bytes and the events. */
static bool write_messages(struct sl_arena *arena, const struct sl_envelope *const *events,
                           size_t count, struct sl_buf *bytes, struct sl_amqp_message *out_messages,
                           struct sl_err *err)
{
    size_t ends[OPS_COURIER_BATCH_MAX] = { 0 };
    sl_buf_init(bytes, count * (size_t)SL_ENVELOPE_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!sl_envelope_encode(events[i], bytes, err)) {
            return false;
        }
        ends[i] = bytes->used_bytes;
    }
    for (size_t i = 0; i < count; i++) { /* the buffer has stopped moving */
        size_t start = i == 0 ? 0 : ends[i - 1];
        struct sl_span key = sl_event_routing_key(arena, events[i]->source, events[i]->type);
        if (key.data == NULL) {
            return sl_fail(err, SL_E_MEMORY, "no memory for a page of messages");
        }
        out_messages[i] =
            sl_event_message(events[i], key, sl_span_make(bytes->data + start, ends[i] - start));
    }
    return true;
}
