#include "shared/journal/journal_scan.h"

/* What stands at an offset. */
enum parsed {
    PARSED_RECORD,
    PARSED_NOTHING,
    PARSED_CUT, /* cannot be told: the window ends too early */
};

static enum parsed parse(const struct sl_journal_scan *scan, struct sl_span window,
                         uint64_t window_at, struct sl_journal_item *item, uint32_t *rolling_crc);
static bool is_plausible(const struct sl_journal_scan *scan, enum sl_journal_type type,
                         uint64_t seq);
static enum sl_journal_found accept(struct sl_journal_scan *scan, struct sl_journal_item *item,
                                    uint32_t rolling_crc);
static bool is_superseded(const struct sl_journal_scan *scan,
                          const struct sl_journal_record *record);
static enum sl_journal_found seal(const struct sl_journal_scan *scan, struct sl_journal_item *item);
static enum sl_journal_found search(struct sl_journal_scan *scan, struct sl_span window,
                                    uint64_t window_at, struct sl_journal_item *item);
static enum sl_journal_found more(const struct sl_journal_scan *scan, uint64_t bytes,
                                  struct sl_journal_item *item);
static enum sl_journal_found end(const struct sl_journal_scan *scan, struct sl_journal_item *item);

void sl_journal_scan_init(struct sl_journal_scan *scan, const struct sl_journal_header *header,
                          uint64_t limit_seq, uint64_t file_bytes)
{
    SL_ASSERT(header->first_seq > 0);
    *scan = (struct sl_journal_scan){
        .salt_crc = sl_journal_salt_crc(header->salt),
        .first_seq = header->first_seq,
        .limit_seq = limit_seq,
        .file_bytes = file_bytes,
        .offset = SL_JOURNAL_HEADER_BYTES,
        .end = SL_JOURNAL_HEADER_BYTES,
        .last_seq = header->first_seq - 1,
    };
}

enum sl_journal_found sl_journal_scan_next(struct sl_journal_scan *scan, struct sl_span window,
                                           uint64_t window_at, struct sl_journal_item *out_item)
{
    *out_item = (struct sl_journal_item){ 0 };
    while (scan->bad_from == 0) {
        if (scan->offset >= scan->file_bytes) {
            return end(scan, out_item);
        }
        uint32_t rolling_crc = scan->rolling_crc;
        switch (parse(scan, window, window_at, out_item, &rolling_crc)) {
        case PARSED_RECORD:
            if (out_item->record.type == SL_JOURNAL_PAD) {
                scan->offset += out_item->bytes;
                scan->end = scan->offset;
                continue;
            }
            return accept(scan, out_item, rolling_crc);
        case PARSED_CUT:
            return SL_JOURNAL_FOUND_MORE;
        case PARSED_NOTHING:
            scan->bad_from = scan->offset;
            scan->bad_end = scan->offset;
            break;
        }
    }
    return search(scan, window, window_at, out_item);
}

static enum sl_journal_found accept(struct sl_journal_scan *scan, struct sl_journal_item *item,
                                    uint32_t rolling_crc)
{
    if (item->record.type == SL_JOURNAL_SEAL) {
        scan->end = scan->offset + item->bytes;
        return seal(scan, item);
    }
    if (is_superseded(scan, &item->record)) {
        item->ending = SL_JOURNAL_ENDING_SUPERSEDED;
        return SL_JOURNAL_FOUND_END;
    }
    item->missing = item->record.seq - scan->last_seq - 1;
    scan->last_seq = item->record.seq;
    scan->rolling_crc = rolling_crc;
    scan->records++;
    scan->offset += item->bytes;
    scan->end = scan->offset;
    return SL_JOURNAL_FOUND_RECORD;
}

static bool is_superseded(const struct sl_journal_scan *scan,
                          const struct sl_journal_record *record)
{
    return record->type == SL_JOURNAL_EVENT && record->seq >= scan->limit_seq;
}

static enum sl_journal_found seal(const struct sl_journal_scan *scan, struct sl_journal_item *item)
{
    uint32_t rolling_crc = 0;
    sl_journal_seal_decode(&item->record, &item->claimed_records, &rolling_crc);
    item->missing = item->record.seq - scan->last_seq;
    bool agrees = item->claimed_records == scan->records && rolling_crc == scan->rolling_crc;
    item->ending = agrees ? SL_JOURNAL_ENDING_SEALED : SL_JOURNAL_ENDING_SEAL_DIFFERS;
    return SL_JOURNAL_FOUND_END;
}

/* Crosses damage eight bytes at a time. */
static enum sl_journal_found search(struct sl_journal_scan *scan, struct sl_span window,
                                    uint64_t window_at, struct sl_journal_item *item)
{
    while (scan->offset < scan->file_bytes) {
        uint64_t left = scan->file_bytes - scan->offset;
        uint64_t step = left < SL_JOURNAL_ALIGN ? left : SL_JOURNAL_ALIGN;
        if (scan->offset < window_at || scan->offset + step > window_at + window.bytes) {
            return more(scan, step, item);
        }
        const uint8_t *at = (const uint8_t *)window.data + (scan->offset - window_at);
        uint32_t rolling_crc = scan->rolling_crc;
        bool is_zero = true;
        for (uint64_t i = 0; i < step; i++) {
            is_zero = is_zero && at[i] == 0;
        }
        if (!is_zero) {
            switch (parse(scan, window, window_at, item, &rolling_crc)) {
            case PARSED_RECORD:
                if (is_superseded(scan, &item->record)) {
                    return accept(scan, item, rolling_crc);
                }
                item->offset = scan->bad_from;
                item->bytes = scan->offset - scan->bad_from;
                scan->hole_bytes += item->bytes;
                scan->bad_from = 0;
                return SL_JOURNAL_FOUND_HOLE;
            case PARSED_CUT:
                return SL_JOURNAL_FOUND_MORE;
            case PARSED_NOTHING:
                scan->bad_end = scan->offset + step;
                break;
            }
        }
        scan->offset += step;
    }
    return end(scan, item);
}

static enum parsed parse(const struct sl_journal_scan *scan, struct sl_span window,
                         uint64_t window_at, struct sl_journal_item *item, uint32_t *rolling_crc)
{
    uint64_t left = scan->file_bytes - scan->offset;
    if (left < SL_JOURNAL_RECORD_HEAD_BYTES) {
        return PARSED_NOTHING;
    }
    uint64_t held = scan->offset < window_at || scan->offset >= window_at + window.bytes
                        ? 0
                        : window_at + window.bytes - scan->offset;
    if (held < SL_JOURNAL_RECORD_HEAD_BYTES) {
        (void)more(scan, SL_JOURNAL_RECORD_HEAD_BYTES, item);
        return PARSED_CUT;
    }
    const uint8_t *at = (const uint8_t *)window.data + (scan->offset - window_at);
    uint32_t payload_bytes = 0;
    uint64_t seq = 0;
    if (!sl_journal_record_peek(at, &payload_bytes, &seq)) {
        return PARSED_NOTHING;
    }
    uint64_t bytes = sl_journal_record_bytes(payload_bytes);
    if (bytes > left) {
        return PARSED_NOTHING;
    }
    if (bytes > held) {
        (void)more(scan, bytes, item);
        return PARSED_CUT;
    }
    if (!sl_journal_record_decode(at, scan->salt_crc, &item->record, rolling_crc) ||
        !is_plausible(scan, item->record.type, seq)) {
        return PARSED_NOTHING;
    }
    item->offset = scan->offset;
    item->bytes = bytes;
    return PARSED_RECORD;
}

static bool is_plausible(const struct sl_journal_scan *scan, enum sl_journal_type type,
                         uint64_t seq)
{
    uint64_t before_max = (scan->offset - SL_JOURNAL_HEADER_BYTES) / SL_JOURNAL_RECORD_BYTES_MIN;
    if (type == SL_JOURNAL_EVENT) {
        return seq > scan->last_seq && seq - scan->first_seq <= before_max;
    }
    return seq >= scan->last_seq && seq - (scan->first_seq - 1) <= before_max;
}

static enum sl_journal_found more(const struct sl_journal_scan *scan, uint64_t bytes,
                                  struct sl_journal_item *item)
{
    item->offset = scan->offset;
    item->bytes = bytes;
    return SL_JOURNAL_FOUND_MORE;
}

static enum sl_journal_found end(const struct sl_journal_scan *scan, struct sl_journal_item *item)
{
    bool is_torn = scan->bad_from != 0 && scan->bad_end > scan->bad_from;
    item->ending = is_torn ? SL_JOURNAL_ENDING_TORN : SL_JOURNAL_ENDING_OPEN;
    item->offset = is_torn ? scan->bad_from : scan->end;
    item->bytes = is_torn ? scan->bad_end - scan->bad_from : 0;
    return SL_JOURNAL_FOUND_END;
}

bool sl_journal_ending_is_loss(enum sl_journal_ending ending, bool must_be_sealed)
{
    switch (ending) {
    case SL_JOURNAL_ENDING_SEALED:
        return false;
    case SL_JOURNAL_ENDING_SEAL_DIFFERS:
        return true;
    case SL_JOURNAL_ENDING_OPEN:
    case SL_JOURNAL_ENDING_TORN:
    case SL_JOURNAL_ENDING_SUPERSEDED:
        return must_be_sealed;
    }
    return true;
}

bool sl_journal_must_be_sealed(bool is_last, uint32_t next_flags)
{
    return !is_last && (next_flags & SL_JOURNAL_AFTER_UNSEALED) == 0;
}
