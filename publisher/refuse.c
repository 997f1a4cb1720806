#include "publisher/refuse.h"

void pub_refuse(struct sl_http_request *request, enum pub_answer answer)
{
    const struct pub_answer_row *row = pub_answer_row(answer);
    sl_http_reply(request,
                  &(struct sl_http_reply){ .status = row->status,
                                           .retry_after_s = row->retry_after_s,
                                           .allow = answer == PUB_BAD_METHOD ? "POST" : NULL,
                                           .body = sl_span_of(row->body) });
}
