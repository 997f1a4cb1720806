/*
 * sentry - counts what happens while the broker is away, and tells Sentry once a minute.
 *
 * One event per (source, type, reason, minute), which carries how often it happened; the counts of all events add up to what was counted. What cannot be
 * sent is kept and sent later (sentry_tally). Obeys 429 and Retry-After. A few requests at once, each with a deadline.
 * Refuses: blocking, sending one request for each happening, bodies, more than a fixed number of keys.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_SENTRY_H
#define SHARED_SENTRY_H

#include <stdint.h>

#include "shared/loop.h"
#include "shared/sentry/sentry_dsn.h"
#include "shared/span.h"

struct sl_sentry;

struct sl_sentry_opts {
    struct sl_loop *loop;
    const struct sl_sentry_dsn *dsn; /* copied */
    const char *service;             /* the rest is borrowed for its life */
    const char *version;
    const char *environment; /* NULL: none */
    const char *status;      /* tag eventbus.status; NULL: "degraded" */
    const char *happening;   /* what is counted; NULL: events not confirmed by the broker */
    int64_t period_ms;       /* 0: a minute */
    /* Once when sending begins to fail, and once with err NULL when it works again. May be NULL. */
    void (*on_change)(void *arg, const struct sl_err *err, uint64_t pending);
    void *arg;
};

struct sl_sentry *sl_sentry_new(const struct sl_sentry_opts *opts, struct sl_err *err) SL_MUST;
/* What was not sent is gone; see sl_sentry_flush. Accepts NULL. */
void sl_sentry_free(struct sl_sentry *sentry);
/* From now on to that project; what is pending goes there too. */
void sl_sentry_set_dsn(struct sl_sentry *sentry, const struct sl_sentry_dsn *dsn);

/* It happened once more. sentry may be NULL: then nobody is told. */
void sl_sentry_count(struct sl_sentry *sentry, struct sl_span source, struct sl_span type,
                     const char *reason);
/* Counted and not accepted by Sentry yet. 0 for NULL. */
uint64_t sl_sentry_pending(const struct sl_sentry *sentry);

/* Sends what is pending now instead of at the minute's end; each report is tried once. For the end of a run. Accepts NULL. */
void sl_sentry_flush(struct sl_sentry *sentry);
/* Nothing is being sent, and nothing can be sent at the moment. True for NULL. */
bool sl_sentry_is_flushed(const struct sl_sentry *sentry);

SL_DEFINE_AUTO(struct sl_sentry *, sl_sentry_free)

#endif
