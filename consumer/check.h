/*
 * check - asks the database, for sluice-consumer --check, whether it has the functions that the chosen sections call.
 *
 * A loop and a connection of its own, for at most CON_CHECK_MS. A database that cannot be reached is no mistake of the file: it is said, and
 * that is all.
 * Threads: one owner.
 */
#ifndef CONSUMER_CHECK_H
#define CONSUMER_CHECK_H

#include "consumer/config.h"

#define CON_CHECK_MS 5000

/* Appends a line to mistakes per function that cannot be called, or to notes why they could not be looked at. False without memory. */
bool con_check_functions(const struct con_config *config, struct sl_buf *mistakes,
                         struct sl_buf *notes, struct sl_err *err) SL_MUST;

#endif
