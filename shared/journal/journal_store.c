#include "shared/journal/journal_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/digest.h"

#define COPY_CHUNK_BYTES (64u * 1024u)

static void adopt_spare(struct sl_journal_store *store);
static int allocate(const struct sl_journal_store *store, int fd);
static int write_header(struct sl_journal_store *store, int fd, struct sl_journal_header *header);
static int publish_name(const struct sl_journal_store *store, uint64_t first_seq);
static void drop_spare(struct sl_journal_store *store);
static int copy_span(const struct sl_journal_store *store, int from_fd, int to_fd, uint64_t from,
                     uint64_t to);

bool sl_journal_store_open(struct sl_journal_store *store, const struct sl_journal_store_opts *opts,
                           struct sl_err *err)
{
    *store = (struct sl_journal_store){
        .io = opts->io == NULL ? &sl_journal_io_real : opts->io,
        .folder = SL_JOURNAL_FOLDER_CLOSED,
        .spare_fd = -1,
        .wake_fd = -1,
        .segment_bytes = opts->segment_bytes,
        .next_seq = 1,
    };
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!sl_journal_folder_open(&store->folder, store->io, opts->dir, opts->allow_volatile, err)) {
        return false;
    }
    adopt_spare(store);
    return true;
}

/* The spare of the last run: it never held an event, only zeros behind what may be a header. */
static void adopt_spare(struct sl_journal_store *store)
{
    int fd = store->io->openat(store->folder.dir_fd, SL_JOURNAL_SPARE_NAME,
                               O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0) {
        return;
    }
    struct stat seen = { 0 };
    if (fstat(fd, &seen) == 0 && S_ISREG(seen.st_mode) && seen.st_uid == geteuid() &&
        seen.st_nlink == 1 && (uint64_t)seen.st_size == store->segment_bytes) {
        store->spare_fd = fd;
        return;
    }
    (void)close(fd);
    (void)store->io->unlinkat(store->folder.dir_fd, SL_JOURNAL_SPARE_NAME, 0);
}

void sl_journal_store_done(struct sl_journal_store *store)
{
    if (store->io == NULL) {
        return;
    }
    if (store->spare_fd >= 0) {
        (void)close(store->spare_fd);
    }
    sl_journal_folder_done(&store->folder);
    while (store->oldest != NULL) {
        struct sl_journal_segment *segment = store->oldest;
        store->oldest = segment->newer;
        free(segment->resolved_bits);
        free(segment);
    }
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
    *store = (struct sl_journal_store){ 0 };
}

int sl_journal_store_look(const char *dir, bool *out_is_owned, struct sl_err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        sl_fail(err, SL_E_IO, "cannot open %s as a folder: %s", dir, strerror(errno));
        return -1;
    }
    *out_is_owned = false;
    int lock_fd = openat(fd, SL_JOURNAL_LOCK_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (lock_fd >= 0 && fcntl(lock_fd, F_OFD_GETLK, &whole) == 0) {
        *out_is_owned = whole.l_type != F_UNLCK;
    }
    if (lock_fd >= 0) {
        (void)close(lock_fd);
    }
    return fd;
}

int sl_journal_store_spare(struct sl_journal_store *store)
{
    if (store->spare_fd >= 0) {
        return 0;
    }
    /* What has this name now was given up after an error: its inode is not to be used again. */
    (void)store->io->unlinkat(store->folder.dir_fd, SL_JOURNAL_SPARE_NAME, 0);
    int fd = store->io->openat(store->folder.dir_fd, SL_JOURNAL_SPARE_NAME,
                               SL_JOURNAL_CREATE_FLAGS | O_EXCL, 0600);
    if (fd < 0) {
        return errno;
    }
    int failed = allocate(store, fd);
    if (failed != 0) {
        (void)close(fd);
        (void)store->io->unlinkat(store->folder.dir_fd, SL_JOURNAL_SPARE_NAME, 0);
        return failed;
    }
    store->spare_fd = fd;
    return 0;
}

/* A file system that cannot preallocate, or a limit on file sizes, costs only the certainty of room. */
static int allocate(const struct sl_journal_store *store, int fd)
{
    int result = 0;
    do {
        result = store->io->fallocate(fd, 0, 0, (off_t)store->segment_bytes);
    } while (result != 0 && errno == EINTR);
    if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EFBIG) {
        return 0;
    }
    return errno;
}

int sl_journal_store_begin(struct sl_journal_store *store, int *out_fd,
                           struct sl_journal_segment **out_segment)
{
    int failed = sl_journal_store_spare(store);
    if (failed != 0) {
        return failed;
    }
    /* Only the writer adds segments and moves next_seq, so both are steady here. */
    struct sl_journal_header header = { .version = SL_JOURNAL_VERSION,
                                        .first_seq = store->next_seq,
                                        .created_ns = (uint64_t)sl_clock_wall_us() * 1000 };
    pthread_mutex_lock(&store->lock);
    if (store->newest != NULL) {
        header.flags |= store->newest->is_sealed ? 0 : SL_JOURNAL_AFTER_UNSEALED;
        header.flags |= store->newest->is_suspect ? SL_JOURNAL_AFTER_SUSPECT : 0;
    }
    pthread_mutex_unlock(&store->lock);
    failed = write_header(store, store->spare_fd, &header);
    if (failed == 0) {
        failed = publish_name(store, header.first_seq);
    }
    if (failed != 0) {
        drop_spare(store);
        return failed;
    }
    pthread_mutex_lock(&store->lock);
    struct sl_journal_segment *segment = sl_journal_store_add(store, header.first_seq, header.salt);
    if (segment != NULL) {
        segment->is_active = true;
    }
    pthread_mutex_unlock(&store->lock);
    if (segment == NULL) {
        drop_spare(store);
        return ENOMEM;
    }
    *out_fd = store->spare_fd;
    *out_segment = segment;
    store->spare_fd = -1;
    return 0;
}

static int write_header(struct sl_journal_store *store, int fd, struct sl_journal_header *header)
{
    uint8_t bytes[SL_JOURNAL_HEADER_BYTES];
    if (!sl_random_bytes(header->salt, sizeof header->salt)) {
        return EIO;
    }
    sl_journal_header_encode(header, bytes);
    int failed = sl_journal_io_write(store->io, fd, bytes, sizeof bytes, 0);
    return failed != 0 ? failed : sl_journal_io_sync(store->io, fd);
}

static int publish_name(const struct sl_journal_store *store, uint64_t first_seq)
{
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(first_seq, name);
    if (faccessat(store->folder.dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
        store->io->unlinkat(store->folder.dir_fd, name, 0) != 0) {
        return errno;
    }
    if (store->io->renameat(store->folder.dir_fd, SL_JOURNAL_SPARE_NAME, store->folder.dir_fd,
                            name) != 0) {
        return errno;
    }
    return store->io->fsync(store->folder.dir_fd) == 0 ? 0 : errno;
}

/* After a failure: neither this inode nor its name is used again. A file that was renamed already is replaced by the next begin. */
static void drop_spare(struct sl_journal_store *store)
{
    (void)close(store->spare_fd);
    store->spare_fd = -1;
    (void)store->io->unlinkat(store->folder.dir_fd, SL_JOURNAL_SPARE_NAME, 0);
}

void sl_journal_store_discard(struct sl_journal_store *store, struct sl_journal_segment *segment)
{
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(segment->first_seq, name);
    pthread_mutex_lock(&store->lock);
    SL_ASSERT(segment->records == 0);
    sl_journal_store_unlink(store, segment);
    pthread_mutex_unlock(&store->lock);
    (void)store->io->unlinkat(store->folder.dir_fd, name, 0);
}

void sl_journal_store_unlink(struct sl_journal_store *store, struct sl_journal_segment *segment)
{
    SL_ASSERT(segment == store->newest);
    struct sl_journal_segment **link = &store->oldest;
    store->newest = NULL;
    while (*link != segment) {
        store->newest = *link;
        link = &(*link)->newer;
    }
    *link = NULL;
    store->segment_count--;
    atomic_fetch_sub(&store->bytes, segment->bytes);
    free(segment->resolved_bits);
    free(segment);
}

struct sl_journal_segment *sl_journal_store_add(struct sl_journal_store *store, uint64_t first_seq,
                                                const uint8_t salt[SL_JOURNAL_SALT_BYTES])
{
    SL_ASSERT(store->newest == NULL || store->newest->first_seq < first_seq);
    struct sl_journal_segment *segment = calloc(1, sizeof *segment);
    if (segment == NULL) {
        return NULL;
    }
    segment->first_seq = first_seq;
    segment->next_seq = first_seq;
    segment->bytes = SL_JOURNAL_HEADER_BYTES;
    memcpy(segment->salt, salt, sizeof segment->salt);
    if (store->newest == NULL) {
        store->oldest = segment;
    } else {
        store->newest->newer = segment;
    }
    store->newest = segment;
    store->segment_count++;
    atomic_fetch_add(&store->bytes, segment->bytes);
    return segment;
}

void sl_journal_store_grow(struct sl_journal_store *store, struct sl_journal_segment *segment,
                           uint64_t bytes)
{
    segment->bytes += bytes;
    atomic_fetch_add(&store->bytes, bytes);
}

bool sl_journal_store_resolve(struct sl_journal_store *store, struct sl_journal_segment *segment,
                              uint64_t seq)
{
    SL_ASSERT(seq >= segment->first_seq);
    SL_ASSERT(seq < segment->next_seq);
    size_t bit = (size_t)(seq - segment->first_seq);
    if (bit / 8 >= segment->resolved_bytes) {
        size_t doubled = segment->resolved_bytes == 0 ? 64 : 2 * segment->resolved_bytes;
        size_t bytes = bit / 8 < doubled ? doubled : bit / 8 + 1;
        uint8_t *bits = realloc(segment->resolved_bits, bytes);
        if (bits == NULL) {
            return false;
        }
        memset(bits + segment->resolved_bytes, 0, bytes - segment->resolved_bytes);
        segment->resolved_bits = bits;
        segment->resolved_bytes = bytes;
    }
    if (sl_journal_segment_is_resolved(segment, seq)) {
        return false;
    }
    segment->resolved_bits[bit / 8] |= (uint8_t)(1u << bit % 8);
    segment->resolved++;
    store->progress_dirty = true;
    return true;
}

bool sl_journal_segment_is_resolved(const struct sl_journal_segment *segment, uint64_t seq)
{
    size_t bit = (size_t)(seq - segment->first_seq);
    return bit / 8 < segment->resolved_bytes &&
           (segment->resolved_bits[bit / 8] & (1u << bit % 8)) != 0;
}

size_t sl_journal_store_prune(struct sl_journal_store *store, const struct sl_journal_segment *keep)
{
    size_t gone = 0;
    for (;;) {
        pthread_mutex_lock(&store->lock);
        struct sl_journal_segment *segment = store->oldest;
        bool removable = segment != keep && sl_journal_store_is_prunable(store);
        pthread_mutex_unlock(&store->lock);
        if (!removable) {
            break;
        }
        char name[SL_JOURNAL_NAME_BYTES];
        sl_journal_name(segment->first_seq, name);
        if (store->io->unlinkat(store->folder.dir_fd, name, 0) != 0 && errno != ENOENT) {
            sl_journal_store_tell(store,
                                  &(struct sl_journal_finding){
                                      .what = SL_JOURNAL_TELL_REMOVE_FAILED, .os_error = errno },
                                  name);
            break;
        }
        pthread_mutex_lock(&store->lock);
        store->oldest = segment->newer;
        store->newest = store->newest == segment ? NULL : store->newest;
        store->segment_count--;
        atomic_fetch_sub(&store->bytes, segment->bytes);
        pthread_mutex_unlock(&store->lock);
        free(segment->resolved_bits);
        free(segment);
        gone++;
    }
    if (gone > 0 && store->io->fsync(store->folder.dir_fd) != 0) {
        sl_journal_store_tell(store,
                              &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_REMOVE_FAILED,
                                                            .os_error = errno },
                              NULL);
    }
    return gone;
}

bool sl_journal_store_is_prunable(const struct sl_journal_store *store)
{
    const struct sl_journal_segment *oldest = store->oldest;
    return oldest != NULL && !oldest->is_active && oldest->resolved == oldest->records;
}

void sl_journal_store_signal(struct sl_journal_store *store)
{
    store->changes++;
    pthread_cond_signal(&store->changed);
}

void sl_journal_store_copy_aside(struct sl_journal_store *store, const char *name, uint64_t from,
                                 uint64_t to)
{
    char aside[SL_JOURNAL_NAME_BYTES + 32];
    snprintf(aside, sizeof aside, "%s.corrupt-%llu", name, (unsigned long long)from);
    int to_fd =
        store->io->openat(store->folder.dir_fd, aside, SL_JOURNAL_CREATE_FLAGS | O_EXCL, 0600);
    if (to_fd < 0 && errno == EEXIST) {
        return; /* found before; the first copy is nearest to the accident */
    }
    int failed = to_fd < 0 ? errno : 0;
    int from_fd =
        store->io->openat(store->folder.dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    failed = failed == 0 && from_fd < 0 ? errno : failed;
    if (failed == 0) {
        failed = copy_span(store, from_fd, to_fd, from, to);
    }
    if (failed == 0) {
        failed = sl_journal_io_sync(store->io, to_fd);
    }
    if (from_fd >= 0) {
        (void)close(from_fd);
    }
    if (to_fd >= 0) {
        (void)close(to_fd);
    }
    if (failed != 0) {
        if (to_fd >= 0) {
            (void)store->io->unlinkat(store->folder.dir_fd, aside, 0);
        }
        sl_journal_store_tell(
            store,
            &(struct sl_journal_finding){
                .what = SL_JOURNAL_TELL_COPY_FAILED, .from = from, .to = to, .os_error = failed },
            name);
    }
}

static int copy_span(const struct sl_journal_store *store, int from_fd, int to_fd, uint64_t from,
                     uint64_t to)
{
    char chunk[COPY_CHUNK_BYTES];
    for (uint64_t at = from; at < to;) {
        size_t wanted = to - at < sizeof chunk ? (size_t)(to - at) : sizeof chunk;
        size_t got = 0;
        int failed = sl_journal_io_read(store->io, from_fd, chunk, wanted, at, &got);
        if (failed == 0) {
            failed = sl_journal_io_write(store->io, to_fd, chunk, got, at - from);
        }
        if (failed != 0 || got < wanted) {
            return failed;
        }
        at += got;
    }
    return 0;
}

uint64_t sl_journal_store_kept_bytes(const struct sl_journal_store *store)
{
    return atomic_load(&store->bytes) + atomic_load(&store->poison_bytes);
}

bool sl_journal_store_is_low(const struct sl_journal_store *store, uint64_t floor_bytes)
{
    struct statvfs seen = { 0 };
    return floor_bytes > 0 && store->io->fstatvfs(store->folder.dir_fd, &seen) == 0 &&
           (uint64_t)seen.f_bavail * seen.f_frsize < floor_bytes;
}

void sl_journal_store_tell(struct sl_journal_store *store, const struct sl_journal_finding *finding,
                           const char *place)
{
    pthread_mutex_lock(&store->lock);
    if (store->finding_count == SL_JOURNAL_FINDINGS_MAX) {
        store->findings_lost++;
    } else {
        struct sl_journal_finding *kept = &store->findings[store->finding_count++];
        *kept = *finding;
        snprintf(kept->place, sizeof kept->place, "%s", place == NULL ? "" : place);
    }
    pthread_mutex_unlock(&store->lock);
    sl_journal_store_wake(store);
}

void sl_journal_store_wake(struct sl_journal_store *store)
{
    if (store->wake_fd < 0 || atomic_exchange(&store->is_waking, true)) {
        return;
    }
    uint64_t one = 1;
    while (write(store->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}
