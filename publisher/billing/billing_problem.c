#include "publisher/billing/billing_problem.h"

#include "publisher/problem.h"
#include "shared/http/http_render.h"
#include "shared/json/json_write.h"

#define BODY_BYTES_MAX (16u * 1024u)
#define RETRY_AFTER_S  1

static struct sl_span detail_of(const struct sl_stripe_answer *answer, int status,
                                const struct sl_json *error, struct sl_arena *arena);

int pub_billing_problem_status(int stripe_status, enum sl_code code)
{
    if (stripe_status == 0) {
        return code == SL_E_DEADLINE ? 504 : 502;
    }
    bool is_ours = stripe_status == 401 || stripe_status == 403;
    bool is_callers = stripe_status >= 400 && stripe_status <= 499 && !is_ours;
    return is_callers ? stripe_status : 502;
}

void pub_billing_problem_reply(struct sl_http_request *request,
                               const struct sl_stripe_answer *answer, const struct sl_json *root,
                               struct sl_arena *arena)
{
    static const char *const passed[] = { "code", "param", "decline_code" };
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, BODY_BYTES_MAX);
    const struct sl_json *error = sl_json_get(root, "error");
    int status = pub_billing_problem_status(answer->status,
                                            answer->err == NULL ? SL_E_BUG : answer->err->code);
    struct sl_json_writer json = sl_json_writer_make(&body);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "type", SL_SPAN_LITERAL("about:blank"));
    sl_json_put_text(&json, "title", sl_span_of(sl_http_status_text(status)));
    sl_json_put_int(&json, "status", status);
    sl_json_put_text(&json, "detail", detail_of(answer, status, error, arena));
    for (size_t i = 0; status == answer->status && i < SL_COUNT(passed); i++) {
        struct sl_span text = sl_json_text(sl_json_get(error, passed[i]), arena, true, NULL);
        if (text.data != NULL) {
            sl_json_put_text(&json, passed[i], text);
        }
    }
    if (answer->request_id.data != NULL) {
        sl_json_put_text(&json, "request_id", answer->request_id);
    }
    sl_json_object_end(&json);
    if (!sl_buf_ok(&body)) {
        pub_problem_reply(request, status, "Stripe refused it, in more words than fit", NULL);
        return;
    }
    bool may_retry = status == 429 || status == 409;
    sl_http_reply(request,
                  &(struct sl_http_reply){
                      .status = status,
                      .content_type = PUB_PROBLEM_TYPE,
                      .retry_after_s = answer->retry_after_s > 0 ? (unsigned)answer->retry_after_s
                                       : may_retry               ? RETRY_AFTER_S
                                                                 : 0,
                      .body = sl_buf_span(&body),
                  });
}

static struct sl_span detail_of(const struct sl_stripe_answer *answer, int status,
                                const struct sl_json *error, struct sl_arena *arena)
{
    if (answer->status == 401 || answer->status == 403) {
        return SL_SPAN_LITERAL(
            "Stripe refuses the key that this service has: check STRIPE_API_KEY, its mode and its "
            "permissions");
    }
    if (status == 504) {
        return SL_SPAN_LITERAL("Stripe did not answer in time: whether it was done is not known; "
                               "send it again with the same Idempotency-Key");
    }
    if (answer->status == 0) {
        return SL_SPAN_LITERAL("Stripe cannot be reached; send it again with the same "
                               "Idempotency-Key");
    }
    struct sl_span said = sl_json_text(sl_json_get(error, "message"), arena, true, NULL);
    return said.bytes > 0 ? said : SL_SPAN_LITERAL("Stripe refused it, and does not say why");
}
