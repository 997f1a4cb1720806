#include "consumer/halt.h"

#include "shared/clock.h"

bool con_grace_is_over(struct con_grace *grace, int64_t now_ms, int64_t grace_ms)
{
    if (grace->since_ms == 0) {
        grace->since_ms = now_ms;
    }
    return now_ms - grace->since_ms >= grace_ms;
}

void con_halt_init(struct con_halt *halt, struct sl_metrics *metrics, struct con_alarm *alarm,
                   const struct sl_subsystem *subsystem, int64_t grace_ms)
{
    *halt = (struct con_halt){
        .subsystem = subsystem,
        .alarm = alarm,
        .gauge = sl_metrics_series(metrics, SL_M_CONSUMER_HALTED, subsystem->name, NULL),
        .grace_ms = grace_ms,
    };
}

bool con_halt_met(struct con_halt *halt, const struct sl_err *why, const char *code)
{
    enum sl_fault fault = sl_err_fault(why);
    bool is_due = fault == SL_FAULT_SETUP || fault == SL_FAULT_BUG;
    if (halt == NULL) {
        return is_due || why->code == SL_E_PG_UNREADY;
    }
    if (why->code == SL_E_PG_UNREADY) {
        is_due = con_grace_is_over(&halt->grace, sl_clock_mono_ms(), halt->grace_ms);
    }
    if (is_due && !halt->is_halted) {
        halt->is_halted = true;
        sl_series_add(halt->gauge, 1);
        con_alarm_tripped(halt->alarm, halt->subsystem, SL_SPAN_LITERAL(CON_HALT_TYPE), why, code);
    }
    return is_due;
}

void con_halt_end(struct con_halt *halt)
{
    if (halt != NULL) {
        sl_series_add(halt->gauge, halt->is_halted ? -1 : 0);
        halt->is_halted = false;
        halt->grace = (struct con_grace){ 0 };
    }
}
