/*
 * broker - the link that events are published on, how long it has been away, and its change to another broker without a gap.
 *
 * Happy path of a change: a link to the new address is opened beside the one in use; as soon as it is up it takes over; the old one settles what it had in
 * flight, then it is closed. Until then the old one stays in use, so a wrong address costs nothing but log lines.
 * Refuses: more than one change at a time; a newer one replaces one that is not up yet.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_BROKER_H
#define PUBLISHER_BROKER_H

#include "publisher/outage.h"
#include "shared/amqp/amqp_link.h"
#include "shared/log.h"

struct pub_broker;

struct pub_broker_opts {
    struct sl_amqp_link_opts link; /* with the owner's callbacks and their arg */
    struct sl_log *log;
    int64_t degraded_after_ms;
    /* The outage has lasted for so long: the state is now degraded. */
    void (*on_degraded)(void *arg);
};

/*
 * The callbacks hear of the link in use only, save on_settled, which also hears of publishes on one that is being closed. When a new link takes over,
 * on_up is called with it. Starts connecting.
 */
struct pub_broker *pub_broker_new(const struct pub_broker_opts *opts, struct sl_err *err) SL_MUST;
/* Closes at once; no callback runs any more. Accepts NULL. */
void pub_broker_free(struct pub_broker *broker);

/* The link in use; changes only when on_up is called. NULL for NULL. */
struct sl_amqp_link *pub_broker_link(const struct pub_broker *broker);
/* Begins a change. Takes over what *url owns, and zeroes it; on failure nothing has happened. */
bool pub_broker_change(struct pub_broker *broker, struct sl_amqp_url *url,
                       struct sl_err *err) SL_MUST;
/* A change has begun and is not over. */
bool pub_broker_is_changing(const struct pub_broker *broker);
/* How far its absence has come; changes before the callback that tells of it. */
enum pub_outage pub_broker_outage(const struct pub_broker *broker);
/* Wall clock since when the link in use cannot publish; 0: it can. During on_up still that of the outage which ends. */
int64_t pub_broker_away_since_us(const struct pub_broker *broker);

SL_DEFINE_AUTO(struct pub_broker *, pub_broker_free)

#endif
