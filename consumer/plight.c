#include "consumer/plight.h"

void con_plight_bisect(const struct con_plight *plight, const struct con_handler_error *error)
{
    sl_log_err(plight->log, SL_WARN, "consumer.bisect",
               "the batch failed because of what is in it, looking for the guilty event",
               &error->err, sl_str("subsystem", plight->subsystem),
               sl_str("sqlstate", error->sqlstate), sl_int("events", (int64_t)plight->events));
}

void con_plight_probe(const struct con_plight *plight, const struct con_handler_error *error)
{
    sl_debug(plight->log, "consumer.probe", "the guilty event is among these",
             sl_str("subsystem", plight->subsystem), sl_str("sqlstate", error->sqlstate),
             sl_int("events", (int64_t)plight->events));
}

void con_plight_retry(const struct con_plight *plight, const struct con_handler_error *error,
                      int64_t attempt, int64_t wait_ms)
{
    sl_log_err(plight->log, SL_INFO, "consumer.retry",
               "others were in the way, trying the batch again", &error->err,
               sl_str("subsystem", plight->subsystem), sl_str("sqlstate", error->sqlstate),
               sl_int("events", (int64_t)plight->events), sl_int("attempt", attempt),
               sl_int("wait_ms", wait_ms));
}

void con_plight_alike(const struct con_plight *plight, const struct con_event *example,
                      size_t failed)
{
    sl_log_err(
        plight->log, SL_ERROR, "consumer.mass_failure",
        "so many events of this batch fail alike that the fault is not theirs; nothing is given up, trying the batch again",
        &example->why, sl_str("subsystem", plight->subsystem), sl_str("sqlstate", example->code),
        sl_text("event_type", example->envelope.type), sl_int("failed", (int64_t)failed),
        sl_int("events", (int64_t)plight->events));
}

void con_plight_held(const struct con_plight *plight, const struct con_handler_error *error,
                     bool needs_human, int64_t wait_ms)
{
    sl_log_err(plight->log, needs_human ? SL_ERROR : SL_WARN,
               needs_human ? "consumer.halted" : "consumer.held",
               needs_human ? "an operator must act; nothing is lost, trying the batch again"
                           : "the batch cannot be applied now, keeping it",
               &error->err, sl_str("subsystem", plight->subsystem),
               sl_str("sqlstate", error->sqlstate), sl_int("events", (int64_t)plight->events),
               sl_int("wait_ms", wait_ms));
}
