/*
 * event_facts - what a received body says about itself: id, type, account, mode, object, time.
 *
 * Decides only. Where the facts are is data (shared/signature/sources.h). Law: an authentic body is never refused for being odd. Without a readable id it is
 * `sha256:<hex of the body>` of type `unparsed`; facts that cannot be read are left at their neutral value. A source whose bodies have no id
 * is known by the hash and keeps its other facts: the same body twice is one event.
 * Refuses: changing a byte of the body; trusting headers.
 * Threads: no shared state.
 */
#ifndef PUBLISHER_EVENT_FACTS_H
#define PUBLISHER_EVENT_FACTS_H

#include "shared/event/envelope.h"
#include "shared/json/json.h"
#include "shared/signature/sources.h"

struct pub_received {
    struct sl_span body;
    struct sl_span signed_id; /* of a header that the scheme signs; absent: none */
};

/*
 * Fills id, type, account, livemode, object, occurred_at_s and body of out_envelope; the spans live in the arena or in body.
 * False only without memory or when the digest library fails.
 */
bool pub_event_facts(struct sl_json_parser *parser, struct sl_arena *arena,
                     const struct sl_fact_rules *rules, const struct pub_received *received,
                     struct sl_envelope *out_envelope, struct sl_err *err) SL_MUST;

#endif
