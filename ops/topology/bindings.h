/*
 * bindings - which bindings a broker has, as its management interface lists them.
 *
 * AMQP cannot ask for a binding; only this interface can.
 * Threads: one.
 */
#ifndef OPS_BINDINGS_H
#define OPS_BINDINGS_H

#include "shared/amqp/amqp_link.h"
#include "shared/arena.h"

struct ops_binding {
    struct sl_span source;      /* exchange */
    struct sl_span destination; /* queue or exchange */
    bool to_exchange;
    struct sl_span routing_key;
    struct sl_span properties_key; /* how the interface names it among those of its two ends */
};

struct ops_bindings {
    struct ops_binding *items;
    size_t count;
};

/*
 * Lists the bindings of the virtual host of `url`. api_url is http://[user:password@]host:port[/prefix]; without a login
 * the broker's own is used. The texts live in the arena.
 */
bool ops_bindings_list(const char *api_url, const struct sl_amqp_url *url, struct sl_arena *arena,
                       struct ops_bindings *out, struct sl_err *err) SL_MUST;

/* The same from the interface's answer, an array of objects. */
bool ops_bindings_parse(struct sl_span json, struct sl_arena *arena, struct ops_bindings *out,
                        struct sl_err *err) SL_MUST;

/* True when the binding that `declare` asks for is in the list. */
bool ops_bindings_have(const struct ops_bindings *bindings, const struct sl_amqp_declare *declare);

#endif
