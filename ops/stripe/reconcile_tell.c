#include "ops/stripe/reconcile_tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "ops/metrics_file.h"
#include "ops/stripe/forgetting.h"
#include "shared/event/envelope.h"

#define EX_FOUND     1
#define EX_PARTIAL   3
#define EX_LAST_DAYS 4

void ops_reconcile_count_missing(struct ops_reconcile_counts *counts, int64_t occurred_at_s,
                                 int64_t now_s)
{
    counts->missing++;
    switch (ops_forgetting_of(now_s - occurred_at_s)) {
    case OPS_FORGETTING_NOT_YET:
        break;
    case OPS_FORGETTING_SOON:
        counts->soon++;
        break;
    case OPS_FORGETTING_LAST:
        counts->last++;
        break;
    }
    if (counts->oldest_s == 0 || occurred_at_s < counts->oldest_s) {
        counts->oldest_s = occurred_at_s;
    }
}

bool ops_reconcile_leave_metrics(const struct ops_reconcile_counts *counts,
                                 const struct ops_reconcile_metrics *metrics, struct sl_err *err)
{
    char labels[2 * SL_EVENT_ID_BYTES_MAX];
    int64_t left = counts->missing - counts->published;
    const struct ops_metric rows[] = {
        { "sluice_reconcile_listed_events", "Events that Stripe listed.", counts->listed },
        { "sluice_reconcile_missing_events",
          "Of them, those that neither the inbox nor the dead letters know, and that were not "
          "published now.",
          left },
        { "sluice_reconcile_published_events", "Of them, those that were published now.",
          counts->published },
        { "sluice_reconcile_dead_letters", "Of them, those that are open dead letters.",
          counts->dead },
        { "sluice_reconcile_oldest_missing_timestamp_seconds",
          "When the oldest missing one happened; 0: none is missing. Stripe forgets it 30 days "
          "later.",
          left > 0 ? counts->oldest_s : 0 },
        { "sluice_reconcile_finished_timestamp_seconds", "When this was looked at.",
          metrics->now_s },
    };
    if (metrics->path == NULL) {
        return true;
    }
    snprintf(labels, sizeof labels, "account=\"%.200s\",subsystem=\"%.64s\"", metrics->account,
             metrics->subsystem);
    return ops_metrics_file_write(metrics->path, labels, rows, SL_COUNT(rows), err);
}

int ops_reconcile_tell(const struct ops_reconcile_counts *counts, bool is_acting)
{
    fprintf(stderr,
            "%" PRId64 " listed by Stripe: %" PRId64 " applied, %" PRId64 " dead letters, %" PRId64
            " missing, %" PRId64 " published\n",
            counts->listed, counts->applied, counts->dead, counts->missing, counts->published);
    if (counts->soon > 0) {
        fprintf(stderr, "%" PRId64 " of the missing are older than %d days\n", counts->soon,
                OPS_FORGETTING_SOON_DAYS);
    }
    if (counts->last > 0) {
        fprintf(stderr,
                "%" PRId64 " of the missing are older than %d days: Stripe forgets them after %d\n",
                counts->last, OPS_FORGETTING_LAST_DAYS, OPS_FORGETTING_GONE_DAYS);
    }
    if (counts->dead > 0) {
        fputs("dead letters are not published again here: sluice dead groups\n", stderr);
    }
    if (counts->missing == 0) {
        return EX_OK;
    }
    if (!is_acting) {
        fputs("nothing was published; --yes publishes what is missing\n", stderr);
        return counts->last > 0 ? EX_LAST_DAYS : EX_FOUND;
    }
    return counts->published == counts->missing ? EX_OK : EX_PARTIAL;
}
