/*
 * journal_walk - one segment file, read from front to back in bounded memory.
 *
 * Acts: opens the file, keeps a window of it, asks journal_scan what is next.
 * Refuses: writing; mapping the file (a disk error would be a signal); following a symbolic link.
 * Threads: one owner.
 */
#ifndef SHARED_JOURNAL_WALK_H
#define SHARED_JOURNAL_WALK_H

#include "shared/buf.h"
#include "shared/journal/journal_io.h"
#include "shared/journal/journal_scan.h"

struct sl_journal_walk {
    const struct sl_journal_io *io;
    int fd;
    uint64_t file_bytes; /* when it was opened */
    struct sl_journal_header header;
    enum sl_journal_header_state header_state;
    struct sl_journal_scan scan;
    struct sl_buf window;
    uint64_t window_at;
};

/*
 * Opens `name`, which says that its first record has the number first_seq; a header that says another is a damaged one. Zeroed storage
 * is a valid walk for done. Err: SL_E_IO, SL_E_MEMORY; SL_E_JOURNAL_UNSAFE when it is no regular file of ours.
 */
bool sl_journal_walk_open(struct sl_journal_walk *walk, const struct sl_journal_io *io, int dir_fd,
                          const char *name, uint64_t first_seq, struct sl_err *err) SL_MUST;
void sl_journal_walk_done(struct sl_journal_walk *walk);

/* Call once before next: limit_seq as in journal_scan; reads no further than bytes_max. */
void sl_journal_walk_begin(struct sl_journal_walk *walk, uint64_t limit_seq, uint64_t bytes_max);
/* The file may be read up to here from now on; never less than before. */
void sl_journal_walk_extend(struct sl_journal_walk *walk, uint64_t bytes_max);

/* RECORD, HOLE or END; item borrows until the next call. False: it cannot be read now. */
bool sl_journal_walk_next(struct sl_journal_walk *walk, enum sl_journal_found *out_found,
                          struct sl_journal_item *out_item, struct sl_err *err) SL_MUST;

#endif
