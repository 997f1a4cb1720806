/*
 * bench journal - what the journal takes at its own interface, beside what the same disk takes of the same bytes.
 *
 * Usage: journal_bench [FOLDER [SECONDS [RECORD_BYTES]]] (default: the current folder, 5, 3200). Nothing is faked: every record is
 * acknowledged after a real fdatasync. The limit is a bare loop of pwrite and fdatasync over batches of the same size in a preallocated
 * file in the same folder. Runs alternate, so that a disk that changes its mind does so to both.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/journal/journal.h"

#define ROUNDS     3
#define FILE_BYTES (64u * 1024u * 1024u)

struct bench {
    struct sl_loop *loop;
    struct sl_journal *journal;
    struct sl_span payload;
    uint64_t told;
    uint64_t refused;
    uint64_t offered;
    bool is_over;
};

static void on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *err)
{
    (void)cookie;
    struct bench *bench = arg;
    bench->told++;
    if (!ok) {
        bench->refused++;
        fprintf(stderr, "refused: %s\n", err->text);
    }
}

/* As many as it takes. */
static void offer(struct bench *bench)
{
    struct sl_err err = { 0 };
    while (sl_journal_append(bench->journal, bench->payload, 1, 1, 0, &err)) {
        bench->offered++;
    }
    if (err.code != SL_E_JOURNAL_BUSY) {
        fprintf(stderr, "stopped: %s\n", err.text);
        bench->is_over = true;
    }
}

static double cpu_seconds(void)
{
    struct rusage used = { 0 };
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static bool open_journal(struct bench *bench, const char *dir)
{
    struct sl_err err = { 0 };
    char path[512];
    snprintf(path, sizeof path, "%s/journal-bench", dir);
    bench->loop = sl_loop_new(&err);
    bench->journal =
        bench->loop == NULL
            ? NULL
            : sl_journal_open(&(struct sl_journal_opts){ .dir = path,
                                                         .quota_bytes = UINT64_C(1) << 40,
                                                         .segment_bytes = FILE_BYTES,
                                                         .allow_volatile = true,
                                                         .loop = bench->loop,
                                                         .arg = bench,
                                                         .on_appended = on_appended },
                              &err);
    if (bench->journal == NULL) {
        fprintf(stderr, "%s\n", err.text);
    }
    return bench->journal != NULL;
}

/* Records a second through the journal. */
static double run_journal(const char *dir, struct sl_span payload, double seconds,
                          double *out_cpu_us, double *out_sync_ms)
{
    struct bench bench = { .payload = payload };
    if (!open_journal(&bench, dir)) {
        return 0;
    }
    double cpu = cpu_seconds();
    int64_t began_us = sl_clock_mono_us();
    int64_t until_us = began_us + (int64_t)(seconds * 1e6);
    while (sl_clock_mono_us() < until_us && !bench.is_over) {
        offer(&bench);
        (void)event_base_loop(sl_loop_base(bench.loop), EVLOOP_ONCE);
    }
    while (bench.told < bench.offered) {
        (void)event_base_loop(sl_loop_base(bench.loop), EVLOOP_ONCE);
    }
    double took = (double)(sl_clock_mono_us() - began_us) / 1e6;
    struct sl_journal_stats stats = { 0 };
    sl_journal_read_stats(bench.journal, &stats);
    *out_cpu_us = (cpu_seconds() - cpu) * 1e6 / (double)bench.told;
    *out_sync_ms = took * 1e3 / (double)stats.totals.syncs;
    if (!stats.is_durable) {
        fprintf(
            stderr,
            "this folder is on storage that a restart empties; nothing is proven by this run\n");
    }
    sl_journal_close(bench.journal);
    sl_loop_free(bench.loop);
    return (double)(bench.told - bench.refused) / took;
}

/* Records a second that pwrite + fdatasync of whole batches gives. */
static double run_disk(const char *dir, size_t record_bytes, size_t batch_records, double seconds,
                       double *out_sync_ms)
{
    char path[512];
    size_t bytes = record_bytes * batch_records;
    snprintf(path, sizeof path, "%s/journal-bench-disk", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *batch = malloc(bytes);
    if (fd < 0 || batch == NULL || fallocate(fd, 0, 0, FILE_BYTES) != 0 || fdatasync(fd) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        free(batch);
        return 0;
    }
    memset(batch, 'x', bytes);
    uint64_t syncs = 0;
    off_t at = 0;
    int64_t began_us = sl_clock_mono_us();
    int64_t until_us = began_us + (int64_t)(seconds * 1e6);
    while (sl_clock_mono_us() < until_us) {
        if ((size_t)at + bytes > FILE_BYTES) { /* a new file, as the journal takes a new segment */
            (void)close(fd);
            (void)unlink(path);
            fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            at = 0;
            if (fd < 0 || fallocate(fd, 0, 0, FILE_BYTES) != 0 || fdatasync(fd) != 0) {
                break;
            }
        }
        if (pwrite(fd, batch, bytes, at) != (ssize_t)bytes || fdatasync(fd) != 0) {
            fprintf(stderr, "%s: %s\n", path, strerror(errno));
            break;
        }
        at += (off_t)bytes;
        syncs++;
    }
    double took = (double)(sl_clock_mono_us() - began_us) / 1e6;
    (void)close(fd);
    (void)unlink(path);
    free(batch);
    *out_sync_ms = took * 1e3 / (double)(syncs == 0 ? 1 : syncs);
    return (double)(syncs * batch_records) / took;
}

/* Reads everything back, as replay does, without a broker. Returns events a second. */
static double run_replay(const char *dir)
{
    struct bench bench = { 0 };
    int64_t opened_us = sl_clock_mono_us();
    if (!open_journal(&bench, dir)) {
        return 0;
    }
    int64_t began_us = sl_clock_mono_us();
    struct sl_journal_stats stats = { 0 };
    sl_journal_read_stats(bench.journal, &stats);
    printf("recovery    %9.0f records/s  (%llu records, %.1f MB)\n",
           (double)stats.pending * 1e6 / (double)(began_us - opened_us),
           (unsigned long long)stats.pending, (double)stats.bytes / 1e6);
    uint64_t left = stats.pending;
    struct sl_journal_record records[128];
    while (left > 0) {
        size_t count = sl_journal_take(bench.journal, records, 128);
        for (size_t i = 0; i < count; i++) {
            sl_journal_ack(bench.journal, records[i].seq);
        }
        left -= count;
        if (count == 0) {
            (void)event_base_loop(sl_loop_base(bench.loop), EVLOOP_ONCE);
        }
    }
    double rate = (double)stats.pending * 1e6 / (double)(sl_clock_mono_us() - began_us);
    sl_journal_close(bench.journal);
    sl_loop_free(bench.loop);
    return rate;
}

static void remove_folder(const char *dir)
{
    static const char *const names[] = { "LOCK", "progress", "spare.slj" };
    char path[600];
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/journal-bench/%s", dir, names[i]);
        (void)unlink(path);
    }
    snprintf(path, sizeof path, "%s/journal-bench/poison", dir);
    (void)rmdir(path);
    snprintf(path, sizeof path, "%s/journal-bench", dir);
    (void)rmdir(path);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : ".";
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 5;
    size_t record_bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 3200;
    if (record_bytes == 0 || record_bytes > SL_JOURNAL_PAYLOAD_BYTES_MAX || seconds <= 0) {
        fprintf(stderr, "usage: %s [FOLDER [SECONDS [RECORD_BYTES]]]\n", argv[0]);
        return 64;
    }
    char *payload = malloc(record_bytes);
    if (payload == NULL) {
        return 69;
    }
    memset(payload, 'e', record_bytes);
    size_t whole = sl_journal_record_bytes(record_bytes);
    size_t by_bytes = SL_JOURNAL_BATCH_BYTES_MAX / whole;
    size_t batch =
        by_bytes < SL_JOURNAL_BATCH_RECORDS_MAX ? by_bytes : SL_JOURNAL_BATCH_RECORDS_MAX;
    double slice = seconds / (2 * ROUNDS);
    double journal = 0;
    double disk = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double cpu_us = 0;
        double journal_ms = 0;
        double disk_ms = 0;
        double disk_rate = run_disk(dir, whole, batch == 0 ? 1 : batch, slice, &disk_ms);
        double rate =
            run_journal(dir, sl_span_make(payload, record_bytes), slice, &cpu_us, &journal_ms);
        printf(
            "round %d     %9.0f records/s  %6.2f ms a sync  %5.2f us CPU a record   disk alone %9.0f "
            "records/s  %6.2f ms a sync\n",
            round + 1, rate, journal_ms, cpu_us, disk_rate, disk_ms);
        journal += rate / ROUNDS;
        disk += disk_rate / ROUNDS;
    }
    printf("journal     %9.0f records/s of %zu bytes, each acknowledged after fdatasync\n", journal,
           record_bytes);
    printf("disk alone  %9.0f records/s (pwrite + fdatasync of %zu records at a time)\n", disk,
           batch == 0 ? 1 : batch);
    printf("ratio       %9.2f\n", disk > 0 ? journal / disk : 0);
    printf("replay      %9.0f records/s read back and settled\n", run_replay(dir));
    free(payload);
    remove_folder(dir);
    return journal >= 50000 || (disk > 0 && journal >= 0.8 * disk) ? 0 : 1;
}
