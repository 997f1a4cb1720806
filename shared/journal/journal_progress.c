#include "shared/journal/journal_progress.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/journal/journal_crc.h"

#define VERSION     1u
#define HEAD_BYTES  24u /* magic 8, version 4, entries 4, next_seq 8 */
#define ENTRY_BYTES 32u /* first_seq 8, salt 16, bytes of bits 4, zero 4 */
#define CRC_BYTES   4u
/* One bit an event: room for 128 million of them. */
#define FILE_BYTES_MAX (16u * 1024u * 1024u)

static const uint8_t magic[8] = { 's', 'l', 'u', 'i', 'c', 'e', 'P', '\n' };

static bool encode(const struct sl_journal_store *store, struct sl_buf *out);
static bool is_proven(const struct sl_buf *bytes);
static bool read_file(const struct sl_journal_io *io, int fd, struct sl_buf *out,
                      struct sl_err *err);

static uint64_t get(const char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    }
    return value;
}

static bool put(struct sl_buf *out, uint64_t value, unsigned bytes)
{
    uint8_t little[8];
    for (unsigned i = 0; i < bytes; i++) {
        little[i] = (uint8_t)(value >> (8 * i));
    }
    return sl_buf_append(out, little, bytes);
}

bool sl_journal_progress_load(struct sl_journal_progress *progress, const struct sl_journal_io *io,
                              int dir_fd, struct sl_err *err)
{
    *progress = (struct sl_journal_progress){ 0 };
    sl_buf_init(&progress->bytes, FILE_BYTES_MAX);
    int fd = io->openat(dir_fd, SL_JOURNAL_PROGRESS_NAME,
                        O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0) {
        return errno == ENOENT || sl_fail(err, SL_E_IO, "cannot open %s: %s",
                                          SL_JOURNAL_PROGRESS_NAME, strerror(errno));
    }
    bool done = read_file(io, fd, &progress->bytes, err);
    (void)close(fd);
    if (!done) {
        return false;
    }
    if (!is_proven(&progress->bytes)) {
        sl_buf_reset(&progress->bytes);
        progress->is_damaged = true;
        return true;
    }
    uint64_t version = get(progress->bytes.data + 8, 4);
    if (version > VERSION) {
        return sl_fail(err, SL_E_JOURNAL_VERSION,
                       "%s has version %llu; this program knows up to %u and changes nothing",
                       SL_JOURNAL_PROGRESS_NAME, (unsigned long long)version, VERSION);
    }
    progress->next_seq = get(progress->bytes.data + 16, 8);
    return true;
}

static bool read_file(const struct sl_journal_io *io, int fd, struct sl_buf *out,
                      struct sl_err *err)
{
    struct stat seen = { 0 };
    if (fstat(fd, &seen) != 0 || !S_ISREG(seen.st_mode)) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "%s is not a regular file",
                       SL_JOURNAL_PROGRESS_NAME);
    }
    if (seen.st_size <= 0 || seen.st_size > FILE_BYTES_MAX) {
        return true; /* nothing proven */
    }
    char *room = sl_buf_reserve(out, (size_t)seen.st_size);
    if (room == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory to read %s", SL_JOURNAL_PROGRESS_NAME);
    }
    size_t got = 0;
    int failed = sl_journal_io_read(io, fd, room, (size_t)seen.st_size, 0, &got);
    if (failed != 0) {
        return sl_fail(err, SL_E_IO, "cannot read %s: %s", SL_JOURNAL_PROGRESS_NAME,
                       strerror(failed));
    }
    sl_buf_commit(out, got);
    return true;
}

static bool is_proven(const struct sl_buf *bytes)
{
    if (bytes->used_bytes < HEAD_BYTES + CRC_BYTES ||
        memcmp(bytes->data, magic, sizeof magic) != 0) {
        return false;
    }
    size_t covered = bytes->used_bytes - CRC_BYTES;
    if (get(bytes->data + covered, CRC_BYTES) != sl_journal_crc(0, bytes->data, covered)) {
        return false;
    }
    if (get(bytes->data + 8, 4) > VERSION) {
        return true; /* what follows may look otherwise */
    }
    size_t at = HEAD_BYTES;
    for (uint64_t left = get(bytes->data + 12, 4); left > 0; left--) {
        if (covered - at < ENTRY_BYTES) {
            return false;
        }
        size_t bits = (size_t)get(bytes->data + at + 24, 4);
        at += ENTRY_BYTES;
        if (covered - at < bits) {
            return false;
        }
        at += bits;
    }
    return at == covered && get(bytes->data + 16, 8) <= SL_JOURNAL_SEQ_MAX;
}

void sl_journal_progress_done(struct sl_journal_progress *progress)
{
    sl_buf_done(&progress->bytes);
}

const uint8_t *sl_journal_progress_bits(const struct sl_journal_progress *progress,
                                        uint64_t first_seq,
                                        const uint8_t salt[SL_JOURNAL_SALT_BYTES],
                                        size_t *out_bytes)
{
    if (progress->bytes.used_bytes == 0) {
        return NULL;
    }
    const char *at = progress->bytes.data + HEAD_BYTES;
    for (uint64_t left = get(progress->bytes.data + 12, 4); left > 0; left--) {
        size_t bits = (size_t)get(at + 24, 4);
        if (get(at, 8) == first_seq && memcmp(at + 8, salt, SL_JOURNAL_SALT_BYTES) == 0) {
            *out_bytes = bits;
            return (const uint8_t *)at + ENTRY_BYTES;
        }
        at += ENTRY_BYTES + bits;
    }
    return NULL;
}

/* Appends the file's bytes. Under the store's lock. False without room. */
static bool encode(const struct sl_journal_store *store, struct sl_buf *out)
{
    uint32_t entries = 0;
    for (const struct sl_journal_segment *s = store->oldest; s != NULL; s = s->newer) {
        entries += s->resolved > 0 ? 1 : 0;
    }
    sl_buf_append(out, magic, sizeof magic);
    put(out, VERSION, 4);
    put(out, entries, 4);
    put(out, store->next_seq, 8);
    for (const struct sl_journal_segment *s = store->oldest; s != NULL; s = s->newer) {
        if (s->resolved == 0) {
            continue;
        }
        size_t needed = (size_t)(s->next_seq - s->first_seq + 7) / 8;
        size_t bits = needed < s->resolved_bytes ? needed : s->resolved_bytes;
        put(out, s->first_seq, 8);
        sl_buf_append(out, s->salt, sizeof s->salt);
        put(out, bits, 4);
        put(out, 0, 4);
        sl_buf_append(out, s->resolved_bits, bits);
    }
    uint32_t crc = sl_journal_crc(0, out->data == NULL ? "" : out->data, out->used_bytes);
    put(out, crc, CRC_BYTES);
    return sl_buf_ok(out);
}

int sl_journal_progress_save(struct sl_journal_store *store, struct sl_buf *scratch)
{
    if (scratch->bytes_max == 0) {
        sl_buf_init(scratch, FILE_BYTES_MAX);
    }
    sl_buf_reset(scratch);
    pthread_mutex_lock(&store->lock);
    bool is_dirty = store->progress_dirty;
    bool encoded = !is_dirty || encode(store, scratch);
    store->progress_dirty = false;
    pthread_mutex_unlock(&store->lock);
    int failed = 0;
    if (!encoded) {
        failed = ENOMEM;
    } else if (is_dirty) {
        failed = sl_journal_io_replace(store->io, store->folder.dir_fd, SL_JOURNAL_PROGRESS_NAME,
                                       scratch->data, scratch->used_bytes);
    }
    if (failed != 0) {
        pthread_mutex_lock(&store->lock);
        store->progress_dirty = true;
        pthread_mutex_unlock(&store->lock);
    }
    return failed;
}
