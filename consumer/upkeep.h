/*
 * upkeep - makes the inbox's partitions for the weeks ahead and drops those past their keeping, once at start and once a day.
 *
 * Opens a connection for it and closes it again. A failure is said and tried again after UPKEEP_RETRY_MS; meanwhile events of a week that has no
 * partition wait in the default one and move when it is made.
 * Law: consumer/sql/inbox_maintain.sql, which several processes may run at once.
 * Threads: one loop.
 */
#ifndef CONSUMER_UPKEEP_H
#define CONSUMER_UPKEEP_H

#include "shared/log.h"
#include "shared/loop.h"

struct con_upkeep;

/* Everything is borrowed. Starts on the next turn of the loop. */
struct con_upkeep *con_upkeep_new(struct sl_loop *loop, struct sl_log *log,
                                  const char *database_url, const char *service,
                                  struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_upkeep_free(struct con_upkeep *upkeep);

#endif
