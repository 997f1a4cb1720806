/*
 * culprit - which event of a slice the server's complaint is about.
 *
 * Decides only. A refusal's DETAIL names the values of the row it is about ("Key (id)=(sub_1) already exists."). The first of its words that is in the
 * body of exactly one event of the slice points at that event; it is then tried alone before the slice is cut. A wrong guess costs one try.
 * Refuses: keeping the text, which is payload.
 * Threads: no state.
 */
#ifndef CONSUMER_CULPRIT_H
#define CONSUMER_CULPRIT_H

#include "consumer/bisect.h"
#include "consumer/event.h"

/* False: nothing in the text tells one event from the others. Events that are not PENDING or IGNORED are not meant. */
bool con_culprit_find(const char *detail, const struct con_event *events, struct con_slice slice,
                      size_t *out_index);

#endif
