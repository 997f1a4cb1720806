/*
 * http_outage - whether a target fails for everyone, so that no event is to blame.
 *
 * Decides only, round by round: a round is some events that were POSTed side by side. Law: the target is away when it could not be reached and
 * nothing passed, or when CON_OUTAGE_EVENTS different events failed, over as many rounds as it takes, and none passed between. It is well
 * again with the first event that passes, or is refused for a reason of its own. While it is away a round is one event, each in its turn.
 * A target that is reached and fails each event in its turn may be well, and these events the poison: after CON_OUTAGE_PATIENCE such rounds the
 * event of the round is to blame again, one by one, so that nothing stands still for ever.
 * Threads: one owner.
 */
#ifndef CONSUMER_HTTP_OUTAGE_H
#define CONSUMER_HTTP_OUTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CON_OUTAGE_EVENTS   5u
#define CON_OUTAGE_PATIENCE 10u

struct con_outage {
    uint64_t failed[CON_OUTAGE_EVENTS]; /* since the last that passed, each once */
    size_t failed_count;
    unsigned patience_spent; /* rounds while away, with a target that was reached */
    bool is_away;

    /* The round. */
    bool is_in_doubt;    /* an event failed in a way that speaks against the target */
    bool is_unreachable; /* it could not be reached for one */
};

/* An event was taken, or refused for a reason of its own: the target is well. */
void con_outage_passed(struct con_outage *outage);
/* An event failed in a way that speaks against the target. */
void con_outage_failed(struct con_outage *outage, uint64_t event, bool is_reached);
/* The end of a round. True: its failures are the target's, no event is to blame. */
bool con_outage_ended(struct con_outage *outage, bool has_passed);
/* The target needs a person: one event at a time until one passes. */
void con_outage_halted(struct con_outage *outage);

#endif
