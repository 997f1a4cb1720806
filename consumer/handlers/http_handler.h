/*
 * http_handler - events to a URL of the operator's, signed, as a handler (handler.h).
 *
 * Happy path of a batch: ask the inbox which events are known (they are not POSTed again); POST the others side by side, at most `batch` of the section
 * at once; those that were taken get their inbox rows in one transaction.
 * Failure modes: what http_verdict makes of each answer; what http_outage makes of all of them together. An event whose target is away, or needs
 * a person, is HELD; while it is away one event is tried at a time.
 * The target sees an event at least once: again when the transaction did not come about, or a crash came before it. Its idempotency key is the same then.
 * Refuses: redirects; a batch of the same event twice (the second one waits for what becomes of the first).
 * Law: schemas/handlers.md.
 * Threads: one owner.
 */
#ifndef CONSUMER_HTTP_HANDLER_H
#define CONSUMER_HTTP_HANDLER_H

#include "consumer/handler.h"
#include "consumer/targets.h"

/* target: borrowed. */
bool con_http_handler_init(struct con_handler *handler, const struct con_handler_opts *opts,
                           struct sl_err *err) SL_MUST;

#endif
