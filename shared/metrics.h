/*
 * metrics - counters, gauges and histograms, rendered as Prometheus text format 0.0.4.
 *
 * Families are data in shared/metrics.def. A series is found once, kept by its user, and changed with an atomic: no lock on the
 * hot path. The number of series is bounded; past the bound new label values share one series labelled "other".
 * Threads: any thread may change a series; finding one takes a lock.
 */
#ifndef SHARED_METRICS_H
#define SHARED_METRICS_H

#include <stdint.h>

#include "shared/buf.h"

enum sl_metric {
#define SL_METRIC(id, kind, name, label1, label2, help) SL_M_##id,
#include "shared/metrics.def"
#undef SL_METRIC
    SL_M_COUNT
};

#define SL_METRICS_SERIES_MAX 512u

struct sl_metrics;
struct sl_series;

struct sl_metrics *sl_metrics_new(struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void sl_metrics_free(struct sl_metrics *metrics);

/* The series of these label values (copied; NULL for labels the family does not have). Never NULL; lives as long as metrics. */
struct sl_series *sl_metrics_series(struct sl_metrics *metrics, enum sl_metric id,
                                    const char *label1, const char *label2);

/* Counters and gauges. */
void sl_series_add(struct sl_series *series, int64_t delta);
void sl_series_set(struct sl_series *series, int64_t value);
int64_t sl_series_value(const struct sl_series *series);
/* Histograms. */
void sl_series_observe_us(struct sl_series *series, int64_t micros);

/* Appends the whole exposition, standard process_* families included. */
void sl_metrics_render(struct sl_metrics *metrics, struct sl_buf *out);

#endif
