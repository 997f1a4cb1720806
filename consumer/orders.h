/*
 * orders - what operators have set for this process's subsystems: pauses, knobs, events to park, breakers.
 *
 * Decides only. The rows of sluice_control in, one struct per subsystem out. A row for the subsystem '' is for all of them, and is outdone by the subsystem's
 * own. Beside them, which breakers other processes have open. A row whose time has passed counts as absent, also while nobody can read the table: a pause for 30 minutes ends after 30 minutes.
 * What cannot be understood is left out and counted, never guessed.
 * Law: schemas/control.md for names and values.
 * Threads: one loop.
 */
#ifndef CONSUMER_ORDERS_H
#define CONSUMER_ORDERS_H

#include <stdint.h>

#include "shared/event/envelope.h"
#include "shared/subsystem/subsystems.h"

#define CON_ORDERS_ROWS_MAX  512u
#define CON_ORDER_PARKS_MAX  128u
#define CON_ORDER_TEXT_BYTES 256u

enum con_order_kind { CON_ORDER_PAUSED, CON_ORDER_WORKERS, CON_ORDER_BATCH, CON_ORDER_ATTEMPTS };
#define CON_ORDER_KINDS 4u

/* One row, as read. expires_us is the wall clock's, 0: never. */
struct con_order_row {
    struct sl_span subsystem;
    struct sl_span name;
    struct sl_span value; /* JSON */
    struct sl_span reason;
    int64_t expires_us;
};

#define CON_ORDER_BREAKERS_MAX 64u

/* What is to hold for the breaker of a type, whatever happens. */
enum con_force { CON_FORCE_NONE, CON_FORCE_OPEN, CON_FORCE_CLOSED };
struct con_breaker_order {
    size_t subsystem; /* index */
    char type[CON_ORDER_TEXT_BYTES];
    enum con_force force;
    int64_t expires_us;
};

/* A breaker that another process has open by itself. */
#define CON_ELSEWHERE_MAX 64u
struct con_elsewhere {
    size_t subsystem; /* index */
    char type[CON_ORDER_TEXT_BYTES];
    int64_t since_ms; /* of that process's clock */
};

#define CON_PARK_ALL SIZE_MAX

/* An event, or a type, that is set aside when it is met. */
struct con_park {
    size_t subsystem;                    /* index, or CON_PARK_ALL */
    char event_id[CON_ORDER_TEXT_BYTES]; /* "": by type */
    char type[CON_ORDER_TEXT_BYTES];     /* "": by event; "invoice.*": all that begin so */
    char reason[CON_ORDER_TEXT_BYTES];
    int64_t expires_us;
};

struct con_order {
    struct {
        int64_t value; /* 0: not set */
        int64_t expires_us;
        bool is_own; /* not of the row for all */
    } settings[CON_ORDER_KINDS];
    const struct con_orders *orders; /* it is in */
    size_t index;
};

struct con_orders {
    const struct sl_subsystem *const *subsystems; /* borrowed */
    size_t subsystem_count;
    struct con_order items[SL_SUBSYSTEMS_MAX]; /* items[i] is of subsystems[i] */
    struct con_park parks[CON_ORDER_PARKS_MAX];
    size_t park_count;
    struct con_breaker_order breakers[CON_ORDER_BREAKERS_MAX];
    size_t breaker_count;
    struct {
        enum con_force force;
        int64_t expires_us;
        char reason[CON_ORDER_TEXT_BYTES];
    } database; /* its breaker, for all subsystems */
    struct con_elsewhere elsewhere[CON_ELSEWHERE_MAX];
    size_t elsewhere_count;
    size_t strange; /* rows of the last reading that were left out */
};

void con_orders_init(struct con_orders *orders, const struct sl_subsystem *const *subsystems,
                     size_t count);
/* The rows are all there are: what they do not say is not set any more. */
void con_orders_read(struct con_orders *orders, const struct con_order_row *rows, size_t count);

/* Before a reading's breakers elsewhere are noted one by one. */
void con_orders_elsewhere_begin(struct con_orders *orders);
/* More than CON_ELSEWHERE_MAX, and those of subsystems that run elsewhere only, are left out. */
void con_orders_elsewhere_note(struct con_orders *orders, struct sl_span subsystem,
                               struct sl_span type, int64_t since_ms);

/* NULL when this process does not run the subsystem. */
const struct con_order *con_orders_of(const struct con_orders *orders, const char *subsystem);

/* 0: not set. For PAUSED 1 is paused. */
int64_t con_order_value(const struct con_order *order, enum con_order_kind kind, int64_t wall_us);
/* Why this event is to be parked; NULL: it is not. */
const char *con_order_parks(const struct con_order *order, const struct sl_envelope *event,
                            int64_t wall_us);

/* What is to hold for the database's breaker, and why ("": not said). */
enum con_force con_orders_database(const struct con_orders *orders, int64_t wall_us,
                                   const char **out_reason);
/* What is to hold for the breaker of this type. */
enum con_force con_order_force(const struct con_order *order, struct sl_span type, int64_t wall_us);
/* The i-th breaker that is open elsewhere, when it is the subsystem's; else NULL. i < CON_ELSEWHERE_MAX. */
const struct con_elsewhere *con_order_elsewhere(const struct con_order *order, size_t i);
/* Of the i-th order for a breaker: its type, when it is the subsystem's and holds; else NULL. i < CON_ORDER_BREAKERS_MAX. */
const char *con_order_breaker(const struct con_order *order, size_t i, int64_t wall_us);

#endif
