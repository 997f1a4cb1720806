/*
 * conf_tell - the mistakes of a configuration that was read again, as one line of the log.
 *
 * At the start mistakes go to stderr as text (conf); a running program has a log.
 * Threads: any.
 */
#ifndef SHARED_CONF_TELL_H
#define SHARED_CONF_TELL_H

#include "shared/buf.h"
#include "shared/log.h"

/* process.reload_failed, with the number of mistakes and the first few of them. */
void sl_conf_tell_mistakes(struct sl_log *log, const struct sl_buf *mistakes);

#endif
