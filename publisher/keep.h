/*
 * keep - an event of any loop into the journal, which belongs to the first.
 *
 * The journal has one owner, the first loop; another loop writes a letter with a copy of the event, the first loop appends it, and the letter comes back when
 * the event is durable, or is not.
 * Bounds: as many letters as there are places for waiting events in the loop that writes them.
 * Threads: pub_keep_append and its answer belong to the asking loop, everything else to the first.
 */
#ifndef PUBLISHER_KEEP_H
#define PUBLISHER_KEEP_H

#include "publisher/stores.h"
#include "shared/mailbox.h"

/* Cookies of the journal with this bit are those of letters. */
#define PUB_KEEP_COOKIE (UINT64_C(1) << 63)

struct pub_keep {
    struct pub_stores *stores;  /* of the first loop */
    struct sl_mailbox *journal; /* the first loop's */
    struct sl_mailbox *own;     /* where the answer comes */
    void *arg;
    /* As the journal's callback; from the asking loop, never from inside a call. */
    void (*on_appended)(void *arg, uint64_t cookie, bool ok, const struct sl_err *err);
};

/* As sl_journal_append: True: on_appended tells. */
bool pub_keep_append(const struct pub_keep *keep, struct sl_span payload, uint16_t provider,
                     uint64_t received_ns, uint64_t cookie, struct sl_err *err) SL_MUST;
/* The journal has answered for a cookie of this kind. */
void pub_keep_appended(uint64_t cookie, bool ok, const struct sl_err *why);

#endif
