#include "shared/journal/journal_poison.h"

#include <errno.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/digest.h"

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
