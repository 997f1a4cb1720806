/*
 * fuzz journal - a segment of any bytes: never a crash, never an event that its checksum does not prove, and the same answer whatever the
 * window. The first byte of the input says how the rest is presented: as a whole file, or behind a header and salt that are known, with
 * spans of it made into real records, so that the search behind damage is reached.
 */
#include <stdlib.h>

#include "shared/journal/journal_crc.h"
#include "shared/journal/journal_scan.h"

#define FOUND_MAX 4096u

struct answer {
    uint64_t records;
    uint64_t holes;
    uint64_t end_offset;
    enum sl_journal_ending ending;
    uint32_t crc; /* over all payloads */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
static struct answer scan(const uint8_t *file, size_t bytes, const struct sl_journal_header *header,
                          size_t window_min);
static void prove(const uint8_t *record, const struct sl_journal_record *claimed,
                  uint32_t salt_crc);
static size_t build(uint8_t *file, size_t room, const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0 || bytes > 65536) {
        return 0;
    }
    size_t room = 2 * bytes + 4096;
    uint8_t *file = malloc(room);
    if (file == NULL) {
        return 0;
    }
    size_t used = bytes - 1;
    if (data[0] % 2 == 0) {
        memcpy(file, data + 1, used);
    } else {
        used = build(file, room, data + 1, bytes - 1);
    }
    struct sl_journal_header header = { 0 };
    uint8_t head[SL_JOURNAL_HEADER_BYTES] = { 0 };
    memcpy(head, file, used < sizeof head ? used : sizeof head);
    if (sl_journal_header_decode(head, &header) == SL_JOURNAL_HEADER_NEWER) {
        free(file);
        return 0;
    }
    if (header.first_seq == 0 || header.first_seq > SL_JOURNAL_SEQ_MAX) {
        header.first_seq = 1;
    }
    /* Exactly as long as it claims to be, so that a read behind it is seen. */
    uint8_t *exact = malloc(used + 1);
    if (exact != NULL) {
        memcpy(exact, file, used);
        struct answer whole = scan(exact, used, &header, used);
        struct answer narrow = scan(exact, used, &header, 1);
        if (whole.records != narrow.records || whole.holes != narrow.holes ||
            whole.end_offset != narrow.end_offset || whole.ending != narrow.ending ||
            whole.crc != narrow.crc) {
            abort();
        }
    }
    free(exact);
    free(file);
    return 0;
}

/* Input: pairs of (what, length) and bytes: a record, or raw bytes, or zeros. */
static size_t build(uint8_t *file, size_t room, const uint8_t *data, size_t bytes)
{
    struct sl_journal_header header = { .version = SL_JOURNAL_VERSION, .first_seq = 7 };
    uint32_t salt_crc = sl_journal_salt_crc(header.salt);
    uint64_t seq = header.first_seq;
    size_t used = SL_JOURNAL_HEADER_BYTES;
    sl_journal_header_encode(&header, file);
    for (size_t at = 0; at + 2 <= bytes;) {
        uint8_t what = data[at];
        size_t length = data[at + 1];
        at += 2;
        length = length < bytes - at ? length : bytes - at;
        size_t whole = sl_journal_record_bytes(length);
        if (used + whole + SL_JOURNAL_SEAL_BYTES > room) {
            break;
        }
        if (what < 128 && length > 0) {
            sl_journal_record_compose(
                &(struct sl_journal_record){ .type = SL_JOURNAL_EVENT,
                                             .payload = sl_span_make(data + at, length) },
                file + used);
            used += sl_journal_record_finish(file + used, seq, salt_crc, NULL);
            seq += what % 8 == 0 ? 2 : 1;
        } else if (what < 144) {
            sl_journal_seal_encode(what, length == 0 ? 0 : data[at], seq - 1, salt_crc,
                                   file + used);
            used += SL_JOURNAL_SEAL_BYTES;
        } else if (what < 160) {
            memset(file + used, 0, length);
            used += length;
        } else {
            memcpy(file + used, data + at, length);
            used += what < 208 ? (length + 7) / 8 * 8 : length;
        }
        at += length;
    }
    return used;
}

static struct answer scan(const uint8_t *file, size_t bytes, const struct sl_journal_header *header,
                          size_t window_min)
{
    struct answer answer = { 0 };
    struct sl_journal_scan state;
    struct sl_journal_item item;
    sl_journal_scan_init(&state, header, UINT64_MAX, bytes);
    size_t at = 0;
    size_t held = 0;
    uint64_t last_seq = 0;
    for (;;) {
        switch (sl_journal_scan_next(&state, sl_span_make(file + at, held), at, &item)) {
        case SL_JOURNAL_FOUND_RECORD:
            prove(file + item.offset, &item.record, state.salt_crc);
            if (item.record.seq <= last_seq || item.offset + item.bytes > bytes) {
                abort();
            }
            last_seq = item.record.seq;
            answer.records++;
            answer.crc =
                sl_journal_crc(answer.crc, item.record.payload.data, item.record.payload.bytes);
            continue;
        case SL_JOURNAL_FOUND_HOLE:
            answer.holes++;
            continue;
        case SL_JOURNAL_FOUND_MORE:
            if (item.offset + item.bytes > bytes ||
                (item.offset >= at && item.offset + item.bytes <= at + held)) {
                abort(); /* asks for what is not there, or for what it has */
            }
            at = (size_t)item.offset;
            held = item.bytes > window_min ? (size_t)item.bytes : window_min;
            held = held > bytes - at ? bytes - at : held;
            continue;
        case SL_JOURNAL_FOUND_END:
            break;
        }
        break;
    }
    answer.ending = item.ending;
    answer.end_offset = item.offset;
    return answer;
}

/* Writes the record again from what was claimed about it: the bytes must be the same. */
static void prove(const uint8_t *record, const struct sl_journal_record *claimed, uint32_t salt_crc)
{
    struct sl_journal_record again = { 0 };
    if (!sl_journal_record_decode(record, salt_crc, &again, NULL) ||
        again.type != SL_JOURNAL_EVENT || again.seq != claimed->seq ||
        !sl_span_eq(again.payload, claimed->payload) || claimed->payload.bytes == 0) {
        abort();
    }
}
