#include "shared/journal/journal_scan.h"

#include <stdlib.h>

#include "tests/support/claims.h"

#define RECORDS_MAX 16u
#define FILE_BYTES  4096u
#define FIRST_SEQ   10u

/* A segment in memory, and where its records are. */
struct file {
    uint8_t bytes[FILE_BYTES];
    size_t used;
    size_t starts[RECORDS_MAX];
    size_t ends[RECORDS_MAX];
    size_t count;
    uint32_t salt_crc;
    uint32_t rolling;
    struct sl_journal_header header;
};

/* What a whole scan saw. */
struct seen {
    uint64_t seqs[RECORDS_MAX];
    size_t count;
    size_t holes;
    uint64_t hole_bytes;
    uint64_t missing;
    bool wrong_payload;
    enum sl_journal_ending ending;
    uint64_t torn_bytes;
};

static void begin(struct file *file)
{
    *file = (struct file){ .used = SL_JOURNAL_HEADER_BYTES };
    file->header = (struct sl_journal_header){ .version = 1, .first_seq = FIRST_SEQ };
    memset(file->header.salt, 0x5a, sizeof file->header.salt);
    sl_journal_header_encode(&file->header, file->bytes);
    file->salt_crc = sl_journal_salt_crc(file->header.salt);
}

/* What the record of a sequence number holds: length and content follow from it. */
static size_t payload_of(uint64_t seq, char *out)
{
    size_t bytes = (size_t)(5 + seq * 7 % 30);
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (char)(seq * 31 + i + 1);
    }
    return bytes;
}

static void append(struct file *file, uint64_t seq)
{
    char payload[64];
    struct sl_journal_record record = {
        .type = SL_JOURNAL_EVENT,
        .provider = 1,
        .received_ns = seq,
        .payload = sl_span_make(payload, payload_of(seq, payload)),
    };
    sl_journal_record_compose(&record, file->bytes + file->used);
    file->starts[file->count] = file->used;
    file->used +=
        sl_journal_record_finish(file->bytes + file->used, seq, file->salt_crc, &file->rolling);
    file->ends[file->count++] = file->used;
}

static void seal(struct file *file)
{
    sl_journal_seal_encode(file->count, file->rolling, FIRST_SEQ + file->count - 1, file->salt_crc,
                           file->bytes + file->used);
    file->used += SL_JOURNAL_SEAL_BYTES;
}

static void make(struct file *file, size_t count, bool sealed)
{
    begin(file);
    for (size_t i = 0; i < count; i++) {
        append(file, FIRST_SEQ + i);
    }
    if (sealed) {
        seal(file);
    }
}

/* Scans with a window that is never larger than asked for, and at least chunk. */
static struct seen scan_by(const struct file *file, size_t file_bytes, uint64_t limit_seq,
                           size_t chunk)
{
    struct seen seen = { 0 };
    struct sl_journal_scan scan;
    struct sl_journal_item item;
    sl_journal_scan_init(&scan, &file->header, limit_seq, file_bytes);
    uint8_t *copy =
        NULL; /* an allocation of the window's exact size, so that a read past it is seen */
    size_t window_at = 0;
    size_t window_bytes = 0;
    for (;;) {
        switch (sl_journal_scan_next(&scan, sl_span_make(copy, window_bytes), window_at, &item)) {
        case SL_JOURNAL_FOUND_RECORD: {
            char payload[64];
            size_t bytes = payload_of(item.record.seq, payload);
            seen.wrong_payload = seen.wrong_payload ||
                                 !sl_span_eq(item.record.payload, sl_span_make(payload, bytes)) ||
                                 item.record.received_ns != item.record.seq;
            seen.seqs[seen.count++] = item.record.seq;
            seen.missing += item.missing;
            continue;
        }
        case SL_JOURNAL_FOUND_HOLE:
            seen.holes++;
            seen.hole_bytes += item.bytes;
            continue;
        case SL_JOURNAL_FOUND_MORE: {
            CU_ASSERT_FATAL(item.offset + item.bytes <= file_bytes);
            CU_ASSERT_FATAL(item.offset < window_at ||
                            item.offset + item.bytes > window_at + window_bytes);
            window_at = item.offset;
            window_bytes = item.bytes > chunk ? item.bytes : chunk;
            window_bytes =
                window_at + window_bytes > file_bytes ? file_bytes - window_at : window_bytes;
            free(copy);
            copy = malloc(window_bytes);
            memcpy(copy, file->bytes + window_at, window_bytes);
            continue;
        }
        case SL_JOURNAL_FOUND_END:
            break;
        }
        break;
    }
    free(copy);
    seen.ending = item.ending;
    seen.torn_bytes = item.bytes;
    seen.missing += item.ending == SL_JOURNAL_ENDING_SEAL_DIFFERS ? item.missing : 0;
    return seen;
}

static struct seen scan(const struct file *file, size_t file_bytes)
{
    struct seen whole = scan_by(file, file_bytes, UINT64_MAX, FILE_BYTES);
    struct seen narrow = scan_by(file, file_bytes, UINT64_MAX, 1);
    CU_ASSERT_EQUAL(memcmp(&whole, &narrow, sizeof whole), 0);
    CU_ASSERT_FALSE(whole.wrong_payload);
    return whole;
}

CLAIM(journal_scan__a_sealed_segment_gives_all_and_says_so)
{
    struct file file;
    make(&file, 5, true);
    struct seen seen = scan(&file, file.used);
    CU_ASSERT_EQUAL(seen.count, 5);
    CU_ASSERT_EQUAL(seen.ending, SL_JOURNAL_ENDING_SEALED);
    seen = scan(&file, FILE_BYTES);
    CU_ASSERT_EQUAL(seen.count, 5);
    CU_ASSERT_EQUAL(seen.ending, SL_JOURNAL_ENDING_SEALED);
}

CLAIM(journal_scan__zeros_behind_the_last_record_are_room_not_damage)
{
    struct file file;
    make(&file, 3, false);
    CU_ASSERT_EQUAL(scan(&file, FILE_BYTES).ending, SL_JOURNAL_ENDING_OPEN);
    CU_ASSERT_EQUAL(scan(&file, file.used).ending, SL_JOURNAL_ENDING_OPEN);
    make(&file, 0, false);
    CU_ASSERT_EQUAL(scan(&file, FILE_BYTES).ending, SL_JOURNAL_ENDING_OPEN);
    CU_ASSERT_EQUAL(scan(&file, file.used).count, 0);
}

CLAIM(journal_scan__cut_at_any_byte_it_gives_every_whole_record_and_no_alarm)
{
    for (int sealed = 0; sealed < 2; sealed++) {
        struct file file;
        make(&file, 3, sealed == 1);
        for (size_t cut = SL_JOURNAL_HEADER_BYTES; cut < file.used; cut++) {
            size_t whole = 0;
            while (whole < 3 && file.ends[whole] <= cut) {
                whole++;
            }
            struct seen seen = scan(&file, cut);
            CU_ASSERT_EQUAL(seen.count, whole);
            CU_ASSERT_EQUAL(seen.holes, 0);
            bool between =
                cut == SL_JOURNAL_HEADER_BYTES || (whole > 0 && file.ends[whole - 1] == cut);
            CU_ASSERT_EQUAL(seen.ending, between ? SL_JOURNAL_ENDING_OPEN : SL_JOURNAL_ENDING_TORN);
            /* The same as zeros to the end: a preallocated file whose tail never reached the disk. */
            struct file zeroed = file;
            memset(zeroed.bytes + cut, 0, FILE_BYTES - cut);
            seen = scan(&zeroed, FILE_BYTES);
            CU_ASSERT(seen.count >=
                      whole); /* what was cut may have been zeros: the record is whole then */
            CU_ASSERT_EQUAL(seen.holes, 0);
            CU_ASSERT_FALSE(sl_journal_ending_is_loss(seen.ending, false));
        }
    }
}

CLAIM(journal_scan__any_flipped_bit_costs_at_most_its_own_record)
{
    for (int sealed = 0; sealed < 2; sealed++) {
        struct file file;
        make(&file, 3, sealed == 1);
        for (size_t bit = 8 * SL_JOURNAL_HEADER_BYTES; bit < 8 * file.used; bit++) {
            size_t byte = bit / 8;
            size_t hit = 0;
            while (hit < 3 && file.ends[hit] <= byte) {
                hit++;
            }
            char payload[64];
            bool in_padding = hit < 3 && byte >= file.starts[hit] + SL_JOURNAL_RECORD_HEAD_BYTES +
                                                     payload_of(FIRST_SEQ + hit, payload);
            file.bytes[byte] ^= (uint8_t)(1u << bit % 8);
            struct seen seen = scan(&file, FILE_BYTES);
            file.bytes[byte] ^= (uint8_t)(1u << bit % 8);

            bool lost_one = hit < 3 && !in_padding;
            CU_ASSERT_EQUAL(seen.count, lost_one ? 2 : 3);
            for (size_t i = 0; i < seen.count; i++) {
                CU_ASSERT_EQUAL(seen.seqs[i], FIRST_SEQ + i + (lost_one && i >= hit ? 1 : 0));
            }
            bool tail = hit == 3 || (hit == 2 && sealed == 0);
            CU_ASSERT_EQUAL(seen.holes, lost_one && !tail ? 1 : 0);
            CU_ASSERT_EQUAL(seen.missing, lost_one && !tail ? 1 : 0);
            if (lost_one) {
                CU_ASSERT_EQUAL(seen.ending, sealed == 1 ? SL_JOURNAL_ENDING_SEAL_DIFFERS
                                             : tail      ? SL_JOURNAL_ENDING_TORN
                                                         : SL_JOURNAL_ENDING_OPEN);
            }
        }
    }
}

CLAIM(journal_scan__a_wiped_span_is_a_hole_and_everything_behind_it_is_found)
{
    struct file file;
    for (size_t from = 0; from < 6; from++) {
        for (size_t to = from; to < 6; to++) {
            make(&file, 6, true);
            memset(file.bytes + file.starts[from], to % 2 == 0 ? 0 : 0xff,
                   file.ends[to] - file.starts[from]);
            struct seen seen = scan(&file, FILE_BYTES);
            CU_ASSERT_EQUAL(seen.count, 6 - (to - from + 1));
            CU_ASSERT_EQUAL(seen.holes, 1);
            CU_ASSERT_EQUAL(seen.hole_bytes, file.ends[to] - file.starts[from]);
            CU_ASSERT_EQUAL(seen.missing, to - from + 1);
            CU_ASSERT_EQUAL(seen.ending, SL_JOURNAL_ENDING_SEAL_DIFFERS);
        }
    }
}

CLAIM(journal_scan__records_of_another_segment_or_another_time_are_never_believed)
{
    struct file file;
    struct file other;
    make(&file, 3, false);
    begin(&other);
    memset(other.header.salt, 0x77, sizeof other.header.salt);
    other.salt_crc = sl_journal_salt_crc(other.header.salt);
    append(&other, FIRST_SEQ + 3);
    memcpy(file.bytes + file.used, other.bytes + other.starts[0], other.ends[0] - other.starts[0]);
    struct seen seen = scan(&file, FILE_BYTES);
    CU_ASSERT_EQUAL(seen.count, 3);
    CU_ASSERT_EQUAL(seen.ending, SL_JOURNAL_ENDING_TORN);

    /* Its own record once more, as a recycled block would show it: the number is not later. */
    make(&file, 3, false);
    memcpy(file.bytes + file.used, file.bytes + file.starts[1], file.ends[1] - file.starts[1]);
    seen = scan(&file, FILE_BYTES);
    CU_ASSERT_EQUAL(seen.count, 3);
    CU_ASSERT_EQUAL(seen.ending, SL_JOURNAL_ENDING_TORN);

    /* A number further on than records fit before it. */
    make(&file, 3, false);
    append(&file, FIRST_SEQ + 1000);
    seen = scan(&file, FILE_BYTES);
    CU_ASSERT_EQUAL(seen.count, 3);
}

CLAIM(journal_scan__what_was_written_again_to_the_next_segment_is_not_told_twice)
{
    struct file file;
    make(&file, 6, false);
    struct seen seen = scan_by(&file, FILE_BYTES, FIRST_SEQ + 4, FILE_BYTES);
    CU_ASSERT_EQUAL(seen.count, 4);
    CU_ASSERT_EQUAL(seen.ending, SL_JOURNAL_ENDING_SUPERSEDED);
    /* Also when the start of the failed batch never arrived. */
    memset(file.bytes + file.starts[4], 0, 16);
    seen = scan_by(&file, FILE_BYTES, FIRST_SEQ + 4, FILE_BYTES);
    CU_ASSERT_EQUAL(seen.count, 4);
    CU_ASSERT_EQUAL(seen.holes, 0);
    CU_ASSERT_EQUAL(seen.ending, SL_JOURNAL_ENDING_SUPERSEDED);
}

CLAIM(journal_scan__a_missing_seal_is_a_loss_only_where_one_must_be)
{
    CU_ASSERT_FALSE(sl_journal_must_be_sealed(true, 0));
    CU_ASSERT(sl_journal_must_be_sealed(false, 0));
    CU_ASSERT(sl_journal_must_be_sealed(false, SL_JOURNAL_AFTER_SUSPECT));
    CU_ASSERT_FALSE(sl_journal_must_be_sealed(false, SL_JOURNAL_AFTER_UNSEALED));
    CU_ASSERT_FALSE(sl_journal_ending_is_loss(SL_JOURNAL_ENDING_TORN, false));
    CU_ASSERT(sl_journal_ending_is_loss(SL_JOURNAL_ENDING_TORN, true));
    CU_ASSERT(sl_journal_ending_is_loss(SL_JOURNAL_ENDING_OPEN, true));
    CU_ASSERT(sl_journal_ending_is_loss(SL_JOURNAL_ENDING_SEAL_DIFFERS, false));
    CU_ASSERT_FALSE(sl_journal_ending_is_loss(SL_JOURNAL_ENDING_SEALED, true));
}

CLAIM(journal_scan__goes_on_where_it_stopped_when_the_file_grows)
{
    struct file file;
    make(&file, 6, false);
    struct sl_journal_scan scan_state;
    struct sl_journal_item item;
    sl_journal_scan_init(&scan_state, &file.header, UINT64_MAX, SL_JOURNAL_HEADER_BYTES);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(sl_journal_scan_next(
                            &scan_state, sl_span_make(file.bytes, scan_state.file_bytes), 0, &item),
                        SL_JOURNAL_FOUND_END);
        scan_state.file_bytes = file.ends[i];
        CU_ASSERT_EQUAL(sl_journal_scan_next(
                            &scan_state, sl_span_make(file.bytes, scan_state.file_bytes), 0, &item),
                        SL_JOURNAL_FOUND_RECORD);
        CU_ASSERT_EQUAL(item.record.seq, FIRST_SEQ + i);
    }
}
