#include "shared/journal/journal_poison.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/digest.h"

#define SETTLED_S 2 /* a folder that changed longer ago shows a further change by its time */

static void count_files(struct sl_journal_store *store, DIR *dir);

int sl_journal_poison_write(const struct sl_journal_store *store,
                            const struct sl_journal_record *record)
{
    struct sl_journal_header header = { .version = SL_JOURNAL_VERSION,
                                        .first_seq = record->seq,
                                        .created_ns = (uint64_t)sl_clock_wall_us() * 1000 };
    size_t record_bytes = sl_journal_record_bytes(record->payload.bytes);
    size_t bytes = SL_JOURNAL_HEADER_BYTES + record_bytes + SL_JOURNAL_SEAL_BYTES;
    uint8_t *file = malloc(bytes);
    if (file == NULL) {
        return ENOMEM;
    }
    int failed = EIO;
    if (sl_random_bytes(header.salt, sizeof header.salt)) {
        uint32_t salt_crc = sl_journal_salt_crc(header.salt);
        uint32_t rolling_crc = 0;
        uint8_t *at = file + SL_JOURNAL_HEADER_BYTES;
        char name[SL_JOURNAL_NAME_BYTES];
        sl_journal_name(record->seq, name);
        sl_journal_header_encode(&header, file);
        sl_journal_record_compose(record, at);
        (void)sl_journal_record_finish(at, record->seq, salt_crc, &rolling_crc);
        sl_journal_seal_encode(1, rolling_crc, record->seq, salt_crc, at + record_bytes);
        failed = sl_journal_io_replace(store->io, store->folder.poison_fd, name, file, bytes);
    }
    free(file);
    return failed;
}

void sl_journal_poison_count(struct sl_journal_store *store)
{
    struct stat folder = { 0 };
    if (fstat(store->folder.poison_fd, &folder) != 0 || folder.st_mtime == store->poison_seen_s) {
        return;
    }
    int fd = openat(store->folder.poison_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    bool is_settled = sl_clock_wall_us() / 1000000 - folder.st_mtime > SETTLED_S;
    store->poison_seen_s = is_settled ? folder.st_mtime : 0;
    count_files(store, dir);
    (void)closedir(dir);
}

static void count_files(struct sl_journal_store *store, DIR *dir)
{
    uint64_t events = 0;
    uint64_t bytes = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat file = { 0 };
        uint64_t seq = 0;
        if (sl_journal_name_parse(entry->d_name, &seq) &&
            fstatat(dirfd(dir), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0) {
            events++;
            bytes += (uint64_t)file.st_size;
        }
    }
    atomic_store(&store->poison_events, events);
    atomic_store(&store->poison_bytes, bytes);
}
