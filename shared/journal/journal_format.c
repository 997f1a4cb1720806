#include "shared/journal/journal_format.h"

#include <stdio.h>
#include <string.h>

#include "shared/journal/journal_crc.h"

/* Where the fields of a segment's header are. */
#define HEADER_MAGIC_AT     0u
#define HEADER_VERSION_AT   8u
#define HEADER_FLAGS_AT     12u
#define HEADER_SALT_AT      16u
#define HEADER_FIRST_SEQ_AT 32u
#define HEADER_CREATED_AT   40u
#define HEADER_CRC_AT       60u
/* Where the fields of a record's head are. */
#define SYNC_AT     0u
#define CRC_AT      4u
#define LENGTH_AT   8u
#define TYPE_AT     12u
#define PROVIDER_AT 14u
#define SEQ_AT      16u
#define RECEIVED_AT 24u

#define SEAL_PAYLOAD_BYTES 16u
#define HEX_DIGITS         16u
#define NAME_PREFIX        "drop-"
#define NAME_SUFFIX        ".slj"

_Static_assert(SL_JOURNAL_RECORD_HEAD_BYTES + SEAL_PAYLOAD_BYTES == SL_JOURNAL_SEAL_BYTES,
               "a SEAL is a head and a count");
_Static_assert(SL_JOURNAL_PAYLOAD_BYTES_MAX % SL_JOURNAL_ALIGN == 0, "the limit is aligned");

static const uint8_t magic[8] = { 's', 'l', 'u', 'i', 'c', 'e', 'J', '\n' };

static bool decode_proven(const uint8_t *bytes, struct sl_journal_header *out_header);
static void read_header(const uint8_t *bytes, struct sl_journal_header *out_header);

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

void sl_journal_header_encode(const struct sl_journal_header *header,
                              uint8_t out_bytes[SL_JOURNAL_HEADER_BYTES])
{
    memset(out_bytes, 0, SL_JOURNAL_HEADER_BYTES);
    memcpy(out_bytes + HEADER_MAGIC_AT, magic, sizeof magic);
    put(out_bytes + HEADER_VERSION_AT, header->version, 4);
    put(out_bytes + HEADER_FLAGS_AT, header->flags, 4);
    memcpy(out_bytes + HEADER_SALT_AT, header->salt, SL_JOURNAL_SALT_BYTES);
    put(out_bytes + HEADER_FIRST_SEQ_AT, header->first_seq, 8);
    put(out_bytes + HEADER_CREATED_AT, header->created_ns, 8);
    put(out_bytes + HEADER_CRC_AT, sl_journal_crc(0, out_bytes, HEADER_CRC_AT), 4);
}

enum sl_journal_header_state sl_journal_header_decode(const uint8_t bytes[SL_JOURNAL_HEADER_BYTES],
                                                      struct sl_journal_header *out_header)
{
    if (decode_proven(bytes, out_header)) {
        return out_header->version > SL_JOURNAL_VERSION ? SL_JOURNAL_HEADER_NEWER
                                                        : SL_JOURNAL_HEADER_GOOD;
    }
    /* CRC-32C tells all headers with up to five wrong bits apart, so a single one can be named. */
    uint8_t mended[SL_JOURNAL_HEADER_BYTES];
    memcpy(mended, bytes, sizeof mended);
    for (unsigned bit = 0; bit < 8 * SL_JOURNAL_HEADER_BYTES; bit++) {
        mended[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (decode_proven(mended, out_header)) {
            return out_header->version > SL_JOURNAL_VERSION ? SL_JOURNAL_HEADER_NEWER
                                                            : SL_JOURNAL_HEADER_MENDED;
        }
        mended[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    read_header(bytes, out_header);
    return SL_JOURNAL_HEADER_DAMAGED;
}

static bool decode_proven(const uint8_t *bytes, struct sl_journal_header *out_header)
{
    if (memcmp(bytes + HEADER_MAGIC_AT, magic, sizeof magic) != 0 ||
        get(bytes + HEADER_CRC_AT, 4) != sl_journal_crc(0, bytes, HEADER_CRC_AT) ||
        get(bytes + HEADER_VERSION_AT, 4) == 0) {
        return false;
    }
    read_header(bytes, out_header);
    return true;
}

static void read_header(const uint8_t *bytes, struct sl_journal_header *out_header)
{
    out_header->version = (uint32_t)get(bytes + HEADER_VERSION_AT, 4);
    out_header->flags = (uint32_t)get(bytes + HEADER_FLAGS_AT, 4);
    memcpy(out_header->salt, bytes + HEADER_SALT_AT, SL_JOURNAL_SALT_BYTES);
    out_header->first_seq = get(bytes + HEADER_FIRST_SEQ_AT, 8);
    out_header->created_ns = get(bytes + HEADER_CREATED_AT, 8);
}

uint32_t sl_journal_salt_crc(const uint8_t salt[SL_JOURNAL_SALT_BYTES])
{
    return sl_journal_crc(0, salt, SL_JOURNAL_SALT_BYTES);
}

size_t sl_journal_record_bytes(size_t payload_bytes)
{
    SL_ASSERT(payload_bytes <= SL_JOURNAL_PAYLOAD_BYTES_MAX);
    return SL_JOURNAL_RECORD_HEAD_BYTES +
           (payload_bytes + SL_JOURNAL_ALIGN - 1) / SL_JOURNAL_ALIGN * SL_JOURNAL_ALIGN;
}

void sl_journal_record_compose(const struct sl_journal_record *record, uint8_t *out_bytes)
{
    size_t bytes = sl_journal_record_bytes(record->payload.bytes);
    size_t padded_from = SL_JOURNAL_RECORD_HEAD_BYTES + record->payload.bytes;
    memset(out_bytes, 0, SL_JOURNAL_RECORD_HEAD_BYTES);
    put(out_bytes + SYNC_AT, SL_JOURNAL_SYNC, 4);
    put(out_bytes + LENGTH_AT, record->payload.bytes, 4);
    out_bytes[TYPE_AT] = (uint8_t)record->type;
    put(out_bytes + PROVIDER_AT, record->provider, 2);
    put(out_bytes + RECEIVED_AT, record->received_ns, 8);
    memcpy(out_bytes + SL_JOURNAL_RECORD_HEAD_BYTES, record->payload.data, record->payload.bytes);
    memset(out_bytes + padded_from, 0, bytes - padded_from);
}

size_t sl_journal_record_finish(uint8_t *bytes, uint64_t seq, uint32_t salt_crc,
                                uint32_t *rolling_crc)
{
    size_t length = get(bytes + LENGTH_AT, 4);
    put(bytes + SEQ_AT, seq, 8);
    put(bytes + CRC_AT,
        sl_journal_crc(salt_crc, bytes + LENGTH_AT,
                       SL_JOURNAL_RECORD_HEAD_BYTES - LENGTH_AT + length),
        4);
    if (rolling_crc != NULL) {
        *rolling_crc = sl_journal_crc(*rolling_crc, bytes + CRC_AT, 4);
    }
    return sl_journal_record_bytes(length);
}

void sl_journal_seal_encode(uint64_t records, uint32_t rolling_crc, uint64_t last_seq,
                            uint32_t salt_crc, uint8_t out_bytes[SL_JOURNAL_SEAL_BYTES])
{
    uint8_t payload[SEAL_PAYLOAD_BYTES] = { 0 };
    put(payload, records, 8);
    put(payload + 8, rolling_crc, 4);
    sl_journal_record_compose(
        &(struct sl_journal_record){ .type = SL_JOURNAL_SEAL,
                                     .payload = sl_span_make(payload, sizeof payload) },
        out_bytes);
    (void)sl_journal_record_finish(out_bytes, last_seq, salt_crc, NULL);
}

void sl_journal_seal_decode(const struct sl_journal_record *seal, uint64_t *out_records,
                            uint32_t *out_rolling_crc)
{
    SL_ASSERT(seal->type == SL_JOURNAL_SEAL);
    *out_records = get((const uint8_t *)seal->payload.data, 8);
    *out_rolling_crc = (uint32_t)get((const uint8_t *)seal->payload.data + 8, 4);
}

bool sl_journal_record_peek(const uint8_t head[SL_JOURNAL_RECORD_HEAD_BYTES],
                            uint32_t *out_payload_bytes, uint64_t *out_seq)
{
    uint32_t length = (uint32_t)get(head + LENGTH_AT, 4);
    uint8_t type = head[TYPE_AT];
    if (get(head + SYNC_AT, 4) != SL_JOURNAL_SYNC || length > SL_JOURNAL_PAYLOAD_BYTES_MAX ||
        type < SL_JOURNAL_EVENT || type > SL_JOURNAL_PAD ||
        (type == SL_JOURNAL_EVENT && length == 0) ||
        (type == SL_JOURNAL_SEAL && length != SEAL_PAYLOAD_BYTES)) {
        return false;
    }
    *out_payload_bytes = length;
    *out_seq = get(head + SEQ_AT, 8);
    return true;
}

bool sl_journal_record_decode(const uint8_t *bytes, uint32_t salt_crc,
                              struct sl_journal_record *out_record, uint32_t *rolling_crc)
{
    uint32_t length = 0;
    uint64_t seq = 0;
    if (!sl_journal_record_peek(bytes, &length, &seq) ||
        get(bytes + CRC_AT, 4) !=
            sl_journal_crc(salt_crc, bytes + LENGTH_AT,
                           SL_JOURNAL_RECORD_HEAD_BYTES - LENGTH_AT + length)) {
        return false;
    }
    *out_record = (struct sl_journal_record){
        .type = (enum sl_journal_type)bytes[TYPE_AT],
        .provider = (uint16_t)get(bytes + PROVIDER_AT, 2),
        .seq = seq,
        .received_ns = get(bytes + RECEIVED_AT, 8),
        .payload = sl_span_make(bytes + SL_JOURNAL_RECORD_HEAD_BYTES, length),
    };
    if (rolling_crc != NULL && out_record->type == SL_JOURNAL_EVENT) {
        *rolling_crc = sl_journal_crc(*rolling_crc, bytes + CRC_AT, 4);
    }
    return true;
}

void sl_journal_name(uint64_t first_seq, char out_name[SL_JOURNAL_NAME_BYTES])
{
    snprintf(out_name, SL_JOURNAL_NAME_BYTES, NAME_PREFIX "%016llx" NAME_SUFFIX,
             (unsigned long long)first_seq);
}

bool sl_journal_name_parse(const char *name, uint64_t *out_first_seq)
{
    if (strncmp(name, NAME_PREFIX, sizeof NAME_PREFIX - 1) != 0) {
        return false;
    }
    const char *digits = name + sizeof NAME_PREFIX - 1;
    uint64_t value = 0;
    for (unsigned i = 0; i < HEX_DIGITS; i++) {
        char digit = digits[i];
        if (digit >= '0' && digit <= '9') {
            value = value << 4 | (uint64_t)(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            value = value << 4 | (uint64_t)(digit - 'a' + 10);
        } else {
            return false;
        }
    }
    if (strcmp(digits + HEX_DIGITS, NAME_SUFFIX) != 0 || value == 0 || value > SL_JOURNAL_SEQ_MAX) {
        return false;
    }
    *out_first_seq = value;
    return true;
}
