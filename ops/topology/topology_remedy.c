#include "ops/topology/topology_remedy.h"

#include <ctype.h>
#include <stdio.h>

#define KEY_BYTES 1024u

static void tell_unbinding(const struct ops_topology_report *report, const char *queue);
static void tell_extras(const struct ops_topology_report *report);
static void put_unbinding(const struct ops_topology_report *report, struct sl_span source,
                          bool to_exchange, struct sl_span destination, struct sl_span key);
static void encode_key(const char *key, char out[KEY_BYTES]);
static size_t count_of(const struct ops_topology_report *report, enum sl_amqp_declare_kind kind);

void ops_topology_tell_remedy(const struct ops_topology_report *report)
{
    const char *vhost = report->url->vhost;
    size_t queues = count_of(report, SL_AMQP_DECLARE_QUEUE);
    size_t exchanges = count_of(report, SL_AMQP_DECLARE_EXCHANGE);
    unsigned number = 1;
    if (queues + exchanges > 0) {
        printf("None of this can be changed in place. To make it anew, in a quiet minute:\n");
    }
    if (queues > 0) {
        printf("%u. Take it off sluice.events; what arrives meanwhile waits in sluice.unrouted.\n",
               number++);
        for (size_t i = 0; i < report->plan->count; i++) {
            const struct sl_amqp_declare *declare = &report->plan->steps[i].declare;
            if (report->seen[i].state == OPS_TOPOLOGY_DIFFERS &&
                declare->kind == SL_AMQP_DECLARE_QUEUE) {
                tell_unbinding(report, declare->name);
            }
        }
        printf("%u. When `sluice topology diff` says 0 messages, stop the consumer, look again (0 "
               "messages, 0 consumers), and delete it.\n   What is inside then is lost.\n",
               number++);
        for (size_t i = 0; i < report->plan->count; i++) {
            const struct sl_amqp_declare *declare = &report->plan->steps[i].declare;
            if (report->seen[i].state == OPS_TOPOLOGY_DIFFERS &&
                declare->kind == SL_AMQP_DECLARE_QUEUE) {
                printf("     rabbitmqctl -p '%s' delete_queue %s\n", vhost, declare->name);
            }
        }
    }
    if (exchanges > 0) {
        printf(
            "%u. Delete the exchange. Until the next step events are not accepted, and their senders "
            "try again.\n",
            number++);
        for (size_t i = 0; i < report->plan->count; i++) {
            const struct sl_amqp_declare *declare = &report->plan->steps[i].declare;
            if (report->seen[i].state == OPS_TOPOLOGY_DIFFERS &&
                declare->kind == SL_AMQP_DECLARE_EXCHANGE) {
                printf("     rabbitmqadmin -V '%s' delete exchange name=%s\n", vhost,
                       declare->name);
            }
        }
    }
    if (queues + exchanges > 0) {
        printf("%u. sluice topology apply\n\n", number);
    }
    tell_extras(report);
}

static size_t count_of(const struct ops_topology_report *report, enum sl_amqp_declare_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < report->plan->count; i++) {
        count += report->seen[i].state == OPS_TOPOLOGY_DIFFERS &&
                         report->plan->steps[i].declare.kind == kind
                     ? 1
                     : 0;
    }
    return count;
}

static void tell_unbinding(const struct ops_topology_report *report, const char *queue)
{
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct sl_amqp_declare *declare = &report->plan->steps[i].declare;
        if (declare->kind == SL_AMQP_BIND_QUEUE && strcmp(declare->name, queue) == 0 &&
            strcmp(declare->source, "sluice.events") == 0) {
            char key[KEY_BYTES];
            encode_key(declare->routing_key, key);
            put_unbinding(report, sl_span_of(declare->source), false, sl_span_of(queue),
                          sl_span_of(key));
        }
    }
}

static void tell_extras(const struct ops_topology_report *report)
{
    bool has_said_why = false;
    for (size_t i = 0; report->bindings != NULL && i < report->bindings->count; i++) {
        const struct ops_binding *binding = &report->bindings->items[i];
        if (!ops_topology_is_extra(report, binding)) {
            continue;
        }
        if (!has_said_why) {
            printf("Extra bindings go on delivering; nothing here removes them. When they are not "
                   "wanted any more:\n");
            has_said_why = true;
        }
        put_unbinding(report, binding->source, binding->to_exchange, binding->destination,
                      binding->properties_key);
    }
    printf("%s", has_said_why ? "\n" : "");
}

static void put_unbinding(const struct ops_topology_report *report, struct sl_span source,
                          bool to_exchange, struct sl_span destination, struct sl_span key)
{
    printf("     rabbitmqadmin -V '%s' delete binding source=%.*s destination_type=%s "
           "destination=%.*s properties_key='%.*s'\n",
           report->url->vhost, SL_SPAN_ARGS(source), to_exchange ? "exchange" : "queue",
           SL_SPAN_ARGS(destination), SL_SPAN_ARGS(key));
}

/* How the management interface names a binding without arguments: its key, percent-encoded. */
static void encode_key(const char *key, char out[KEY_BYTES])
{
    size_t used = 0;
    for (; *key != '\0' && used + 4 < KEY_BYTES; key++) {
        bool is_plain = isalnum((unsigned char)*key) || strchr("-._~", *key) != NULL;
        used += (size_t)snprintf(out + used, KEY_BYTES - used, is_plain ? "%c" : "%%%02X",
                                 (unsigned char)*key);
    }
    out[used] = '\0';
}

bool ops_topology_is_extra(const struct ops_topology_report *report,
                           const struct ops_binding *binding)
{
    if (!sl_span_starts_with(binding->source, "sluice.") ||
        !sl_span_starts_with(binding->destination, "sluice.")) {
        return false;
    }
    struct ops_bindings one = { (struct ops_binding *)(uintptr_t)binding, 1 };
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct sl_amqp_declare *declare = &report->plan->steps[i].declare;
        if (declare->source != NULL && ops_bindings_have(&one, declare)) {
            return false;
        }
    }
    return true;
}
