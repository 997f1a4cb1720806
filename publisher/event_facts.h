/*
 * event_facts - what a received body says about itself: id, type, account, mode, object, time; and the key it travels under.
 *
 * Decides only. Law: an authentic body is never refused for being odd. Without a readable id it is `sha256:<hex of the body>` of
 * type `unparsed`; facts that cannot be read are left at their neutral value.
 * Refuses: changing a byte of the body; trusting headers.
 * Threads: no shared state.
 */
#ifndef PUBLISHER_EVENT_FACTS_H
#define PUBLISHER_EVENT_FACTS_H

#include "shared/envelope.h"
#include "shared/json.h"

/*
 * Fills id, type, account, livemode, object, occurred_at_s and body of out_envelope; the spans live in the arena or in body.
 * False only without memory or when the digest library fails.
 */
bool pub_event_facts(struct sl_json_parser *parser, struct sl_arena *arena, struct sl_span body,
                     struct sl_envelope *out_envelope, struct sl_err *err) SL_MUST;

/* "<source>.<type>", or "<source>.other" for a type that is not [A-Za-z0-9_.]{1,120}. Absent without memory. */
struct sl_span pub_routing_key(struct sl_arena *arena, struct sl_span source, struct sl_span type);

#endif
