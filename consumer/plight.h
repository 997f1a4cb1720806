/*
 * plight - what is said when a batch cannot be applied: one line each.
 *
 * Acts on the log alone; which of them it is, the runner knows.
 * Threads: no state.
 */
#ifndef CONSUMER_PLIGHT_H
#define CONSUMER_PLIGHT_H

#include "consumer/event.h"
#include "consumer/handler.h"
#include "shared/log.h"

struct con_plight {
    struct sl_log *log;
    const char *subsystem;
    size_t events; /* of the batch, or the part of it that was tried */
};

/* Something in it is at fault: it is looked for. */
void con_plight_bisect(const struct con_plight *plight, const struct con_handler_error *error);
/* Likewise, in a part of it. */
void con_plight_probe(const struct con_plight *plight, const struct con_handler_error *error);
void con_plight_retry(const struct con_plight *plight, const struct con_handler_error *error,
                      int64_t attempt, int64_t wait_ms);
void con_plight_alike(const struct con_plight *plight, const struct con_event *example,
                      size_t failed);
/* needs_human: it is not to be waited out. */
void con_plight_held(const struct con_plight *plight, const struct con_handler_error *error,
                     bool needs_human, int64_t wait_ms);

#endif
