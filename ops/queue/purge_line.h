/*
 * purge_line - a message that was taken out of a queue, as one line of a file, and back.
 *
 * Decides only. A line is one JSON object: whose queue it was in, what is known of its event (for people and for jq), its properties, and its bytes in base64:
 * `envelope_base64` as in `sluice dead export`. Reading needs queue, subsystem, properties and bytes; what else stands there is ignored. Of the headers only our
 * own come back: the broker's (x-…) belong to the delivery that is over.
 * Law: schemas/replay.md, "What was purged".
 * Threads: no state.
 */
#ifndef OPS_PURGE_LINE_H
#define OPS_PURGE_LINE_H

#include "ops/queue/queue_take.h"
#include "shared/arena.h"
#include "shared/json/json.h"

#define OPS_PURGE_LINE_BYTES_MAX (OPS_TAKE_MESSAGE_BYTES_MAX * 4 / 3 + (size_t)64 * 1024)
#define OPS_PURGE_TYPE_BYTES     256u

/* Appends the line, with its newline; SL_E_LIMIT or SL_E_MEMORY when it does not fit. out_type: of the event, "undecodable" for what is no envelope. */
bool ops_purge_line_write(const char *queue, const char *subsystem,
                          const struct sl_amqp_delivery *delivery, struct sl_buf *out,
                          char out_type[OPS_PURGE_TYPE_BYTES], struct sl_err *err) SL_MUST;

struct ops_purge_line {
    struct sl_span queue;
    struct sl_span subsystem;
    struct sl_span type;
    struct sl_span routing_key;     /* it was published with; absent when that is not known */
    struct sl_amqp_message message; /* exchange and routing key are the caller's to set */
    struct sl_amqp_header headers[SL_AMQP_HEADERS_MAX];
};

/* All of it lives in the arena. SL_E_JSON_MALFORMED for what is no such line. */
bool ops_purge_line_read(struct sl_json_parser *parser, struct sl_arena *arena, struct sl_span line,
                         struct ops_purge_line *out_line, struct sl_err *err) SL_MUST;

#endif
