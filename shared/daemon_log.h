/*
 * daemon_log - what a daemon says of itself, opened together: its log on stderr, and its metrics.
 *
 * The version is a gauge, and what the log had to drop is a counter.
 * Threads: open before the first other thread.
 */
#ifndef SHARED_DAEMON_LOG_H
#define SHARED_DAEMON_LOG_H

#include "shared/log.h"
#include "shared/metrics.h"

/* The caller frees both, the log first, also when this fails half way. service is borrowed for the log's life. */
bool sl_daemon_log_open(const char *service, enum sl_level level, enum sl_log_format format,
                        struct sl_log **out_log, struct sl_metrics **out_metrics,
                        struct sl_err *err) SL_MUST;

#endif
