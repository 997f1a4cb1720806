#include "consumer/batch.h"

#include <stdlib.h>
#include <string.h>

#include "consumer/departure.h"

static struct con_delivery *copy_arrival(const struct con_arrival *arrival);
static struct sl_span put(char **at, struct sl_span span);
static void hold(struct con_batch *batch, struct con_delivery *delivery);
static void join_line(struct con_batch *batch, struct con_delivery *delivery, int64_t now_us);
static void leave_line(struct con_batch *batch, const struct con_delivery *delivery);
static void wait_again(struct con_batch *batch, struct con_delivery *delivery, int64_t now_us);

void con_batch_init(struct con_batch *batch, size_t batch_max)
{
    SL_ASSERT(batch_max > 0);
    *batch = (struct con_batch){ .batch_max = batch_max };
}

void con_batch_done(struct con_batch *batch)
{
    struct con_delivery *delivery = batch->first;
    while (delivery != NULL) {
        struct con_delivery *next = delivery->next;
        con_delivery_free(delivery);
        delivery = next;
    }
    *batch = (struct con_batch){ .batch_max = batch->batch_max, .ended_us = batch->ended_us };
}

size_t con_batch_keep(struct con_batch *batch, enum con_turn turn)
{
    size_t kept = 0;
    for (struct con_delivery *delivery = batch->first; delivery != NULL;
         delivery = delivery->next) {
        if (delivery->turn == turn) {
            delivery->tag = 0;
            kept++;
        }
    }
    return kept;
}

size_t con_batch_forget(struct con_batch *batch, struct con_delivery **out_running)
{
    size_t running = 0;
    struct con_delivery *delivery = batch->first;
    batch->first = NULL;
    con_batch_done(batch);
    while (delivery != NULL) {
        struct con_delivery *next = delivery->next;
        delivery->next = NULL;
        if (delivery->tag == 0) {
            hold(batch, delivery);
            if (delivery->state == CON_DELIVERY_WAITING) {
                join_line(batch, delivery, delivery->arrived_us);
            }
        } else if (delivery->state == CON_DELIVERY_RUNNING) {
            SL_ASSERT(running < batch->batch_max);
            out_running[running++] = delivery;
        } else {
            con_delivery_free(delivery);
        }
        delivery = next;
    }
    return running;
}

void con_delivery_free(struct con_delivery *delivery)
{
    if (delivery != NULL) {
        con_departure_free(delivery->departure);
        free(delivery);
    }
}

bool con_batch_hold(struct con_batch *batch, const struct con_arrival *arrival, int64_t now_us)
{
    struct con_delivery *delivery = copy_arrival(arrival);
    if (delivery == NULL) {
        return false;
    }
    delivery->arrived_us = now_us;
    hold(batch, delivery);
    join_line(batch, delivery, now_us);
    return true;
}

static void hold(struct con_batch *batch, struct con_delivery *delivery)
{
    if (batch->last == NULL) {
        batch->first = delivery;
    } else {
        batch->last->next = delivery;
    }
    batch->last = delivery;
    batch->held_count++;
    batch->held_bytes += delivery->bytes.bytes;
}

static void join_line(struct con_batch *batch, struct con_delivery *delivery, int64_t now_us)
{
    struct con_batch_line *line = &batch->waiting[delivery->turn];
    if (line->next == NULL) {
        line->next = delivery;
        line->since_us = now_us;
    }
    line->count++;
    line->bytes += delivery->bytes.bytes;
}

/* One block for the struct and what it owns. */
static struct con_delivery *copy_arrival(const struct con_arrival *arrival)
{
    struct con_delivery *delivery =
        malloc(sizeof *delivery + arrival->bytes.bytes + arrival->routing_key.bytes +
               arrival->message_id.bytes + arrival->type.bytes + arrival->replay_run.bytes +
               arrival->rehearsal.bytes + arrival->traceparent.bytes);
    if (delivery == NULL) {
        return NULL;
    }
    char *at = (char *)(delivery + 1);
    *delivery = (struct con_delivery){ .state = CON_DELIVERY_WAITING,
                                       .turn = arrival->turn,
                                       .tag = arrival->tag,
                                       .timestamp_s = arrival->timestamp_s,
                                       .attempt = arrival->attempt,
                                       .first_failed_ms = arrival->first_failed_ms };
    delivery->bytes = put(&at, arrival->bytes);
    delivery->routing_key = put(&at, arrival->routing_key);
    delivery->message_id = put(&at, arrival->message_id);
    delivery->type = put(&at, arrival->type);
    delivery->replay_run = put(&at, arrival->replay_run);
    delivery->rehearsal = put(&at, arrival->rehearsal);
    delivery->traceparent = put(&at, arrival->traceparent);
    return delivery;
}

static struct sl_span put(char **at, struct sl_span span)
{
    if (span.data == NULL) {
        return span;
    }
    struct sl_span copy = sl_span_make(*at, span.bytes);
    if (span.bytes > 0) {
        memcpy(*at, span.data, span.bytes);
    }
    *at += span.bytes;
    return copy;
}

void con_batch_divert(struct con_batch *batch, struct con_delivery *delivery,
                      struct con_departure *departure)
{
    SL_ASSERT(delivery->state == CON_DELIVERY_WAITING);
    delivery->state = CON_DELIVERY_LEAVING;
    delivery->departure = departure;
    leave_line(batch, delivery);
}

static void leave_line(struct con_batch *batch, const struct con_delivery *delivery)
{
    struct con_batch_line *line = &batch->waiting[delivery->turn];
    line->count--;
    line->bytes -= delivery->bytes.bytes;
    if (line->next == delivery) {
        line->next = delivery->next;
    }
}

bool con_batch_is_full(const struct con_batch *batch)
{
    return batch->held_bytes >= CON_BATCH_HELD_BYTES_MAX;
}

int64_t con_batch_oldest_us(const struct con_batch *batch)
{
    for (const struct con_delivery *delivery = batch->first; delivery != NULL;
         delivery = delivery->next) {
        if (delivery->state == CON_DELIVERY_WAITING || delivery->state == CON_DELIVERY_RUNNING) {
            return delivery->arrived_us;
        }
    }
    return -1;
}

int64_t con_batch_wait_us(const struct con_batch *batch, enum con_turn turn, int64_t now_us)
{
    const struct con_batch_line *line = &batch->waiting[turn];
    if (line->count == 0) {
        return -1;
    }
    bool is_busy = batch->ended_us != 0 && now_us - batch->ended_us < CON_BATCH_BUSY_US;
    if (!is_busy || turn != CON_TURN_LIVE || line->count >= batch->batch_max ||
        line->bytes >= CON_BATCH_TAKEN_BYTES_MAX || con_batch_is_full(batch)) {
        return 0;
    }
    int64_t waited_us = now_us - line->since_us;
    return waited_us >= CON_BATCH_LINGER_US ? 0 : CON_BATCH_LINGER_US - waited_us;
}

size_t con_batch_take(struct con_batch *batch, enum con_turn turn, struct con_delivery **out,
                      size_t room, int64_t now_us)
{
    struct con_batch_line *line = &batch->waiting[turn];
    size_t most = room < batch->batch_max ? room : batch->batch_max;
    size_t count = 0;
    size_t bytes = 0;
    while (count < most && line->next != NULL) {
        struct con_delivery *delivery = line->next;
        /* Of another turn, or failed, among some that were given back. */
        if (delivery->turn != turn || delivery->state != CON_DELIVERY_WAITING) {
            line->next = delivery->next;
            continue;
        }
        if (count > 0 && bytes + delivery->bytes.bytes > CON_BATCH_TAKEN_BYTES_MAX) {
            break;
        }
        delivery->state = CON_DELIVERY_RUNNING;
        bytes += delivery->bytes.bytes;
        out[count++] = delivery;
        line->next = delivery->next;
    }
    line->count -= count;
    line->bytes -= bytes;
    line->since_us = now_us;
    return count;
}

void con_batch_give_back(struct con_batch *batch, struct con_delivery *const *deliveries,
                         size_t count, int64_t now_us)
{
    for (size_t i = count; i > 0; i--) {
        wait_again(batch, deliveries[i - 1], now_us);
    }
    if (count > 0) {
        batch->waiting[deliveries[0]->turn].next = deliveries[0];
    }
}

static void wait_again(struct con_batch *batch, struct con_delivery *delivery, int64_t now_us)
{
    SL_ASSERT(delivery->state == CON_DELIVERY_RUNNING);
    struct con_batch_line *line = &batch->waiting[delivery->turn];
    delivery->state = CON_DELIVERY_WAITING;
    line->count++;
    line->bytes += delivery->bytes.bytes;
    line->since_us = now_us;
}

void con_batch_give_back_all(struct con_batch *batch, int64_t now_us)
{
    for (size_t turn = 0; turn < CON_TURNS; turn++) {
        batch->waiting[turn].next = NULL;
    }
    for (struct con_delivery *delivery = batch->first; delivery != NULL;
         delivery = delivery->next) {
        if (delivery->state == CON_DELIVERY_RUNNING) {
            wait_again(batch, delivery, now_us);
        }
        struct con_batch_line *line = &batch->waiting[delivery->turn];
        if (delivery->state == CON_DELIVERY_WAITING && line->next == NULL) {
            line->next = delivery;
        }
    }
}

void con_batch_ended(struct con_batch *batch, int64_t now_us)
{
    batch->ended_us = now_us;
}

void con_batch_drop(struct con_batch *batch, struct con_delivery *before,
                    struct con_delivery *delivery)
{
    SL_ASSERT(delivery->state == CON_DELIVERY_SETTLED || delivery->state == CON_DELIVERY_WAITING);
    if (delivery->state == CON_DELIVERY_WAITING) {
        leave_line(batch, delivery);
    }
    for (size_t turn = 0; turn < CON_TURNS; turn++) { /* a line may go on behind another's */
        if (batch->waiting[turn].next == delivery) {
            batch->waiting[turn].next = delivery->next;
        }
    }
    if (before == NULL) {
        batch->first = delivery->next;
    } else {
        before->next = delivery->next;
    }
    if (batch->last == delivery) {
        batch->last = before;
    }
    batch->held_count--;
    batch->held_bytes -= delivery->bytes.bytes;
    con_delivery_free(delivery);
}
