#include "consumer/delivery.h"

#include "shared/event/delay_route.h"
#include "shared/units.h"

#define DIGITS_MAX 15u
#define MS_PER_S   1000

static const struct sl_amqp_header *find(const struct sl_amqp_delivery *delivery,
                                         const char *header);
static enum con_turn turn_of(const struct sl_amqp_delivery *delivery);
static struct sl_span original_key(const struct sl_amqp_delivery *delivery);

struct sl_span con_delivery_text(const struct sl_amqp_delivery *delivery, const char *header)
{
    const struct sl_amqp_header *found = find(delivery, header);
    return found == NULL ? (struct sl_span){ 0 } : found->text;
}

static const struct sl_amqp_header *find(const struct sl_amqp_delivery *delivery,
                                         const char *header)
{
    for (size_t i = 0; i < delivery->message.header_count; i++) {
        if (strcmp(delivery->message.headers[i].name, header) == 0) {
            return &delivery->message.headers[i];
        }
    }
    return NULL;
}

int64_t con_delivery_number(const struct sl_amqp_delivery *delivery, const char *header)
{
    const struct sl_amqp_header *found = find(delivery, header);
    if (found == NULL) {
        return 0;
    }
    if (found->text.data == NULL) {
        return found->number > 0 ? found->number : 0;
    }
    int64_t number = 0;
    return sl_units_decimal(found->text, DIGITS_MAX, &number) ? number : 0;
}

struct con_arrival con_delivery_arrival(const struct sl_amqp_delivery *delivery)
{
    int64_t attempt = con_delivery_number(delivery, "sluice-attempt");
    return (struct con_arrival){
        .tag = delivery->tag,
        .turn = turn_of(delivery),
        .bytes = delivery->message.body,
        .routing_key = original_key(delivery),
        .message_id = delivery->message.message_id,
        .type = delivery->message.type,
        .timestamp_s = delivery->message.timestamp_s,
        .attempt = attempt == 0 ? 1 : attempt,
        .first_failed_ms = con_delivery_number(delivery, "sluice-first-failed-at"),
        .replay_run = con_delivery_text(delivery, "sluice-replay-run"),
        .rehearsal = con_delivery_text(delivery, CON_REHEARSAL_HEADER),
        .traceparent = con_delivery_text(delivery, "traceparent"),
    };
}

/* A rehearsal is one wherever it comes from: it must never be applied. */
static enum con_turn turn_of(const struct sl_amqp_delivery *delivery)
{
    if (con_delivery_text(delivery, CON_REHEARSAL_HEADER).data != NULL) {
        return CON_TURN_REHEARSAL;
    }
    return sl_delay_is_replay_key(delivery->message.routing_key) ? CON_TURN_REPLAY : CON_TURN_LIVE;
}

/* What comes from a delay has the delay's key. */
static struct sl_span original_key(const struct sl_amqp_delivery *delivery)
{
    struct sl_span key = con_delivery_text(delivery, "sluice-orig-key");
    if (key.data == NULL && !sl_delay_is_key(delivery->message.routing_key)) {
        key = delivery->message.routing_key;
    }
    return key;
}

int64_t con_delivery_early_s(const struct sl_amqp_delivery *delivery, int64_t delay_ms,
                             int64_t now_ms)
{
    bool is_first = !sl_delay_is_key(delivery->message.routing_key) &&
                    con_delivery_number(delivery, "sluice-attempt") <= 1 &&
                    con_delivery_text(delivery, "sluice-replay-run").data == NULL;
    if (!is_first || delay_ms <= 0) {
        return 0;
    }
    int64_t published_ms = delivery->message.timestamp_s * MS_PER_S;
    bool is_plausible = published_ms > 0 && published_ms <= now_ms;
    int64_t left_ms = is_plausible ? published_ms + delay_ms - now_ms : delay_ms;
    int64_t left_s = left_ms > 0 ? (left_ms + MS_PER_S - 1) / MS_PER_S : 0;
    return left_s < SL_DELAY_S_MAX ? left_s : SL_DELAY_S_MAX;
}
