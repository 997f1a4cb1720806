#include "consumer/reception.h"

#include "consumer/delivery.h"
#include "consumer/departure.h"
#include "shared/clock.h"

static void count(const struct con_reception *reception, const struct sl_amqp_delivery *delivery);
static struct con_departure *deadly(const struct con_reception *reception,
                                    const struct con_delivery *delivery);
static struct con_departure *early(const struct con_reception *reception,
                                   const struct con_delivery *delivery,
                                   const struct sl_amqp_delivery *arrived);

void con_reception_take(const struct con_reception *reception,
                        const struct sl_amqp_delivery *delivery)
{
    struct con_arrival arrival = con_delivery_arrival(delivery);
    count(reception, delivery);
    if (!con_batch_hold(reception->batch, &arrival, sl_clock_mono_us())) {
        con_receipt_return(reception->receipt, arrival.tag);
        return;
    }
    con_receipt_held(reception->receipt);
    struct con_delivery *held = reception->batch->last;
    struct con_departure *departure = deadly(reception, held);
    if (departure == NULL) {
        departure = early(reception, held, delivery);
    }
    if (departure != NULL) {
        con_batch_divert(reception->batch, held, departure);
        con_onward_send(reception->onward);
    }
}

static void count(const struct con_reception *reception, const struct sl_amqp_delivery *delivery)
{
    con_receipt_came(reception->receipt, con_delivery_number(delivery, "x-delivery-count") > 0);
}

/* It ended the process whenever it was looked into, so nobody looks. NULL: it did not. */
static struct con_departure *deadly(const struct con_reception *reception,
                                    const struct con_delivery *delivery)
{
    bool is_seen = delivery->turn == CON_TURN_REHEARSAL; /* whose answer says so */
    return !is_seen && con_flight_is_deadly(reception->flight, delivery)
               ? con_departure_deadly(delivery, sl_clock_wall_us() / 1000)
               : NULL;
}

/* NULL: it is due. Without memory it is tried now: early is better than never. */
static struct con_departure *early(const struct con_reception *reception,
                                   const struct con_delivery *delivery,
                                   const struct sl_amqp_delivery *arrived)
{
    int64_t delay_ms = sl_subsystem_delay_ms(reception->subsystem, arrived->message.type);
    int64_t wait_s = con_delivery_early_s(arrived, delay_ms, sl_clock_wall_us() / 1000);
    return wait_s > 0 ? con_departure_early(delivery, wait_s) : NULL;
}

void con_reception_refuse(const struct con_reception *reception,
                          const struct sl_amqp_delivery *delivery)
{
    count(reception, delivery);
    con_receipt_return(reception->receipt, delivery->tag);
}
