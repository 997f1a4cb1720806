/*
 * json_facts - names and times as senders write them in JSON.
 *
 * Decides only.
 * Threads: no state.
 */
#ifndef PUBLISHER_JSON_FACTS_H
#define PUBLISHER_JSON_FACTS_H

#include "shared/json/json.h"

/* A string of 1..bytes_max visible ASCII bytes, or absent: what every store, log and header can carry unchanged. */
struct sl_span pub_json_name(const struct sl_json *value, struct sl_arena *arena, size_t bytes_max);

/* Seconds, milliseconds or RFC 3339. False when it is none of them, or out of SL_EVENT_TIME_S_MAX. */
bool pub_json_time(const struct sl_json *value, struct sl_arena *arena, int64_t *out_s) SL_MUST;

#endif
