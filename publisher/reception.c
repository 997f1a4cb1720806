#include "publisher/reception.h"

#include "publisher/facts/field_once.h"
#include "publisher/outcome.h"
#include "publisher/refuse.h"
#include "shared/clock.h"

static bool is_within_rate(struct pub_reception *reception, struct pub_source *source,
                           struct sl_http_request *request, int *out_status);
static struct pub_webhook gather(const struct pub_source *source,
                                 const struct sl_http_request *request);
static bool turn_away(struct pub_reception *reception, const struct pub_source *source,
                      const struct pub_judgement *judgement, struct sl_span client,
                      struct sl_http_request *request, int *out_status);
static bool slow_down(struct pub_reception *reception, const struct pub_source *source,
                      const char *outcome, unsigned retry_after_s, struct sl_http_request *request,
                      int *out_status);

bool pub_reception_admit(struct pub_reception *reception, struct pub_source *source,
                         struct sl_span client, struct sl_http_request *request, int *out_status)
{
    struct pub_judgement judgement = { .refusal = PUB_DRAINING };
    if (reception->is_draining) {
        return turn_away(reception, source, &judgement, client, request, out_status);
    }
    int64_t now_ms = sl_clock_mono_ms();
    unsigned retry_after_s = 0;
    if (!pub_flood_may_look(reception->flood, client, now_ms, &retry_after_s)) {
        return slow_down(reception, source, "flood", retry_after_s, request, out_status);
    }
    const struct pub_webhook webhook = gather(source, request);
    if (!pub_webhook_admit(source, &webhook, &judgement)) {
        if (judgement.refusal == PUB_NOT_AUTHENTIC) {
            pub_flood_bad(reception->flood, client, now_ms);
        }
        return turn_away(reception, source, &judgement, client, request, out_status);
    }
    pub_flood_good(reception->flood, client, now_ms);
    sl_series_add(source->matches[judgement.key], 1);
    return is_within_rate(reception, source, request, out_status);
}

static struct pub_webhook gather(const struct pub_source *source,
                                 const struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    const struct sl_scheme *scheme = &source->rules->scheme;
    struct pub_webhook webhook = {
        .content_encoding = sl_http_field(head, "Content-Encoding"),
        .what.body = sl_http_request_body(request),
        .received_at_us = sl_http_request_received_us(request),
    };
    webhook.what.signature = pub_field_once(head, scheme->header, &webhook.is_doubled);
    webhook.what.time = pub_field_once(head, scheme->time_header, &webhook.is_doubled);
    webhook.what.id = pub_field_once(head, scheme->id_header, &webhook.is_doubled);
    return webhook;
}

static bool turn_away(struct pub_reception *reception, const struct pub_source *source,
                      const struct pub_judgement *judgement, struct sl_span client,
                      struct sl_http_request *request, int *out_status)
{
    const struct pub_answer_row *row = pub_answer_row(judgement->refusal);
    bool is_unauthentic = judgement->refusal == PUB_NOT_AUTHENTIC;
    pub_outcome_count(reception->metrics, source->name, judgement->refusal);
    sl_info(reception->log, "webhook.refused", "a request was refused; nothing was stored",
            sl_str("source", source->name),
            sl_str("reason",
                   is_unauthentic ? sl_signature_verdict_name(judgement->verdict) : row->outcome),
            sl_text("peer", client),
            sl_int("body_bytes", (int64_t)sl_http_request_body(request).bytes));
    *out_status = row->status;
    pub_refuse(request, judgement->refusal);
    return false;
}

/* Whether the source may send one more now; counts it. False: answered. */
static bool is_within_rate(struct pub_reception *reception, struct pub_source *source,
                           struct sl_http_request *request, int *out_status)
{
    if (source->rate == NULL) {
        return true;
    }
    pthread_mutex_lock(&source->rate->lock);
    bool may = pub_bucket_take(&source->rate->bucket, sl_clock_mono_ms());
    unsigned wait_s = may ? 0 : pub_bucket_wait_s(&source->rate->bucket);
    pthread_mutex_unlock(&source->rate->lock);
    return may || slow_down(reception, source, "rate", wait_s, request, out_status);
}

/* Not one line for each: the counter says how many. */
static bool slow_down(struct pub_reception *reception, const struct pub_source *source,
                      const char *outcome, unsigned retry_after_s, struct sl_http_request *request,
                      int *out_status)
{
    sl_series_add(
        sl_metrics_series(reception->metrics, SL_M_EVENTS_RECEIVED, source->name, outcome), 1);
    *out_status = 429;
    sl_http_reply(request, &(struct sl_http_reply){
                               .status = *out_status,
                               .retry_after_s = retry_after_s,
                               .body = SL_SPAN_LITERAL("{\"error\":\"too many requests\"}"),
                           });
    return false;
}
