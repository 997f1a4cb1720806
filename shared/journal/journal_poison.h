/*
 * journal_poison - the events that the broker refused too often, each as a file of its own in poison/.
 *
 * The file is a segment with one event, so that every tool that reads the journal reads it too.
 * Refuses: deciding what is poison (journal_reader does); removing a file: that is a person's decision.
 * Law: schemas/journal.md.
 * Threads: the reader's.
 */
#ifndef SHARED_JOURNAL_POISON_H
#define SHARED_JOURNAL_POISON_H

#include "shared/journal/journal_store.h"

/* 0, or errno: nothing was written then. Durable when it returns. */
int sl_journal_poison_write(const struct sl_journal_store *store,
                            const struct sl_journal_record *record) SL_MUST;

/*
 * Sees how much is in poison/ when the folder has changed: store->poison_events and poison_bytes, which count towards the quota, so that what is
 * set aside can never fill a disk. A folder that cannot be read counts as it did.
 */
void sl_journal_poison_count(struct sl_journal_store *store);

#endif
