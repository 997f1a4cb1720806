/*
 * inquest - who is to blame for a batch that cannot be applied: one event, many alike, others in the way, or the database.
 *
 * Decides only, told of each slice that passed or failed. Puts together what the failure means (retry_decide), where to look next (culprit, bisect), what
 * an event did before (its strikes) and how many fail alike (tally). A guilty event is BLAMED, and DEAD only when the batch has ended without failing as
 * a whole; then it goes its way (fate). What may heal when others have passed is held as a whole MASS_HOLDS_MAX times only, since those may be behind it in
 * the queue; and when a batch no longer fails as a whole its BLAMED have one more try, for what was at fault has just been mended.
 * Refuses: waiting, logging, applying.
 * Threads: one worker.
 */
#ifndef CONSUMER_INQUEST_H
#define CONSUMER_INQUEST_H

#include "consumer/batch.h"
#include "consumer/bisect.h"
#include "consumer/handler.h"
#include "consumer/tally.h"
#include "shared/arena.h"

struct con_inquest {
    /* The batch; borrowed. events[i] is of deliveries[i]. */
    struct con_event *events;
    struct con_delivery *const *deliveries;
    size_t count;

    bool can_hold_types; /* of the owner: it may be told CON_FINDING_ALIKE */
    struct con_bisect bisect;
    struct con_tally tally;
    unsigned tries; /* contended ones of the slice in hand */
    /* Of systemic failures, over batches; see retry_decide. */
    unsigned holds;
    unsigned fruitless;
    uint64_t passes;
    bool is_mending;     /* the last search ended with the batch held as a whole */
    unsigned mass_holds; /* in a row */
};

enum con_finding {
    CON_FINDING_LEAD,   /* go on with the next slice */
    CON_FINDING_OTHERS, /* others are in the way: the same slice again, soon */
    CON_FINDING_HOLD,   /* keep everything: the database, or a human, must act */
    CON_FINDING_ALIKE, /* too many of one type fail alike: hold the type back and go on, or keep everything */
    CON_FINDING_MASS, /* keep everything: too many fail */
};

/* A new batch. */
void con_inquest_open(struct con_inquest *inquest, struct con_event *events,
                      struct con_delivery *const *deliveries, size_t count);
/* From the beginning; what is done stays done. */
void con_inquest_begin(struct con_inquest *inquest);
/* The slice to apply next; false when everything is decided. */
bool con_inquest_next(struct con_inquest *inquest, struct con_slice *out_slice);
/* The same one again, until it has passed or failed. */
struct con_slice con_inquest_in_hand(const struct con_inquest *inquest);
/* It is committed. */
void con_inquest_passed(struct con_inquest *inquest);
/* It failed. The arena is the batch's. *out_example: the event that was found guilty, for CON_FINDING_ALIKE and MASS. */
enum con_finding con_inquest_failed(struct con_inquest *inquest,
                                    const struct con_handler_error *error, bool is_reachable,
                                    struct sl_arena *arena, struct con_event **out_example);
/* The batch is held and will be tried from the beginning. */
void con_inquest_held(struct con_inquest *inquest);
/* Everything is decided: true when it is to be gone through once more. */
bool con_inquest_is_mended(struct con_inquest *inquest);
/* BLAMED -> DEAD. */
void con_inquest_sentence(struct con_inquest *inquest);
/* BLAMED -> what they were; returns how many. */
size_t con_inquest_forgive(struct con_inquest *inquest);

#endif
