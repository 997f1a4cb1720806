#include "consumer/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC      UINT64_C(0x316867696c666c73) /* "slfligh1" */
#define KEYS_MAX   1000u                        /* the largest batch */
#define KEY_BYTES  256u                         /* of a message without an id */
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

struct suspect {
    uint64_t key;
    uint64_t alone; /* times it was the only one */
};

/* As it lies in the file; only this machine reads it. */
struct file {
    uint64_t magic;
    uint64_t count;
    uint64_t suspect_count;
    uint64_t keys[KEYS_MAX];
    struct suspect suspects[KEYS_MAX];
};

struct con_flight {
    struct file *file;
    int fd;
    size_t isolate_left;
    size_t paused_count;
};

static bool map(struct con_flight *flight, const char *path, struct sl_err *err);
static uint64_t key_of(const struct con_delivery *delivery);
static void suspect(struct file *file, uint64_t key, bool is_alone);
static void clear(struct file *file, uint64_t key);

struct con_flight *con_flight_open(const char *dir, const char *name, size_t isolate_max,
                                   struct sl_err *err)
{
    char path[512];
    int used = snprintf(path, sizeof path, "%s/%s.inflight", dir, name);
    struct con_flight *flight = calloc(1, sizeof *flight);
    if (flight == NULL || used < 0 || (size_t)used >= sizeof path) {
        free(flight);
        sl_fail(err, SL_E_LIMIT, "no room for the file of events in hand");
        return NULL;
    }
    flight->fd = -1;
    flight->isolate_left = isolate_max;
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
        suspect(file, file->keys[i], file->count == 1);
    }
    file->count = 0;
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

static void suspect(struct file *file, uint64_t key, bool is_alone)
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
    free(flight);
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
        file->keys[i] = key_of(deliveries[i]);
    }
    __atomic_store_n(&file->count, kept, __ATOMIC_RELEASE);
    flight->isolate_left -= count < flight->isolate_left ? count : flight->isolate_left;
}

/* FNV-1a, 64 bits, with the size in it. */
static uint64_t key_of(const struct con_delivery *delivery)
{
    struct sl_span text = delivery->message_id.bytes > 0 ? delivery->message_id : delivery->bytes;
    uint64_t hash = FNV_OFFSET;
    for (size_t i = 0; i < text.bytes && i < KEY_BYTES; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * FNV_PRIME;
    }
    return hash ^ delivery->bytes.bytes;
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
        __atomic_store_n(&flight->file->count, flight->paused_count, __ATOMIC_RELEASE);
    }
}

void con_flight_end(struct con_flight *flight)
{
    if (flight == NULL) {
        return;
    }
    struct file *file = flight->file;
    for (size_t i = 0; i < file->count && file->suspect_count > 0; i++) {
        clear(file, file->keys[i]);
    }
    __atomic_store_n(&file->count, 0, __ATOMIC_RELEASE);
}

static void clear(struct file *file, uint64_t key)
{
    for (size_t i = 0; i < file->suspect_count; i++) {
        if (file->suspects[i].key == key) {
            file->suspects[i] = file->suspects[--file->suspect_count];
            return;
        }
    }
}

size_t con_flight_suspects(const struct con_flight *flight)
{
    return flight == NULL ? 0 : flight->file->suspect_count;
}

bool con_flight_is_isolating(const struct con_flight *flight)
{
    return con_flight_suspects(flight) > 0 && flight->isolate_left > 0;
}

bool con_flight_is_deadly(const struct con_flight *flight, const struct con_delivery *delivery)
{
    size_t suspects = con_flight_suspects(flight);
    uint64_t key = suspects > 0 ? key_of(delivery) : 0;
    for (size_t i = 0; i < suspects; i++) {
        if (flight->file->suspects[i].key == key) {
            return flight->file->suspects[i].alone >= CON_FLIGHT_ALONE_MAX;
        }
    }
    return false;
}
