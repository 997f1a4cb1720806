#include "publisher/problem.h"

#include "shared/http/http_render.h"
#include "shared/json/json_write.h"

#define BODY_BYTES_MAX 1024u
#define RETRY_AFTER_S  1

void pub_problem_body(int status, const char *detail, struct sl_buf *out)
{
    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "type", SL_SPAN_LITERAL("about:blank"));
    sl_json_put_text(&json, "title", sl_span_of(sl_http_status_text(status)));
    sl_json_put_int(&json, "status", status);
    sl_json_put_text(&json, "detail", sl_span_of(detail));
    sl_json_object_end(&json);
}

void pub_problem_reply(struct sl_http_request *request, int status, const char *detail,
                       const char *allow)
{
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, BODY_BYTES_MAX);
    pub_problem_body(status, detail, &body);
    sl_http_reply(request, &(struct sl_http_reply){
                               .status = status,
                               .content_type = PUB_PROBLEM_TYPE,
                               .retry_after_s = status == 503 ? RETRY_AFTER_S : 0,
                               .allow = allow,
                               .authenticate = status == 401 ? "Bearer" : NULL,
                               .body = sl_buf_span(&body),
                           });
}
