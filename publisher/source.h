/*
 * source - a sender while the program runs: how it signs, its keys in force, its rate, its counters.
 *
 * One for each enabled section of the sources file, and one for the events of our own programs, which come with a bearer token instead of a signature.
 * Threads: belongs to its loop, save the rates.
 */
#ifndef PUBLISHER_SOURCE_H
#define PUBLISHER_SOURCE_H

#include <pthread.h>

#include "publisher/guard/bucket.h"
#include "publisher/guard/keyring.h"
#include "shared/metrics.h"
#include "shared/signature/sources.h"

/* How much a source may send, whichever loop it meets. */
struct pub_rate {
    pthread_mutex_t lock;
    struct pub_bucket bucket;
};

struct pub_source {
    const char *name;              /* borrowed: first word of the routing key, label of metrics */
    const struct sl_source *rules; /* borrowed; NULL: our own programs */
    const struct pub_keyring *keyring; /* borrowed: what is in force now; NULL: our own programs */
    bool is_closed;                    /* switched off by configuration: 503 */
    int64_t tolerance_s;
    uint16_t number;                                  /* in the journal */
    struct pub_rate *rate;                            /* NULL: none; of all loops together */
    struct sl_series *matches[SL_STRIPE_SECRETS_MAX]; /* by the place of the secret that matched */
};

#define PUB_SOURCES_MAX (SL_SOURCES_MAX + 1)

struct pub_sources {
    struct pub_source items[PUB_SOURCES_MAX];
    size_t count;
    struct pub_rate
        rates[PUB_SOURCES_MAX]; /* of the items; those of later loops use the first one's */
};

/* An enabled source of that name that posts webhooks; NULL: none. */
struct pub_source *pub_sources_find(struct pub_sources *sources, struct sl_span name);
struct pub_config;
/* One for each enabled source of the configuration, which they borrow from, and that of our own programs. */
void pub_sources_open(struct pub_sources *sources, const struct pub_config *config,
                      struct sl_metrics *metrics, int64_t now_ms);
/* The same for one more loop: keys of its own, one ring for each place of the configuration's sources, and the rates of `first`. */
void pub_sources_join(struct pub_sources *sources, struct pub_sources *first,
                      const struct pub_keyring *keyrings);
/* The source of our own programs. */
struct pub_source *pub_sources_internal(struct pub_sources *sources);

#endif
