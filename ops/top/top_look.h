/*
 * top_look - one look at everything: queues, publisher, database, the consumer's own figures.
 *
 * Each source may be away; what only it knows is OPS_UNKNOWN then. Rates are what changed since the look before. Reads only.
 * Threads: one at a time.
 */
#ifndef OPS_TOP_LOOK_H
#define OPS_TOP_LOOK_H

#include "ops/top/top_view.h"

struct ops_top_look {
    int64_t at_us;   /* wall clock */
    int64_t took_ms; /* since the look before; 0: this is the first */
    struct ops_queue_look queues;
    struct ops_top_item items[SL_SUBSYSTEMS_MAX]; /* in the order of queues.items */
    struct ops_top_publisher publisher;
    struct ops_top_answers answers_milli; /* a second, in thousandths */
    struct ops_top_database database;
};

/* Large: not for the stack. */
struct ops_top_eyes;

/* Borrows both; state_dir (may be NULL) is where the publisher of this machine has its socket. */
struct ops_top_eyes *ops_top_eyes_new(const struct ops_address *address,
                                      const struct sl_subsystems *subsystems, const char *state_dir,
                                      struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void ops_top_eyes_free(struct ops_top_eyes *eyes);

void ops_top_look(struct ops_top_eyes *eyes, struct ops_top_look *out_look);

SL_DEFINE_AUTO(struct ops_top_eyes *, ops_top_eyes_free)

#endif
