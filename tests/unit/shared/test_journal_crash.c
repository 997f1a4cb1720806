#include "tests/unit/shared/journal_rig.h"

#include <signal.h>
#include <sys/wait.h>

#include "shared/journal/journal_scan.h"

#define CHILD_QUEUE 128u /* what a child may have accepted and not told */
#define NOTES_BYTES 4096 /* of a pipe: how far a child runs ahead of whoever kills it */

/* A small generator, so that a failing run can be repeated. */
static uint64_t dice_state;

static uint64_t dice(uint64_t sides)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return dice_state % sides;
}

static bool is_long_run(void)
{
    return getenv("TEST_LONG") != NULL;
}

/* ---- kill -9 ---- */

struct note {
    char what; /* 'A' acknowledged, 'R' about to be acked in replay, 'D' that ack was given */
    uint32_t event;
};

static int notes_fd;
static size_t told_acknowledged;
static size_t told_replayed;

static void note(char what, size_t event)
{
    struct note line = { .what = what, .event = (uint32_t)event };
    if (write(notes_fd, &line, sizeof line) != (ssize_t)sizeof line) {
        _exit(3);
    }
}

static void child_on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *err)
{
    (void)arg;
    (void)err;
    if (ok) {
        note('A', cookie);
        told_acknowledged++;
    }
}

/* Appends without end, replays at most a quarter of it, however slow its disk is; never returns. */
static void child(struct rig *rig, size_t first_event)
{
    struct sl_loop *loop = sl_loop_new(NULL);
    struct sl_journal *journal =
        sl_journal_open(&(struct sl_journal_opts){ .dir = rig->dir,
                                                   .quota_bytes = 16u << 20,
                                                   .queue_records_max = CHILD_QUEUE,
                                                   .segment_bytes = 8192,
                                                   .allow_volatile = true,
                                                   .loop = loop,
                                                   .io = &disk_io,
                                                   .on_appended = child_on_appended },
                        NULL);
    if (journal == NULL) {
        _exit(2);
    }
    for (size_t n = first_event;;) {
        char payload[RIG_PAYLOAD_MAX];
        size_t burst = (size_t)dice(40);
        for (size_t i = 0; i < burst && n < RIG_EVENTS_MAX; i++, n++) {
            size_t bytes = rig_payload(n, payload);
            if (!sl_journal_append(journal, sl_span_make(payload, bytes), 7, 1000 + n, n, NULL)) {
                break;
            }
        }
        struct sl_journal_record records[8];
        bool may_replay = (told_replayed + SL_COUNT(records)) * 4 <= told_acknowledged;
        size_t count =
            may_replay && dice(10) == 0 ? sl_journal_take(journal, records, SL_COUNT(records)) : 0;
        for (size_t i = 0; i < count; i++) {
            if (dice(2) == 0) {
                note('R', rig_event(records[i].payload));
                told_replayed++;
                sl_journal_ack(journal, records[i].seq);
            } else {
                sl_journal_put_back(journal, records[i].seq);
            }
        }
        (void)event_base_loop(sl_loop_base(loop), EVLOOP_NONBLOCK);
    }
}

CLAIM(journal__kill_9_at_any_moment_loses_nothing_that_was_acknowledged)
{
    static unsigned char replayed[RIG_EVENTS_MAX];
    static unsigned seen[RIG_EVENTS_MAX];
    struct rig rig;
    rig_init(&rig);
    memset(replayed, 0, sizeof replayed);
    dice_state = 0x9e3779b97f4a7c15u;
    size_t first_event = 0;
    int rounds = is_long_run() ? 40 : 20;
    size_t acknowledged = 0;
    int kills = 0;
    for (int round = 0; round < rounds && first_event + 400 < RIG_EVENTS_MAX; round++) {
        int ends[2];
        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        CU_ASSERT_EQUAL(fcntl(ends[1], F_SETPIPE_SZ, NOTES_BYTES), NOTES_BYTES);
        size_t notes_max = 20 + (size_t)dice(300);
        dice_state += (uint64_t)round;
        pid_t pid = fork();
        if (pid == 0) {
            (void)close(ends[0]);
            notes_fd = ends[1];
            child(&rig, first_event);
        }
        CU_ASSERT_FATAL(pid > 0);
        (void)close(ends[1]);
        struct note line;
        size_t notes = 0;
        size_t highest = first_event;
        while (read(ends[0], &line, sizeof line) == (ssize_t)sizeof line) {
            if (line.what == 'A') {
                acknowledged++;
                rig.fates[line.event] = FATE_ACKNOWLEDGED;
                highest = line.event > highest ? line.event : highest;
            } else {
                CU_ASSERT_FATAL(line.event < RIG_EVENTS_MAX);
                replayed[line.event] = 1;
            }
            if (++notes == notes_max) {
                (void)kill(pid, SIGKILL);
            }
        }
        int status = 0;
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT(WIFSIGNALED(status));
        kills += WIFSIGNALED(status) ? 1 : 0;
        (void)close(ends[0]);
        /* The dead child may have accepted more than it could tell. */
        first_event = highest + CHILD_QUEUE;
    }

    rig.offered = RIG_EVENTS_MAX;
    CU_ASSERT_FATAL(rig_open(&rig));
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_GAP], 0);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_HOLE], 0);
    CU_ASSERT_EQUAL(rig.told[SL_JOURNAL_TELL_SEAL_MISSING], 0);
    bool in_order = false;
    memset(seen, 0, sizeof seen);
    (void)rig_replay(&rig, seen, &in_order);
    size_t lost = 0;
    size_t kept = 0;
    for (size_t n = 0; n < RIG_EVENTS_MAX; n++) {
        bool was_promised = rig.fates[n] == FATE_ACKNOWLEDGED && replayed[n] == 0;
        lost += was_promised && seen[n] == 0 ? 1 : 0;
        kept += was_promised && seen[n] > 0 ? 1 : 0;
    }
    CU_ASSERT_EQUAL(lost, 0);
    /* Else this test shows nothing: three quarters were never replayed by a child, and the events last for so many children. */
    CU_ASSERT(kept >= acknowledged / 4 * 3);
    CU_ASSERT(kills >= 8);
    rig_done(&rig);
}

/* ---- power cut ---- */

/* What the disk holds when the power goes now: of every write that was not synced nothing, all, or some. */
static void cut_power(struct rig *rig, const char *name)
{
    pthread_mutex_lock(&disk.lock);
    rig_snapshot(rig, name);
    char dir[256];
    snprintf(dir, sizeof dir, "%s/%s", rig->root, name);
    DIR *listing = opendir(rig->dir);
    for (const struct dirent *e = readdir(listing); e != NULL; e = readdir(listing)) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        int fd = e->d_type == DT_REG ? open(path, O_WRONLY | O_CLOEXEC) : -1;
        for (size_t i = disk.unsynced_count; fd >= 0 && i-- > 0;) {
            const struct rig_unsynced *u = &disk.unsynced[i];
            if (u->inode != e->d_ino) {
                continue;
            }
            /* In sectors, each on its own. */
            for (size_t at = 0; at < u->bytes; at += 512) {
                size_t part = u->bytes - at < 512 ? u->bytes - at : 512;
                if (dice(2) == 0) {
                    ssize_t wrote = pwrite(fd, u->before + at, part, u->offset + (off_t)at);
                    (void)wrote;
                }
            }
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    (void)closedir(listing);
    pthread_mutex_unlock(&disk.lock);
}

CLAIM(journal__a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged)
{
    size_t with_damage = 0;
    for (uint64_t seed = 1; seed <= (is_long_run() ? 400u : 60u); seed++) {
        struct rig rig;
        rig_init(&rig);
        dice_state = seed * 0x9e3779b97f4a7c15u;
        CU_ASSERT_FATAL(rig_open(&rig));
        disk.track = true;
        for (uint64_t turns = 2 + dice(30); turns > 0; turns--) {
            for (uint64_t i = dice(30); i > 0 && rig_offer(&rig); i--) {
            }
            (void)event_base_loop(sl_loop_base(rig.loop), EVLOOP_NONBLOCK);
        }
        bool in_sync = dice(2) == 0;
        if (in_sync) { /* between a write and its sync */
            rig_settle(&rig);
            pthread_mutex_lock(&disk.sync_gate);
            for (int i = 0; i < 12; i++) {
                CU_ASSERT(rig_offer(&rig));
            }
            RIG_UNTIL(&rig, disk.unsynced_count > 0);
        }
        struct rig after = rig;
        cut_power(&rig, "cut");
        if (in_sync) {
            pthread_mutex_unlock(&disk.sync_gate);
        }
        rig_use(&after, "cut");
        CU_ASSERT_FATAL(rig_open(&after));
        rig_turn(&after);
        with_damage +=
            after.told[SL_JOURNAL_TELL_TORN_TAIL] + after.told[SL_JOURNAL_TELL_HOLE] > 0 ? 1 : 0;
        rig_check_replay(&after);
        rig_close(&after);
        rig_done(&rig);
    }
    CU_ASSERT(with_damage > 0); /* else this test shows nothing */
}

/* ---- the model ---- */

struct model {
    struct rig rig;
    unsigned char resolved
        [RIG_EVENTS_MAX]; /* 1: acked in replay; 2: acked, then a crash: it may come again */
    unsigned char taken[RIG_EVENTS_MAX];
    struct sl_journal_record held[SL_JOURNAL_TAKEN_MAX];
    size_t held_count;
    unsigned crashes;
    unsigned restarts;
};

static void model_take(struct model *model)
{
    struct sl_journal_record *room = model->held + model->held_count;
    size_t count = sl_journal_take(model->rig.journal, room,
                                   (size_t)dice(SL_JOURNAL_TAKEN_MAX - model->held_count + 1));
    for (size_t i = 0; i < count; i++) {
        size_t n = rig_event(room[i].payload);
        CU_ASSERT_FATAL(n < model->rig.offered);
        CU_ASSERT(model->resolved[n] != 1);
        CU_ASSERT_EQUAL(model->taken[n], 0);
        model->taken[n] = 1;
    }
    model->held_count += count;
}

static void model_settle_one(struct model *model)
{
    if (model->held_count == 0) {
        return;
    }
    size_t i = (size_t)dice(model->held_count);
    struct sl_journal_record record = model->held[i];
    size_t n = rig_event(record.payload);
    model->held[i] = model->held[--model->held_count];
    model->taken[n] = 0;
    switch (dice(4)) {
    case 0:
        sl_journal_put_back(model->rig.journal, record.seq);
        break;
    case 1:
        sl_journal_fail(model->rig.journal, record.seq);
        break;
    default:
        model->resolved[n] = 1;
        sl_journal_ack(model->rig.journal, record.seq);
        break;
    }
}

static void model_forget_held(struct model *model)
{
    model->held_count = 0;
    memset(model->taken, 0, sizeof model->taken);
}

/* A clean restart, or the folder as a crash leaves it. */
static void model_restart(struct model *model, bool crash)
{
    static unsigned generation;
    if (crash) {
        char name[32];
        struct rig *rig = &model->rig;
        snprintf(name, sizeof name, "life-%u", generation++);
        pthread_mutex_lock(&disk.lock);
        rig_snapshot(rig, name);
        rig->is_dead = true;
        pthread_mutex_unlock(&disk.lock);
        rig_close(rig);
        remove_tree(rig->dir);
        rig_use(rig, name);
        rig->is_dead = false;
        for (size_t n = 0; n < rig->offered; n++) {
            model->resolved[n] = model->resolved[n] == 1 ? 2 : model->resolved[n];
        }
        model->crashes++;
    } else {
        disk_fail(CALL_OPEN, 0, 0, 0); /* what was acked is noted at the latest now */
        rig_close(&model->rig);
        model->restarts++;
    }
    model_forget_held(model);
    disk_fail(CALL_OPEN, 0, 0, 0);
    CU_ASSERT_EQUAL(disk.synced_again, 0);
    disk.failed_count = 0; /* the copy's files have numbers of their own */
    CU_ASSERT_FATAL(rig_open(&model->rig));
    rig_turn(&model->rig);
    CU_ASSERT_EQUAL(model->rig.told[SL_JOURNAL_TELL_GAP], 0);
    CU_ASSERT_EQUAL(model->rig.told[SL_JOURNAL_TELL_HOLE], 0);
    CU_ASSERT_EQUAL(model->rig.told[SL_JOURNAL_TELL_SEAL_MISSING], 0);
    CU_ASSERT_EQUAL(model->rig.told[SL_JOURNAL_TELL_QUARANTINED], 0);
}

static void model_fault(void)
{
    static const enum rig_call calls[] = { CALL_PWRITE,    CALL_FDATASYNC, CALL_FSYNC, CALL_RENAME,
                                           CALL_FALLOCATE, CALL_UNLINK,    CALL_OPEN };
    static const int reasons[] = { EIO, ENOSPC };
    disk.half_write = dice(2) == 0;
    disk_fail(calls[dice(SL_COUNT(calls))], 1 + (unsigned)dice(5), 1 + (unsigned)dice(2),
              reasons[dice(2)]);
}

static void model_step(struct model *model)
{
    uint64_t roll = dice(1000);
    if (roll < 450) {
        if (model->rig.offered < RIG_EVENTS_MAX) {
            (void)rig_offer(&model->rig);
        }
    } else if (roll < 600) {
        model_take(model);
    } else if (roll < 850) {
        model_settle_one(model);
    } else if (roll < 985) {
        (void)event_base_loop(sl_loop_base(model->rig.loop), EVLOOP_NONBLOCK);
    } else if (roll < 992) {
        model_fault();
    } else if (roll < 996) {
        model_restart(model, false);
    } else {
        model_restart(model, true);
    }
}

static size_t poisoned(const struct model *model, unsigned char *out_is)
{
    char dir[160];
    size_t count = 0;
    memset(out_is, 0, RIG_EVENTS_MAX);
    snprintf(dir, sizeof dir, "%s/poison", model->rig.dir);
    DIR *listing = opendir(dir);
    for (const struct dirent *e = listing == NULL ? NULL : readdir(listing); e != NULL;
         e = readdir(listing)) {
        char path[512];
        static char file[8192];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        int fd = e->d_type == DT_REG ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        ssize_t got = fd < 0 ? 0 : read(fd, file, sizeof file);
        struct sl_journal_header header;
        struct sl_journal_scan scan;
        struct sl_journal_item item;
        if (got > (ssize_t)SL_JOURNAL_HEADER_BYTES &&
            sl_journal_header_decode((const uint8_t *)file, &header) == SL_JOURNAL_HEADER_GOOD) {
            sl_journal_scan_init(&scan, &header, UINT64_MAX, (uint64_t)got);
            if (sl_journal_scan_next(&scan, sl_span_make(file, (size_t)got), 0, &item) ==
                SL_JOURNAL_FOUND_RECORD) {
                out_is[rig_event(item.record.payload)] = 1;
                count++;
            }
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    if (listing != NULL) {
        (void)closedir(listing);
    }
    return count;
}

CLAIM(journal__agrees_with_a_model_over_random_lives)
{
    static struct model model;
    static unsigned seen[RIG_EVENTS_MAX];
    static unsigned char is_poison[RIG_EVENTS_MAX];
    for (uint64_t seed = 1; seed <= (is_long_run() ? 100u : 8u); seed++) {
        memset(&model, 0, sizeof model);
        rig_init(&model.rig);
        model.rig.tries_max = 3;
        dice_state = seed * 0xd1342543de82ef95u;
        CU_ASSERT_FATAL(rig_open(&model.rig));
        for (int step = 0; step < 10000; step++) {
            model_step(&model);
        }
        disk_fail(CALL_OPEN, 0, 0, 0);
        model_restart(&model, false);
        bool in_order = false;
        memset(seen, 0, sizeof seen);
        (void)rig_replay(&model.rig, seen, &in_order);
        (void)poisoned(&model, is_poison);
        size_t lost = 0;
        size_t again = 0;
        for (size_t n = 0; n < model.rig.offered; n++) {
            bool is_due = model.rig.fates[n] == FATE_ACKNOWLEDGED && model.resolved[n] == 0;
            lost += is_due && seen[n] == 0 && is_poison[n] == 0 ? 1 : 0;
            again += model.resolved[n] == 1 && seen[n] > 0 ? 1 : 0;
            CU_ASSERT(seen[n] <= 1);
        }
        CU_ASSERT_EQUAL(lost, 0);
        CU_ASSERT_EQUAL(again, 0);
        CU_ASSERT(model.crashes > 5);
        CU_ASSERT(model.restarts > 5);
        CU_ASSERT(model.rig.acknowledged > 500);
        rig_done(&model.rig);
    }
}
