#include "shared/signature/sources.h"

#include <ctype.h>
#include <stdio.h>

#define SECRET_SUFFIX "_WEBHOOK_SECRET"

/* What the bodies of known senders say about themselves. */
static const struct {
    const char *scheme;
    struct sl_fact_rules facts;
} preset_facts[] = {
    { "stripe",
      { .id = "id",
        .type = "type",
        .account = "account",
        .object = "data.object.id",
        .occurred_at = "created",
        .livemode = "livemode" } },
    { "standard-webhooks", { .type = "type", .occurred_at = "timestamp" } },
    { "github",
      { .account = "organization.login,repository.owner.login",
        .object = "repository.full_name",
        .shape = SL_SHAPE_GITHUB,
        .claim_header = "X-GitHub-Event" } },
    { "shopify",
      { .object = "admin_graphql_api_id",
        .occurred_at = "updated_at,created_at",
        .shape = SL_SHAPE_SHOPIFY,
        .claim_header = "X-Shopify-Topic" } },
    { "hmac", { .id = "id", .type = "type" } },
};

void sl_sources_default(struct sl_sources *out)
{
    *out = (struct sl_sources){ .count = 1 };
    sl_source_init(&out->items[0], SL_SPAN_LITERAL(SL_SOURCE_STRIPE), 0);
    out->items[0].facts.depth = sl_fact_rules_depth(&out->items[0].facts);
}

void sl_source_init(struct sl_source *source, struct sl_span name, size_t line)
{
    *source = (struct sl_source){ .enabled = true, .line = line };
    memcpy(source->name, name.data, name.bytes);
    size_t at = 0;
    for (; at < name.bytes; at++) {
        char letter = name.data[at];
        source->secret_name[at] = letter == '-' ? '_' : (char)toupper((unsigned char)letter);
    }
    snprintf(source->secret_name + at, sizeof source->secret_name - at, SECRET_SUFFIX);
    if (sl_scheme_preset(name, &source->scheme)) {
        sl_source_take_preset(source);
    }
}

void sl_source_take_preset(struct sl_source *source)
{
    for (size_t i = 0; i < SL_COUNT(preset_facts); i++) {
        if (strcmp(preset_facts[i].scheme, source->scheme.name) == 0) {
            source->facts = preset_facts[i].facts;
        }
    }
}

static bool facts_equal(const struct sl_fact_rules *a, const struct sl_fact_rules *b)
{
    const char *of_a[] = { a->id,     a->type,        a->type_rest, a->account,
                           a->object, a->occurred_at, a->livemode };
    const char *of_b[] = { b->id,     b->type,        b->type_rest, b->account,
                           b->object, b->occurred_at, b->livemode };
    for (size_t i = 0; i < SL_COUNT(of_a); i++) {
        if (strcmp(of_a[i], of_b[i]) != 0) {
            return false;
        }
    }
    return a->shape == b->shape && a->claim_header == b->claim_header && a->depth == b->depth;
}

static bool source_equal(const struct sl_source *a, const struct sl_source *b)
{
    return strcmp(a->name, b->name) == 0 && a->enabled == b->enabled &&
           sl_scheme_equal(&a->scheme, &b->scheme) && facts_equal(&a->facts, &b->facts) &&
           strcmp(a->secret_name, b->secret_name) == 0 && a->tolerance_ms == b->tolerance_ms &&
           a->rate == b->rate && a->burst == b->burst;
}

bool sl_sources_equal(const struct sl_sources *a, const struct sl_sources *b)
{
    bool is_equal = a->count == b->count;
    for (size_t i = 0; is_equal && i < a->count; i++) {
        is_equal = source_equal(&a->items[i], &b->items[i]);
    }
    return is_equal;
}

bool sl_source_is_name(struct sl_span name)
{
    if (name.bytes == 0 || name.bytes >= SL_SOURCE_NAME_BYTES || name.data[0] < 'a' ||
        name.data[0] > 'z') {
        return false;
    }
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

/* All texts of the rules are lists of paths. */
unsigned sl_fact_rules_depth(const struct sl_fact_rules *facts)
{
    const char *const lists[] = { facts->id,     facts->type,        facts->account,
                                  facts->object, facts->occurred_at, facts->livemode };
    unsigned deepest = 1;
    for (size_t i = 0; i < SL_COUNT(lists); i++) {
        unsigned depth = 1;
        for (const char *at = lists[i]; *at != '\0'; at++) {
            depth = *at == ',' ? 1 : depth + (*at == '.' ? 1 : 0);
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest;
}

const struct sl_source *sl_sources_find(const struct sl_sources *sources, struct sl_span name)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sl_span_is(name, sources->items[i].name)) {
            return &sources->items[i];
        }
    }
    return NULL;
}
