#include "shared/http/http_peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#define BUCKETS 4096u

struct sl_http_peer {
    uint64_t key; /* IPv4 address, or the first 64 bits of an IPv6 address */
    size_t connections;
    struct sl_http_peers *peers;
    LIST_ENTRY(sl_http_peer) in_bucket;
};
LIST_HEAD(bucket, sl_http_peer);

struct sl_http_peers {
    pthread_mutex_t lock; /* of the buckets and what is in them */
    uint64_t seed;        /* nobody outside can aim at one bucket */
    struct bucket buckets[BUCKETS];
};

struct range {
    uint32_t first;
    unsigned bits;
};

static struct sl_http_peer *take(struct sl_http_peers *peers, uint64_t key);
static bool is_public_v4(uint32_t address);
static bool is_public_v6(const struct in6_addr *address);
static uint64_t key_of(const struct sockaddr *address);
static struct bucket *bucket_of(struct sl_http_peers *peers, uint64_t key);

struct sl_http_peers *sl_http_peers_new(struct sl_err *err)
{
    struct sl_http_peers *peers = calloc(1, sizeof *peers);
    if (peers == NULL ||
        getrandom(&peers->seed, sizeof peers->seed, 0) != (ssize_t)sizeof peers->seed) {
        free(peers);
        sl_fail(err, SL_E_MEMORY, "no memory to count connections");
        return NULL;
    }
    pthread_mutex_init(&peers->lock, NULL);
    return peers;
}

void sl_http_peers_free(struct sl_http_peers *peers)
{
    if (peers == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        struct sl_http_peer *peer = NULL;
        while ((peer = LIST_FIRST(&peers->buckets[i])) != NULL) {
            LIST_REMOVE(peer, in_bucket);
            free(peer);
        }
    }
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

struct sl_http_peer *sl_http_peers_take(struct sl_http_peers *peers, const struct sockaddr *address)
{
    if (!sl_http_peer_is_public(address)) {
        return NULL;
    }
    pthread_mutex_lock(&peers->lock);
    struct sl_http_peer *peer = take(peers, key_of(address));
    pthread_mutex_unlock(&peers->lock);
    return peer;
}

static struct sl_http_peer *take(struct sl_http_peers *peers, uint64_t key)
{
    struct bucket *bucket = bucket_of(peers, key);
    struct sl_http_peer *peer = NULL;
    LIST_FOREACH(peer, bucket, in_bucket)
    {
        if (peer->key == key) {
            peer->connections++;
            return peer;
        }
    }
    peer = calloc(1, sizeof *peer);
    if (peer != NULL) {
        *peer = (struct sl_http_peer){ .key = key, .connections = 1, .peers = peers };
        LIST_INSERT_HEAD(bucket, peer, in_bucket);
    }
    return peer;
}

size_t sl_http_peer_connections(const struct sl_http_peer *peer)
{
    pthread_mutex_lock(&peer->peers->lock);
    size_t connections = peer->connections;
    pthread_mutex_unlock(&peer->peers->lock);
    return connections;
}

void sl_http_peer_give(struct sl_http_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    pthread_mutex_t *lock = &peer->peers->lock;
    pthread_mutex_lock(lock);
    if (--peer->connections == 0) {
        LIST_REMOVE(peer, in_bucket);
        free(peer);
    }
    pthread_mutex_unlock(lock);
}

bool sl_http_peer_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        return is_public_v4(
            ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    }
    return address->sa_family == AF_INET6 &&
           is_public_v6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static bool is_public_v4(uint32_t address)
{
    static const struct range ranges[] = {
        { 0x0a000000, 8 },  /* 10.0.0.0, RFC 1918 */
        { 0x64400000, 10 }, /* 100.64.0.0, RFC 6598: between a network's customers and itself */
        { 0x7f000000, 8 },  /* 127.0.0.0 */
        { 0xa9fe0000, 16 }, /* 169.254.0.0, link-local */
        { 0xac100000, 12 }, /* 172.16.0.0, RFC 1918 */
        { 0xc0a80000, 16 }, /* 192.168.0.0, RFC 1918 */
    };
    for (size_t i = 0; i < SL_COUNT(ranges); i++) {
        if (address >> (32 - ranges[i].bits) == ranges[i].first >> (32 - ranges[i].bits)) {
            return false;
        }
    }
    return true;
}

static bool is_public_v6(const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        uint32_t mapped = 0;
        memcpy(&mapped, address->s6_addr + 12, sizeof mapped);
        return is_public_v4(ntohl(mapped));
    }
    bool is_unique_local = (address->s6_addr[0] & 0xfe) == 0xfc;
    return !IN6_IS_ADDR_LOOPBACK(address) && !IN6_IS_ADDR_LINKLOCAL(address) && !is_unique_local;
}

/* Of a public address. An IPv4 address has a key below 2^32, which no global IPv6 prefix has. */
static uint64_t key_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
    }
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    size_t first = IN6_IS_ADDR_V4MAPPED(six) ? 12 : 0;
    size_t end = IN6_IS_ADDR_V4MAPPED(six) ? 16 : 8;
    uint64_t key = 0;
    for (size_t i = first; i < end; i++) {
        key = key << 8 | six->s6_addr[i];
    }
    return key;
}

/* The finaliser of SplitMix64: every bit of key and seed moves every bit of the result. */
static struct bucket *bucket_of(struct sl_http_peers *peers, uint64_t key)
{
    uint64_t mixed = key ^ peers->seed;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return &peers->buckets[(mixed ^ mixed >> 31) % BUCKETS];
}
