/*
 * journal_folder - the folder that a journal lives in: made, checked, and locked.
 *
 * Opened once; everything in it is then named relative to dir_fd.
 * Refuses: a folder that is a symbolic link, not ours, or readable by others; a second owner; storage that a restart empties, unless told.
 * Law: schemas/journal.md.
 * Threads: opened and closed by the loop; the descriptors never change in between.
 */
#ifndef SHARED_JOURNAL_FOLDER_H
#define SHARED_JOURNAL_FOLDER_H

#include "shared/err.h"
#include "shared/journal/journal_io.h"

#define SL_JOURNAL_LOCK_NAME   "LOCK"
#define SL_JOURNAL_POISON_NAME "poison"
/* For any file that is made in it. */
#define SL_JOURNAL_CREATE_FLAGS (O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY)

struct sl_journal_folder {
    int dir_fd;
    int lock_fd;
    int poison_fd;
    bool is_durable; /* the storage survives a restart */
};
#define SL_JOURNAL_FOLDER_CLOSED                                                                   \
    ((struct sl_journal_folder){ .dir_fd = -1, .lock_fd = -1, .poison_fd = -1 })

/* Makes it if it is missing, checks it, takes the lock. False: _done is still the caller's to call. */
bool sl_journal_folder_open(struct sl_journal_folder *folder, const struct sl_journal_io *io,
                            const char *dir, bool allow_volatile, struct sl_err *err) SL_MUST;
/* Gives the lock back. */
void sl_journal_folder_done(struct sl_journal_folder *folder);

#endif
