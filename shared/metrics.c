#include "shared/metrics.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LABEL_BYTES_MAX 64u

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct family {
    enum kind kind;
    const char *name;
    const char *label1;
    const char *label2;
    const char *help;
};

static const struct family families[SL_M_COUNT] = {
#define SL_METRIC(id, kind_, name_, label1_, label2_, help_)                                       \
    [SL_M_##id] = {                                                                                \
        .kind = kind_, .name = (name_), .label1 = (label1_), .label2 = (label2_), .help = (help_)  \
    },
#include "shared/metrics.def"
#undef SL_METRIC
};

/* OpenTelemetry's advised bounds with two below. */
static const int64_t bucket_us[] = { 1000,    2500,    5000,    10000,   25000,  50000,
                                     75000,   100000,  250000,  500000,  750000, 1000000,
                                     2500000, 5000000, 7500000, 10000000 };
#define BUCKETS (SL_COUNT(bucket_us) + 1) /* the last one is +Inf */

struct sl_series {
    enum sl_metric id;
    struct sl_series *next; /* of its family */
    char label1[LABEL_BYTES_MAX];
    char label2[LABEL_BYTES_MAX];
    _Atomic int64_t value; /* histograms: sum in microseconds */
    _Atomic int64_t buckets[BUCKETS];
};

struct sl_metrics {
    pthread_mutex_t lock;
    struct sl_series *series[SL_METRICS_SERIES_MAX + SL_M_COUNT]; /* the tail is for "other" */
    struct sl_series *first[SL_M_COUNT];                          /* of each family */
    size_t count;
    int64_t started_s;
    struct sl_series nowhere; /* takes the counts when there is no memory for a series */
};

static struct sl_series *find(const struct sl_metrics *metrics, enum sl_metric id,
                              const char *label1, const char *label2);
static bool has_labels(const struct sl_series *series, const char *label1, const char *label2);
static void render_series(const struct sl_series *series, struct sl_buf *out);
static void render_labels(const struct sl_series *series, const char *bucket, struct sl_buf *out);
static void render_process(const struct sl_metrics *metrics, struct sl_buf *out);

struct sl_metrics *sl_metrics_new(struct sl_err *err)
{
    struct sl_metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for metrics");
        return NULL;
    }
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->started_s = (int64_t)time(NULL);
    return metrics;
}

void sl_metrics_free(struct sl_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    for (size_t i = 0; i < metrics->count; i++) {
        free(metrics->series[i]);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

struct sl_series *sl_metrics_series(struct sl_metrics *metrics, enum sl_metric id,
                                    const char *label1, const char *label2)
{
    label1 = label1 == NULL ? "" : label1;
    label2 = label2 == NULL ? "" : label2;
    pthread_mutex_lock(&metrics->lock);
    struct sl_series *found = find(metrics, id, label1, label2);
    bool is_full = metrics->count >= SL_METRICS_SERIES_MAX;
    if (found == NULL && is_full) {
        label1 = families[id].label1 == NULL ? "" : "other";
        label2 = families[id].label2 == NULL ? "" : "other";
        found = find(metrics, id, label1, label2);
    }
    if (found == NULL && metrics->count < SL_COUNT(metrics->series)) {
        found = calloc(1, sizeof *found);
        if (found != NULL) {
            found->id = id;
            snprintf(found->label1, sizeof found->label1, "%s", label1);
            snprintf(found->label2, sizeof found->label2, "%s", label2);
            found->next = metrics->first[id];
            metrics->first[id] = found;
            metrics->series[metrics->count++] = found;
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    return found == NULL ? &metrics->nowhere : found;
}

static struct sl_series *find(const struct sl_metrics *metrics, enum sl_metric id,
                              const char *label1, const char *label2)
{
    struct sl_series *series = metrics->first[id];
    while (series != NULL && !has_labels(series, label1, label2)) {
        series = series->next;
    }
    return series;
}

static bool has_labels(const struct sl_series *series, const char *label1, const char *label2)
{
    return strncmp(series->label1, label1, LABEL_BYTES_MAX - 1) == 0 &&
           strncmp(series->label2, label2, LABEL_BYTES_MAX - 1) == 0;
}

void sl_series_add(struct sl_series *series, int64_t delta)
{
    atomic_fetch_add_explicit(&series->value, delta, memory_order_relaxed);
}

void sl_series_set(struct sl_series *series, int64_t value)
{
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

int64_t sl_series_value(const struct sl_series *series)
{
    return atomic_load_explicit(&series->value, memory_order_relaxed);
}

void sl_series_observe_us(struct sl_series *series, int64_t micros)
{
    micros = micros < 0 ? 0 : micros; /* two clocks may disagree; a sum never falls */
    size_t bucket = 0;
    while (bucket < SL_COUNT(bucket_us) && micros > bucket_us[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&series->buckets[bucket], 1, memory_order_relaxed);
    sl_series_add(series, micros);
}

void sl_metrics_render(struct sl_metrics *metrics, struct sl_buf *out)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    pthread_mutex_lock(&metrics->lock);
    for (size_t id = 0; id < SL_M_COUNT; id++) {
        bool has_head = false;
        for (size_t i = 0; i < metrics->count; i++) {
            if ((size_t)metrics->series[i]->id != id) {
                continue;
            }
            if (!has_head) {
                sl_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", families[id].name,
                              families[id].help, families[id].name, kinds[families[id].kind]);
                has_head = true;
            }
            render_series(metrics->series[i], out);
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    render_process(metrics, out);
}

static void render_series(const struct sl_series *series, struct sl_buf *out)
{
    const struct family *family = &families[series->id];
    int64_t value = sl_series_value(series);
    if (family->kind != HISTOGRAM) {
        sl_buf_append_text(out, family->name);
        render_labels(series, NULL, out);
        sl_buf_printf(out, " %lld\n", (long long)value);
        return;
    }
    int64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
        char bound[24] = "+Inf";
        if (i < SL_COUNT(bucket_us)) {
            snprintf(bound, sizeof bound, "%g", (double)bucket_us[i] / 1e6);
        }
        sl_buf_printf(out, "%s_bucket", family->name);
        render_labels(series, bound, out);
        sl_buf_printf(out, " %lld\n", (long long)seen);
    }
    sl_buf_printf(out, "%s_sum", family->name);
    render_labels(series, NULL, out);
    sl_buf_printf(out, " %.6f\n%s_count", (double)value / 1e6, family->name);
    render_labels(series, NULL, out);
    sl_buf_printf(out, " %lld\n", (long long)seen);
}

static void render_labels(const struct sl_series *series, const char *bucket, struct sl_buf *out)
{
    const struct family *family = &families[series->id];
    const char *names[] = { family->label1, family->label2, bucket == NULL ? NULL : "le" };
    const char *values[] = { series->label1, series->label2, bucket };
    char separator = '{';
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        if (names[i] == NULL) {
            continue;
        }
        sl_buf_printf(out, "%c%s=\"", separator, names[i]);
        for (const char *at = values[i]; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\') {
                sl_buf_append_char(out, '\\');
            }
            sl_buf_append_char(out, *at == '\n' ? ' ' : *at);
        }
        sl_buf_append_char(out, '"');
        separator = ',';
    }
    if (separator == ',') {
        sl_buf_append_char(out, '}');
    }
}

static void render_process(const struct sl_metrics *metrics, struct sl_buf *out)
{
    long long rss_pages = 0;
    long long all_pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm != NULL) {
        if (fscanf(statm, "%lld %lld", &all_pages, &rss_pages) != 2) {
            rss_pages = 0;
        }
        fclose(statm);
    }
    long fds = -3; /* ".", ".." and the directory's own descriptor */
    DIR *open_fds = opendir("/proc/self/fd");
    if (open_fds != NULL) {
        while (readdir(open_fds) != NULL) {
            fds++;
        }
        closedir(open_fds);
    }
    struct timespec cpu = { 0 };
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    sl_buf_printf(out,
                  "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lld\n"
                  "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.3f\n"
                  "# TYPE process_open_fds gauge\nprocess_open_fds %ld\n"
                  "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %lld\n",
                  rss_pages * (long long)sysconf(_SC_PAGESIZE),
                  (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9, fds < 0 ? 0 : fds,
                  (long long)metrics->started_s);
}
