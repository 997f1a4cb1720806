/*
 * metrics_file - figures of one run of the tool, for Prometheus' node exporter (textfile collector).
 *
 * A tool that has ended answers no scrape, so it leaves a file; the file is replaced as a whole, and its reader never sees half of one.
 * Source: https://github.com/prometheus/node_exporter#textfile-collector.
 * Threads: no state. Blocks.
 */
#ifndef OPS_METRICS_FILE_H
#define OPS_METRICS_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"

struct ops_metric {
    const char *name; /* "sluice_reconcile_missing_events" */
    const char *help;
    int64_t value;
};

/* labels: "" or `account="acct_1"`. SL_E_IO, naming the file. */
bool ops_metrics_file_write(const char *path, const char *labels, const struct ops_metric *metrics,
                            size_t count, struct sl_err *err) SL_MUST;

#endif
