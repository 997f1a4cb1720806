/*
 * event_absent - what can be said of an event that is in no table, no journal and no drop log: evidence, never a guess.
 *
 * A broker cannot be searched without taking messages out, so it is asked only how much there is in it. Stripe, where a key is set, says when the event happened and to
 * how many endpoints it is still to be delivered.
 * Threads: one.
 */
#ifndef OPS_EVENT_ABSENT_H
#define OPS_EVENT_ABSENT_H

#include "ops/address.h"
#include "shared/buf.h"

#define OPS_ABSENT_TEXT_BYTES 400u

enum ops_absent_stripe {
    OPS_ABSENT_UNASKED, /* no key, or no id of Stripe's */
    OPS_ABSENT_SILENT,  /* it did not answer, or refused */
    OPS_ABSENT_STRANGE, /* it knows no such event */
    OPS_ABSENT_LISTED,
};

struct ops_absent {
    bool is_broker_known;
    int64_t waiting; /* all of this over the enabled subsystems */
    int64_t unacked; /* OPS_UNKNOWN as in queue_look */
    int64_t delayed;
    int64_t set_aside; /* parked and unrouted: on their way to the table */
    int64_t oldest_s;  /* age of the oldest in hand */
    enum ops_absent_stripe stripe;
    int64_t happened_s;              /* ago; LISTED */
    int64_t pending;                 /* endpoints that it is still to be delivered to; LISTED */
    char why[OPS_ABSENT_TEXT_BYTES]; /* SILENT */
};

/* Asks. */
void ops_absent_look(const struct ops_address *address, const char *id,
                     struct ops_absent *out_absent);

/* The rest decides only. Sentences for a person, each a line. */
void ops_absent_tell(const struct ops_absent *absent, struct sl_buf *out);
/* The same as a JSON object: {"verdict":"waits or never came",…}, null for what is not known. */
void ops_absent_json(const struct ops_absent *absent, struct sl_buf *out);
/* "not delivered yet", "received, waits", "not in the broker", "waits or never came", "not known to Stripe". */
const char *ops_absent_verdict(const struct ops_absent *absent);

#endif
