#include "consumer/receipt.h"

#include "consumer/settle.h"

static void ack(void *arg, uint64_t tag, bool multiple);
static void give_back(void *arg, uint64_t tag);
static void read_while_there_is_room(struct con_receipt *receipt);

void con_receipt_init(struct con_receipt *receipt, struct sl_metrics *metrics,
                      const char *subsystem)
{
    receipt->inflight = sl_metrics_series(metrics, SL_M_CONSUMER_INFLIGHT, subsystem, NULL);
    receipt->returned = sl_metrics_series(metrics, SL_M_RETURNED, subsystem, NULL);
    receipt->redelivered = sl_metrics_series(metrics, SL_M_REDELIVERED, subsystem, NULL);
}

void con_receipt_came(struct con_receipt *receipt, bool is_again)
{
    sl_series_add(receipt->redelivered, is_again ? 1 : 0);
}

void con_receipt_held(struct con_receipt *receipt)
{
    sl_series_add(receipt->inflight, 1);
    read_while_there_is_room(receipt);
}

static void read_while_there_is_room(struct con_receipt *receipt)
{
    sl_amqp_read_pause(receipt->broker, con_batch_is_full(receipt->batch));
}

void con_receipt_return(struct con_receipt *receipt, uint64_t tag)
{
    give_back(receipt, tag);
}

static void give_back(void *arg, uint64_t tag)
{
    struct con_receipt *receipt = arg;
    struct sl_err why;
    sl_series_add(receipt->returned, 1);
    if (!sl_amqp_nack(receipt->broker, tag, false, true, &why)) {
        sl_log_err(receipt->log, SL_DEBUG, "consumer.ack_lost",
                   "the broker gives it back when the connection closes", &why);
    }
}

void con_receipt_settle(struct con_receipt *receipt)
{
    size_t settled = con_settle(receipt->batch, ack, receipt);
    sl_series_add(receipt->inflight, -(int64_t)settled);
    read_while_there_is_room(receipt);
}

static void ack(void *arg, uint64_t tag, bool multiple)
{
    struct con_receipt *receipt = arg;
    struct sl_err why;
    if (!sl_amqp_ack(receipt->broker, tag, multiple, &why)) {
        sl_log_err(receipt->log, SL_DEBUG, "consumer.ack_lost",
                   "it will be delivered again and found in the inbox", &why);
    }
}

void con_receipt_release(struct con_receipt *receipt)
{
    size_t released = con_settle_release(receipt->batch, give_back, receipt);
    sl_series_add(receipt->inflight, -(int64_t)released);
}

void con_receipt_read_on(struct con_receipt *receipt)
{
    sl_amqp_read_pause(receipt->broker, false);
}

void con_receipt_forgot(struct con_receipt *receipt, size_t count)
{
    sl_series_add(receipt->inflight, -(int64_t)count);
}
