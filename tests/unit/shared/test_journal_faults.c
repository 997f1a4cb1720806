#include "tests/unit/shared/journal_rig.h"

#include <signal.h>
#include <sys/resource.h>

/* Opens a copy of the folder as a crash now would leave it, with a healthy disk, and compares with the ledger. */
static void check_crashed(struct rig *rig)
{
    struct rig after = *rig;
    rig_snapshot(rig, "crashed");
    rig_use(&after, "crashed");
    after.journal = NULL;
    CU_ASSERT_FATAL(rig_open(&after));
    rig_check_replay(&after);
    rig_close(&after);
}

static const struct fault {
    enum rig_call call;
    int reason;
    unsigned count; /* so many calls in a row */
    bool half;
    bool lose;
} faults[] = {
    { CALL_PWRITE, ENOSPC, 1, false, false },    { CALL_PWRITE, ENOSPC, 1, true, false },
    { CALL_PWRITE, EDQUOT, 1, true, false },     { CALL_PWRITE, EIO, 1, false, false },
    { CALL_PWRITE, EFBIG, 1, true, false },      { CALL_PWRITE, EIO, 2, true, false },
    { CALL_PWRITE, ENOSPC, 3, true, false },     { CALL_FDATASYNC, EIO, 1, false, false },
    { CALL_FDATASYNC, EIO, 1, false, true },     { CALL_FDATASYNC, EIO, 2, false, true },
    { CALL_FDATASYNC, ENOSPC, 1, false, true },  { CALL_FDATASYNC, EIO, 3, false, true },
    { CALL_FSYNC, EIO, 1, false, false },        { CALL_FALLOCATE, ENOSPC, 1, false, false },
    { CALL_FALLOCATE, ENOSPC, 3, false, false }, { CALL_FALLOCATE, EOPNOTSUPP, 1, false, false },
    { CALL_FALLOCATE, EFBIG, 1, false, false },  { CALL_OPEN, ENOSPC, 1, false, false },
    { CALL_OPEN, EMFILE, 2, false, false },      { CALL_RENAME, ENOSPC, 1, false, false },
    { CALL_RENAME, EIO, 2, false, false },       { CALL_UNLINK, EIO, 1, false, false },
    { CALL_FTRUNCATE, EIO, 1, false, false },
};

/* A life: appends over several segments, replays some, more appends. What is refused is refused; what is promised is kept. */
static void live(struct rig *rig)
{
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 25 && rig_offer(rig); i++) {
        }
        rig_settle(rig);
        if (round == 3) {
            struct sl_journal_record record = { 0 };
            for (int i = 0; i < 20; i++) {
                if (sl_journal_take(rig->journal, &record, 1) == 1) {
                    sl_journal_put_back(rig->journal, record.seq);
                }
                rig_turn(rig);
            }
        }
    }
}

CLAIM(journal__whichever_call_fails_nothing_that_was_acknowledged_is_lost)
{
    for (size_t f = 0; f < SL_COUNT(faults); f++) {
        bool was_reached = true;
        for (unsigned n = 1; was_reached && n < 200; n += n < 12 ? 1 : 7) {
            struct rig rig;
            rig_init(&rig);
            CU_ASSERT_FATAL(rig_open(&rig));
            disk.half_write = faults[f].half;
            disk.lose_on_failure = faults[f].lose;
            disk.track = faults[f].lose;
            disk_fail(faults[f].call, n, faults[f].count, faults[f].reason);
            live(&rig);
            was_reached = disk.calls[faults[f].call] >= disk.fail_from;
            disk_fail(faults[f].call, 0, 0, 0);
            CU_ASSERT_EQUAL(disk.synced_again, 0);
            check_crashed(&rig);
            rig_close(&rig);
            CU_ASSERT_FATAL(rig_open(&rig));
            rig_turn(&rig);
            CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_GAP], 0);
            CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_HOLE], 0);
            CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_SEAL_MISSING], 0);
            rig_check_replay(&rig);
            rig_done(&rig);
        }
    }
}

CLAIM(journal__opens_or_says_why_whichever_call_fails)
{
    static const enum rig_call calls[] = { CALL_OPEN,      CALL_PREAD,  CALL_PWRITE, CALL_FDATASYNC,
                                           CALL_FALLOCATE, CALL_RENAME, CALL_FSYNC,  CALL_UNLINK };
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 60);
    rig_close(&rig);
    for (size_t c = 0; c < SL_COUNT(calls); c++) {
        bool was_reached = true;
        for (unsigned n = 1; was_reached && n < 40; n++) {
            rig_snapshot(&rig, "copy");
            struct rig copy = rig;
            rig_use(&copy, "copy");
            disk_fail(calls[c], n, 1, EIO);
            bool opened = rig_open(&copy);
            if (opened) {
                rig_close(&copy);
            } else {
                CU_ASSERT(copy.err.text[0] != '\0');
            }
            was_reached = disk.calls[calls[c]] >= disk.fail_from;
            disk_fail(calls[c], 0, 0, 0);
            CU_ASSERT_FATAL(rig_open(&copy));
            rig_check_replay(&copy);
            rig_close(&copy);
        }
    }
    rig_done(&rig);
}

CLAIM(journal__a_failed_sync_is_never_believed_and_the_batch_moves_to_a_new_file)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 10);
    disk.track = true;
    disk.lose_on_failure = true;
    disk_fail(CALL_FDATASYNC, 1, 1, EIO); /* the next call "succeeds", as Linux lets it */
    rig_fill(&rig, 10);
    CU_ASSERT_EQUAL(rig.acknowledged, 20);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_SYNC_FAILED], 1);
    CU_ASSERT_EQUAL(disk.synced_again, 0);
    CU_ASSERT_EQUAL(rig_files(&rig, "drop-"), 2);
    CU_ASSERT_EQUAL(sl_journal_state(rig.journal), SL_JOURNAL_OK);
    check_crashed(&rig);

    /* Suspect: replayed before newer ones, and known as such after a restart. */
    rig_fill(&rig, 60);
    rig_close(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    static unsigned seen[RIG_EVENTS_MAX];
    bool in_order = false;
    memset(seen, 0, sizeof seen);
    CU_ASSERT_EQUAL(rig_replay(&rig, seen, &in_order), 80);
    CU_ASSERT(in_order);
    rig_done(&rig);
}

CLAIM(journal__a_suspect_segment_is_replayed_first)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    for (int i = 0; i < 4; i++) {
        rig_fill(&rig, 25);
    }
    CU_ASSERT(rig_files(&rig, "drop-") > 1);
    disk_fail(CALL_FDATASYNC, 1, 1, EIO);
    rig_fill(&rig, 1);
    struct sl_journal_record record = { 0 };
    RIG_UNTIL(&rig, sl_journal_take(rig.journal, &record, 1) == 1);
    CU_ASSERT(record.seq > 1);
    sl_journal_put_back(rig.journal, record.seq);
    rig_check_replay(&rig);
    rig_done(&rig);
}

CLAIM(journal__when_every_write_fails_it_refuses_and_heals_by_itself)
{
    static const struct {
        enum rig_call call;
        int reason;
        enum sl_journal_state state;
    } rows[] = {
        { CALL_PWRITE, ENOSPC, SL_JOURNAL_FULL },
        { CALL_PWRITE, EIO, SL_JOURNAL_FAILED },
        { CALL_FDATASYNC, EIO, SL_JOURNAL_FAILED },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct rig rig;
        rig_init(&rig);
        CU_ASSERT_FATAL(rig_open(&rig));
        rig_fill(&rig, 5);
        disk_fail(rows[i].call, 1, 1000000, rows[i].reason);
        CU_ASSERT(rig_offer(&rig));
        rig_settle(&rig);
        CU_ASSERT_EQUAL(rig.refused, 1);
        CU_ASSERT_EQUAL(sl_journal_state(rig.journal), rows[i].state);
        CU_ASSERT_FALSE(rig_offer(&rig));
        CU_ASSERT_EQUAL(rig.err.code,
                        rows[i].state == SL_JOURNAL_FULL ? SL_E_JOURNAL_FULL : SL_E_JOURNAL_FAILED);
        CU_ASSERT_EQUAL(rig_stats(&rig).pending, 5);
        disk_fail(rows[i].call, 0, 0, 0);
        RIG_UNTIL(&rig, sl_journal_state(rig.journal) == SL_JOURNAL_OK);
        RIG_UNTIL(&rig, rig.told[SL_JOURNAL_TELL_RECOVERED] == 1);
        CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_SEGMENT_FAILED], 1);
        rig_fill(&rig, 5);
        CU_ASSERT_EQUAL(rig.acknowledged, 10);
        CU_ASSERT_EQUAL(disk.synced_again, 0);
        rig_close(&rig);
        CU_ASSERT_FATAL(rig_open(&rig));
        rig_check_replay(&rig);
        rig_turn(&rig);
        CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_GAP], 0);
        rig_done(&rig);
    }
}

CLAIM(journal__a_full_disk_still_has_the_spare)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 2);
    RIG_UNTIL(&rig, disk.calls[CALL_FALLOCATE] == 2); /* the first one is in use */
    CU_ASSERT_EQUAL(rig_files(&rig, "spare"), 1);
    disk_fail(CALL_FALLOCATE, 1, 1000000, ENOSPC);
    rig_fill(&rig, 25);
    rig_fill(&rig, 25); /* past the end of the open segment, into the spare */
    CU_ASSERT_EQUAL(rig.acknowledged, 52);
    while (rig_offer(&rig)) {
        rig_settle(&rig);
    }
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_FULL);
    CU_ASSERT_EQUAL(sl_journal_state(rig.journal), SL_JOURNAL_FULL);
    rig_check_replay(&rig);
    rig_done(&rig);
}

CLAIM(journal__short_writes_are_finished)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    disk.write_max = 13;
    rig_fill(&rig, 100);
    CU_ASSERT_EQUAL(rig.acknowledged, 100);
    check_crashed(&rig);
    rig_done(&rig);
}

CLAIM(journal__a_limit_on_file_sizes_is_an_error_not_the_end)
{
    struct rig rig;
    struct rlimit before = { 0 };
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit tight = { .rlim_cur = 3000, .rlim_max = before.rlim_max };
    rig_fill(&rig, 2);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (int i = 0; i < 8; i++) {
        rig_fill(&rig, 10);
    }
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    CU_ASSERT(rig.acknowledged > 60);
    check_crashed(&rig);
    rig_done(&rig);
}

CLAIM(journal__a_slow_sync_stops_admission_and_loses_nothing)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 2);
    pthread_mutex_lock(&disk.sync_gate);
    CU_ASSERT(rig_offer(&rig));
    RIG_UNTIL(&rig, sl_journal_state(rig.journal) == SL_JOURNAL_SLOW);
    CU_ASSERT_FALSE(rig_offer(&rig));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_BUSY);
    pthread_mutex_unlock(&disk.sync_gate);
    RIG_UNTIL(&rig, sl_journal_state(rig.journal) == SL_JOURNAL_OK);
    RIG_UNTIL(&rig, rig.told[SL_JOURNAL_TELL_SYNC_SLOW] == 1);
    CU_ASSERT(rig_offer(&rig));
    rig_settle(&rig);
    CU_ASSERT_EQUAL(rig.refused, 0);
    rig_check_replay(&rig);
    rig_done(&rig);
}

CLAIM(journal__a_segment_that_cannot_be_read_is_left_alone_and_kept)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    for (int i = 0; i < 4; i++) {
        rig_fill(&rig, 25);
    }
    disk_fail(CALL_PREAD, 1, 1000000, EIO);
    struct sl_journal_record record = { 0 };
    CU_ASSERT_EQUAL(sl_journal_take(rig.journal, &record, 1), 0);
    RIG_UNTIL(&rig, rig.told[SL_JOURNAL_TELL_READ_FAILED] >= 2);
    CU_ASSERT_EQUAL(rig_stats(&rig).pending, 100);
    disk_fail(CALL_PREAD, 0, 0, 0);
    rig_close(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_check_replay(&rig);
    rig_done(&rig);
}

CLAIM(journal__progress_that_cannot_be_written_costs_duplicates_only)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 20);
    disk_fail(CALL_RENAME, 1, 1000000, ENOSPC);
    struct sl_journal_record record = { 0 };
    RIG_UNTIL(&rig, sl_journal_take(rig.journal, &record, 1) == 1);
    sl_journal_ack(rig.journal, record.seq);
    RIG_UNTIL(&rig, rig.told[SL_JOURNAL_TELL_PROGRESS_FAILED] > 0);
    check_crashed(&rig);
    disk_fail(CALL_RENAME, 0, 0, 0);
    rig_fill(&rig, 2);
    rig_close(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(rig_stats(&rig).pending, 21);
    rig_done(&rig);
}
