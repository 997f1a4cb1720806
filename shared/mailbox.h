/*
 * mailbox - how one loop asks another to do something in its own thread.
 *
 * A letter is storage of its sender with a function in it; posting hands both over, and the function runs in the loop that owns the mailbox, in the order of
 * posting. The receiver may send the same letter back: an answer finds room always, so whoever asked hears.
 * Bounds: letters_max letters that wait to be opened, answers apart; there are no more answers than letters that were posted.
 * Refuses: waiting for the other loop; memory of its own for a letter.
 * Threads: any thread posts and answers; opening belongs to the loop, and to whoever has joined its thread.
 */
#ifndef SHARED_MAILBOX_H
#define SHARED_MAILBOX_H

#include <stddef.h>

#include "shared/loop.h"

struct sl_mailbox;

struct sl_letter {
    struct sl_letter *next; /* the mailbox's while it is on its way */
    /* Runs in the receiver's loop; the letter is the receiver's then, to keep, send back or free. */
    void (*open)(struct sl_letter *letter);
};

struct sl_mailbox *sl_mailbox_new(struct sl_loop *loop, size_t letters_max,
                                  struct sl_err *err) SL_MUST;
/* What is in it is not opened. Accepts NULL. */
void sl_mailbox_free(struct sl_mailbox *mailbox);

/* False: it is full, and the letter is the caller's still. */
bool sl_mailbox_post(struct sl_mailbox *mailbox, struct sl_letter *letter) SL_MUST;
/* For a letter that has come, and for those of which each sender has only so many. */
void sl_mailbox_answer(struct sl_mailbox *mailbox, struct sl_letter *letter);
/* Opens what is there now: for a loop that has ended. */
void sl_mailbox_open(struct sl_mailbox *mailbox);

SL_DEFINE_AUTO(struct sl_mailbox *, sl_mailbox_free)

#endif
