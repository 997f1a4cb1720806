/*
 * journal - `sluice journal status|list|verify`: what the publisher keeps while the broker is away, looked at from outside.
 *
 * Works while the publisher runs and when it does not; changes nothing either way. `replay` is in journal_replay.
 * Refuses: printing a body.
 * Threads: one.
 */
#ifndef OPS_JOURNAL_H
#define OPS_JOURNAL_H

#include "ops/address.h"

#define OPS_JOURNAL_NAME       "journal" /* below the state folder */
#define OPS_JOURNAL_PATH_BYTES 4096u

extern const char ops_journal_status_usage[];
extern const char ops_journal_list_usage[];
extern const char ops_journal_verify_usage[];

int ops_journal_status(int argc, char **argv);
int ops_journal_list(int argc, char **argv);
int ops_journal_verify(int argc, char **argv);

/* The journal's folder. flag: --state-dir, or NULL. */
bool ops_journal_dir(const char *flag, char out_dir[OPS_JOURNAL_PATH_BYTES],
                     struct sl_err *err) SL_MUST;
/* "sluice journal …: there is no journal in DIR"; the exit status for it. */
int ops_journal_absent(const char *command, const char *dir);

#endif
