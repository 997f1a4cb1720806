#include "ops/trigger/trigger_tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "shared/json/json_write.h"

#define OUT_BYTES_MAX 65536u
#define EX_PARTIAL    3

static void tell_people(const struct ops_trigger_report *report);
static void tell_programs(const struct ops_trigger_report *report);
static const char *meaning(unsigned status);
static const char *advice(unsigned status);
static uint64_t unauthentic(const struct ops_tally *tally);
static uint64_t refused(const struct ops_tally *tally);
static double milliseconds(uint32_t us);

void ops_trigger_tell(const struct ops_trigger_report *report, enum ops_output output)
{
    if (output == OPS_OUTPUT_JSON) {
        tell_programs(report);
    } else {
        tell_people(report);
    }
}

int ops_trigger_status(const struct ops_trigger_report *report)
{
    const struct ops_tally *tally = report->tally;
    uint64_t kept = tally->by_status[200] + tally->by_status[202] - tally->unstored;
    uint64_t expected = report->expects_refusal ? unauthentic(tally) : kept;
    if (tally->answered == 0) {
        return EX_UNAVAILABLE;
    }
    return expected == report->asked ? EX_OK : EX_PARTIAL;
}

/* Who sends bad signatures by the thousand is answered 429 before they are looked at. */
static uint64_t unauthentic(const struct ops_tally *tally)
{
    return tally->by_status[400] + tally->by_status[429];
}

static uint64_t refused(const struct ops_tally *tally)
{
    return tally->answered - tally->by_status[200] - tally->by_status[202];
}

static void tell_people(const struct ops_trigger_report *report)
{
    const struct ops_tally *tally = report->tally;
    double seconds = (double)tally->elapsed_us / 1e6;
    printf("%" PRIu64 " of %" PRIu64 " requests (%s, run %s) to %s in %.2f s", tally->sent,
           report->asked, report->what, report->run, report->url, seconds);
    if (tally->answered > 1 && seconds > 0) {
        printf(", %.0f answers a second", (double)tally->answered / seconds);
    }
    printf("\n");
    for (unsigned status = 0; status < OPS_VOLLEY_STATUS_MAX; status++) {
        if (tally->by_status[status] > 0) {
            printf("  %u  %8" PRIu64 "  %s\n", status, tally->by_status[status], meaning(status));
        }
    }
    if (tally->unstored > 0) {
        printf("       %8" PRIu64 "  of the 202 are dropped, not stored\n", tally->unstored);
    }
    if (tally->failed > 0) {
        printf("  -    %8" PRIu64 "  no answer: %s\n", tally->failed, tally->no_answer.text);
    }
    if (tally->answered > 0) {
        printf("latency  p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms\n",
               milliseconds(ops_tally_percentile_us(tally, 50)),
               milliseconds(ops_tally_percentile_us(tally, 90)),
               milliseconds(ops_tally_percentile_us(tally, 99)),
               milliseconds(ops_tally_percentile_us(tally, 100)));
    }
    for (unsigned status = 0; status < OPS_VOLLEY_STATUS_MAX; status++) {
        bool is_expected = report->expects_refusal && (status == 400 || status == 429);
        if (tally->by_status[status] > 0 && advice(status) != NULL && !is_expected) {
            printf("%s\n", advice(status));
        }
    }
    if (report->expects_refusal && unauthentic(tally) == report->asked) {
        printf("All of them were refused, as they should be.\n");
    } else if (report->expects_refusal && tally->by_status[200] + tally->by_status[202] > 0) {
        printf("%" PRIu64
               " spoiled requests were ACCEPTED: the publisher does not check signatures "
               "as it should.\n",
               tally->by_status[200] + tally->by_status[202]);
    }
    if (tally->answered == 0) {
        printf("Nothing answers there. Is the publisher running? See: sluice health publisher\n");
    }
}

static const char *meaning(unsigned status)
{
    switch (status) {
    case 200:
        return "in the queue: confirmed by the broker";
    case 202:
        return "degraded: the broker is away, the publisher took it on";
    case 400:
        return "not authentic, or not a request it understands";
    case 401:
    case 403:
        return "forbidden";
    case 404:
        return "no such address";
    case 429:
    case 503:
        return "not now: the sender shall try again";
    default:
        return status >= 500 ? "the server failed" : "refused";
    }
}

static const char *advice(unsigned status)
{
    switch (status) {
    case 400:
        return "400: does the publisher have the same STRIPE_WEBHOOK_SECRET, and is its clock right? Its "
               "log says which it was.";
    case 403:
        return "403: the origin guard lets only requests in that come through the proxy.";
    case 404:
        return "404: is this the publisher? Webhooks go to /webhooks/stripe.";
    case 503:
        return "503: nothing durable can be done there now. See: sluice health publisher";
    default:
        return NULL;
    }
}

static double milliseconds(uint32_t us)
{
    return (double)us / 1000.0;
}

static void tell_programs(const struct ops_trigger_report *report)
{
    const struct ops_tally *tally = report->tally;
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OUT_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "run", sl_span_of(report->run));
    sl_json_put_text(&json, "what", sl_span_of(report->what));
    sl_json_put_text(&json, "url", sl_span_of(report->url));
    sl_json_put_int(&json, "asked", (int64_t)report->asked);
    sl_json_put_int(&json, "sent", (int64_t)tally->sent);
    sl_json_put_int(&json, "ok", (int64_t)tally->by_status[200]);
    sl_json_put_int(&json, "degraded", (int64_t)tally->by_status[202]);
    sl_json_put_int(&json, "not_stored", (int64_t)tally->unstored);
    sl_json_put_int(&json, "refused", (int64_t)refused(tally));
    sl_json_put_int(&json, "failed", (int64_t)tally->failed);
    sl_json_put_object(&json, "by_status");
    for (unsigned status = 0; status < OPS_VOLLEY_STATUS_MAX; status++) {
        if (tally->by_status[status] > 0) {
            char key[8];
            snprintf(key, sizeof key, "%u", status);
            sl_json_put_int(&json, key, (int64_t)tally->by_status[status]);
        }
    }
    sl_json_object_end(&json);
    sl_json_put_int(&json, "elapsed_us", tally->elapsed_us);
    sl_json_put_int(&json, "p50_us", ops_tally_percentile_us(tally, 50));
    sl_json_put_int(&json, "p90_us", ops_tally_percentile_us(tally, 90));
    sl_json_put_int(&json, "p99_us", ops_tally_percentile_us(tally, 99));
    sl_json_put_int(&json, "max_us", ops_tally_percentile_us(tally, 100));
    if (tally->failed > 0) {
        sl_json_put_text(&json, "error", sl_span_of(tally->no_answer.text));
    }
    sl_json_object_end(&json);
    printf("%.*s\n", SL_SPAN_ARGS(sl_buf_span(&out)));
}

void ops_trigger_progress(const struct ops_tally *tally, uint64_t asked)
{
    fprintf(stderr,
            "\r%" PRIu64 " of %" PRIu64 " answered, %" PRIu64 " refused, %" PRIu64
            " without an answer ",
            tally->answered, asked, refused(tally), tally->failed);
}

void ops_trigger_clear_progress(void)
{
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%78s\r", "");
    }
}
