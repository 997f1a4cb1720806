#include "consumer/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC      UINT64_C(0x326867696c666c73) /* "slfligh2" */
#define KEYS_MAX   1000u                        /* the largest batch */
#define KEY_BYTES  256u                         /* of a message without an id */
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)
#define WISH_MS    (5 * CON_FLIGHT_LOOK_MS)

struct suspect {
    uint64_t key;
    uint32_t narrow; /* times it was the only one in its worker's hands */
    uint32_t alone;  /* of these, nobody else in the process had anything in hand */
};

/* As it lies in the file; only this machine reads it. */
struct file {
    uint64_t magic;
    uint64_t count;
    uint64_t is_alone; /* the only one in hand is the only one in the process */
    uint64_t suspect_count;
    uint64_t keys[KEYS_MAX];
    struct suspect suspects[KEYS_MAX];
};

struct con_flight {
    struct con_flight *next; /* of the fleet */
    struct con_fleet *fleet;
    const char *subsystem;
    struct file *file;
    int fd;
    size_t isolate_left;
    size_t paused_count;
    int64_t wished_ms; /* since when what comes next should be the only one; 0: it need not */
    bool is_solo;      /* what is in hand must stay the only one */
};

static bool map(struct con_flight *flight, const char *path, struct sl_err *err);
static void suspect(struct file *file, uint64_t key, bool is_narrow, bool is_alone);
static void leave(struct con_flight *flight);
static uint64_t key_of(const struct con_flight *flight, const struct con_delivery *delivery);
static void meet_others(struct con_flight *flight, size_t count);
static void clear(struct con_flight *flight, uint64_t key);
static void clear_one(struct file *file, uint64_t key);
static struct suspect known_of(const struct con_flight *flight,
                               const struct con_delivery *delivery);
static bool is_wished(const struct con_flight *flight, int64_t now_ms);
static bool has_in_hand(const struct con_flight *flight);

struct con_flight *con_flight_open(const struct con_flight_opts *opts, struct sl_err *err)
{
    char path[512];
    int used = snprintf(path, sizeof path, "%s/%s.inflight", opts->dir, opts->name);
    struct con_flight *flight = calloc(1, sizeof *flight);
    if (flight == NULL || used < 0 || (size_t)used >= sizeof path) {
        free(flight);
        sl_fail(err, SL_E_LIMIT, "no room for the file of events in hand");
        return NULL;
    }
    flight->subsystem = opts->subsystem;
    flight->fd = -1;
    flight->isolate_left = opts->isolate_max;
    if (!map(flight, path, err)) {
        con_flight_free(flight);
        return NULL;
    }
    struct file *file = flight->file;
    SL_ASSERT(file != NULL);
    bool is_ours =
        file->magic == MAGIC && file->count <= KEYS_MAX && file->suspect_count <= KEYS_MAX;
    if (!is_ours) {
        memset(file, 0, sizeof *file);
        file->magic = MAGIC;
    }
    for (size_t i = 0; i < file->count; i++) {
        suspect(file, file->keys[i], file->count == 1, file->count == 1 && file->is_alone != 0);
    }
    file->count = 0;
    flight->fleet = opts->fleet;
    flight->next = opts->fleet->first;
    opts->fleet->first = flight;
    return flight;
}

static bool map(struct con_flight *flight, const char *path, struct sl_err *err)
{
    flight->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (flight->fd < 0 || flock(flight->fd, LOCK_EX | LOCK_NB) != 0 ||
        ftruncate(flight->fd, (off_t)sizeof(struct file)) != 0) {
        return sl_fail(err, SL_E_IO, "%s: %s", path, strerror(errno));
    }
    void *memory =
        mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE, MAP_SHARED, flight->fd, 0);
    if (memory == MAP_FAILED) {
        return sl_fail(err, SL_E_IO, "%s: %s", path, strerror(errno));
    }
    flight->file = memory;
    return true;
}

static void suspect(struct file *file, uint64_t key, bool is_narrow, bool is_alone)
{
    size_t i = 0;
    while (i < file->suspect_count && file->suspects[i].key != key) {
        i++;
    }
    if (i == KEYS_MAX) {
        return;
    }
    if (i == file->suspect_count) {
        file->suspects[i] = (struct suspect){ .key = key };
        file->suspect_count++;
    }
    file->suspects[i].narrow += is_narrow ? 1 : 0;
    file->suspects[i].alone += is_alone ? 1 : 0;
}

void con_flight_free(struct con_flight *flight)
{
    if (flight == NULL) {
        return;
    }
    if (flight->file != NULL) {
        con_flight_pause(flight); /* an orderly end */
        munmap(flight->file, sizeof *flight->file);
    }
    if (flight->fd >= 0) {
        close(flight->fd);
    }
    leave(flight);
    free(flight);
}

static void leave(struct con_flight *flight)
{
    if (flight->fleet == NULL) {
        return; /* it never flew */
    }
    struct con_flight **at = &flight->fleet->first;
    while (*at != flight) {
        at = &(*at)->next;
    }
    *at = flight->next;
    if (flight->fleet->solo == flight) {
        flight->fleet->solo = NULL;
    }
}

void con_flight_begin(struct con_flight *flight, struct con_delivery *const *deliveries,
                      size_t count)
{
    if (flight == NULL) {
        return;
    }
    struct file *file = flight->file;
    size_t kept = count < KEYS_MAX ? count : KEYS_MAX;
    for (size_t i = 0; i < kept; i++) {
        file->keys[i] = key_of(flight, deliveries[i]);
    }
    flight->is_solo = kept == 1 && con_flight_is_narrow(flight, deliveries[0]);
    flight->wished_ms = 0;
    meet_others(flight, kept);
    __atomic_store_n(&file->count, kept, __ATOMIC_RELEASE);
    flight->isolate_left -= count < flight->isolate_left ? count : flight->isolate_left;
}

/* FNV-1a, 64 bits, with the size in it. The same event is another one to another subsystem. */
static uint64_t key_of(const struct con_flight *flight, const struct con_delivery *delivery)
{
    struct sl_span text = delivery->message_id.bytes > 0 ? delivery->message_id : delivery->bytes;
    uint64_t hash = FNV_OFFSET;
    for (const char *c = flight->subsystem; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * FNV_PRIME;
    }
    for (size_t i = 0; i < text.bytes && i < KEY_BYTES; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * FNV_PRIME;
    }
    return hash ^ delivery->bytes.bytes;
}

/* Before the count says so: whoever has something in hand is alone no more, nor is this one while there is such a one. */
static void meet_others(struct con_flight *flight, size_t count)
{
    bool is_alone = count == 1;
    for (struct con_flight *other = flight->fleet->first; other != NULL; other = other->next) {
        if (count > 0 && other != flight && has_in_hand(other)) {
            __atomic_store_n(&other->file->is_alone, 0, __ATOMIC_RELEASE);
            is_alone = false;
        }
    }
    __atomic_store_n(&flight->file->is_alone, is_alone ? 1 : 0, __ATOMIC_RELEASE);
}

void con_flight_pause(struct con_flight *flight)
{
    if (flight != NULL && flight->file->count > 0) {
        flight->paused_count = flight->file->count;
        __atomic_store_n(&flight->file->count, 0, __ATOMIC_RELEASE);
    }
}

/* By the keys that are in the file still: the deliveries of those that were settled meanwhile are gone. */
void con_flight_resume(struct con_flight *flight)
{
    if (flight != NULL) {
        meet_others(flight, flight->paused_count);
        __atomic_store_n(&flight->file->count, flight->paused_count, __ATOMIC_RELEASE);
    }
}

void con_flight_end(struct con_flight *flight)
{
    if (flight == NULL) {
        return;
    }
    struct file *file = flight->file;
    for (size_t i = 0; i < file->count; i++) {
        clear(flight, file->keys[i]);
    }
    __atomic_store_n(&file->count, 0, __ATOMIC_RELEASE);
    flight->is_solo = false;
}

/* Whichever of them suspects it. */
static void clear(struct con_flight *flight, uint64_t key)
{
    for (struct con_flight *one = flight->fleet->first; one != NULL; one = one->next) {
        clear_one(one->file, key);
    }
}

static void clear_one(struct file *file, uint64_t key)
{
    for (size_t i = 0; i < file->suspect_count; i++) {
        if (file->suspects[i].key == key) {
            file->suspects[i] = file->suspects[--file->suspect_count];
            return;
        }
    }
}

void con_flight_gone(struct con_flight *flight, const struct con_delivery *delivery)
{
    if (known_of(flight, delivery).key != 0) {
        clear(flight, key_of(flight, delivery));
    }
}

size_t con_flight_suspects(const struct con_flight *flight)
{
    return flight == NULL ? 0 : flight->file->suspect_count;
}

bool con_flight_is_isolating(const struct con_flight *flight)
{
    if (flight == NULL || flight->isolate_left == 0) {
        return false;
    }
    for (const struct con_flight *one = flight->fleet->first; one != NULL; one = one->next) {
        if (one->file->suspect_count > 0 && strcmp(one->subsystem, flight->subsystem) == 0) {
            return true;
        }
    }
    return false;
}

bool con_flight_is_deadly(const struct con_flight *flight, const struct con_delivery *delivery)
{
    return known_of(flight, delivery).alone >= CON_FLIGHT_ALONE_MAX;
}

bool con_flight_is_narrow(const struct con_flight *flight, const struct con_delivery *delivery)
{
    return known_of(flight, delivery).narrow > 0;
}

/* What all workers of the subsystem know of it; zeroed: nothing. */
static struct suspect known_of(const struct con_flight *flight, const struct con_delivery *delivery)
{
    struct suspect sum = { 0 };
    uint64_t key = 0;
    const struct con_flight *one = flight == NULL ? NULL : flight->fleet->first;
    for (; one != NULL; one = one->next) {
        const struct file *file = one->file;
        for (size_t i = 0; i < file->suspect_count; i++) {
            key = key == 0 ? key_of(flight, delivery) : key;
            if (file->suspects[i].key == key) {
                sum.key = key;
                sum.narrow += file->suspects[i].narrow;
                sum.alone += file->suspects[i].alone;
            }
        }
    }
    return sum;
}

int64_t con_flight_wait_ms(struct con_flight *flight, const struct con_delivery *delivery,
                           int64_t now_ms)
{
    if (flight == NULL) {
        return 0;
    }
    struct con_fleet *fleet = flight->fleet;
    const struct suspect known = known_of(flight, delivery);
    bool is_narrow = known.narrow > 0;
    if (is_narrow) {
        flight->wished_ms = flight->wished_ms == 0 ? now_ms : flight->wished_ms;
        int64_t due_ms = flight->wished_ms + CON_FLIGHT_GRACE_MS * (1 + (int64_t)known.alone);
        if (due_ms > now_ms) {
            return due_ms - now_ms;
        }
    }
    if (is_wished(flight, now_ms)) {
        return CON_FLIGHT_LOOK_MS;
    }
    bool is_waiting = false;
    for (const struct con_flight *other = fleet->first; other != NULL; other = other->next) {
        is_waiting |= other != flight && has_in_hand(other) && (is_narrow || other->is_solo);
    }
    if (is_narrow) {
        fleet->solo = is_waiting ? flight : NULL;
        fleet->solo_until_ms = now_ms + WISH_MS;
    }
    return is_waiting ? CON_FLIGHT_LOOK_MS : 0;
}

/* By somebody else. */
static bool is_wished(const struct con_flight *flight, int64_t now_ms)
{
    const struct con_fleet *fleet = flight->fleet;
    return fleet->solo != NULL && fleet->solo != flight && now_ms < fleet->solo_until_ms;
}

static bool has_in_hand(const struct con_flight *flight)
{
    return flight->file->count > 0;
}
