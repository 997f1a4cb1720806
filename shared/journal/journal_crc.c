#include "shared/journal/journal_crc.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected 0x1edc6f41 */
#define SLICES     8

static uint32_t tables[SLICES][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void);

uint32_t sl_journal_crc_portable(uint32_t crc, const void *data, size_t bytes)
{
    (void)pthread_once(&tables_once, fill_tables);
    const uint8_t *at = data;
    crc = ~crc;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                              (uint32_t)at[3] << 24);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    for (; bytes > 0; at++, bytes--) {
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}

static void fill_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        }
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int slice = 1; slice < SLICES; slice++) {
            uint32_t before = tables[slice - 1][i];
            tables[slice][i] = before >> 8 ^ tables[0][before & 0xff];
        }
    }
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc_instruction(uint32_t crc, const uint8_t *at,
                                                                  size_t bytes)
{
    uint64_t wide = ~crc;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        uint64_t word = 0;
        memcpy(&word, at, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    uint32_t narrow = (uint32_t)wide;
    for (; bytes > 0; at++, bytes--) {
        narrow = __builtin_ia32_crc32qi(narrow, *at);
    }
    return ~narrow;
}

uint32_t sl_journal_crc(uint32_t crc, const void *data, size_t bytes)
{
    return __builtin_cpu_supports("sse4.2") ? crc_instruction(crc, data, bytes)
                                            : sl_journal_crc_portable(crc, data, bytes);
}

#else

uint32_t sl_journal_crc(uint32_t crc, const void *data, size_t bytes)
{
    return sl_journal_crc_portable(crc, data, bytes);
}

#endif
