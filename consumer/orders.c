#include "consumer/orders.h"

#include <stdio.h>
#include <string.h>

#include "shared/units.h"

#define DIGITS_MAX   9u
#define EVENT_WORD   "park event "
#define TYPE_WORD    "park type "
#define BREAKER_WORD "breaker "
#define DATABASE     "breaker (database)"

static bool read_row(struct con_orders *orders, const struct con_order_row *row);
static bool read_order(struct con_order *order, const struct con_order_row *row, bool is_own);
static bool read_setting(struct con_order *order, enum con_order_kind kind, int64_t value,
                         const struct con_order_row *row, bool is_own);
static bool is_park(struct sl_span name);
static bool read_park(struct con_orders *orders, size_t subsystem, const struct con_order_row *row);
static bool read_breaker(struct con_orders *orders, size_t subsystem,
                         const struct con_order_row *row);
static bool read_database(struct con_orders *orders, const struct con_order_row *row);
static bool read_force(struct sl_span value, enum con_force *out_force);
static bool copy_text(char out[CON_ORDER_TEXT_BYTES], struct sl_span text);
static bool is_meant(const struct con_park *park, const struct sl_envelope *event);
static bool is_over(int64_t expires_us, int64_t wall_us);

void con_orders_init(struct con_orders *orders, const struct sl_subsystem *const *subsystems,
                     size_t count)
{
    SL_ASSERT(count <= SL_SUBSYSTEMS_MAX);
    memset(orders, 0, sizeof *orders);
    orders->subsystems = subsystems;
    orders->subsystem_count = count;
    con_orders_read(orders, NULL, 0);
}

void con_orders_read(struct con_orders *orders, const struct con_order_row *rows, size_t count)
{
    memset(orders->items, 0, sizeof orders->items);
    for (size_t i = 0; i < orders->subsystem_count; i++) {
        orders->items[i].orders = orders;
        orders->items[i].index = i;
    }
    orders->park_count = 0;
    orders->breaker_count = 0;
    orders->database.force = CON_FORCE_NONE;
    orders->strange = 0;
    for (size_t r = 0; r < count; r++) {
        orders->strange += read_row(orders, &rows[r]) ? 0 : 1;
    }
}

/* A row for a subsystem that runs elsewhere is no concern of ours. */
static bool read_row(struct con_orders *orders, const struct con_order_row *row)
{
    bool is_for_all = row->subsystem.bytes == 0;
    bool is_read = true;
    if (is_for_all && is_park(row->name)) {
        return read_park(orders, CON_PARK_ALL, row);
    }
    if (is_for_all && sl_span_is(row->name, DATABASE)) {
        return read_database(orders, row);
    }
    for (size_t i = 0; i < orders->subsystem_count && is_read; i++) {
        if (is_for_all || sl_span_is(row->subsystem, orders->subsystems[i]->name)) {
            is_read = is_park(row->name) ? read_park(orders, i, row)
                      : sl_span_starts_with(row->name, BREAKER_WORD)
                          ? !is_for_all && read_breaker(orders, i, row)
                          : read_order(&orders->items[i], row, !is_for_all);
        }
    }
    return is_read;
}

static bool read_order(struct con_order *order, const struct con_order_row *row, bool is_own)
{
    static const struct {
        const char *name;
        enum con_order_kind kind;
    } numbers[] = { { "workers", CON_ORDER_WORKERS },
                    { "batch", CON_ORDER_BATCH },
                    { "attempts", CON_ORDER_ATTEMPTS } };
    if (sl_span_is(row->name, "paused")) {
        return sl_span_is(row->value, "false") ||
               (sl_span_is(row->value, "true") &&
                read_setting(order, CON_ORDER_PAUSED, 1, row, is_own));
    }
    if (sl_span_is(row->name, "retries")) { /* off: the first failure is the last */
        return sl_span_is(row->value, "\"on\"") ||
               (sl_span_is(row->value, "\"off\"") &&
                read_setting(order, CON_ORDER_ATTEMPTS, 1, row, is_own));
    }
    for (size_t i = 0; i < SL_COUNT(numbers); i++) {
        int64_t value = 0;
        if (sl_span_is(row->name, numbers[i].name)) {
            return sl_units_decimal(row->value, DIGITS_MAX, &value) && value > 0 &&
                   read_setting(order, numbers[i].kind, value, row, is_own);
        }
    }
    return false;
}

/* "retries" and "attempts" are one setting: the smaller number of tries holds. */
static bool read_setting(struct con_order *order, enum con_order_kind kind, int64_t value,
                         const struct con_order_row *row, bool is_own)
{
    bool is_set = order->settings[kind].value != 0;
    bool outdoes = is_own && !order->settings[kind].is_own;
    bool is_same_rank = is_own == order->settings[kind].is_own;
    if (!is_set || outdoes || (is_same_rank && value < order->settings[kind].value)) {
        order->settings[kind].value = value;
        order->settings[kind].expires_us = row->expires_us;
        order->settings[kind].is_own = is_own;
    }
    return true;
}

static bool is_park(struct sl_span name)
{
    return sl_span_starts_with(name, EVENT_WORD) || sl_span_starts_with(name, TYPE_WORD);
}

static bool read_park(struct con_orders *orders, size_t subsystem, const struct con_order_row *row)
{
    if (orders->park_count == CON_ORDER_PARKS_MAX) {
        return false;
    }
    bool is_event = sl_span_starts_with(row->name, EVENT_WORD);
    size_t word = is_event ? sizeof EVENT_WORD - 1 : sizeof TYPE_WORD - 1;
    struct sl_span what = sl_span_make(row->name.data + word, row->name.bytes - word);
    struct con_park *park = &orders->parks[orders->park_count];
    *park = (struct con_park){ .subsystem = subsystem, .expires_us = row->expires_us };
    if (what.bytes == 0 || !copy_text(is_event ? park->event_id : park->type, what) ||
        !copy_text(park->reason, row->reason)) {
        return false;
    }
    orders->park_count++;
    return true;
}

static bool read_breaker(struct con_orders *orders, size_t subsystem,
                         const struct con_order_row *row)
{
    enum con_force force = CON_FORCE_NONE;
    if (orders->breaker_count == CON_ORDER_BREAKERS_MAX || !read_force(row->value, &force)) {
        return false;
    }
    struct con_breaker_order *breaker = &orders->breakers[orders->breaker_count];
    size_t word = sizeof BREAKER_WORD - 1;
    *breaker = (struct con_breaker_order){ .subsystem = subsystem,
                                           .force = force,
                                           .expires_us = row->expires_us };
    if (row->name.bytes == word ||
        !copy_text(breaker->type, sl_span_make(row->name.data + word, row->name.bytes - word))) {
        return false;
    }
    orders->breaker_count++;
    return true;
}

static bool read_force(struct sl_span value, enum con_force *out_force)
{
    bool is_open = sl_span_is(value, "\"open\"");
    *out_force = is_open ? CON_FORCE_OPEN : CON_FORCE_CLOSED;
    return is_open || sl_span_is(value, "\"closed\"");
}

static bool read_database(struct con_orders *orders, const struct con_order_row *row)
{
    enum con_force force = CON_FORCE_NONE;
    if (!read_force(row->value, &force) || !copy_text(orders->database.reason, row->reason)) {
        return false;
    }
    orders->database.force = force;
    orders->database.expires_us = row->expires_us;
    return true;
}

static bool copy_text(char out[CON_ORDER_TEXT_BYTES], struct sl_span text)
{
    if (text.bytes >= CON_ORDER_TEXT_BYTES) {
        return false;
    }
    snprintf(out, CON_ORDER_TEXT_BYTES, "%.*s", (int)text.bytes,
             text.data == NULL ? "" : text.data);
    return true;
}

void con_orders_elsewhere_begin(struct con_orders *orders)
{
    orders->elsewhere_count = 0;
}

void con_orders_elsewhere_note(struct con_orders *orders, struct sl_span subsystem,
                               struct sl_span type, int64_t since_ms)
{
    for (size_t i = 0; i < orders->subsystem_count; i++) {
        struct con_elsewhere *item = &orders->elsewhere[orders->elsewhere_count];
        if (orders->elsewhere_count == CON_ELSEWHERE_MAX || since_ms <= 0 || type.bytes == 0) {
            return;
        }
        if (sl_span_is(subsystem, orders->subsystems[i]->name) && copy_text(item->type, type)) {
            item->subsystem = i;
            item->since_ms = since_ms;
            orders->elsewhere_count++;
        }
    }
}

const struct con_order *con_orders_of(const struct con_orders *orders, const char *subsystem)
{
    for (size_t i = 0; i < orders->subsystem_count; i++) {
        if (strcmp(orders->subsystems[i]->name, subsystem) == 0) {
            return &orders->items[i];
        }
    }
    return NULL;
}

int64_t con_order_value(const struct con_order *order, enum con_order_kind kind, int64_t wall_us)
{
    return is_over(order->settings[kind].expires_us, wall_us) ? 0 : order->settings[kind].value;
}

const char *con_order_parks(const struct con_order *order, const struct sl_envelope *event,
                            int64_t wall_us)
{
    const struct con_orders *orders = order->orders;
    for (size_t i = 0; i < orders->park_count; i++) {
        const struct con_park *park = &orders->parks[i];
        bool is_ours = park->subsystem == CON_PARK_ALL || park->subsystem == order->index;
        if (is_ours && is_meant(park, event) && !is_over(park->expires_us, wall_us)) {
            return park->reason;
        }
    }
    return NULL;
}

enum con_force con_orders_database(const struct con_orders *orders, int64_t wall_us,
                                   const char **out_reason)
{
    bool holds = !is_over(orders->database.expires_us, wall_us);
    *out_reason = orders->database.reason;
    return holds ? orders->database.force : CON_FORCE_NONE;
}

enum con_force con_order_force(const struct con_order *order, struct sl_span type, int64_t wall_us)
{
    const struct con_orders *orders = order->orders;
    for (size_t i = 0; i < orders->breaker_count; i++) {
        const struct con_breaker_order *breaker = &orders->breakers[i];
        if (breaker->subsystem == order->index && sl_span_is(type, breaker->type) &&
            !is_over(breaker->expires_us, wall_us)) {
            return breaker->force;
        }
    }
    return CON_FORCE_NONE;
}

const char *con_order_breaker(const struct con_order *order, size_t i, int64_t wall_us)
{
    const struct con_breaker_order *breaker = &order->orders->breakers[i];
    bool holds = i < order->orders->breaker_count && breaker->subsystem == order->index &&
                 !is_over(breaker->expires_us, wall_us);
    return holds ? breaker->type : NULL;
}

const struct con_elsewhere *con_order_elsewhere(const struct con_order *order, size_t i)
{
    const struct con_orders *orders = order->orders;
    bool is_ours = i < orders->elsewhere_count && orders->elsewhere[i].subsystem == order->index;
    return is_ours ? &orders->elsewhere[i] : NULL;
}

static bool is_meant(const struct con_park *park, const struct sl_envelope *event)
{
    if (park->event_id[0] != '\0') {
        return sl_span_is(event->id, park->event_id);
    }
    size_t bytes = strlen(park->type);
    bool is_start = park->type[bytes - 1] == '*';
    return is_start ? event->type.bytes >= bytes - 1 &&
                          memcmp(event->type.data, park->type, bytes - 1) == 0
                    : sl_span_is(event->type, park->type);
}

static bool is_over(int64_t expires_us, int64_t wall_us)
{
    return expires_us != 0 && wall_us >= expires_us;
}
