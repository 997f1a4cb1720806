/*
 * attempts - every failed try as a row of sluice_attempt, so that a person can read what an event went through.
 *
 * Best effort: nothing waits for it, and no event depends on it. Rows are collected and written with a connection of their own, which is opened for
 * the first one and closed after a while without any. What does not fit while the database is away, or is refused, is counted and forgotten.
 * Refuses: bodies; the error text is the one of the dead letter.
 * Threads: one loop.
 */
#ifndef CONSUMER_ATTEMPTS_H
#define CONSUMER_ATTEMPTS_H

#include "consumer/batch.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/metrics.h"

struct con_attempts;

struct con_attempts_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const char *database_url;
    const char *service;
};

struct con_attempts *con_attempts_new(const struct con_attempts_opts *opts,
                                      struct sl_err *err) SL_MUST;
/* What is not written yet is lost. Accepts NULL. */
void con_attempts_free(struct con_attempts *attempts);
/* The try of this delivery failed; it has departed. An event without an id has no row. subsystem lives as long as attempts. */
void con_attempts_note(struct con_attempts *attempts, const char *subsystem,
                       const struct con_delivery *delivery);
/* Nothing is waiting that could be written now. */
bool con_attempts_is_drained(const struct con_attempts *attempts);

#endif
