#include "publisher/guard/guard.h"

#include "publisher/facts/field_once.h"
#include "publisher/refuse.h"
#include "shared/clock.h"

#define TOLD_EVERY_MS 1000

static struct pub_origin_request gather(const struct pub_guard *guard,
                                        const struct sl_http_request *request);
static bool is_covered(const struct sl_http_head *head, const struct pub_origin_request *facts);
static void tell(struct pub_guard *guard, const struct sl_http_request *request,
                 enum pub_origin_verdict verdict);

bool pub_guard_admit(struct pub_guard *guard, struct sl_http_request *request,
                     struct sl_span *out_client)
{
    const struct pub_origin_request facts = gather(guard, request);
    *out_client = pub_origin_client(guard->origin, &facts);
    if (guard->origin->mode == PUB_ORIGIN_OFF ||
        !is_covered(sl_http_request_head(request), &facts)) {
        return true;
    }
    enum pub_origin_verdict verdict = pub_origin_judge(guard->origin, &facts);
    bool is_refused = verdict != PUB_ORIGIN_PASSED && guard->origin->mode == PUB_ORIGIN_ENFORCE;
    const char *outcome = verdict == PUB_ORIGIN_PASSED ? "passed"
                          : is_refused                 ? "refused"
                                                       : "reported";
    sl_series_add(
        sl_metrics_series(guard->metrics, SL_M_ORIGIN, outcome, pub_origin_verdict_name(verdict)),
        1);
    if (!is_refused) {
        return true;
    }
    tell(guard, request, verdict);
    pub_refuse(request, PUB_FORBIDDEN);
    return false;
}

static struct pub_origin_request gather(const struct pub_guard *guard,
                                        const struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    struct pub_origin_request facts = {
        .peer = sl_span_of(sl_http_request_peer(request)),
        .forwarded_for = sl_http_field(head, "X-Forwarded-For"),
    };
    facts.connecting_ip = pub_field_once(head, "CF-Connecting-IP", &facts.is_doubled);
    facts.secret = pub_field_once(head, guard->secret_header, &facts.is_doubled);
    return facts;
}

static bool is_covered(const struct sl_http_head *head, const struct pub_origin_request *facts)
{
    if (sl_span_is(head->path, "/health")) {
        return facts->connecting_ip.data != NULL || facts->forwarded_for.data != NULL;
    }
    return sl_span_starts_with(head->path, "/api") || sl_span_starts_with(head->path, "/webhooks");
}

static void tell(struct pub_guard *guard, const struct sl_http_request *request,
                 enum pub_origin_verdict verdict)
{
    int64_t now_ms = sl_clock_mono_ms();
    if (now_ms - guard->told_ms < TOLD_EVERY_MS) {
        return; /* the counter says how many */
    }
    guard->told_ms = now_ms;
    sl_info(guard->log, "origin.refused",
            "a request did not come through the edge; refused, and counted with those like it",
            sl_str("reason", pub_origin_verdict_name(verdict)),
            sl_str("peer", sl_http_request_peer(request)));
}
