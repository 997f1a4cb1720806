/*
 * halt - when what a worker meets is no longer to be waited out but a matter for a person, and how the person hears of it.
 *
 * A schema that is not there yet (a deploy brings it) and credentials that are being rotated may be right in a moment: for grace_ms from the first failure
 * they are waited for like a database that is away, then they are what they look like. Everything of class halt is so at once.
 * While a worker is halted the gauge counts it, and the section's on-trip was told once, of the type CON_HALT_TYPE.
 * Refuses: trying again (runner and link do, for ever).
 * Threads: one worker.
 */
#ifndef CONSUMER_HALT_H
#define CONSUMER_HALT_H

#include "consumer/alarm.h"
#include "shared/metrics.h"

#define CON_HALT_TYPE "*" /* event_type of the alarm: all of the section */

/* Decides: since when something that may be right in a moment is not. */
struct con_grace {
    int64_t since_ms; /* 0: it is right */
};
bool con_grace_is_over(struct con_grace *grace, int64_t now_ms, int64_t grace_ms);

struct con_halt {
    const struct sl_subsystem *subsystem; /* borrowed, as everything here */
    struct con_alarm *alarm;
    struct sl_series *gauge;
    int64_t grace_ms;
    struct con_grace grace;
    bool is_halted;
};

void con_halt_init(struct con_halt *halt, struct sl_metrics *metrics, struct con_alarm *alarm,
                   const struct sl_subsystem *subsystem, int64_t grace_ms);
/* A person must act. code: SQLSTATE or "". Accepts NULL: then nobody is told, and there is no grace. */
bool con_halt_met(struct con_halt *halt, const struct sl_err *why, const char *code);
/* It works, or it is another matter now. Accepts NULL. */
void con_halt_end(struct con_halt *halt);

#endif
