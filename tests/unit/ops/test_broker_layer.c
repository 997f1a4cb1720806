#include "ops/doctor/broker_layer.h"

#include "tests/support/claims.h"

CLAIM(broker_layer__is_told_by_the_error_and_the_step_it_came_at)
{
    static const struct {
        enum sl_code code;
        const char *text;
        enum ops_layer layer;
    } rows[] = {
        { SL_E_NET_RESOLVE, "cannot resolve mq: no such name", OPS_LAYER_DNS },
        { SL_E_AMQP_UNREACHABLE, "mq:5672: Connection refused", OPS_LAYER_TCP },
        { SL_E_AMQP_UNREACHABLE, "mq:5672: no answer within 5000 ms (connecting)", OPS_LAYER_TCP },
        { SL_E_AMQP_UNREACHABLE,
          "mq:5672: no answer within 5000 ms (waiting for the broker's greeting)",
          OPS_LAYER_HEADER },
        { SL_E_AMQP_TLS, "mq:5671: TLS: certificate has expired", OPS_LAYER_TLS },
        { SL_E_AMQP_PROTOCOL, "the broker does not speak AMQP 0-9-1", OPS_LAYER_HEADER },
        { SL_E_AMQP_REFUSED, "the broker closed the connection: 403 ACCESS_REFUSED (logging in)",
          OPS_LAYER_LOGIN },
        { SL_E_AMQP_REFUSED, "the broker does not offer the login mechanism PLAIN",
          OPS_LAYER_LOGIN },
        { SL_E_AMQP_REFUSED,
          "the broker closed the connection: 530 NOT_ALLOWED (opening the virtual host)",
          OPS_LAYER_VHOST },
        { SL_E_AMQP_CLOSED, "the broker closed the connection: 541 (opening the channel)",
          OPS_LAYER_VHOST },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_err err = { 0 };
        sl_fail(&err, rows[i].code, "%s", rows[i].text);
        CU_ASSERT_EQUAL(ops_layer_of(&err), rows[i].layer);
    }
}

CLAIM(broker_layer__each_has_a_name_and_a_remedy)
{
    for (enum ops_layer layer = 0; layer < OPS_LAYERS; layer++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(ops_layer_name(layer));
        CU_ASSERT(strlen(ops_layer_remedy(layer)) > 10);
    }
}
