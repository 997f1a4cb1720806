#include "ops/outage/refused.h"

#include <inttypes.h>
#include <stdio.h>

#include "ops/exposition.h"
#include "ops/publisher_page.h"
#include "shared/clock.h"

#define ASK_MS         3000
#define PAGE_BYTES_MAX (256u * 1024u)
#define US_PER_S       INT64_C(1000000)

static int64_t started_at(struct sl_span page);
static int64_t add_rows(struct sl_span page, int64_t started_s, int64_t to_s,
                        struct ops_audit_rows *rows);

void ops_refused_count(const char *state_dir, int64_t from_s, int64_t to_s,
                       struct ops_refused *out_refused, struct ops_audit_rows *rows)
{
    SL_DONE(sl_buf_done) struct sl_buf page = { 0 };
    struct sl_err err = { 0 };
    sl_buf_init(&page, PAGE_BYTES_MAX);
    if (ops_publisher_page(state_dir, ASK_MS, &page, &err)) {
        ops_refused_read(sl_buf_span(&page), from_s, to_s, out_refused, rows);
        return;
    }
    ops_audit_add(rows, OPS_AUDIT_REFUSED, NULL, "", SL_SPAN_LITERAL(""), -1, 0, 0);
    snprintf(out_refused->says, sizeof out_refused->says,
             "how many were refused is not known: %.300s", err.text);
}

void ops_refused_read(struct sl_span page, int64_t from_s, int64_t to_s,
                      struct ops_refused *out_refused, struct ops_audit_rows *rows)
{
    char since[SL_RFC3339_BYTES];
    int64_t started_s = started_at(page);
    sl_clock_rfc3339(started_s * US_PER_S, since);
    since[19] = 'Z'; /* whole seconds */
    since[20] = '\0';
    if (started_s >= to_s) {
        ops_audit_add(rows, OPS_AUDIT_REFUSED, NULL, "", SL_SPAN_LITERAL(""), -1, 0, 0);
        snprintf(out_refused->says, sizeof out_refused->says,
                 "how many were refused is not known: this machine's publisher was started after "
                 "that, at %s",
                 since);
        return;
    }
    int64_t count = add_rows(page, started_s, to_s, rows);
    const char *rest = started_s > from_s ? "; what was refused before that is not known"
                       : count > 0        ? ", so some may be of before the time asked for"
                                          : "";
    snprintf(out_refused->says, sizeof out_refused->says,
             "refused (503, 429) by this machine's publisher since its start at %s: %" PRId64 "%s",
             since, count, rest);
}

static int64_t started_at(struct sl_span page)
{
    struct ops_sample sample = { 0 };
    while (ops_sample_next(&page, &sample)) {
        if (sl_span_is(sample.name, OPS_STARTED_METRIC)) {
            return sample.value;
        }
    }
    return 0;
}

static int64_t add_rows(struct sl_span page, int64_t started_s, int64_t to_s,
                        struct ops_audit_rows *rows)
{
    struct ops_sample sample = { 0 };
    int64_t count = 0;
    while (ops_sample_next(&page, &sample)) {
        struct sl_span source = ops_sample_label(&sample, "source");
        struct sl_span outcome = ops_sample_label(&sample, "outcome");
        if (!sl_span_is(sample.name, OPS_RECEIVED_METRIC) || source.data == NULL ||
            ops_answered(outcome) != OPS_ANSWERED_503 || sample.value == 0) {
            continue;
        }
        char what[OPS_AUDIT_TYPE_BYTES];
        snprintf(what, sizeof what, "%.*s: %.*s", SL_SPAN_ARGS(source), SL_SPAN_ARGS(outcome));
        ops_audit_add(rows, OPS_AUDIT_REFUSED, NULL, "", sl_span_of(what), sample.value,
                      started_s * US_PER_S, (to_s - 1) * US_PER_S);
        count += sample.value;
    }
    return count;
}
