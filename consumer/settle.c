#include "consumer/settle.h"

size_t con_settle(struct con_batch *batch, void (*ack)(void *arg, uint64_t tag, bool multiple),
                  void *arg)
{
    size_t settled = 0;
    uint64_t tag = 0;
    while (batch->first != NULL && batch->first->state == CON_DELIVERY_SETTLED) {
        tag = batch->first->tag;
        con_batch_drop(batch, NULL, batch->first);
        settled++;
    }
    if (tag != 0) { /* those without one come before all others */
        ack(arg, tag, settled > 1);
    }

    struct con_delivery *before = batch->first;
    while (before != NULL && before->next != NULL) {
        struct con_delivery *delivery = before->next;
        if (delivery->state == CON_DELIVERY_SETTLED) {
            tag = delivery->tag;
            con_batch_drop(batch, before, delivery);
            if (tag != 0) {
                ack(arg, tag, false);
            }
            settled++;
        } else {
            before = delivery;
        }
    }
    return settled;
}

size_t con_settle_release(struct con_batch *batch, void (*release)(void *arg, uint64_t tag),
                          void *arg)
{
    size_t released = 0;
    struct con_delivery *before = NULL;
    struct con_delivery *delivery = batch->first;
    while (delivery != NULL) {
        struct con_delivery *next = delivery->next;
        if (delivery->state == CON_DELIVERY_WAITING && delivery->tag != 0) {
            release(arg, delivery->tag);
            con_batch_drop(batch, before, delivery);
            released++;
        } else {
            before = delivery;
        }
        delivery = next;
    }
    return released;
}
