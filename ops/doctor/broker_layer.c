#include "ops/doctor/broker_layer.h"

#include <string.h>

static const struct {
    const char *name;
    const char *remedy;
} layers[OPS_LAYERS] = {
    [OPS_LAYER_DNS] = { "dns",
                        "compare the host of AMQP_URL with DNS and /etc/hosts on this machine" },
    [OPS_LAYER_TCP] = { "tcp",
                        "is the broker running, and the port of AMQP_URL open from here (firewall, network policy)?" },
    [OPS_LAYER_TLS] = { "tls",
                        "amqps:// needs the broker's TLS port (5671), a certificate for this name, and its authority in SLUICE_AMQP_CA" },
    [OPS_LAYER_HEADER] = { "amqp",
                           "what answers is no RabbitMQ, or hangs: compare host and port of AMQP_URL with the broker's listeners; TLS ports need amqps://" },
    [OPS_LAYER_LOGIN] = { "login",
                          "compare user and password of AMQP_URL (percent-encoded?) with rabbitmqctl list_users" },
    [OPS_LAYER_VHOST] = { "vhost",
                          "compare the path of AMQP_URL with rabbitmqctl list_vhosts, and its user with rabbitmqctl list_permissions" },
    [OPS_LAYER_EXCHANGE] = { "exchange", "sluice topology apply" },
    [OPS_LAYER_PUBLISH] = { "publish",
                            "a memory or disk alarm (below), or a quorum without its majority: runbooks/rabbitmq-unavailable.md" },
};

const char *ops_layer_name(enum ops_layer layer)
{
    return layers[layer].name;
}

const char *ops_layer_remedy(enum ops_layer layer)
{
    return layers[layer].remedy;
}

enum ops_layer ops_layer_of(const struct sl_err *why)
{
    static const struct {
        const char *step;
        enum ops_layer layer;
    } steps[] = {
        { "(connecting)", OPS_LAYER_TCP },
        { "(waiting for the broker's greeting)", OPS_LAYER_HEADER },
        { "(logging in)", OPS_LAYER_LOGIN },
        { "(opening the virtual host)", OPS_LAYER_VHOST },
        { "(opening the channel)", OPS_LAYER_VHOST },
        { "(asking for confirms)", OPS_LAYER_VHOST },
    };
    if (why->code == SL_E_NET_RESOLVE) {
        return OPS_LAYER_DNS;
    }
    if (why->code == SL_E_AMQP_TLS) {
        return OPS_LAYER_TLS;
    }
    for (size_t i = 0; i < SL_COUNT(steps); i++) {
        if (strstr(why->text, steps[i].step) != NULL) {
            return steps[i].layer;
        }
    }
    return why->code == SL_E_AMQP_UNREACHABLE ? OPS_LAYER_TCP
           : why->code == SL_E_AMQP_REFUSED   ? OPS_LAYER_LOGIN
                                              : OPS_LAYER_HEADER;
}
