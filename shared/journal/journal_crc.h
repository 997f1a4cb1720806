/*
 * journal_crc - CRC-32C (Castagnoli), the checksum of everything the journal writes.
 *
 * Decides only. Uses the processor's instruction where it has one, else tables; both give the same answers.
 * Source: RFC 3720 B.4 (polynomial and test vectors).
 * Threads: no shared state but tables that are filled once.
 */
#ifndef SHARED_JOURNAL_CRC_H
#define SHARED_JOURNAL_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` covers followed by these bytes; start with 0. */
uint32_t sl_journal_crc(uint32_t crc, const void *data, size_t bytes);

/* The same without the instruction, so that a test can compare. */
uint32_t sl_journal_crc_portable(uint32_t crc, const void *data, size_t bytes);

#endif
