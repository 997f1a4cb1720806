#include "publisher/source.h"

#include <stdio.h>

#include "publisher/config.h"

static void add(struct pub_sources *sources, const struct pub_config *config, size_t place,
                struct sl_metrics *metrics, int64_t now_ms);

void pub_sources_open(struct pub_sources *sources, const struct pub_config *config,
                      struct sl_metrics *metrics, int64_t now_ms)
{
    *sources = (struct pub_sources){ .count = 0 };
    for (size_t i = 0; i < config->webhook_sources.count; i++) {
        if (config->webhook_sources.items[i].enabled) {
            add(sources, config, i, metrics, now_ms);
        }
    }
    sources->items[sources->count++] =
        (struct pub_source){ .name = SL_SOURCE_INTERNAL, .number = SL_SOURCES_MAX + 1 };
}

static void add(struct pub_sources *sources, const struct pub_config *config, size_t place,
                struct sl_metrics *metrics, int64_t now_ms)
{
    const struct sl_source *rules = &config->webhook_sources.items[place];
    struct pub_source *source = &sources->items[sources->count++];
    bool is_billing = strcmp(rules->name, SL_SOURCE_STRIPE) == 0;
    int64_t tolerance_ms =
        rules->tolerance_ms == 0 ? config->stripe_tolerance : rules->tolerance_ms;
    *source = (struct pub_source){
        .name = rules->name,
        .rules = rules,
        .keyring = &config->signing[place].keyring,
        .is_closed = is_billing && !config->flag_billing,
        .tolerance_s = tolerance_ms / 1000,
        .number = (uint16_t)(place + 1),
    };
    if (rules->rate > 0) {
        source->rate = &sources->rates[sources->count - 1];
        *source->rate =
            (struct pub_rate){ .lock = PTHREAD_MUTEX_INITIALIZER,
                               .bucket = pub_bucket_make(rules->rate, rules->burst, now_ms) };
    }
    for (size_t i = 0; i < SL_STRIPE_SECRETS_MAX; i++) {
        char number[8];
        snprintf(number, sizeof number, "%zu", i + 1);
        source->matches[i] =
            i < source->keyring->count || i < 2
                ? sl_metrics_series(metrics, SL_M_SECRET_MATCHES, rules->name, number)
                : sl_metrics_series(metrics, SL_M_SECRET_MATCHES, rules->name, "more");
    }
}

void pub_sources_join(struct pub_sources *sources, struct pub_sources *first,
                      const struct pub_keyring *keyrings)
{
    *sources = (struct pub_sources){ .count = first->count };
    for (size_t i = 0; i < first->count; i++) {
        struct pub_source *source = &sources->items[i];
        *source = first->items[i];
        if (source->rules != NULL) {
            source->keyring = &keyrings[source->number - 1];
        }
    }
}

struct pub_source *pub_sources_find(struct pub_sources *sources, struct sl_span name)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->items[i].rules != NULL && sl_span_is(name, sources->items[i].name)) {
            return &sources->items[i];
        }
    }
    return NULL;
}

struct pub_source *pub_sources_internal(struct pub_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->items[i].rules == NULL) {
            return &sources->items[i];
        }
    }
    return NULL;
}
