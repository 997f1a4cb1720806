#include "shared/journal/journal_format.h"

#include "shared/journal/journal_crc.h"
#include "tests/support/claims.h"

CLAIM(journal_crc__agrees_with_the_published_vectors)
{
    uint8_t bytes[32] = { 0 };
    CU_ASSERT_EQUAL(sl_journal_crc(0, "", 0), 0);
    CU_ASSERT_EQUAL(sl_journal_crc(0, "123456789", 9), 0xe3069283u);
    CU_ASSERT_EQUAL(sl_journal_crc(0, bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    CU_ASSERT_EQUAL(sl_journal_crc(0, bytes, sizeof bytes), 0x62a8ab43u);
    for (uint8_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = i;
    }
    CU_ASSERT_EQUAL(sl_journal_crc(0, bytes, sizeof bytes), 0x46dd794eu);
}

CLAIM(journal_crc__is_the_same_with_and_without_the_instruction_and_in_parts)
{
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 151 + 7);
    }
    for (size_t length = 0; length <= sizeof bytes; length++) {
        uint32_t whole = sl_journal_crc(0, bytes, length);
        CU_ASSERT_EQUAL(whole, sl_journal_crc_portable(0, bytes, length));
        size_t cut = length / 3;
        CU_ASSERT_EQUAL(whole,
                        sl_journal_crc(sl_journal_crc(0, bytes, cut), bytes + cut, length - cut));
    }
}

static struct sl_journal_header header_of(uint64_t first_seq)
{
    struct sl_journal_header header = { .version = SL_JOURNAL_VERSION,
                                        .flags = SL_JOURNAL_AFTER_UNSEALED,
                                        .first_seq = first_seq,
                                        .created_ns = UINT64_C(1700000000123456789) };
    for (unsigned i = 0; i < SL_JOURNAL_SALT_BYTES; i++) {
        header.salt[i] = (uint8_t)(17 * i + 3);
    }
    return header;
}

static bool same(const struct sl_journal_header *a, const struct sl_journal_header *b)
{
    return a->version == b->version && a->flags == b->flags && a->first_seq == b->first_seq &&
           a->created_ns == b->created_ns && memcmp(a->salt, b->salt, sizeof a->salt) == 0;
}

CLAIM(journal_format__a_header_survives_any_one_wrong_bit)
{
    struct sl_journal_header header = header_of(42);
    struct sl_journal_header seen = { 0 };
    uint8_t bytes[SL_JOURNAL_HEADER_BYTES];
    sl_journal_header_encode(&header, bytes);
    CU_ASSERT_EQUAL(sl_journal_header_decode(bytes, &seen), SL_JOURNAL_HEADER_GOOD);
    CU_ASSERT(same(&header, &seen));
    for (unsigned bit = 0; bit < 8 * SL_JOURNAL_HEADER_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        seen = (struct sl_journal_header){ 0 };
        CU_ASSERT_EQUAL(sl_journal_header_decode(bytes, &seen), SL_JOURNAL_HEADER_MENDED);
        CU_ASSERT(same(&header, &seen));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

CLAIM(journal_format__two_wrong_bits_and_a_newer_version_are_told_apart)
{
    struct sl_journal_header header = header_of(42);
    struct sl_journal_header seen = { 0 };
    uint8_t bytes[SL_JOURNAL_HEADER_BYTES];
    sl_journal_header_encode(&header, bytes);
    for (unsigned first = 0; first < 8 * SL_JOURNAL_HEADER_BYTES; first += 7) {
        for (unsigned second = first + 1; second < 8 * SL_JOURNAL_HEADER_BYTES; second++) {
            bytes[first / 8] ^= (uint8_t)(1u << first % 8);
            bytes[second / 8] ^= (uint8_t)(1u << second % 8);
            CU_ASSERT_EQUAL(sl_journal_header_decode(bytes, &seen), SL_JOURNAL_HEADER_DAMAGED);
            bytes[first / 8] ^= (uint8_t)(1u << first % 8);
            bytes[second / 8] ^= (uint8_t)(1u << second % 8);
        }
    }
    header.version = SL_JOURNAL_VERSION + 1;
    sl_journal_header_encode(&header, bytes);
    CU_ASSERT_EQUAL(sl_journal_header_decode(bytes, &seen), SL_JOURNAL_HEADER_NEWER);
    bytes[20] ^= 1;
    CU_ASSERT_EQUAL(sl_journal_header_decode(bytes, &seen), SL_JOURNAL_HEADER_NEWER);
    header.version = 0;
    sl_journal_header_encode(&header, bytes);
    CU_ASSERT_EQUAL(sl_journal_header_decode(bytes, &seen), SL_JOURNAL_HEADER_DAMAGED);
}

CLAIM(journal_format__a_record_comes_back_as_it_went_in)
{
    uint8_t bytes[SL_JOURNAL_RECORD_HEAD_BYTES + 24];
    char payload[24];
    memset(payload, 'p', sizeof payload);
    for (size_t length = 1; length <= sizeof payload; length++) {
        struct sl_journal_record record = { .type = SL_JOURNAL_EVENT,
                                            .provider = 513,
                                            .received_ns = UINT64_C(1700000000000000001),
                                            .payload = sl_span_make(payload, length) };
        memset(bytes, 0xee, sizeof bytes);
        sl_journal_record_compose(&record, bytes);
        uint32_t rolling = 0;
        size_t whole = sl_journal_record_finish(bytes, 7, 99, &rolling);
        CU_ASSERT_EQUAL(whole, sl_journal_record_bytes(length));
        CU_ASSERT_EQUAL(whole % SL_JOURNAL_ALIGN, 0);

        struct sl_journal_record seen = { 0 };
        uint32_t rolling_seen = 0;
        CU_ASSERT(sl_journal_record_decode(bytes, 99, &seen, &rolling_seen));
        CU_ASSERT(sl_span_eq(seen.payload, record.payload));
        CU_ASSERT_EQUAL(seen.seq, 7);
        CU_ASSERT_EQUAL(seen.provider, 513);
        CU_ASSERT_EQUAL(seen.received_ns, record.received_ns);
        CU_ASSERT_EQUAL(rolling, rolling_seen);
        CU_ASSERT_FALSE(sl_journal_record_decode(bytes, 98, &seen, NULL));
    }
}

CLAIM(journal_format__names_sort_by_sequence_and_only_exact_names_are_ours)
{
    char name[SL_JOURNAL_NAME_BYTES];
    uint64_t seq = 0;
    sl_journal_name(0x1f, name);
    CU_ASSERT_STRING_EQUAL(name, "drop-000000000000001f.slj");
    CU_ASSERT(sl_journal_name_parse(name, &seq));
    CU_ASSERT_EQUAL(seq, 0x1f);
    sl_journal_name(SL_JOURNAL_SEQ_MAX, name);
    CU_ASSERT(sl_journal_name_parse(name, &seq));
    CU_ASSERT_EQUAL(seq, SL_JOURNAL_SEQ_MAX);
    static const char *const others[] = {
        "",
        "drop-",
        "drop-000000000000001f",
        "drop-000000000000001F.slj",
        "drop-000000000000001f.slj.corrupt-0",
        "drop-00000000000001f.slj",
        "drop-0000000000000001f.slj",
        "drop-0000000000000000.slj",
        "drop-4000000000000001.slj",
        "drop-ffffffffffffffff.slj",
        "spare.slj",
        "LOCK",
    };
    for (size_t i = 0; i < SL_COUNT(others); i++) {
        CU_ASSERT_FALSE(sl_journal_name_parse(others[i], &seq));
    }
}
