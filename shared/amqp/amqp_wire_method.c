#include "shared/amqp/amqp_wire_method.h"

#include <amqp.h>
#include <amqp_framing.h>

static bool fill_connection(uint32_t id, const void *fields, struct sl_wire_frame *out);
static struct sl_span text_of(const amqp_table_t *table, const char *key);
static bool fill_channel(uint32_t id, const void *fields, struct sl_wire_frame *out);
static bool fill_basic(uint32_t id, const void *fields, struct sl_wire_frame *out);
static struct sl_span span_of(amqp_bytes_t bytes);

bool sl_wire_method_says(uint32_t id, const void *fields, struct sl_wire_frame *out_frame)
{
    return fill_basic(id, fields, out_frame) || fill_channel(id, fields, out_frame) ||
           fill_connection(id, fields, out_frame);
}

static bool fill_connection(uint32_t id, const void *fields, struct sl_wire_frame *out)
{
    switch (id) {
    case AMQP_CONNECTION_START_METHOD: {
        const amqp_connection_start_t *start = fields;
        out->kind = SL_WIRE_START;
        out->start.mechanisms = span_of(start->mechanisms);
        out->start.version = text_of(&start->server_properties, "version");
        return true;
    }
    case AMQP_CONNECTION_TUNE_METHOD: {
        const amqp_connection_tune_t *tune = fields;
        out->kind = SL_WIRE_TUNE;
        out->tune.channel_max = tune->channel_max;
        out->tune.frame_bytes_max = tune->frame_max;
        out->tune.heartbeat_s = tune->heartbeat;
        return true;
    }
    case AMQP_CONNECTION_OPEN_OK_METHOD:
        out->kind = SL_WIRE_OPEN_OK;
        return true;
    case AMQP_CONNECTION_CLOSE_METHOD: {
        const amqp_connection_close_t *close = fields;
        out->kind = SL_WIRE_CLOSE;
        out->close.code = close->reply_code;
        out->close.text = span_of(close->reply_text);
        return true;
    }
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
        out->kind = SL_WIRE_CLOSE_OK;
        return true;
    case AMQP_CONNECTION_BLOCKED_METHOD: {
        const amqp_connection_blocked_t *blocked = fields;
        out->kind = SL_WIRE_BLOCKED;
        out->blocked.reason = span_of(blocked->reason);
        return true;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        out->kind = SL_WIRE_UNBLOCKED;
        return true;
    default:
        return false;
    }
}

/* Absent when the table has no such text. */
static struct sl_span text_of(const amqp_table_t *table, const char *key)
{
    for (int i = 0; i < table->num_entries; i++) {
        const amqp_table_entry_t *entry = &table->entries[i];
        if (sl_span_is(span_of(entry->key), key) && entry->value.kind == AMQP_FIELD_KIND_UTF8) {
            return span_of(entry->value.value.bytes);
        }
    }
    return (struct sl_span){ 0 };
}

static bool fill_channel(uint32_t id, const void *fields, struct sl_wire_frame *out)
{
    switch (id) {
    case AMQP_CHANNEL_OPEN_OK_METHOD:
        out->kind = SL_WIRE_CHANNEL_OPEN_OK;
        return true;
    case AMQP_CHANNEL_CLOSE_METHOD: {
        const amqp_channel_close_t *close = fields;
        out->kind = SL_WIRE_CHANNEL_CLOSE;
        out->close.code = close->reply_code;
        out->close.text = span_of(close->reply_text);
        return true;
    }
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
        out->kind = SL_WIRE_CHANNEL_CLOSE_OK;
        return true;
    case AMQP_CONFIRM_SELECT_OK_METHOD:
        out->kind = SL_WIRE_SELECT_OK;
        return true;
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
        out->kind = SL_WIRE_EXCHANGE_OK;
        return true;
    case AMQP_QUEUE_DECLARE_OK_METHOD: {
        const amqp_queue_declare_ok_t *queue = fields;
        out->kind = SL_WIRE_QUEUE_OK;
        out->queue.message_count = queue->message_count;
        out->queue.consumer_count = queue->consumer_count;
        return true;
    }
    case AMQP_QUEUE_BIND_OK_METHOD:
    case AMQP_EXCHANGE_BIND_OK_METHOD:
        out->kind = SL_WIRE_BIND_OK;
        return true;
    default:
        return false;
    }
}

static bool fill_basic(uint32_t id, const void *fields, struct sl_wire_frame *out)
{
    switch (id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = fields;
        out->kind = SL_WIRE_ACK;
        out->settle.tag = ack->delivery_tag;
        out->settle.multiple = ack->multiple != 0;
        return true;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = fields;
        out->kind = SL_WIRE_NACK;
        out->settle.tag = nack->delivery_tag;
        out->settle.multiple = nack->multiple != 0;
        return true;
    }
    case AMQP_BASIC_RETURN_METHOD: {
        const amqp_basic_return_t *returned = fields;
        out->kind = SL_WIRE_RETURN;
        out->returned.code = returned->reply_code;
        out->returned.exchange = span_of(returned->exchange);
        out->returned.routing_key = span_of(returned->routing_key);
        return true;
    }
    case AMQP_BASIC_DELIVER_METHOD: {
        const amqp_basic_deliver_t *deliver = fields;
        out->kind = SL_WIRE_DELIVER;
        out->deliver.tag = deliver->delivery_tag;
        out->deliver.redelivered = deliver->redelivered != 0;
        out->deliver.exchange = span_of(deliver->exchange);
        out->deliver.routing_key = span_of(deliver->routing_key);
        return true;
    }
    case AMQP_BASIC_CANCEL_METHOD: {
        const amqp_basic_cancel_t *cancel = fields;
        out->kind = SL_WIRE_CANCEL;
        out->cancel.consumer_tag = span_of(cancel->consumer_tag);
        return true;
    }
    case AMQP_BASIC_CANCEL_OK_METHOD:
        out->kind = SL_WIRE_CANCEL_OK;
        return true;
    case AMQP_BASIC_CONSUME_OK_METHOD:
        out->kind = SL_WIRE_CONSUME_OK;
        return true;
    case AMQP_BASIC_QOS_OK_METHOD:
        out->kind = SL_WIRE_QOS_OK;
        return true;
    default:
        return false;
    }
}

static struct sl_span span_of(amqp_bytes_t bytes)
{
    return (struct sl_span){ bytes.bytes == NULL ? "" : bytes.bytes, bytes.len };
}
