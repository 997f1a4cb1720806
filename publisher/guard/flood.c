#include "publisher/guard/flood.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/digest.h"

#define SETS       1024u /* a power of two */
#define WAYS       4u
#define KEY_BYTES  16u
#define ADDR_BYTES 46u
#define V6_PREFIX  8u /* bytes of an IPv6 address that one client has to itself */

struct client {
    bool is_taken;
    bool has_standing;
    uint8_t key[KEY_BYTES];
    struct pub_bucket bad;
    int64_t good_ms; /* when has_standing */
    int64_t bad_ms;
    unsigned unseen; /* requests since the last look */
};

struct pub_flood {
    int64_t burst;
    int64_t rate;
    uint64_t seed;        /* so that nobody can choose who shares a set */
    _Atomic size_t taken; /* 0, as nearly always: nobody needs the lock */
    pthread_mutex_t lock; /* of the clients */
    struct client clients[SETS][WAYS];
};

static bool may_look(struct pub_flood *flood, const uint8_t key[KEY_BYTES], int64_t now_ms,
                     unsigned *out_retry_after_s);
static void note_bad(struct pub_flood *flood, const uint8_t key[KEY_BYTES], int64_t now_ms);
static void make_key(struct sl_span client, uint8_t out_key[KEY_BYTES]);
static struct client *find(struct pub_flood *flood, const uint8_t key[KEY_BYTES],
                           struct client **out_oldest);

struct pub_flood *pub_flood_new(int64_t burst, struct sl_err *err)
{
    SL_AUTO(pub_flood_free) struct pub_flood *flood = calloc(1, sizeof *flood);
    if (flood == NULL || !sl_random_bytes(&flood->seed, sizeof flood->seed)) {
        sl_fail(err, SL_E_MEMORY, "no memory to remember who sends bad signatures");
        return NULL;
    }
    pthread_mutex_init(&flood->lock, NULL);
    flood->burst = burst;
    flood->rate = burst < 20 ? 1 : burst / 20;
    return SL_TAKE(flood);
}

void pub_flood_free(struct pub_flood *flood)
{
    free(flood);
}

bool pub_flood_may_look(struct pub_flood *flood, struct sl_span client, int64_t now_ms,
                        unsigned *out_retry_after_s)
{
    uint8_t key[KEY_BYTES];
    if (atomic_load_explicit(&flood->taken, memory_order_relaxed) == 0) {
        return true;
    }
    make_key(client, key);
    pthread_mutex_lock(&flood->lock);
    bool may = may_look(flood, key, now_ms, out_retry_after_s);
    pthread_mutex_unlock(&flood->lock);
    return may;
}

static bool may_look(struct pub_flood *flood, const uint8_t key[KEY_BYTES], int64_t now_ms,
                     unsigned *out_retry_after_s)
{
    struct client *oldest = NULL;
    struct client *found = find(flood, key, &oldest);
    if (found == NULL || pub_bucket_has(&found->bad, now_ms)) {
        return true;
    }
    if (found->has_standing && now_ms - found->good_ms <= PUB_FLOOD_STANDING_MS) {
        return true;
    }
    found->unseen++;
    if (found->unseen >= PUB_FLOOD_LOOK_EVERY) {
        found->unseen = 0;
        return true;
    }
    *out_retry_after_s = pub_bucket_wait_s(&found->bad);
    return false;
}

static void make_key(struct sl_span client, uint8_t out_key[KEY_BYTES])
{
    char text[ADDR_BYTES] = "";
    memset(out_key, 0, KEY_BYTES);
    if (client.bytes < sizeof text) {
        memcpy(text, client.data == NULL ? "" : client.data, client.bytes);
    }
    if (inet_pton(AF_INET6, text, out_key) == 1) {
        memset(out_key + V6_PREFIX, 0, KEY_BYTES - V6_PREFIX);
    } else if (inet_pton(AF_INET, text, out_key) != 1) {
        memset(out_key, 0xFF, KEY_BYTES); /* whoever has no address shares one place */
    }
}

static struct client *find(struct pub_flood *flood, const uint8_t key[KEY_BYTES],
                           struct client **out_oldest)
{
    uint64_t hash = flood->seed;
    for (size_t i = 0; i < KEY_BYTES; i++) {
        hash = (hash ^ key[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    struct client *set = flood->clients[hash % SETS];
    *out_oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].is_taken && memcmp(set[i].key, key, KEY_BYTES) == 0) {
            return &set[i];
        }
        bool is_better =
            (*out_oldest)->is_taken && (!set[i].is_taken || set[i].bad_ms < (*out_oldest)->bad_ms);
        *out_oldest = is_better ? &set[i] : *out_oldest;
    }
    return NULL;
}

void pub_flood_bad(struct pub_flood *flood, struct sl_span client, int64_t now_ms)
{
    uint8_t key[KEY_BYTES];
    make_key(client, key);
    pthread_mutex_lock(&flood->lock);
    note_bad(flood, key, now_ms);
    pthread_mutex_unlock(&flood->lock);
}

static void note_bad(struct pub_flood *flood, const uint8_t key[KEY_BYTES], int64_t now_ms)
{
    struct client *oldest = NULL;
    struct client *found = find(flood, key, &oldest);
    if (found == NULL) {
        found = oldest;
        flood->taken += found->is_taken ? 0 : 1;
        *found = (struct client){ .is_taken = true,
                                  .bad = pub_bucket_make(flood->rate, flood->burst, now_ms) };
        memcpy(found->key, key, KEY_BYTES);
    }
    found->bad_ms = now_ms;
    bool had_token = pub_bucket_take(&found->bad, now_ms);
    (void)had_token; /* an empty bucket stays empty */
}

/* Somebody who was never bad need not be remembered. */
void pub_flood_good(struct pub_flood *flood, struct sl_span client, int64_t now_ms)
{
    uint8_t key[KEY_BYTES];
    struct client *oldest = NULL;
    if (atomic_load_explicit(&flood->taken, memory_order_relaxed) == 0) {
        return;
    }
    make_key(client, key);
    pthread_mutex_lock(&flood->lock);
    struct client *found = find(flood, key, &oldest);
    if (found != NULL) {
        found->has_standing = true;
        found->good_ms = now_ms;
    }
    pthread_mutex_unlock(&flood->lock);
}
