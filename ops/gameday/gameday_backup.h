/*
 * gameday_backup - how old the backups are, asked of `pgbackrest info --output=json`.
 *
 * The answer is an array of stanzas; each has "backup", an array whose members have "timestamp":{"stop":seconds} and "error". A backup with an error is none.
 * Source: pgBackRest, command `info`, output json.
 * Threads: one.
 */
#ifndef OPS_GAMEDAY_BACKUP_H
#define OPS_GAMEDAY_BACKUP_H

#include "ops/gameday/gameday_guard.h"
#include "shared/span.h"

/* Reads the answer. *out_stop_s: when the newest good backup ended, of the stanza for which that is longest ago; set only for KNOWN. */
enum ops_gameday_backup ops_gameday_backup_read(struct sl_span json, int64_t *out_stop_s);

/* Asks, and fills facts->backup and its age. Ends within half a minute. */
void ops_gameday_backup_ask(struct ops_gameday_facts *facts);

#endif
