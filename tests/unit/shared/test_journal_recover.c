#include "tests/unit/shared/journal_rig.h"

#include "shared/journal/journal_crc.h"
#include "shared/journal/journal_scan.h"

#define FIRST_NAME "drop-0000000000000001.slj"

/* A file of the folder, in memory. */
struct image {
    char path[256];
    char bytes[16384];
    size_t size;
};

static void image_load(struct image *image, const struct rig *rig, const char *name)
{
    snprintf(image->path, sizeof image->path, "%s/%s", rig->dir, name);
    int fd = open(image->path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, image->bytes, sizeof image->bytes);
    CU_ASSERT_FATAL(got >= 0);
    image->size = (size_t)got;
    (void)close(fd);
}

static void image_store(const struct image *image, size_t size)
{
    int fd = open(image->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL_FATAL(write(fd, image->bytes, size), (ssize_t)size);
    (void)close(fd);
}

/* A folder with one segment of `count` events, sealed or as a crash leaves it; nothing open. */
static void prepare(struct rig *rig, size_t count, bool sealed)
{
    rig_init(rig);
    CU_ASSERT_FATAL(rig_open(rig));
    rig_fill(rig, count);
    if (!sealed) {
        rig_snapshot(rig, "crashed");
    }
    rig_close(rig);
    if (!sealed) {
        rig_use(rig, "crashed");
    }
}

/* Opens, replays all; returns how many events came. Payloads are checked on the way. */
static size_t reopen(struct rig *rig)
{
    static unsigned seen[RIG_EVENTS_MAX];
    bool in_order = false;
    memset(seen, 0, sizeof seen);
    CU_ASSERT_FATAL(rig_open(rig));
    size_t count = rig_replay(rig, seen, &in_order);
    CU_ASSERT(in_order);
    rig_turn(rig);
    rig_close(rig);
    return count;
}

static unsigned pages(const struct rig *rig)
{
    unsigned count = 0;
    for (int what = 0; what < SL_JOURNAL_TELL_COUNT; what++) {
        count += sl_journal_tell_weight((enum sl_journal_tell)what) == SL_JOURNAL_WEIGHT_PAGE
                     ? rig->told[what]
                     : 0;
    }
    return count;
}

/* Removes everything but the journal's segment, and puts that back. */
static void reset(const struct rig *rig, const struct image *image, size_t size)
{
    remove_tree(rig->dir);
    (void)mkdir(rig->dir, 0700);
    image_store(image, size);
}

/* Where the records of a segment end. */
static size_t ends_of(const struct image *image, size_t *out_ends)
{
    struct sl_journal_header header;
    struct sl_journal_scan scan;
    struct sl_journal_item item;
    size_t count = 0;
    CU_ASSERT_EQUAL_FATAL(sl_journal_header_decode((const uint8_t *)image->bytes, &header),
                          SL_JOURNAL_HEADER_GOOD);
    sl_journal_scan_init(&scan, &header, UINT64_MAX, image->size);
    while (sl_journal_scan_next(&scan, sl_span_make(image->bytes, image->size), 0, &item) ==
           SL_JOURNAL_FOUND_RECORD) {
        out_ends[count++] = (size_t)scan.offset;
    }
    return count;
}

CLAIM(journal_recover__cut_at_any_byte_every_whole_event_comes_back_without_alarm)
{
    for (int sealed = 0; sealed < 2; sealed++) {
        struct rig rig;
        struct image image;
        size_t ends[8];
        prepare(&rig, 3, sealed == 1);
        image_load(&image, &rig, FIRST_NAME);
        CU_ASSERT_EQUAL_FATAL(ends_of(&image, ends), 3);
        size_t last = sealed == 1 ? image.size : ends[2] + 8;
        for (size_t cut = SL_JOURNAL_HEADER_BYTES; cut <= last; cut++) {
            size_t whole = 0;
            while (whole < 3 && ends[whole] <= cut) {
                whole++;
            }
            reset(&rig, &image, cut);
            CU_ASSERT_EQUAL(reopen(&rig), whole);
            CU_ASSERT_EQUAL(pages(&rig), 0);
            CU_ASSERT_EQUAL(rig_files(&rig, "drop-"), 0);
        }
        rig_done(&rig);
    }
}

static enum sl_journal_header_state header_state_of(const struct image *image, size_t cut)
{
    uint8_t bytes[SL_JOURNAL_HEADER_BYTES] = { 0 };
    struct sl_journal_header header = { 0 };
    memcpy(bytes, image->bytes, cut);
    return sl_journal_header_decode(bytes, &header);
}

CLAIM(journal_recover__a_cut_header_is_set_aside_and_said)
{
    struct rig rig;
    struct image image;
    prepare(&rig, 3, true);
    image_load(&image, &rig, FIRST_NAME);
    for (size_t cut = 0; cut < SL_JOURNAL_HEADER_BYTES; cut++) {
        reset(&rig, &image, cut);
        CU_ASSERT_EQUAL(reopen(&rig), 0);
        /* What was cut off may have been zeros, or one bit that can be told: then the header is whole, and its segment an empty one. */
        enum sl_journal_header_state state = header_state_of(&image, cut);
        bool is_lost = state == SL_JOURNAL_HEADER_DAMAGED;
        CU_ASSERT(is_lost || cut >= SL_JOURNAL_HEADER_BYTES - 4);
        CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_QUARANTINED], is_lost ? 1 : 0);
        CU_ASSERT_EQUAL(rig_files(&rig, FIRST_NAME ".corrupt-0"),
                        state == SL_JOURNAL_HEADER_GOOD ? 0 : 1); /* a mended one is kept beside */
    }
    rig_done(&rig);
}

CLAIM(journal_recover__any_flipped_bit_costs_at_most_its_own_event)
{
    for (int sealed = 0; sealed < 2; sealed++) {
        struct rig rig;
        struct image image;
        size_t ends[8];
        prepare(&rig, 3, sealed == 1);
        image_load(&image, &rig, FIRST_NAME);
        CU_ASSERT_EQUAL_FATAL(ends_of(&image, ends), 3);
        size_t used = sealed == 1 ? image.size : ends[2];
        /* Every bit in a long run; test_journal_scan.c flips every bit of the records each time. */
        size_t stride = getenv("TEST_LONG") != NULL ? 1 : 13;
        for (size_t bit = 0; bit < 8 * used; bit += stride) {
            image.bytes[bit / 8] = (char)(image.bytes[bit / 8] ^ 1 << bit % 8);
            reset(&rig, &image, image.size);
            image.bytes[bit / 8] = (char)(image.bytes[bit / 8] ^ 1 << bit % 8);
            size_t came = reopen(&rig);
            CU_ASSERT(came >= 2);
            if (bit / 8 < SL_JOURNAL_HEADER_BYTES) {
                CU_ASSERT_EQUAL(came, 3);
                CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_HEADER_MENDED], 1);
            }
            /* In the middle of the file it is said; at the end of an open one it looks like an unfinished write. */
            if (came == 2 && (sealed == 1 || bit / 8 < ends[1])) {
                CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_HOLE], 1);
                CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_GAP], 1);
                CU_ASSERT_EQUAL(rig_files(&rig, FIRST_NAME ".corrupt-"), 1);
            }
        }
        rig_done(&rig);
    }
}

CLAIM(journal_recover__damage_is_copied_aside_once_and_named_with_numbers)
{
    struct rig rig;
    struct image image;
    size_t ends[32];
    prepare(&rig, 20, true);
    image_load(&image, &rig, FIRST_NAME);
    CU_ASSERT_EQUAL_FATAL(ends_of(&image, ends), 20);
    memset(image.bytes + ends[3], 0x55, ends[7] - ends[3]); /* events 5..8 */
    image_store(&image, image.size);
    for (int time = 0; time < 2; time++) {
        CU_ASSERT_FATAL(rig_open(&rig));
        CU_ASSERT_EQUAL(rig_stats(&rig).pending, 16);
        CU_ASSERT_EQUAL(rig_stats(&rig).totals.missing, 4);
        CU_ASSERT_EQUAL(rig_stats(&rig).totals.corrupt_bytes, ends[7] - ends[3]);
        RIG_UNTIL(&rig, rig.told[SL_JOURNAL_TELL_HOLE] == 1);
        CU_ASSERT_EQUAL(rig.last[SL_JOURNAL_TELL_HOLE].from, ends[3]);
        CU_ASSERT_EQUAL(rig.last[SL_JOURNAL_TELL_HOLE].to, ends[7]);
        CU_ASSERT_EQUAL(rig.last[SL_JOURNAL_TELL_GAP].from, 5);
        CU_ASSERT_EQUAL(rig.last[SL_JOURNAL_TELL_GAP].to, 8);
        CU_ASSERT_EQUAL(rig_files(&rig, FIRST_NAME ".corrupt-"), 1);
        rig_close(&rig);
    }
    char path[320];
    struct stat seen = { 0 };
    snprintf(path, sizeof path, "%s/%s.corrupt-%zu", rig.dir, FIRST_NAME, ends[3]);
    CU_ASSERT_EQUAL(stat(path, &seen), 0);
    CU_ASSERT_EQUAL((size_t)seen.st_size, ends[7] - ends[3]);
    CU_ASSERT_EQUAL(reopen(&rig), 16);
    rig_done(&rig);
}

CLAIM(journal_recover__a_sealed_segment_that_lost_its_end_is_said_when_it_is_not_the_last)
{
    struct rig rig;
    struct image image;
    size_t ends[64];
    prepare(&rig, 10, true);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 10);
    rig_close(&rig);
    image_load(&image, &rig, FIRST_NAME);
    CU_ASSERT_EQUAL_FATAL(ends_of(&image, ends), 10);
    image_store(&image, ends[7]);
    CU_ASSERT_EQUAL(reopen(&rig), 18);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_SEAL_MISSING], 1);
    CU_ASSERT_EQUAL(rig.last[SL_JOURNAL_TELL_GAP].from, 9);
    CU_ASSERT_EQUAL(rig.last[SL_JOURNAL_TELL_GAP].to, 10);
    rig_done(&rig);
}

CLAIM(journal_recover__a_crash_is_no_alarm_at_the_second_start_either)
{
    struct rig rig;
    prepare(&rig, 10, false);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_FATAL(rig_open(&rig));
        rig_fill(&rig, 10);
        rig_turn(&rig);
        CU_ASSERT_EQUAL(pages(&rig), 0);
        char name[16];
        snprintf(name, sizeof name, "again-%d", i);
        rig_snapshot(&rig, name);
        rig_close(&rig);
        rig_use(&rig, name);
    }
    CU_ASSERT_EQUAL(reopen(&rig), 40);
    CU_ASSERT_EQUAL(pages(&rig), 0);
    rig_done(&rig);
}

CLAIM(journal_recover__a_segment_that_vanished_is_a_gap)
{
    struct rig rig;
    rig_init(&rig);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_FATAL(rig_open(&rig));
        rig_fill(&rig, 5);
        rig_close(&rig);
    }
    char path[320];
    snprintf(path, sizeof path, "%s/drop-0000000000000006.slj", rig.dir);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(reopen(&rig), 10);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_GAP], 1);
    CU_ASSERT_EQUAL(rig.last[SL_JOURNAL_TELL_GAP].from, 6);
    CU_ASSERT_EQUAL(rig.last[SL_JOURNAL_TELL_GAP].to, 10);
    rig_done(&rig);
}

CLAIM(journal_recover__a_newer_version_stops_the_start_and_nothing_is_touched)
{
    struct rig rig;
    struct image image;
    prepare(&rig, 3, true);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 3);
    rig_close(&rig);
    /* The first is damaged, the second newer: even the damage stays where it is. */
    image_load(&image, &rig, FIRST_NAME);
    memset(image.bytes, 0x11, 40);
    image_store(&image, image.size);
    image_load(&image, &rig, "drop-0000000000000004.slj");
    image.bytes[8] = 2;
    uint32_t crc = sl_journal_crc(0, image.bytes, 60);
    memcpy(image.bytes + 60, &crc, 4);
    image_store(&image, image.size);
    CU_ASSERT_FALSE(rig_open(&rig));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_VERSION);
    CU_ASSERT_EQUAL(rig_files(&rig, "drop-"), 2);
    struct image after;
    image_load(&after, &rig, "drop-0000000000000004.slj");
    CU_ASSERT_EQUAL(after.size, image.size);
    CU_ASSERT_EQUAL(memcmp(after.bytes, image.bytes, image.size), 0);
    rig_done(&rig);
}

CLAIM(journal_recover__a_header_beyond_mending_still_lets_its_events_out_if_the_salt_is_whole)
{
    struct rig rig;
    struct image image;
    prepare(&rig, 5, true);
    image_load(&image, &rig, FIRST_NAME);
    memset(image.bytes + 32, 0xaa, 28); /* number, time, zeros; the salt before it is whole */
    image_store(&image, image.size);
    CU_ASSERT_EQUAL(reopen(&rig), 5);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_HEADER_DAMAGED], 1);
    rig_done(&rig);
}

CLAIM(journal_recover__numbers_of_what_was_set_aside_are_not_given_again)
{
    struct rig rig;
    struct image image;
    prepare(&rig, 5, true);
    image_load(&image, &rig, FIRST_NAME);
    memset(image.bytes, 0xaa, image.size);
    image_store(&image, image.size);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 1);
    CU_ASSERT_EQUAL(rig_files(&rig, FIRST_NAME ".corrupt-0"), 1);
    struct sl_journal_record record = { 0 };
    RIG_UNTIL(&rig, sl_journal_take(rig.journal, &record, 1) == 1);
    CU_ASSERT(record.seq >= 2);
    sl_journal_ack(rig.journal, record.seq);
    rig_done(&rig);
}

CLAIM(journal_recover__damage_that_comes_while_it_runs_is_found_in_replay)
{
    struct rig rig;
    struct image image;
    size_t ends[64];
    prepare(&rig, 20, true);
    image_load(&image, &rig, FIRST_NAME);
    CU_ASSERT_EQUAL_FATAL(ends_of(&image, ends), 20);
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(rig_stats(&rig).pending, 20);
    memset(image.bytes + ends[3], 0x55, ends[5] - ends[3]);
    image_store(&image, image.size);
    static unsigned seen[RIG_EVENTS_MAX];
    bool in_order = false;
    memset(seen, 0, sizeof seen);
    CU_ASSERT_EQUAL(rig_replay(&rig, seen, &in_order), 18);
    RIG_UNTIL(&rig, rig.told[SL_JOURNAL_TELL_UNREADABLE] == 1);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_HOLE], 1);
    CU_ASSERT_EQUAL(rig_stats(&rig).totals.missing, 2);
    RIG_UNTIL(&rig, rig_files(&rig, FIRST_NAME ".corrupt-") == 2);
    rig_done(&rig);
}

CLAIM(journal_recover__things_that_are_not_files_stop_the_start_by_name)
{
    struct rig rig;
    prepare(&rig, 3, true);
    char path[320];
    char target[320];
    snprintf(path, sizeof path, "%s/drop-00000000000000ff.slj", rig.dir);
    snprintf(target, sizeof target, "%s/%s", rig.dir, FIRST_NAME);
    CU_ASSERT_EQUAL(symlink(target, path), 0);
    CU_ASSERT_FALSE(rig_open(&rig));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_UNSAFE);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_FALSE(rig_open(&rig));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_UNSAFE);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(reopen(&rig), 3);
    rig_done(&rig);
}
