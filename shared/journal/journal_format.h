/*
 * journal_format - the bytes of a journal segment: its header and its records.
 *
 * Decides only: no file, no clock. Encodes and decodes; whether a damaged file still holds good records is journal_scan's question.
 * Law: schemas/journal.md. Little-endian; records start at multiples of eight; the checksum of a record covers the segment's salt
 * and everything behind the checksum field, its length and sequence included, so that a record of another file, or a length that
 * lost a bit, is never believed.
 * Threads: no state.
 */
#ifndef SHARED_JOURNAL_FORMAT_H
#define SHARED_JOURNAL_FORMAT_H

#include <stdint.h>

#include "shared/err.h"
#include "shared/span.h"

#define SL_JOURNAL_VERSION           1u
#define SL_JOURNAL_HEADER_BYTES      64u
#define SL_JOURNAL_RECORD_HEAD_BYTES 32u
#define SL_JOURNAL_SALT_BYTES        16u
#define SL_JOURNAL_ALIGN             8u
#define SL_JOURNAL_SEAL_BYTES        48u /* a whole SEAL record */
/* The least bytes an event's record can have: its head and one byte, padded. */
#define SL_JOURNAL_RECORD_BYTES_MIN 40u
/* An envelope at its limit, rounded up. A longer record is damage, not data. */
#define SL_JOURNAL_PAYLOAD_BYTES_MAX (1024u * 1024u + 16u * 1024u)
#define SL_JOURNAL_RECORD_BYTES_MAX  (SL_JOURNAL_RECORD_HEAD_BYTES + SL_JOURNAL_PAYLOAD_BYTES_MAX)
/* No valid UTF-8, so that text inside a payload rarely looks like a record. */
#define SL_JOURNAL_SYNC 0xf5c1d4feu

/* Numbers start at 1; 2^62 of them are enough for everyone and keep sums from overflowing. */
#define SL_JOURNAL_SEQ_MAX (UINT64_C(1) << 62)

#define SL_JOURNAL_NAME_BYTES 26u /* "drop-<16 hex digits>.slj" and a NUL */

enum sl_journal_type {
    SL_JOURNAL_EVENT = 1,
    SL_JOURNAL_SEAL = 2, /* the last record of a segment that was closed in order */
    SL_JOURNAL_PAD = 3,  /* nothing; skipped */
};

/* The segment before this one has no SEAL and need not have one: it was left by a crash or closed after a failed write. */
#define SL_JOURNAL_AFTER_UNSEALED 1u
/* The segment before this one had a failed write or sync: replay it first, while the page cache still has it. */
#define SL_JOURNAL_AFTER_SUSPECT 2u

struct sl_journal_header {
    uint32_t version;
    uint32_t flags; /* SL_JOURNAL_AFTER_… */
    uint8_t salt[SL_JOURNAL_SALT_BYTES];
    uint64_t first_seq;  /* of the first record, also in the file's name */
    uint64_t created_ns; /* since 1970; for people only */
};

enum sl_journal_header_state {
    SL_JOURNAL_HEADER_GOOD,
    SL_JOURNAL_HEADER_MENDED,  /* one bit was wrong; the checksum says which */
    SL_JOURNAL_HEADER_DAMAGED, /* fields hold what the bytes say, unproven */
    SL_JOURNAL_HEADER_NEWER,   /* a later version wrote it: hands off */
};

struct sl_journal_record {
    enum sl_journal_type type;
    uint16_t provider; /* the caller's number for a source */
    uint64_t seq;      /* EVENT: unique, ascending. SEAL, PAD: that of the last event before it */
    uint64_t received_ns; /* since 1970 */
    struct sl_span payload;
};

void sl_journal_header_encode(const struct sl_journal_header *header,
                              uint8_t out_bytes[SL_JOURNAL_HEADER_BYTES]);
enum sl_journal_header_state sl_journal_header_decode(const uint8_t bytes[SL_JOURNAL_HEADER_BYTES],
                                                      struct sl_journal_header *out_header);

/* Where every record's checksum of a segment starts. */
uint32_t sl_journal_salt_crc(const uint8_t salt[SL_JOURNAL_SALT_BYTES]);

/* Bytes of a whole record, padding included. payload_bytes <= SL_JOURNAL_PAYLOAD_BYTES_MAX. */
size_t sl_journal_record_bytes(size_t payload_bytes);

/*
 * A record is built in two steps, so that its payload is copied once: `compose` lays everything out but the sequence number and the
 * checksum (which need the segment), `finish` fills those in. Both write within the record's own bytes.
 */
void sl_journal_record_compose(const struct sl_journal_record *record, uint8_t *out_bytes);
/* Returns the bytes of the whole record; *rolling_crc, when not NULL, goes on over the record's checksum. */
size_t sl_journal_record_finish(uint8_t *bytes, uint64_t seq, uint32_t salt_crc,
                                uint32_t *rolling_crc);

/* A SEAL for `records` events whose checksums roll up to rolling_crc. */
void sl_journal_seal_encode(uint64_t records, uint32_t rolling_crc, uint64_t last_seq,
                            uint32_t salt_crc, uint8_t out_bytes[SL_JOURNAL_SEAL_BYTES]);
void sl_journal_seal_decode(const struct sl_journal_record *seal, uint64_t *out_records,
                            uint32_t *out_rolling_crc);

/* What a record's head says about its length, before anything is proven. */
bool sl_journal_record_peek(const uint8_t head[SL_JOURNAL_RECORD_HEAD_BYTES],
                            uint32_t *out_payload_bytes, uint64_t *out_seq);
/* The record at `bytes`, which holds all of it as sl_journal_record_peek said. False: it is not one. Borrows. */
bool sl_journal_record_decode(const uint8_t *bytes, uint32_t salt_crc,
                              struct sl_journal_record *out_record, uint32_t *rolling_crc);

void sl_journal_name(uint64_t first_seq, char out_name[SL_JOURNAL_NAME_BYTES]);
/* True for exactly the names that sl_journal_name makes from 1..SL_JOURNAL_SEQ_MAX. */
bool sl_journal_name_parse(const char *name, uint64_t *out_first_seq);

#endif
