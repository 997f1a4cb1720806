#include "ops/doctor/broker_way.h"

#include "ops/trigger/courier.h"
#include "shared/event/event_message.h"

#define NOWHERE "sluice.doctor.nowhere"

static bool has_exchange(struct ops_broker *broker, struct sl_err *err);
static bool is_confirmed(const struct ops_address *address, struct sl_err *err);

enum ops_layer ops_broker_way(const struct ops_address *address, struct ops_broker **out_broker,
                              struct sl_err *why)
{
    *out_broker = ops_broker_new(address, 0, why);
    if (*out_broker == NULL) {
        return ops_layer_of(why);
    }
    if (!has_exchange(*out_broker, why)) {
        return OPS_LAYER_EXCHANGE;
    }
    return is_confirmed(address, why) ? OPS_LAYERS : OPS_LAYER_PUBLISH;
}

static bool has_exchange(struct ops_broker *broker, struct sl_err *err)
{
    const struct sl_amqp_declare declare = {
        .kind = SL_AMQP_DECLARE_EXCHANGE, .passive = true, .name = OPS_WAY_EXCHANGE, .type = "topic"
    };
    return ops_broker_declare(broker, &declare, NULL, err) == OPS_DECLARED;
}

/* Returned, as nobody has such a queue, and confirmed. */
static bool is_confirmed(const struct ops_address *address, struct sl_err *err)
{
    const struct sl_amqp_message message = { .exchange = "",
                                             .routing_key = SL_SPAN_LITERAL(NOWHERE),
                                             .message_id = SL_SPAN_LITERAL(NOWHERE),
                                             .body = SL_SPAN_LITERAL("?") };
    enum sl_publish_outcome outcome = SL_PUBLISH_LOST;
    SL_AUTO(ops_courier_free) struct ops_courier *courier = ops_courier_new(address, err);
    if (courier == NULL || !ops_courier_send(courier, &message, 1, 0, &outcome, err)) {
        return false;
    }
    return outcome == SL_PUBLISH_RETURNED || outcome == SL_PUBLISH_CONFIRMED ||
           sl_fail(err, SL_E_AMQP_NOT_UP, "the broker did not confirm a publish: %s",
                   sl_publish_outcome_name(outcome));
}
