/*
 * journal_rig - a journal in a temporary folder, on a disk that can be told to fail, with a ledger of what was promised.
 *
 * The ledger knows for every event that was offered whether it was acknowledged; `rig_check` replays a folder with a healthy disk and
 * compares: every acknowledged event is found, and nothing is found that was never offered.
 */
#ifndef TESTS_UNIT_SHARED_JOURNAL_RIG_H
#define TESTS_UNIT_SHARED_JOURNAL_RIG_H

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/journal/journal.h"
#include "shared/journal/journal_reader.h"
#include "tests/support/claims.h"

#define RIG_EVENTS_MAX   8192u
#define RIG_PAYLOAD_MAX  2048u
#define RIG_PATIENCE_MS  120000
#define RIG_SYNCED_MAX   4096u
#define RIG_UNSYNCED_MAX 512u

/* ---- the disk ---- */

enum rig_call {
    CALL_OPEN,
    CALL_PREAD,
    CALL_PWRITE,
    CALL_FDATASYNC,
    CALL_FSYNC,
    CALL_FALLOCATE,
    CALL_FTRUNCATE,
    CALL_RENAME,
    CALL_UNLINK,
    CALL_COUNT
};

struct rig_unsynced {
    ino_t inode;
    int fd; /* a duplicate, so that it can be undone later */
    off_t offset;
    size_t bytes;
    char *before;
};

static struct {
    pthread_mutex_t lock;
    _Atomic unsigned calls[CALL_COUNT]; /* so far */
    _Atomic enum rig_call fail_call;
    _Atomic unsigned fail_from; /* the n-th such call fails, n from 1; 0: none does */
    unsigned fail_count;
    int fail_errno;
    _Atomic bool half_write;    /* a failing pwrite writes half of it first */
    _Atomic unsigned write_max; /* 0: pwrite writes everything, else at most so many bytes a call */
    _Atomic bool lose_on_failure; /* a failing fdatasync throws unsynced bytes away, as Linux may */
    _Atomic bool track;           /* remember what is not synced */
    _Atomic bool
        no_sync; /* fdatasync and fsync return at once: for tests that open a journal a thousand times */
    ino_t failed_inodes[64];
    _Atomic size_t failed_count;
    _Atomic unsigned synced_again; /* fdatasync of a file whose fdatasync had failed */
    struct rig_unsynced unsynced[RIG_UNSYNCED_MAX];
    _Atomic size_t unsynced_count;
    _Atomic uint64_t free_bytes; /* 0: as it is */
    pthread_mutex_t sync_gate;   /* whoever holds it holds every sync */
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER, .sync_gate = PTHREAD_MUTEX_INITIALIZER };

static inline void disk_reset(void)
{
    for (size_t i = 0; i < disk.unsynced_count; i++) {
        free(disk.unsynced[i].before);
        (void)close(disk.unsynced[i].fd);
    }
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    memset(&disk, 0, sizeof disk);
    disk.lock = lock;
    disk.sync_gate = lock;
    disk.no_sync = true;
}

/* Counts the call; true when it is to fail (errno is set). */
static inline bool disk_fails(enum rig_call call)
{
    pthread_mutex_lock(&disk.lock);
    unsigned n = ++disk.calls[call];
    bool fails = disk.fail_from != 0 && disk.fail_call == call && n >= disk.fail_from &&
                 n - disk.fail_from < disk.fail_count;
    int reason = disk.fail_errno;
    pthread_mutex_unlock(&disk.lock);
    if (fails) {
        errno = reason;
    }
    return fails;
}

static inline void disk_fail(enum rig_call call, unsigned from, unsigned count, int reason)
{
    pthread_mutex_lock(&disk.lock);
    disk.fail_call = call;
    disk.fail_from = from == 0 ? 0 : disk.calls[call] + from;
    disk.fail_count = count;
    disk.fail_errno = reason;
    pthread_mutex_unlock(&disk.lock);
}

static inline ino_t inode_of(int fd)
{
    struct stat seen = { 0 };
    return fstat(fd, &seen) == 0 ? seen.st_ino : 0;
}

static inline int disk_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
    if ((flags & O_CREAT) != 0 && disk_fails(CALL_OPEN)) {
        return -1;
    }
    int fd = openat(dir_fd, name, flags, mode);
    if (fd >= 0 && (flags & O_EXCL) != 0) {
        /* A new file may get the number of one that failed and is gone. */
        ino_t inode = inode_of(fd);
        pthread_mutex_lock(&disk.lock);
        for (size_t i = 0; i < disk.failed_count; i++) {
            disk.failed_inodes[i] = disk.failed_inodes[i] == inode ? 0 : disk.failed_inodes[i];
        }
        pthread_mutex_unlock(&disk.lock);
    }
    return fd;
}

static inline ssize_t disk_pread(int fd, void *out, size_t bytes, off_t offset)
{
    return disk_fails(CALL_PREAD) ? -1 : pread(fd, out, bytes, offset);
}

static inline void track(int fd, size_t bytes, off_t offset)
{
    pthread_mutex_lock(&disk.lock);
    if (disk.track && disk.unsynced_count < RIG_UNSYNCED_MAX) {
        struct rig_unsynced *u = &disk.unsynced[disk.unsynced_count++];
        *u = (struct rig_unsynced){
            .inode = inode_of(fd), .fd = dup(fd), .offset = offset, .bytes = bytes
        };
        u->before = calloc(1, bytes + 1);
        ssize_t got = pread(fd, u->before, bytes, offset);
        (void)got;
    }
    pthread_mutex_unlock(&disk.lock);
}

static inline ssize_t disk_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    bool fails = disk_fails(CALL_PWRITE);
    int reason = errno;
    if (fails && !disk.half_write) {
        return -1;
    }
    size_t part = fails ? bytes / 2 : bytes;
    part = disk.write_max != 0 && part > disk.write_max ? disk.write_max : part;
    track(fd, part, offset);
    ssize_t wrote = pwrite(fd, data, part, offset);
    if (fails) {
        errno = reason;
        return -1;
    }
    return wrote;
}

/* Forgets, or undoes, what is not synced of a file (inode 0: of all). */
static inline void settle_unsynced(ino_t inode, bool undo)
{
    for (size_t i = disk.unsynced_count; i-- > 0;) {
        struct rig_unsynced *u = &disk.unsynced[i];
        if (inode != 0 && u->inode != inode) {
            continue;
        }
        if (undo) {
            ssize_t wrote = pwrite(u->fd, u->before, u->bytes, u->offset);
            (void)wrote;
        }
        free(u->before);
        (void)close(u->fd);
        memmove(u, u + 1, (disk.unsynced_count - i - 1) * sizeof *u);
        disk.unsynced_count--;
    }
}

static inline int disk_fdatasync(int fd)
{
    pthread_mutex_lock(&disk.sync_gate);
    pthread_mutex_unlock(&disk.sync_gate);
    bool fails = disk_fails(CALL_FDATASYNC);
    int reason = errno;
    ino_t inode = inode_of(fd);
    pthread_mutex_lock(&disk.lock);
    for (size_t i = 0; i < disk.failed_count; i++) {
        disk.synced_again += disk.failed_inodes[i] == inode ? 1 : 0;
    }
    if (fails && disk.failed_count < SL_COUNT(disk.failed_inodes)) {
        disk.failed_inodes[disk.failed_count++] = inode;
    }
    settle_unsynced(inode, fails && disk.lose_on_failure);
    bool no_sync = disk.no_sync;
    pthread_mutex_unlock(&disk.lock);
    if (fails) {
        errno = reason;
        return -1;
    }
    return no_sync ? 0 : fdatasync(fd);
}

static inline int disk_fsync(int fd)
{
    return disk_fails(CALL_FSYNC) ? -1 : disk.no_sync ? 0 : fsync(fd);
}

static inline int disk_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    return disk_fails(CALL_FALLOCATE) ? -1 : fallocate(fd, mode, offset, bytes);
}

static inline int disk_ftruncate(int fd, off_t bytes)
{
    return disk_fails(CALL_FTRUNCATE) ? -1 : ftruncate(fd, bytes);
}

static inline int disk_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return disk_fails(CALL_RENAME) ? -1 : renameat(from_dir, from, to_dir, to);
}

static inline int disk_unlinkat(int dir_fd, const char *name, int flags)
{
    return disk_fails(CALL_UNLINK) ? -1 : unlinkat(dir_fd, name, flags);
}

static inline int disk_fstatvfs(int fd, struct statvfs *out)
{
    int result = fstatvfs(fd, out);
    if (disk.free_bytes != 0) {
        out->f_frsize = 1;
        out->f_bavail = disk.free_bytes;
    }
    return result;
}

static const struct sl_journal_io disk_io = {
    .openat = disk_openat,
    .pread = disk_pread,
    .pwrite = disk_pwrite,
    .fdatasync = disk_fdatasync,
    .fsync = disk_fsync,
    .fallocate = disk_fallocate,
    .ftruncate = disk_ftruncate,
    .renameat = disk_renameat,
    .unlinkat = disk_unlinkat,
    .fstatvfs = disk_fstatvfs,
};

/* ---- the rig ---- */

enum rig_fate { FATE_UNKNOWN, FATE_ACKNOWLEDGED, FATE_REFUSED };

struct rig {
    char root[64];
    char dir[96];
    struct sl_loop *loop;
    struct sl_timer *tick;
    struct sl_journal *journal;
    struct sl_err err;
    uint64_t quota_bytes;
    size_t queue_records_max; /* 0: the default */
    size_t queue_bytes_max;
    uint64_t floor_bytes;
    unsigned tries_max;
    enum rig_fate fates[RIG_EVENTS_MAX];
    size_t offered;
    size_t acknowledged;
    size_t refused;
    unsigned told[SL_JOURNAL_TELL_COUNT];
    struct sl_journal_finding last[SL_JOURNAL_TELL_COUNT];
    unsigned ready_calls;
    bool is_dead; /* crashed: what it says now nobody hears */
};

/* The payload of event n: its length and bytes follow from n. */
static inline size_t rig_payload(size_t n, char *out)
{
    size_t bytes = 4 + n * 37 % 120;
    bytes = n % 101 == 100 ? RIG_PAYLOAD_MAX : bytes;
    memset(out, (int)(n % 251), bytes);
    memcpy(out, &(uint32_t){ (uint32_t)n }, 4);
    return bytes;
}

/* Which event it is; RIG_EVENTS_MAX when it is none. */
static inline size_t rig_event(struct sl_span payload)
{
    char wanted[RIG_PAYLOAD_MAX];
    uint32_t n = UINT32_MAX;
    if (payload.bytes >= 4) {
        memcpy(&n, payload.data, 4);
    }
    if (n >= RIG_EVENTS_MAX) {
        return RIG_EVENTS_MAX;
    }
    size_t bytes = rig_payload(n, wanted);
    return sl_span_eq(payload, sl_span_make(wanted, bytes)) ? n : RIG_EVENTS_MAX;
}

static inline void rig_on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *err)
{
    (void)err;
    struct rig *rig = arg;
    if (rig->is_dead) {
        return;
    }
    CU_ASSERT_FATAL(cookie < RIG_EVENTS_MAX);
    CU_ASSERT_EQUAL(rig->fates[cookie], FATE_UNKNOWN);
    rig->fates[cookie] = ok ? FATE_ACKNOWLEDGED : FATE_REFUSED;
    rig->acknowledged += ok ? 1 : 0;
    rig->refused += ok ? 0 : 1;
}

static inline void rig_on_ready(void *arg)
{
    ((struct rig *)arg)->ready_calls++;
}

static inline void rig_on_finding(void *arg, const struct sl_journal_finding *finding)
{
    struct rig *rig = arg;
    rig->told[finding->what]++;
    rig->last[finding->what] = *finding;
}

static inline void rig_on_tick(void *arg)
{
    sl_timer_arm(*(struct sl_timer **)arg, 2);
}

static inline void rig_init(struct rig *rig)
{
    *rig = (struct rig){ .quota_bytes = 1u << 20 };
    snprintf(rig->root, sizeof rig->root, "/tmp/sluice-journal-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(rig->root));
    snprintf(rig->dir, sizeof rig->dir, "%s/j", rig->root);
    rig->loop = sl_loop_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->loop);
    rig->tick = sl_timer_new(rig->loop, rig_on_tick, &rig->tick);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->tick);
    sl_timer_arm(rig->tick, 2);
    disk_reset();
}

static inline bool rig_open(struct rig *rig)
{
    memset(rig->told, 0, sizeof rig->told);
    rig->journal =
        sl_journal_open(&(struct sl_journal_opts){ .dir = rig->dir,
                                                   .quota_bytes = rig->quota_bytes,
                                                   .free_floor_bytes = rig->floor_bytes,
                                                   .queue_records_max = rig->queue_records_max,
                                                   .queue_bytes_max = rig->queue_bytes_max,
                                                   .segment_bytes = 4096,
                                                   .allow_volatile = true,
                                                   .tries_max = rig->tries_max,
                                                   .loop = rig->loop,
                                                   .io = &disk_io,
                                                   .arg = rig,
                                                   .on_appended = rig_on_appended,
                                                   .on_replay_ready = rig_on_ready,
                                                   .on_finding = rig_on_finding },
                        &rig->err);
    return rig->journal != NULL;
}

static inline void rig_close(struct rig *rig)
{
    sl_journal_close(rig->journal);
    rig->journal = NULL;
}

static inline void rig_turn(struct rig *rig)
{
    (void)event_base_loop(sl_loop_base(rig->loop), EVLOOP_ONCE);
}

/* Turns the loop until the expression is true; gives up loudly. */
#define RIG_UNTIL(rig, expression)                                                                 \
    do {                                                                                           \
        int64_t until_ms_ = sl_clock_mono_ms() + RIG_PATIENCE_MS;                                  \
        bool holds_ = false;                                                                       \
        while (!(holds_ = (expression)) && sl_clock_mono_ms() < until_ms_) {                       \
            rig_turn(rig);                                                                         \
        }                                                                                          \
        if (!holds_) {                                                                             \
            CU_FAIL(#expression);                                                                  \
        }                                                                                          \
    } while (0)

static inline struct sl_journal_stats rig_stats(const struct rig *rig)
{
    struct sl_journal_stats stats = { 0 };
    sl_journal_read_stats(rig->journal, &stats);
    return stats;
}

/* Offers the next event. False: refused at the door. */
static inline bool rig_offer(struct rig *rig)
{
    char payload[RIG_PAYLOAD_MAX];
    size_t n = rig->offered;
    CU_ASSERT_FATAL(n < RIG_EVENTS_MAX);
    size_t bytes = rig_payload(n, payload);
    if (!sl_journal_append(rig->journal, sl_span_make(payload, bytes), 7, 1000 + n, n, &rig->err)) {
        return false;
    }
    rig->offered++;
    return true;
}

static inline void rig_settle(struct rig *rig)
{
    RIG_UNTIL(rig, rig->acknowledged + rig->refused == rig->offered);
}

/* Offers `count` events, waiting whenever the queue is full, and until all are told. */
static inline void rig_fill(struct rig *rig, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (!rig_offer(rig)) {
            CU_ASSERT_EQUAL_FATAL(rig->err.code, SL_E_JOURNAL_BUSY);
            rig_turn(rig);
        }
    }
    rig_settle(rig);
}

/* Replays everything; seen[n] counts how often event n came. Returns how many came; `in_order` says whether numbers ascended. */
static inline size_t rig_replay(struct rig *rig, unsigned *seen, bool *out_in_order)
{
    struct sl_journal_record records[32];
    size_t total = 0;
    uint64_t last_seq = 0;
    *out_in_order = true;
    int64_t until_ms = sl_clock_mono_ms() + RIG_PATIENCE_MS;
    while (rig_stats(rig).pending > 0 && sl_clock_mono_ms() < until_ms) {
        size_t count = sl_journal_take(rig->journal, records, SL_COUNT(records));
        for (size_t i = 0; i < count; i++) {
            size_t n = rig_event(records[i].payload);
            CU_ASSERT_FATAL(n < RIG_EVENTS_MAX);
            CU_ASSERT_EQUAL(records[i].received_ns, 1000 + n);
            CU_ASSERT_EQUAL(records[i].provider, 7);
            *out_in_order = *out_in_order && records[i].seq > last_seq;
            last_seq = records[i].seq;
            seen[n]++;
            sl_journal_ack(rig->journal, records[i].seq);
        }
        total += count;
        if (count == 0) {
            rig_turn(rig);
        }
    }
    CU_ASSERT_EQUAL(rig_stats(rig).pending, 0);
    return total;
}

/* Every acknowledged event is in the open journal, each once; none that was never offered. */
static inline void rig_check_replay(struct rig *rig)
{
    static unsigned seen[RIG_EVENTS_MAX];
    memset(seen, 0, sizeof seen);
    bool in_order = false;
    (void)rig_replay(rig, seen, &in_order);
    size_t lost = 0;
    size_t invented = 0;
    size_t twice = 0;
    for (size_t n = 0; n < RIG_EVENTS_MAX; n++) {
        lost += rig->fates[n] == FATE_ACKNOWLEDGED && seen[n] == 0 ? 1 : 0;
        invented += n >= rig->offered && seen[n] > 0 ? 1 : 0;
        twice += seen[n] > 1 ? 1 : 0;
    }
    CU_ASSERT_EQUAL(lost, 0);
    CU_ASSERT_EQUAL(invented, 0);
    CU_ASSERT_EQUAL(twice, 0);
}

/* Files of the folder whose names begin with prefix. */
static inline size_t rig_files(const struct rig *rig, const char *prefix)
{
    DIR *listing = opendir(rig->dir);
    size_t count = 0;
    for (const struct dirent *e = listing == NULL ? NULL : readdir(listing); e != NULL;
         e = readdir(listing)) {
        count += strncmp(e->d_name, prefix, strlen(prefix)) == 0 ? 1 : 0;
    }
    if (listing != NULL) {
        (void)closedir(listing);
    }
    return count;
}

static inline void copy_file(const char *from, const char *to)
{
    char chunk[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t got = 0;
    while (in >= 0 && out >= 0 && (got = read(in, chunk, sizeof chunk)) > 0) {
        ssize_t wrote = write(out, chunk, (size_t)got);
        (void)wrote;
    }
    (void)close(in);
    (void)close(out);
}

static inline void remove_tree(const char *dir)
{
    DIR *listing = opendir(dir);
    for (const struct dirent *e = listing == NULL ? NULL : readdir(listing); e != NULL;
         e = readdir(listing)) {
        char path[512];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (unlink(path) != 0) {
            remove_tree(path);
        }
    }
    if (listing != NULL) {
        (void)closedir(listing);
    }
    (void)rmdir(dir);
}

static inline void copy_tree(const char *from_dir, const char *to_dir)
{
    (void)mkdir(to_dir, 0700);
    DIR *listing = opendir(from_dir);
    for (const struct dirent *e = listing == NULL ? NULL : readdir(listing); e != NULL;
         e = readdir(listing)) {
        char from[512];
        char to[512];
        snprintf(from, sizeof from, "%s/%s", from_dir, e->d_name);
        snprintf(to, sizeof to, "%s/%s", to_dir, e->d_name);
        if (e->d_type == DT_REG) {
            copy_file(from, to);
        } else if (e->d_name[0] != '.') {
            copy_tree(from, to);
        }
    }
    if (listing != NULL) {
        (void)closedir(listing);
    }
}

/* The folder as a crash at this moment would leave it, as `name` beside it: what a dead process wrote is there. */
static inline void rig_snapshot(const struct rig *rig, const char *name)
{
    char to_dir[256];
    snprintf(to_dir, sizeof to_dir, "%s/%s", rig->root, name);
    remove_tree(to_dir);
    copy_tree(rig->dir, to_dir);
}

static inline void rig_use(struct rig *rig, const char *name)
{
    snprintf(rig->dir, sizeof rig->dir, "%s/%s", rig->root, name);
}

static inline void rig_done(struct rig *rig)
{
    rig_close(rig);
    sl_timer_free(rig->tick);
    sl_loop_free(rig->loop);
    remove_tree(rig->root);
    disk_reset();
}

#endif
