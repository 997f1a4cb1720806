/*
 * billing_handler - Stripe events into the tables billing_*, as a handler (handler.h). The work is billing_apply's.
 *
 * Threads: one owner.
 */
#ifndef CONSUMER_BILLING_HANDLER_H
#define CONSUMER_BILLING_HANDLER_H

#include "consumer/handler.h"

bool con_billing_handler_init(struct con_handler *handler, const struct con_handler_opts *opts,
                              struct sl_err *err) SL_MUST;

#endif
