#include "tests/unit/shared/journal_rig.h"

CLAIM(journal__what_was_acknowledged_is_replayed_in_order_and_then_gone)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    for (int i = 0; i < 20; i++) {
        rig_fill(&rig, 25);
    }
    CU_ASSERT_EQUAL(rig.acknowledged, 500);
    struct sl_journal_stats stats = rig_stats(&rig);
    CU_ASSERT_EQUAL(stats.pending, 500);
    CU_ASSERT_EQUAL(stats.totals.appended, 500);
    CU_ASSERT_EQUAL(stats.oldest_ns, 1000);
    CU_ASSERT_EQUAL(stats.state, SL_JOURNAL_OK);
    CU_ASSERT(stats.segments > 5);

    static unsigned seen[RIG_EVENTS_MAX];
    bool in_order = false;
    memset(seen, 0, sizeof seen);
    CU_ASSERT_EQUAL(rig_replay(&rig, seen, &in_order), 500);
    CU_ASSERT(in_order);
    for (size_t n = 0; n < 500; n++) {
        CU_ASSERT_EQUAL(seen[n], 1);
    }
    /* Also the segment that was being written: it is closed when it has been idle, and removed. */
    RIG_UNTIL(&rig, rig_stats(&rig).segments == 0);
    CU_ASSERT_EQUAL(rig_files(&rig, "drop-"), 0);
    stats = rig_stats(&rig);
    CU_ASSERT_EQUAL(stats.bytes, 0);
    CU_ASSERT_EQUAL(stats.segments, 0);
    CU_ASSERT_EQUAL(stats.oldest_ns, 0);
    CU_ASSERT_EQUAL(stats.totals.replayed, 500);
    rig_done(&rig);
}

CLAIM(journal__survives_a_clean_restart_and_numbers_go_on)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 40);
    rig_close(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(rig_stats(&rig).pending, 40);
    CU_ASSERT_EQUAL(rig_stats(&rig).totals.found, 40);
    rig_fill(&rig, 40);
    rig_close(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    static unsigned seen[RIG_EVENTS_MAX];
    bool in_order = false;
    memset(seen, 0, sizeof seen);
    CU_ASSERT_EQUAL(rig_replay(&rig, seen, &in_order), 80);
    CU_ASSERT(in_order);
    rig_turn(&rig);
    for (int what = 0; what < SL_JOURNAL_TELL_COUNT; what++) {
        CU_ASSERT_EQUAL(rig.told[what], 0);
    }
    rig_close(&rig);

    /* Everything is gone, and still no number is given twice. */
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(rig_stats(&rig).totals.found, 0);
    rig_fill(&rig, 1);
    struct sl_journal_record record = { 0 };
    RIG_UNTIL(&rig, sl_journal_take(rig.journal, &record, 1) == 1);
    CU_ASSERT_EQUAL(record.seq, 81);
    sl_journal_ack(rig.journal, record.seq);
    rig_done(&rig);
}

CLAIM(journal__a_half_done_replay_goes_on_where_it_was)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 100);
    struct sl_journal_record records[30];
    size_t got = 0;
    while (got < 30) {
        got += sl_journal_take(rig.journal, records + got, 30 - got);
        rig_turn(&rig);
    }
    for (size_t i = 0; i < 30; i += 2) {
        sl_journal_ack(rig.journal, records[i].seq);
    }
    rig_close(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    struct sl_journal_stats stats = rig_stats(&rig);
    CU_ASSERT_EQUAL(stats.pending, 85);
    static unsigned seen[RIG_EVENTS_MAX];
    bool in_order = false;
    memset(seen, 0, sizeof seen);
    CU_ASSERT_EQUAL(rig_replay(&rig, seen, &in_order), 85);
    for (size_t n = 0; n < 100; n++) {
        CU_ASSERT_EQUAL(seen[n], n < 30 && n % 2 == 0 ? 0 : 1);
    }
    rig_done(&rig);
}

CLAIM(journal__lost_progress_costs_duplicates_never_events)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 20); /* one segment */
    struct sl_journal_record records[5];
    size_t got = 0;
    while (got < 5) {
        got += sl_journal_take(rig.journal, records + got, 5 - got);
        rig_turn(&rig);
    }
    for (size_t i = 0; i < 5; i++) {
        sl_journal_ack(rig.journal, records[i].seq);
    }
    rig_close(&rig);
    char path[160];
    snprintf(path, sizeof path, "%s/progress", rig.dir);
    struct stat size = { 0 };
    CU_ASSERT_EQUAL_FATAL(stat(path, &size), 0);
    CU_ASSERT_EQUAL(truncate(path, size.st_size - 1), 0);
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(rig_stats(&rig).pending, 20);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_PROGRESS_LOST], 1);
    rig_check_replay(&rig);
    rig_done(&rig);
}

CLAIM(journal__the_quota_refuses_the_new_and_keeps_the_old_and_draining_makes_room)
{
    struct rig rig;
    rig_init(&rig);
    rig.quota_bytes = 16384;
    CU_ASSERT_FATAL(rig_open(&rig));
    while (rig_offer(&rig) || rig.err.code == SL_E_JOURNAL_BUSY) {
        rig_turn(&rig);
    }
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_FULL);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(rig.refused, 0);
    CU_ASSERT(rig_stats(&rig).bytes <= rig.quota_bytes);
    CU_ASSERT(rig_stats(&rig).bytes > rig.quota_bytes - 3000);
    size_t kept = rig.acknowledged;
    rig_check_replay(&rig);
    CU_ASSERT_EQUAL(rig_stats(&rig).totals.replayed, kept);
    RIG_UNTIL(&rig, rig_stats(&rig).bytes < 8000);
    CU_ASSERT(rig_offer(&rig));
    rig_settle(&rig);
    rig_done(&rig);
}

CLAIM(journal__free_space_below_the_floor_refuses_and_takes_again_when_it_is_back)
{
    struct rig rig;
    rig_init(&rig);
    rig.floor_bytes = 1u << 20;
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 3);
    disk.free_bytes = (1u << 20) - 1;
    while (rig_offer(&rig)) {
        rig_turn(&rig);
    }
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_FULL);
    CU_ASSERT_EQUAL(sl_journal_state(rig.journal), SL_JOURNAL_FULL);
    disk.free_bytes = 1u << 20;
    RIG_UNTIL(&rig, sl_journal_state(rig.journal) == SL_JOURNAL_OK);
    CU_ASSERT(rig_offer(&rig));
    rig_settle(&rig);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_SPACE_LOW], 1);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_SPACE_BACK], 1);
    CU_ASSERT_EQUAL(rig.refused, 0);
    rig_check_replay(&rig);
    rig_done(&rig);
}

CLAIM(journal__an_event_that_keeps_failing_goes_to_poison_and_does_not_hold_up_the_rest)
{
    struct rig rig;
    rig_init(&rig);
    rig.tries_max = 3;
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 10);
    struct sl_journal_record records[10];
    unsigned failures = 0;
    size_t acked = 0;
    while (acked < 9 || failures < 3) {
        size_t count = sl_journal_take(rig.journal, records, SL_COUNT(records));
        for (size_t i = 0; i < count; i++) {
            if (rig_event(records[i].payload) == 4) {
                failures++;
                sl_journal_fail(rig.journal, records[i].seq);
            } else {
                acked++;
                sl_journal_ack(rig.journal, records[i].seq);
            }
        }
        rig_turn(&rig);
    }
    CU_ASSERT_EQUAL(failures, 3);
    RIG_UNTIL(&rig, rig_stats(&rig).pending == 0);
    RIG_UNTIL(&rig, rig.told[SL_JOURNAL_TELL_POISONED] == 1);
    CU_ASSERT_EQUAL(rig_stats(&rig).totals.poisoned, 1);
    CU_ASSERT_EQUAL(rig_stats(&rig).totals.replayed, 9);
    char path[160];
    snprintf(path, sizeof path, "%s/poison/drop-0000000000000005.slj", rig.dir);
    CU_ASSERT_EQUAL(access(path, R_OK), 0);
    RIG_UNTIL(&rig, rig_files(&rig, "drop-") == 0);
    rig_done(&rig);
}

CLAIM(journal__what_is_set_aside_counts_towards_the_quota_until_somebody_takes_it_away)
{
    struct rig rig;
    rig_init(&rig);
    rig.tries_max = 1;
    rig.quota_bytes = 16384;
    CU_ASSERT_FATAL(rig_open(&rig));
    char path[160];
    while (rig_offer(&rig)) {
        struct sl_journal_record record = { 0 };
        while (rig_offer(&rig)) { /* as many as there is room for */
            rig_settle(&rig);
        }
        while (rig_stats(&rig).pending > 0) {
            if (sl_journal_take(rig.journal, &record, 1) == 1) {
                sl_journal_fail(rig.journal, record.seq);
            }
            rig_turn(&rig);
        }
        RIG_UNTIL(&rig, rig_stats(&rig).bytes == 0);
    }
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_FULL);
    struct sl_journal_stats stats = rig_stats(&rig);
    CU_ASSERT_EQUAL(stats.poison_events, stats.totals.poisoned);
    CU_ASSERT(stats.poison_bytes <= 2 * rig.quota_bytes); /* each has a head of its own */
    CU_ASSERT(stats.poison_bytes + 4096 > rig.quota_bytes);

    rig_close(&rig); /* the next run knows of them */
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(rig_stats(&rig).poison_events, stats.poison_events);
    CU_ASSERT_FALSE(rig_offer(&rig));
    for (uint64_t seq = 1; seq <= stats.poison_events; seq++) {
        snprintf(path, sizeof path, "%s/poison/drop-%016llx.slj", rig.dir, (unsigned long long)seq);
        CU_ASSERT_EQUAL(unlink(path), 0);
    }
    RIG_UNTIL(&rig, rig_stats(&rig).poison_events == 0);
    CU_ASSERT(rig_offer(&rig));
    rig_settle(&rig);
    rig_done(&rig);
}

/* An hour forward, then a year back, over restarts: numbers and names go on, and so does the order. */
CLAIM(journal__order_is_by_number_whatever_the_clock_says)
{
    static const uint64_t clocks_s[] = { 1800000000u, 1800003600u, 1768464000u, 1u };
    struct rig rig;
    rig_init(&rig);
    uint64_t sent = 0;
    for (size_t i = 0; i < SL_COUNT(clocks_s); i++) {
        CU_ASSERT_FATAL(rig_open(&rig));
        for (int n = 0; n < 3; n++, sent++) {
            CU_ASSERT_FATAL(sl_journal_append(rig.journal, sl_span_make(&sent, sizeof sent), 7,
                                              clocks_s[i] * 1000000000u, sent, &rig.err));
        }
        rig_close(&rig);
    }
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(rig_stats(&rig).pending, sent);
    for (uint64_t expected = 0; expected < sent; expected++) {
        struct sl_journal_record record = { 0 };
        uint64_t number = UINT64_MAX;
        RIG_UNTIL(&rig, sl_journal_take(rig.journal, &record, 1) == 1);
        memcpy(&number, record.payload.data, sizeof number);
        CU_ASSERT_EQUAL(number, expected);
        CU_ASSERT_EQUAL(record.received_ns, clocks_s[expected / 3] * 1000000000u);
        sl_journal_ack(rig.journal, record.seq);
    }
    rig_done(&rig);
}

CLAIM(journal__what_is_deferred_comes_behind_the_others_and_was_no_try)
{
    struct rig rig;
    rig_init(&rig);
    rig.tries_max = 1;
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 6);
    struct sl_journal_record record = { 0 };
    struct sl_journal_record all[6];
    size_t got = 0;
    while (got < 6) { /* so that all are loaded */
        got += sl_journal_take(rig.journal, all + got, 6 - got);
        rig_turn(&rig);
    }
    for (size_t i = 0; i < 6; i++) {
        sl_journal_put_back(rig.journal, all[i].seq);
    }
    uint64_t last_seq = 0;
    for (int round = 0; round < 60; round++) {
        RIG_UNTIL(&rig, sl_journal_take(rig.journal, &record, 1) == 1);
        CU_ASSERT_EQUAL(record.seq, last_seq % 6 + 1);
        last_seq = record.seq;
        sl_journal_defer(rig.journal, record.seq);
    }
    rig_check_replay(&rig);
    CU_ASSERT_EQUAL(rig_stats(&rig).totals.poisoned, 0);
    rig_done(&rig);
}

CLAIM(journal__what_is_put_back_comes_again_first_and_was_no_try)
{
    struct rig rig;
    rig_init(&rig);
    rig.tries_max = 1;
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 6);
    struct sl_journal_record records[6];
    for (int round = 0; round < 5; round++) {
        size_t got = 0;
        while (got < 4) {
            got += sl_journal_take(rig.journal, records + got, 4 - got);
            rig_turn(&rig);
        }
        for (size_t i = 0; i < 4; i++) {
            CU_ASSERT_EQUAL(records[i].seq, i + 1);
        }
        static const size_t order[] = { 2, 0, 3, 1 };
        for (size_t i = 0; i < 4; i++) {
            sl_journal_put_back(rig.journal, records[order[i]].seq);
        }
    }
    rig_check_replay(&rig);
    CU_ASSERT_EQUAL(rig_stats(&rig).totals.poisoned, 0);
    rig_done(&rig);
}

CLAIM(journal__tells_once_when_more_can_be_taken)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    struct sl_journal_record record = { 0 };
    CU_ASSERT_EQUAL(sl_journal_take(rig.journal, &record, 1), 0);
    rig_fill(&rig, 3);
    RIG_UNTIL(&rig, rig.ready_calls == 1);
    CU_ASSERT_EQUAL(sl_journal_take(rig.journal, &record, 1), 1);
    sl_journal_put_back(rig.journal, record.seq);
    CU_ASSERT_EQUAL(rig.ready_calls, 1);
    rig_check_replay(&rig);
    rig_done(&rig);
}

CLAIM(journal__the_largest_event_passes_and_a_larger_one_is_refused_by_name)
{
    struct rig rig;
    rig_init(&rig);
    rig.quota_bytes = 64u << 20;
    CU_ASSERT_FATAL(rig_open(&rig));
    char *payload = calloc(1, SL_JOURNAL_PAYLOAD_BYTES_MAX + 1);
    memset(payload, 'x', SL_JOURNAL_PAYLOAD_BYTES_MAX);
    CU_ASSERT_FALSE(sl_journal_append(
        rig.journal, sl_span_make(payload, SL_JOURNAL_PAYLOAD_BYTES_MAX + 1), 1, 1, 0, &rig.err));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_LIMIT);
    CU_ASSERT_FALSE(sl_journal_append(rig.journal, sl_span_make(payload, 0), 1, 1, 0, &rig.err));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_LIMIT);
    for (uint64_t i = 0; i < 10; i++) {
        while (!sl_journal_append(rig.journal, sl_span_make(payload, SL_JOURNAL_PAYLOAD_BYTES_MAX),
                                  1, 1, i, &rig.err)) {
            CU_ASSERT_EQUAL_FATAL(rig.err.code, SL_E_JOURNAL_BUSY);
            rig_turn(&rig);
        }
    }
    rig.offered = 10;
    rig_settle(&rig);
    CU_ASSERT_EQUAL(rig.acknowledged, 10);
    struct sl_journal_record records[16];
    size_t got = 0;
    while (got < 7) { /* as many as may be out at a time by bytes */
        got += sl_journal_take(rig.journal, records + got, 16 - got);
        rig_turn(&rig);
    }
    CU_ASSERT_EQUAL(got, 7);
    CU_ASSERT_EQUAL(sl_journal_take(rig.journal, records + got, 1), 0);
    for (size_t i = 0; i < got; i++) {
        CU_ASSERT_EQUAL(records[i].payload.bytes, SL_JOURNAL_PAYLOAD_BYTES_MAX);
        CU_ASSERT_EQUAL(memcmp(records[i].payload.data, payload, SL_JOURNAL_PAYLOAD_BYTES_MAX), 0);
        sl_journal_ack(rig.journal, records[i].seq);
    }
    RIG_UNTIL(&rig, sl_journal_take(rig.journal, records, 1) == 1);
    sl_journal_ack(rig.journal, records[0].seq);
    free(payload);
    rig_done(&rig);
}

CLAIM(journal__close_tells_everyone_who_waits)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    for (size_t i = 0; i < 200; i++) {
        CU_ASSERT(rig_offer(&rig));
    }
    rig_close(&rig);
    CU_ASSERT_EQUAL(rig.acknowledged, 200);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_check_replay(&rig);
    rig_done(&rig);
}

/* How many of `bytes` each are taken while the disk stands still. */
static size_t taken_of(struct rig *rig, size_t bytes, size_t offers)
{
    char *payload = calloc(1, bytes);
    size_t taken = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(payload);
    pthread_mutex_lock(&disk.sync_gate);
    while (taken < offers &&
           sl_journal_append(rig->journal, sl_span_make(payload, bytes), 1, 1, taken, &rig->err)) {
        taken++;
    }
    CU_ASSERT_EQUAL(rig_stats(rig).waiting, taken);
    pthread_mutex_unlock(&disk.sync_gate);
    rig->offered = taken;
    rig_settle(rig);
    CU_ASSERT_EQUAL(rig->refused, 0);
    free(payload);
    return taken;
}

CLAIM(journal__the_queue_is_bounded_in_records_and_says_busy)
{
    struct rig rig;
    rig_init(&rig);
    rig.queue_records_max = 300;
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(taken_of(&rig, 100, 400), 300);
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_BUSY);
    CU_ASSERT(rig_offer(&rig));
    rig_settle(&rig);
    rig_done(&rig);
}

CLAIM(journal__the_queue_is_bounded_in_bytes_and_says_busy)
{
    struct rig rig;
    rig_init(&rig);
    rig.quota_bytes = 64u << 20;
    rig.queue_bytes_max = 5u << 20;
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(taken_of(&rig, 1000000, 20), 5);
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_BUSY);
    rig_done(&rig);
}

/* The broker freezes: every confirm deadline passes in one turn of the loop. */
CLAIM(journal__all_that_may_wait_at_once_is_taken_in_one_burst)
{
    struct rig rig;
    rig_init(&rig);
    rig.quota_bytes = 64u << 20;
    CU_ASSERT_FATAL(rig_open(&rig));
    CU_ASSERT_EQUAL(taken_of(&rig, 3200, 5000), 4096);
    CU_ASSERT_EQUAL(rig.acknowledged, 4096);
    rig_done(&rig);
}

/* ---- the folder ---- */

CLAIM(journal__refuses_a_folder_that_is_not_its_own)
{
    struct rig rig;
    rig_init(&rig);
    char real[160];
    snprintf(real, sizeof real, "%s/real", rig.root);
    CU_ASSERT_EQUAL_FATAL(mkdir(real, 0700), 0);
    CU_ASSERT_EQUAL_FATAL(symlink(real, rig.dir), 0);
    CU_ASSERT_FALSE(rig_open(&rig));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_UNSAFE);
    (void)unlink(rig.dir);

    for (mode_t mode = 0701; mode <= 0777; mode = mode == 0701   ? 0740
                                                  : mode == 0740 ? 0755
                                                                 : 01000) {
        CU_ASSERT_EQUAL_FATAL(mkdir(rig.dir, 0700), 0);
        CU_ASSERT_EQUAL_FATAL(chmod(rig.dir, mode), 0);
        CU_ASSERT_FALSE(rig_open(&rig));
        CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_UNSAFE);
        (void)rmdir(rig.dir);
    }
    copy_file("/dev/null", rig.dir);
    CU_ASSERT_FALSE(rig_open(&rig));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_UNSAFE);
    (void)unlink(rig.dir);
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL_FATAL(mkdir(rig.dir, 0700), 0);
        CU_ASSERT_EQUAL_FATAL(chown(rig.dir, 12345, 12345), 0);
        CU_ASSERT_FALSE(rig_open(&rig));
        CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_UNSAFE);
        (void)rmdir(rig.dir);
    }
    rig_use(&rig, "no/such/parent");
    CU_ASSERT_FALSE(rig_open(&rig));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_UNSAFE);
    rig_done(&rig);
}

CLAIM(journal__makes_its_folder_and_files_private)
{
    struct rig rig;
    rig_init(&rig);
    mode_t before = umask(0);
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_fill(&rig, 1);
    (void)umask(before);
    struct stat seen = { 0 };
    char path[160];
    CU_ASSERT_EQUAL(stat(rig.dir, &seen), 0);
    CU_ASSERT_EQUAL(seen.st_mode & 0777, 0700);
    static const char *const files[] = { "LOCK", "drop-0000000000000001.slj" };
    for (size_t i = 0; i < SL_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", rig.dir, files[i]);
        CU_ASSERT_EQUAL(stat(path, &seen), 0);
        CU_ASSERT_EQUAL(seen.st_mode & 0777, 0600);
    }
    rig_done(&rig);
}

CLAIM(journal__has_one_owner)
{
    struct rig rig;
    rig_init(&rig);
    CU_ASSERT_FATAL(rig_open(&rig));
    struct sl_journal *first = rig.journal;
    CU_ASSERT_FALSE(rig_open(&rig));
    CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_LOCKED);
    rig.journal = first;
    rig_close(&rig);
    CU_ASSERT(rig_open(&rig));
    rig_done(&rig);
}

CLAIM(journal__says_when_a_restart_would_empty_the_storage)
{
    char dir[64];
    snprintf(dir, sizeof dir, "/dev/shm/sluice-journal-%d", (int)getpid());
    struct rig rig;
    rig_init(&rig);
    struct sl_journal_opts opts = { .dir = dir,
                                    .quota_bytes = 1u << 20,
                                    .loop = rig.loop,
                                    .arg = &rig,
                                    .on_appended = rig_on_appended };
    struct sl_journal *journal = sl_journal_open(&opts, &rig.err);
    if (access("/dev/shm", W_OK) == 0) {
        CU_ASSERT_PTR_NULL(journal);
        CU_ASSERT_EQUAL(rig.err.code, SL_E_JOURNAL_VOLATILE);
        opts.allow_volatile = true;
        journal = sl_journal_open(&opts, &rig.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(journal);
        struct sl_journal_stats stats = { 0 };
        sl_journal_read_stats(journal, &stats);
        CU_ASSERT_FALSE(stats.is_durable);
    }
    sl_journal_close(journal);
    remove_tree(dir);
    rig_done(&rig);
}
