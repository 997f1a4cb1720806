#include "shared/resolve.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>

/* One question. Outlives its resolver when it is cancelled, since evdns answers a cancelled question too, later. */
struct question {
    struct sl_resolver *owner; /* NULL once cancelled */
    struct sl_loop *loop;      /* which it is owed to until it has settled */
    struct evdns_base *dns;    /* owned */
    struct evdns_getaddrinfo_request *request;
};

struct sl_resolver {
    struct sl_loop *loop;
    struct sl_timer *deliver;
    struct question *question; /* NULL when nothing is asked */
    char name[256];            /* RFC 1035: a name has at most 255 bytes */
    struct sl_addresses addresses;
    struct sl_err why;
    void (*on_done)(const struct sl_addresses *, const struct sl_err *, void *);
    void *arg;
};

static void on_deliver(void *arg);
static void on_answer(int result, struct evutil_addrinfo *found, void *arg);
static const char *reason_of(int result);
static void on_settled(evutil_socket_t fd, short what, void *arg);
static void keep_addresses(struct sl_addresses *out, const struct evutil_addrinfo *found);

struct sl_resolver *sl_resolver_new(struct sl_loop *loop,
                                    void (*on_done)(const struct sl_addresses *addresses,
                                                    const struct sl_err *why, void *arg),
                                    void *arg, struct sl_err *err)
{
    SL_AUTO(sl_resolver_free) struct sl_resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver != NULL) {
        *resolver = (struct sl_resolver){ .loop = loop, .on_done = on_done, .arg = arg };
        resolver->deliver = sl_timer_new(loop, on_deliver, resolver);
    }
    if (resolver == NULL || resolver->deliver == NULL) {
        sl_fail(err, SL_E_MEMORY, "cannot create a resolver");
        return NULL;
    }
    return SL_TAKE(resolver);
}

void sl_resolver_free(struct sl_resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    sl_resolver_cancel(resolver);
    sl_timer_free(resolver->deliver);
    free(resolver);
}

void sl_resolver_start(struct sl_resolver *resolver, const char *name)
{
    sl_resolver_cancel(resolver);
    resolver->addresses.count = 0;
    snprintf(resolver->name, sizeof resolver->name, "%s", name);

    struct question *question = calloc(1, sizeof *question);
    struct evdns_base *dns =
        evdns_base_new(sl_loop_base(resolver->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (question == NULL || dns == NULL) {
        free(question);
        if (dns != NULL) {
            evdns_base_free(dns, 0);
        }
        sl_fail(&resolver->why, SL_E_MEMORY, "cannot resolve %s: out of memory", name);
        sl_timer_arm(resolver->deliver, 0);
        return;
    }
    /* A missing file leaves 127.0.0.1 as the server; /etc/hosts is read in every case. */
    evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    *question = (struct question){ .owner = resolver, .loop = resolver->loop, .dns = dns };
    sl_loop_owe(question->loop);
    resolver->question = question;

    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = EVUTIL_AI_ADDRCONFIG,
    };
    /* May answer before it returns; the answer then has cleared resolver->question. */
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(dns, name, NULL, &hints, on_answer, question);
    if (resolver->question == question) {
        question->request = request;
    }
}

void sl_resolver_cancel(struct sl_resolver *resolver)
{
    sl_timer_disarm(resolver->deliver);
    struct question *question = SL_TAKE(resolver->question);
    if (question != NULL) {
        question->owner = NULL;
        evdns_getaddrinfo_cancel(question->request); /* on_answer follows in a later turn */
    }
}

static void on_answer(int result, struct evutil_addrinfo *found, void *arg)
{
    struct question *question = arg;
    struct sl_resolver *resolver = question->owner;
    if (resolver != NULL) {
        resolver->question = NULL;
        keep_addresses(&resolver->addresses, found);
        sl_fail(&resolver->why, SL_E_NET_RESOLVE, "cannot resolve %s: %s", resolver->name,
                reason_of(result));
        sl_timer_arm(resolver->deliver, 0);
    }
    if (found != NULL) {
        evutil_freeaddrinfo(found);
    }
    /* evdns is still on the stack: its base goes in the next turn. */
    const struct timeval now = { 0 };
    if (event_base_once(sl_loop_base(question->loop), -1, EV_TIMEOUT, on_settled, question, &now) !=
        0) {
        sl_loop_pay(question->loop);
        free(question); /* no memory: rather leak the base than free it under evdns */
    }
}

/* For people: evdns says "non-recoverable" of servers that are silent, refuse or fail, and of these one comes back. */
static const char *reason_of(int result)
{
    switch (result) {
    case 0:
        return "it has no address";
    case EVUTIL_EAI_AGAIN:
    case EVUTIL_EAI_FAIL:
        return "the name servers did not answer as they should";
    default:
        return evutil_gai_strerror(result);
    }
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct question *question = arg;
    evdns_base_free(question->dns, 0);
    sl_loop_pay(question->loop);
    free(question);
}

static void on_deliver(void *arg)
{
    struct sl_resolver *resolver = arg;
    bool found = resolver->addresses.count > 0;
    resolver->on_done(&resolver->addresses, found ? NULL : &resolver->why, resolver->arg);
}

static void keep_addresses(struct sl_addresses *out, const struct evutil_addrinfo *found)
{
    for (; found != NULL && out->count < SL_RESOLVE_ADDRESSES_MAX; found = found->ai_next) {
        const void *address = NULL;
        if (found->ai_family == AF_INET) {
            address = &((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr;
        } else if (found->ai_family == AF_INET6) {
            address = &((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_addr;
        }
        if (address != NULL && inet_ntop(found->ai_family, address, out->text[out->count],
                                         SL_RESOLVE_ADDRESS_BYTES) != NULL) {
            out->count++;
        }
    }
}
