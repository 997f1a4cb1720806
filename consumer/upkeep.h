/*
 * upkeep - what the tables need once at start and once a day: the inbox's partitions for the weeks ahead are made and those past their keeping
 * dropped, resolved dead letters and attempts past theirs are removed.
 *
 * Opens a connection for it and closes it again. A failure is said and tried again after UPKEEP_RETRY_MS; meanwhile events of a week that has no
 * partition wait in the default one and move when it is made.
 * Law: consumer/sql/inbox_maintain.sql and history_prune.sql, which several processes may run at once.
 * Threads: one loop.
 */
#ifndef CONSUMER_UPKEEP_H
#define CONSUMER_UPKEEP_H

#include "shared/log.h"
#include "shared/loop.h"
#include "shared/subsystem/subsystems.h"

struct con_upkeep;

struct con_upkeep_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    const char *database_url;
    const char *service;
    const struct sl_subsystems
        *subsystems; /* each says how long its inbox rows and dead letters are kept */
};

/* Starts on the next turn of the loop. */
struct con_upkeep *con_upkeep_new(const struct con_upkeep_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_upkeep_free(struct con_upkeep *upkeep);

#endif
