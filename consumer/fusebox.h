/*
 * fusebox - the database's breaker (fuse) as the workers use it: asked before a transaction, told how it went, seen in log, gauge and `sluice breaker list`.
 *
 * When the fuse closes the owner is told, so that who waits goes on at once.
 * Refuses: waiting (who was not admitted waits) and deciding (fuse).
 * Threads: one loop; one per process.
 */
#ifndef CONSUMER_FUSEBOX_H
#define CONSUMER_FUSEBOX_H

#include "consumer/fuse.h"
#include "consumer/handler.h"
#include "shared/json/json_write.h"

struct con_fusebox {
    struct sl_log *log; /* borrowed, as everything here */
    struct sl_series *gauges[CON_BREAKER_STATES];
    struct con_fuse fuse;
    char code
        [CON_ORDER_TEXT_BYTES]; /* why it opened: SQLSTATE, a public error name, or what the operator said */
    void *arg;
    /* May be called from inside con_fusebox_passed and con_fusebox_wrote. */
    void (*on_closed)(void *arg);
};

void con_fusebox_init(struct con_fusebox *box, struct sl_log *log, struct sl_metrics *metrics,
                      const struct con_fuse_policy *policy);

/* Every function here accepts NULL: nothing is guarded. */

/* False: not now; ask again in *out_wait_ms. */
bool con_fusebox_admits(struct con_fusebox *box, const void *who, int64_t *out_wait_ms);
/* Nothing is wrong with the database, as far as is known: for what is not to probe it. */
bool con_fusebox_is_closed(const struct con_fusebox *box);
/* While it is not closed: until the next one is let through; else 0. */
int64_t con_fusebox_wait_ms(const struct con_fusebox *box);
void con_fusebox_passed(struct con_fusebox *box);
/* Counts it when it is the database's fault. */
void con_fusebox_failed(struct con_fusebox *box, const struct sl_err *why, const char *sqlstate);
void con_fusebox_reached(struct con_fusebox *box);
/* A write that is no worker's was committed. */
void con_fusebox_wrote(struct con_fusebox *box);
/* What an operator wants, and why; again and again. */
void con_fusebox_force(struct con_fusebox *box, enum con_force force, const char *reason);
/* Into an array that is begun, when it is not closed. */
void con_fusebox_show(const struct con_fusebox *box, struct sl_json_writer *json);

#endif
