#include "shared/journal/journal_walk.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_BYTES     (256u * 1024u)
#define WINDOW_BYTES_MAX (WINDOW_BYTES + SL_JOURNAL_RECORD_BYTES_MAX)

static bool read_header(struct sl_journal_walk *walk, const char *name, uint64_t first_seq,
                        struct sl_err *err);
static bool refill(struct sl_journal_walk *walk, uint64_t offset, uint64_t bytes,
                   struct sl_err *err);

bool sl_journal_walk_open(struct sl_journal_walk *walk, const struct sl_journal_io *io, int dir_fd,
                          const char *name, uint64_t first_seq, struct sl_err *err)
{
    *walk = (struct sl_journal_walk){ .io = io, .fd = -1 };
    sl_buf_init(&walk->window, WINDOW_BYTES_MAX);
    int fd = io->openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0) {
        return errno == ELOOP ? sl_fail(err, SL_E_JOURNAL_UNSAFE, "%s is a symbolic link", name)
                              : sl_fail(err, SL_E_IO, "cannot open %s: %s", name, strerror(errno));
    }
    walk->fd = fd;
    struct stat seen = { 0 };
    if (fstat(fd, &seen) != 0) {
        return sl_fail(err, SL_E_IO, "cannot look at %s: %s", name, strerror(errno));
    }
    if (!S_ISREG(seen.st_mode)) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "%s is not a regular file", name);
    }
    walk->file_bytes = (uint64_t)seen.st_size;
    return read_header(walk, name, first_seq, err);
}

static bool read_header(struct sl_journal_walk *walk, const char *name, uint64_t first_seq,
                        struct sl_err *err)
{
    uint8_t bytes[SL_JOURNAL_HEADER_BYTES] = { 0 };
    size_t got = 0;
    int failed = sl_journal_io_read(walk->io, walk->fd, bytes, sizeof bytes, 0, &got);
    if (failed != 0) {
        return sl_fail(err, SL_E_IO, "cannot read %s: %s", name, strerror(failed));
    }
    walk->header_state = sl_journal_header_decode(bytes, &walk->header);
    bool proven = walk->header_state == SL_JOURNAL_HEADER_GOOD ||
                  walk->header_state == SL_JOURNAL_HEADER_MENDED;
    if (proven && walk->header.first_seq != first_seq) {
        walk->header_state = SL_JOURNAL_HEADER_DAMAGED;
    }
    if (walk->header_state == SL_JOURNAL_HEADER_DAMAGED) {
        walk->header.first_seq = first_seq;
        walk->header.flags = 0;
    }
    return true;
}

void sl_journal_walk_done(struct sl_journal_walk *walk)
{
    if (walk->io != NULL && walk->fd >= 0) {
        (void)close(walk->fd);
    }
    sl_buf_done(&walk->window);
    *walk = (struct sl_journal_walk){ 0 };
}

void sl_journal_walk_begin(struct sl_journal_walk *walk, uint64_t limit_seq, uint64_t bytes_max)
{
    sl_journal_scan_init(&walk->scan, &walk->header, limit_seq, bytes_max);
}

void sl_journal_walk_extend(struct sl_journal_walk *walk, uint64_t bytes_max)
{
    SL_ASSERT(bytes_max >= walk->scan.file_bytes);
    walk->scan.file_bytes = bytes_max;
}

bool sl_journal_walk_next(struct sl_journal_walk *walk, enum sl_journal_found *out_found,
                          struct sl_journal_item *out_item, struct sl_err *err)
{
    for (;;) {
        enum sl_journal_found found = sl_journal_scan_next(&walk->scan, sl_buf_span(&walk->window),
                                                           walk->window_at, out_item);
        if (found != SL_JOURNAL_FOUND_MORE) {
            *out_found = found;
            return true;
        }
        if (!refill(walk, out_item->offset, out_item->bytes, err)) {
            return false;
        }
    }
}

static bool refill(struct sl_journal_walk *walk, uint64_t offset, uint64_t bytes,
                   struct sl_err *err)
{
    uint64_t left = walk->scan.file_bytes - offset;
    uint64_t wanted = bytes > WINDOW_BYTES ? bytes : WINDOW_BYTES;
    size_t size = (size_t)(wanted < left ? wanted : left);
    sl_buf_reset(&walk->window);
    char *room = sl_buf_reserve(&walk->window, size);
    if (room == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory to read a segment");
    }
    size_t got = 0;
    int failed = sl_journal_io_read(walk->io, walk->fd, room, size, offset, &got);
    if (failed != 0 || got < bytes) {
        return sl_fail(err, SL_E_IO, "cannot read a segment at %llu: %s",
                       (unsigned long long)offset,
                       failed != 0 ? strerror(failed) : "it is shorter than it was");
    }
    sl_buf_commit(&walk->window, size > got ? got : size);
    walk->window_at = offset;
    return true;
}
