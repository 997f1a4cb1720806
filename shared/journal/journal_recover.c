#include "shared/journal/journal_recover.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/journal/journal_poison.h"
#include "shared/journal/journal_progress.h"
#include "shared/journal/journal_walk.h"

#define FIRST_ROOM 64u

/* What is known of a segment before it is scanned. */
struct known {
    uint64_t first_seq;
    uint32_t flags;
    bool is_proven; /* its header says who it is */
};

struct recovery {
    struct sl_journal_store *store;
    struct sl_journal_progress progress;
    struct known *known;
    size_t count;
    uint64_t expected_seq; /* of the next event, when nothing is missing; 0: none was seen yet */
};

static void recovery_done(struct recovery *recovery);
static bool look_at_headers(struct recovery *recovery, struct sl_err *err);
static bool recover_segment(struct recovery *recovery, size_t i, struct sl_err *err);
static bool scan_segment(struct recovery *recovery, size_t i, struct sl_journal_walk *walk,
                         struct sl_journal_segment *segment, struct sl_journal_item *out_end,
                         struct sl_err *err);
static void count_event(struct recovery *recovery, struct sl_journal_segment *segment,
                        const struct sl_journal_item *item, const uint8_t *bits, size_t bits_bytes);
static void finish_segment(struct recovery *recovery, size_t i, const struct sl_journal_walk *walk,
                           struct sl_journal_segment *segment, const struct sl_journal_item *end);
static bool must_be_sealed(const struct recovery *recovery, size_t i);
static void quarantine(struct recovery *recovery, const char *name, uint64_t bytes);
static void tell_missing(struct recovery *recovery, const char *name, uint64_t from,
                         uint64_t behind);
static bool raise_next_seq(struct sl_journal_store *store, int dir_fd, struct sl_err *err);
static DIR *open_listing(int dir_fd, struct sl_err *err);

bool sl_journal_recover(struct sl_journal_store *store, struct sl_err *err)
{
    SL_DONE(recovery_done) struct recovery recovery = { .store = store };
    uint64_t *first_seqs = NULL;
    if (!sl_journal_progress_load(&recovery.progress, store->io, store->folder.dir_fd, err) ||
        !sl_journal_list(store->folder.dir_fd, &first_seqs, &recovery.count, err)) {
        return false;
    }
    recovery.known = calloc(recovery.count + 1, sizeof *recovery.known);
    for (size_t i = 0; recovery.known != NULL && i < recovery.count; i++) {
        recovery.known[i].first_seq = first_seqs[i];
    }
    free(first_seqs);
    if (recovery.known == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory to list the journal");
    }
    if (recovery.progress.is_damaged) {
        sl_journal_store_tell(store,
                              &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_PROGRESS_LOST },
                              SL_JOURNAL_PROGRESS_NAME);
    }
    if (!look_at_headers(&recovery, err)) {
        return false;
    }
    for (size_t i = 0; i < recovery.count; i++) {
        if (!recover_segment(&recovery, i, err)) {
            return false;
        }
    }
    if (store->next_seq < recovery.progress.next_seq) {
        if (recovery.expected_seq != 0) {
            tell_missing(&recovery, SL_JOURNAL_PROGRESS_NAME, recovery.expected_seq,
                         recovery.progress.next_seq);
        }
        store->next_seq = recovery.progress.next_seq;
    }
    sl_journal_poison_count(store);
    return raise_next_seq(store, store->folder.dir_fd, err) &&
           raise_next_seq(store, store->folder.poison_fd, err);
}

static void recovery_done(struct recovery *recovery)
{
    sl_journal_progress_done(&recovery->progress);
    free(recovery->known);
}

/* Before anything is renamed or copied: is there a newer version anywhere? */
static bool look_at_headers(struct recovery *recovery, struct sl_err *err)
{
    for (size_t i = 0; i < recovery->count; i++) {
        SL_DONE(sl_journal_walk_done) struct sl_journal_walk walk = { 0 };
        struct known *known = &recovery->known[i];
        char name[SL_JOURNAL_NAME_BYTES];
        sl_journal_name(known->first_seq, name);
        if (!sl_journal_walk_open(&walk, recovery->store->io, recovery->store->folder.dir_fd, name,
                                  known->first_seq, err)) {
            return false;
        }
        if (walk.header_state == SL_JOURNAL_HEADER_NEWER) {
            return sl_fail(err, SL_E_JOURNAL_VERSION,
                           "%s has version %u; this program knows up to %u and changes nothing",
                           name, walk.header.version, SL_JOURNAL_VERSION);
        }
        known->is_proven = walk.header_state != SL_JOURNAL_HEADER_DAMAGED;
        known->flags = walk.header.flags;
    }
    return true;
}

static bool recover_segment(struct recovery *recovery, size_t i, struct sl_err *err)
{
    struct sl_journal_store *store = recovery->store;
    SL_DONE(sl_journal_walk_done) struct sl_journal_walk walk = { 0 };
    uint64_t first_seq = recovery->known[i].first_seq;
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(first_seq, name);
    if (!sl_journal_walk_open(&walk, store->io, store->folder.dir_fd, name, first_seq, err)) {
        return false;
    }
    struct sl_journal_segment *segment = sl_journal_store_add(store, first_seq, walk.header.salt);
    if (segment == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the journal's segments");
    }
    if (recovery->expected_seq != 0) {
        tell_missing(recovery, name, recovery->expected_seq, first_seq);
    }
    if (recovery->expected_seq < first_seq) {
        recovery->expected_seq = first_seq;
    }
    struct sl_journal_item end = { 0 };
    if (!scan_segment(recovery, i, &walk, segment, &end, err)) {
        return false;
    }
    if (!recovery->known[i].is_proven && segment->records == 0) {
        sl_journal_store_unlink(recovery->store, segment);
        quarantine(recovery, name, walk.file_bytes);
        return true;
    }
    if (walk.header_state != SL_JOURNAL_HEADER_GOOD) {
        bool mended = walk.header_state == SL_JOURNAL_HEADER_MENDED;
        sl_journal_store_tell(
            store,
            &(struct sl_journal_finding){ .what = mended ? SL_JOURNAL_TELL_HEADER_MENDED
                                                         : SL_JOURNAL_TELL_HEADER_DAMAGED,
                                          .to = SL_JOURNAL_HEADER_BYTES },
            name);
        store->totals.corrupt_bytes += SL_JOURNAL_HEADER_BYTES;
        sl_journal_store_copy_aside(store, name, 0, SL_JOURNAL_HEADER_BYTES);
    }
    finish_segment(recovery, i, &walk, segment, &end);
    if (segment->records == 0) {
        bool is_damaged = walk.scan.hole_bytes > 0 || end.claimed_records > 0 ||
                          (end.bytes > 0 && must_be_sealed(recovery, i));
        sl_journal_store_unlink(recovery->store, segment);
        if (is_damaged) {
            quarantine(recovery, name, walk.file_bytes);
        } else {
            (void)store->io->unlinkat(store->folder.dir_fd, name, 0);
        }
    }
    return true;
}

static bool scan_segment(struct recovery *recovery, size_t i, struct sl_journal_walk *walk,
                         struct sl_journal_segment *segment, struct sl_journal_item *out_end,
                         struct sl_err *err)
{
    struct sl_journal_store *store = recovery->store;
    uint64_t limit_seq = UINT64_MAX;
    for (size_t next = i + 1; next < recovery->count && limit_seq == UINT64_MAX; next++) {
        limit_seq = recovery->known[next].is_proven ? recovery->known[next].first_seq : UINT64_MAX;
    }
    size_t bits_bytes = 0;
    const uint8_t *bits = sl_journal_progress_bits(&recovery->progress, segment->first_seq,
                                                   segment->salt, &bits_bytes);
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(segment->first_seq, name);
    sl_journal_walk_begin(walk, limit_seq, walk->file_bytes);
    for (;;) {
        struct sl_journal_item item = { 0 };
        enum sl_journal_found found = SL_JOURNAL_FOUND_END;
        if (!sl_journal_walk_next(walk, &found, &item, err)) {
            return sl_err_wrap(err, "%s", name);
        }
        if (found == SL_JOURNAL_FOUND_END) {
            *out_end = item;
            return true;
        }
        if (found == SL_JOURNAL_FOUND_RECORD) {
            count_event(recovery, segment, &item, bits, bits_bytes);
            continue;
        }
        store->totals.corrupt_bytes += item.bytes;
        sl_journal_store_tell(store,
                              &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_HOLE,
                                                            .from = item.offset,
                                                            .to = item.offset + item.bytes },
                              name);
        sl_journal_store_copy_aside(store, name, item.offset, item.offset + item.bytes);
    }
}

static void count_event(struct recovery *recovery, struct sl_journal_segment *segment,
                        const struct sl_journal_item *item, const uint8_t *bits, size_t bits_bytes)
{
    struct sl_journal_store *store = recovery->store;
    uint64_t seq = item->record.seq;
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(segment->first_seq, name);
    tell_missing(recovery, name, recovery->expected_seq, seq);
    recovery->expected_seq = seq + 1;
    segment->next_seq = seq + 1;
    segment->records++;
    segment->oldest_ns = segment->records == 1 ? item->record.received_ns : segment->oldest_ns;
    store->totals.found++;
    uint64_t bit = seq - segment->first_seq;
    if (bit / 8 < bits_bytes && (bits[bit / 8] & (1u << bit % 8)) != 0 &&
        sl_journal_store_resolve(store, segment, seq)) {
        store->totals.found_resolved++;
    }
    if (store->next_seq <= seq) {
        store->next_seq = seq + 1;
    }
}

static void finish_segment(struct recovery *recovery, size_t i, const struct sl_journal_walk *walk,
                           struct sl_journal_segment *segment, const struct sl_journal_item *end)
{
    struct sl_journal_store *store = recovery->store;
    bool is_expected = must_be_sealed(recovery, i);
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(segment->first_seq, name);

    segment->is_sealed =
        end->ending == SL_JOURNAL_ENDING_SEALED || end->ending == SL_JOURNAL_ENDING_SEAL_DIFFERS;
    segment->is_suspect =
        i + 1 < recovery->count && (recovery->known[i + 1].flags & SL_JOURNAL_AFTER_SUSPECT) != 0;
    segment->hole_bytes = walk->scan.hole_bytes;
    sl_journal_store_grow(store, segment, walk->scan.end - segment->bytes);

    if (end->ending == SL_JOURNAL_ENDING_SEAL_DIFFERS) {
        uint64_t last_seq = end->record.seq;
        tell_missing(recovery, name, segment->next_seq, last_seq + 1);
        recovery->expected_seq = last_seq + 1;
        segment->next_seq = last_seq + 1;
        if (store->next_seq <= last_seq) {
            store->next_seq = last_seq + 1;
        }
    }
    if (end->ending == SL_JOURNAL_ENDING_TORN && !is_expected) {
        store->totals.torn_bytes += end->bytes;
        sl_journal_store_tell(store,
                              &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_TORN_TAIL,
                                                            .from = end->offset,
                                                            .to = end->offset + end->bytes },
                              name);
    }
    if (!segment->is_sealed && is_expected) {
        store->totals.corrupt_bytes += end->bytes;
        sl_journal_store_tell(store,
                              &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_SEAL_MISSING,
                                                            .from = end->offset,
                                                            .to = end->offset + end->bytes },
                              name);
        if (end->bytes > 0) {
            sl_journal_store_copy_aside(store, name, end->offset, end->offset + end->bytes);
        }
    }
}

static bool must_be_sealed(const struct recovery *recovery, size_t i)
{
    bool is_last = i + 1 == recovery->count;
    return sl_journal_must_be_sealed(is_last, is_last ? 0 : recovery->known[i + 1].flags);
}

static void quarantine(struct recovery *recovery, const char *name, uint64_t bytes)
{
    struct sl_journal_store *store = recovery->store;
    char aside[SL_JOURNAL_NAME_BYTES + 16];
    snprintf(aside, sizeof aside, "%s.corrupt-0", name);
    int failed = store->io->renameat(store->folder.dir_fd, name, store->folder.dir_fd, aside) == 0
                     ? 0
                     : errno;
    if (failed == 0 && store->io->fsync(store->folder.dir_fd) != 0) {
        failed = errno;
    }
    store->totals.quarantined++;
    store->totals.corrupt_bytes += bytes;
    sl_journal_store_tell(store,
                          &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_QUARANTINED,
                                                        .to = bytes,
                                                        .os_error = failed },
                          name);
}

static void tell_missing(struct recovery *recovery, const char *name, uint64_t from,
                         uint64_t behind)
{
    if (from >= behind) {
        return;
    }
    recovery->store->totals.missing += behind - from;
    sl_journal_store_tell(
        recovery->store,
        &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_GAP, .from = from, .to = behind - 1 },
        name);
}

/* A number in a name was used once; it is not used again, so that names stay unique whatever else is lost. */
static bool raise_next_seq(struct sl_journal_store *store, int dir_fd, struct sl_err *err)
{
    DIR *listing = open_listing(dir_fd, err);
    if (listing == NULL) {
        return false;
    }
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        char name[SL_JOURNAL_NAME_BYTES];
        uint64_t seq = 0;
        snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1, entry->d_name);
        if (sl_journal_name_parse(name, &seq) && store->next_seq <= seq) {
            store->next_seq = seq + 1;
        }
    }
    (void)closedir(listing);
    return true;
}

static DIR *open_listing(int dir_fd, struct sl_err *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (listing == NULL) {
        sl_fail(err, SL_E_IO, "cannot list the journal: %s", strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return listing;
}

static int by_seq(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

bool sl_journal_list(int dir_fd, uint64_t **out_first_seqs, size_t *out_count, struct sl_err *err)
{
    DIR *listing = open_listing(dir_fd, err);
    if (listing == NULL) {
        return false;
    }
    uint64_t *found = calloc(FIRST_ROOM, sizeof *found);
    size_t room = FIRST_ROOM;
    size_t count = 0;
    bool ok = found != NULL;
    for (const struct dirent *entry = readdir(listing); ok && entry != NULL;
         entry = readdir(listing)) {
        uint64_t seq = 0;
        if (!sl_journal_name_parse(entry->d_name, &seq)) {
            continue;
        }
        if (count == room) {
            uint64_t *more = realloc(found, 2 * room * sizeof *found);
            ok = more != NULL && count < SL_JOURNAL_SEGMENTS_MAX;
            found = more != NULL ? more : found;
            room *= 2;
        }
        if (ok) {
            found[count++] = seq;
        }
    }
    (void)closedir(listing);
    if (!ok) {
        free(found);
        return sl_fail(err, SL_E_MEMORY, "too many segments, or no memory to list them");
    }
    qsort(found, count, sizeof *found, by_seq);
    *out_first_seqs = found;
    *out_count = count;
    return true;
}
