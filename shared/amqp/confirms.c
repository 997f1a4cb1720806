#include "shared/amqp/confirms.h"

#include <stdlib.h>

#define NONE UINT32_MAX

/* One publish without an answer. Links are indexes of slots, NONE at the ends. */
struct slot {
    uint64_t tag;
    uint64_t key;
    uint64_t cookie;
    int64_t deadline_ms;
    uint32_t older; /* in order of tags; also links the free slots */
    uint32_t newer;
    uint32_t next_of_tag; /* same bucket */
    uint32_t next_of_key;
    bool is_returned;
    bool is_settled; /* its deadline passed */
};

struct sl_confirms {
    struct slot *slots;
    uint32_t *tag_buckets;
    uint32_t *key_buckets;
    uint32_t slot_count;
    uint32_t bucket_mask;
    uint32_t first_free;
    uint32_t oldest;
    uint32_t newest;
    uint32_t first_unsettled; /* all older ones are settled: deadlines never go back */
    uint64_t next_tag;
    size_t unsettled_count;
};

static void clear(struct sl_confirms *confirms);
static void remove_slot(struct sl_confirms *confirms, uint32_t index);
static void unlink_from(struct sl_confirms *confirms, uint32_t *bucket, uint32_t index,
                        size_t link_offset);
static uint32_t find_tag(const struct sl_confirms *confirms, uint64_t tag);
static void settle(struct sl_confirms *confirms, uint32_t index, enum sl_publish_outcome outcome,
                   sl_confirms_fn *fn, void *arg);

struct sl_confirms *sl_confirms_new(size_t publishes_max, struct sl_err *err)
{
    SL_ASSERT(publishes_max > 0);
    SL_ASSERT(publishes_max <= 1u << 20);
    uint32_t buckets = 1;
    while (buckets < publishes_max) {
        buckets *= 2;
    }
    struct sl_confirms *confirms = calloc(1, sizeof *confirms);
    if (confirms != NULL) {
        confirms->slots = calloc(publishes_max, sizeof *confirms->slots);
        confirms->tag_buckets = calloc(buckets, sizeof *confirms->tag_buckets);
        confirms->key_buckets = calloc(buckets, sizeof *confirms->key_buckets);
    }
    if (confirms == NULL || confirms->slots == NULL || confirms->tag_buckets == NULL ||
        confirms->key_buckets == NULL) {
        sl_confirms_free(confirms);
        sl_fail(err, SL_E_MEMORY, "no memory for %zu unsettled publishes", publishes_max);
        return NULL;
    }
    confirms->slot_count = (uint32_t)publishes_max;
    confirms->bucket_mask = buckets - 1;
    clear(confirms);
    return confirms;
}

static void clear(struct sl_confirms *confirms)
{
    for (uint32_t i = 0; i < confirms->slot_count; i++) {
        confirms->slots[i].older = i + 1 < confirms->slot_count ? i + 1 : NONE;
    }
    for (uint32_t i = 0; i <= confirms->bucket_mask; i++) {
        confirms->tag_buckets[i] = NONE;
        confirms->key_buckets[i] = NONE;
    }
    confirms->first_free = 0;
    confirms->oldest = NONE;
    confirms->newest = NONE;
    confirms->first_unsettled = NONE;
    confirms->next_tag = 1;
    confirms->unsettled_count = 0;
}

void sl_confirms_free(struct sl_confirms *confirms)
{
    if (confirms != NULL) {
        free(confirms->slots);
        free(confirms->tag_buckets);
        free(confirms->key_buckets);
        free(confirms);
    }
}

/* FNV-1a over the parts, each closed by a byte that text does not have. */
uint64_t sl_confirms_key(struct sl_span exchange, struct sl_span routing_key,
                         struct sl_span message_id)
{
    const struct sl_span parts[] = { exchange, routing_key, message_id };
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < SL_COUNT(parts); i++) {
        for (size_t at = 0; at < parts[i].bytes; at++) {
            hash = (hash ^ (unsigned char)parts[i].data[at]) * UINT64_C(0x100000001b3);
        }
        hash = (hash ^ 0xffu) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

bool sl_confirms_has_room(const struct sl_confirms *confirms)
{
    return confirms->first_free != NONE;
}

void sl_confirms_add(struct sl_confirms *confirms, uint64_t key, uint64_t cookie,
                     int64_t deadline_ms)
{
    SL_ASSERT(sl_confirms_has_room(confirms));
    uint32_t index = confirms->first_free;
    struct slot *slot = &confirms->slots[index];
    confirms->first_free = slot->older;

    uint32_t *tag_bucket = &confirms->tag_buckets[confirms->next_tag & confirms->bucket_mask];
    uint32_t *key_bucket = &confirms->key_buckets[key & confirms->bucket_mask];
    *slot = (struct slot){
        .tag = confirms->next_tag++,
        .key = key,
        .cookie = cookie,
        .deadline_ms = deadline_ms,
        .older = confirms->newest,
        .newer = NONE,
        .next_of_tag = *tag_bucket,
        .next_of_key = *key_bucket,
    };
    *tag_bucket = index;
    *key_bucket = index;
    if (confirms->newest != NONE) {
        SL_ASSERT(confirms->slots[confirms->newest].deadline_ms <= deadline_ms);
        confirms->slots[confirms->newest].newer = index;
    } else {
        confirms->oldest = index;
    }
    confirms->newest = index;
    if (confirms->first_unsettled == NONE) {
        confirms->first_unsettled = index;
    }
    confirms->unsettled_count++;
}

bool sl_confirms_return(struct sl_confirms *confirms, uint64_t key, struct sl_err *err)
{
    bool is_known = false;
    uint32_t index = confirms->key_buckets[key & confirms->bucket_mask];
    while (index != NONE) {
        struct slot *slot = &confirms->slots[index];
        if (slot->key == key) {
            slot->is_returned = true;
            is_known = true;
        }
        index = slot->next_of_key;
    }
    return is_known || sl_fail(err, SL_E_AMQP_PROTOCOL,
                               "the broker returned a message that is not outstanding");
}

bool sl_confirms_answer(struct sl_confirms *confirms, uint64_t tag, bool multiple, bool taken,
                        sl_confirms_fn *fn, void *arg, struct sl_err *err)
{
    enum sl_publish_outcome outcome = taken ? SL_PUBLISH_CONFIRMED : SL_PUBLISH_NACKED;
    uint64_t last_tag = multiple && tag == 0 ? confirms->next_tag - 1 : tag;
    uint32_t index = find_tag(confirms, last_tag);
    if (index == NONE) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL,
                       "the broker answered publish %llu, which is not outstanding",
                       (unsigned long long)tag);
    }
    if (!multiple) {
        settle(confirms, index, outcome, fn, arg);
        return true;
    }
    while (confirms->oldest != NONE && confirms->slots[confirms->oldest].tag <= last_tag) {
        settle(confirms, confirms->oldest, outcome, fn, arg);
    }
    return true;
}

static uint32_t find_tag(const struct sl_confirms *confirms, uint64_t tag)
{
    uint32_t index = confirms->tag_buckets[tag & confirms->bucket_mask];
    while (index != NONE && confirms->slots[index].tag != tag) {
        index = confirms->slots[index].next_of_tag;
    }
    return index;
}

/* Takes the slot out first, so that the visitor may publish again. */
static void settle(struct sl_confirms *confirms, uint32_t index, enum sl_publish_outcome outcome,
                   sl_confirms_fn *fn, void *arg)
{
    struct slot slot = confirms->slots[index];
    remove_slot(confirms, index);
    if (!slot.is_settled) {
        confirms->unsettled_count--;
        fn(arg, slot.cookie, slot.is_returned ? SL_PUBLISH_RETURNED : outcome);
    }
}

static void remove_slot(struct sl_confirms *confirms, uint32_t index)
{
    struct slot *slot = &confirms->slots[index];
    unlink_from(confirms, &confirms->tag_buckets[slot->tag & confirms->bucket_mask], index,
                offsetof(struct slot, next_of_tag));
    unlink_from(confirms, &confirms->key_buckets[slot->key & confirms->bucket_mask], index,
                offsetof(struct slot, next_of_key));

    *(slot->older == NONE ? &confirms->oldest : &confirms->slots[slot->older].newer) = slot->newer;
    *(slot->newer == NONE ? &confirms->newest : &confirms->slots[slot->newer].older) = slot->older;
    if (confirms->first_unsettled == index) {
        confirms->first_unsettled = slot->newer;
    }
    slot->older = confirms->first_free;
    confirms->first_free = index;
}

static void unlink_from(struct sl_confirms *confirms, uint32_t *bucket, uint32_t index,
                        size_t link_offset)
{
    uint32_t *link = bucket;
    while (*link != index) {
        SL_ASSERT(*link != NONE);
        link = (uint32_t *)((char *)&confirms->slots[*link] + link_offset);
    }
    *link = *(uint32_t *)((char *)&confirms->slots[index] + link_offset);
}

void sl_confirms_expire(struct sl_confirms *confirms, int64_t now_ms, sl_confirms_fn *fn, void *arg)
{
    while (confirms->first_unsettled != NONE) {
        struct slot *slot = &confirms->slots[confirms->first_unsettled];
        if (slot->deadline_ms > now_ms) {
            return;
        }
        slot->is_settled = true;
        confirms->first_unsettled = slot->newer;
        confirms->unsettled_count--;
        fn(arg, slot->cookie, slot->is_returned ? SL_PUBLISH_RETURNED : SL_PUBLISH_TIMEOUT);
    }
}

void sl_confirms_reset(struct sl_confirms *confirms, sl_confirms_fn *fn, void *arg)
{
    while (confirms->oldest != NONE) {
        settle(confirms, confirms->oldest, SL_PUBLISH_LOST, fn, arg);
    }
    clear(confirms);
}

int64_t sl_confirms_next_deadline_ms(const struct sl_confirms *confirms)
{
    return confirms->first_unsettled == NONE
               ? -1
               : confirms->slots[confirms->first_unsettled].deadline_ms;
}

int64_t sl_confirms_oldest_deadline_ms(const struct sl_confirms *confirms)
{
    return confirms->oldest == NONE ? -1 : confirms->slots[confirms->oldest].deadline_ms;
}

size_t sl_confirms_count(const struct sl_confirms *confirms)
{
    return confirms->unsettled_count;
}
