/*
 * journal_scan - what a segment still holds, whatever happened to its bytes.
 *
 * Decides only: looks at a window of the file that the caller keeps in memory and says what is next. Every undamaged record is found,
 * behind damage too; nothing is ever returned that its checksum does not prove.
 * Law: at bytes that are no record it searches every eighth byte for one that is proven, carries this segment's salt and has a later
 * sequence number. Found: the bytes between are a hole. None to the end: zeros are room not yet used, anything else is a torn tail.
 * A record's number can be no further from the segment's first than records fit before it.
 * Source: google/leveldb doc/log_format.md (resync), etcd server/storage/wal (torn against corrupt), and why SQLite's rule (drop
 * everything behind the first bad frame) is wrong for independent events.
 * Threads: one owner.
 */
#ifndef SHARED_JOURNAL_SCAN_H
#define SHARED_JOURNAL_SCAN_H

#include "shared/journal/journal_format.h"

enum sl_journal_found {
    SL_JOURNAL_FOUND_RECORD, /* item.record; item.missing numbers were skipped before it */
    SL_JOURNAL_FOUND_HOLE,   /* item.offset, item.bytes: damage with good records behind it */
    SL_JOURNAL_FOUND_END,    /* item.ending; nothing comes after it */
    SL_JOURNAL_FOUND_MORE, /* put a window of at least item.bytes at item.offset (or to the end of the file) */
};

enum sl_journal_ending {
    SL_JOURNAL_ENDING_SEALED,       /* closed in order, and the SEAL agrees with what was found */
    SL_JOURNAL_ENDING_SEAL_DIFFERS, /* closed in order, but records are missing */
    SL_JOURNAL_ENDING_OPEN,         /* no SEAL; only zeros, or nothing, behind the last record */
    SL_JOURNAL_ENDING_TORN,         /* no SEAL; item.bytes of something at item.offset */
    SL_JOURNAL_ENDING_SUPERSEDED,   /* what follows was written again to the next segment */
};

struct sl_journal_item {
    struct sl_journal_record record; /* borrows from the window */
    enum sl_journal_ending ending;
    uint64_t offset;
    uint64_t bytes;
    uint64_t missing;
    uint64_t claimed_records; /* SEALED, SEAL_DIFFERS: what the SEAL counts */
};

struct sl_journal_scan {
    uint32_t salt_crc;
    uint64_t first_seq;
    uint64_t limit_seq;  /* first_seq of the next segment; UINT64_MAX for the last */
    uint64_t file_bytes; /* may grow while the segment is being written */
    uint64_t offset;     /* what is looked at next */
    uint64_t bad_from;   /* start of the damage being crossed; 0: none */
    uint64_t bad_end;    /* behind the last byte of it that is not zero */
    uint64_t last_seq;   /* of the last event found; first_seq - 1 before any */
    uint64_t records;    /* events found */
    uint64_t end;        /* behind the last proven record */
    uint64_t hole_bytes;
    uint32_t rolling_crc;
};

/* first_seq > 0. */
void sl_journal_scan_init(struct sl_journal_scan *scan, const struct sl_journal_header *header,
                          uint64_t limit_seq, uint64_t file_bytes);
/* window holds the file's bytes from window_at on; scan->offset may lie outside of it (then MORE is the answer). */
enum sl_journal_found sl_journal_scan_next(struct sl_journal_scan *scan, struct sl_span window,
                                           uint64_t window_at, struct sl_journal_item *out_item);

/* A segment that must have a SEAL and ended like this has lost something. */
bool sl_journal_ending_is_loss(enum sl_journal_ending ending, bool must_be_sealed);
/* A segment must be sealed unless it is the last, or the next one says that it could not be. */
bool sl_journal_must_be_sealed(bool is_last, uint32_t next_flags);

#endif
