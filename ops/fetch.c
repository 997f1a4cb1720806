#include "ops/fetch.h"

#include "shared/http/http_client.h"

struct waiting {
    struct sl_loop *loop;
    struct sl_buf *body;
    int status;
    struct sl_err err;
    bool is_over;
};

static void on_answer(const struct sl_http_answer *answer, void *arg);

bool ops_fetch(const struct ops_fetch *fetch, int *out_status, struct sl_buf *out_body,
               struct sl_err *err)
{
    SL_AUTO(sl_loop_free) struct sl_loop *loop = sl_loop_new(err);
    if (loop == NULL) {
        return false;
    }
    struct sl_http_client_opts opts = { .loop = loop,
                                        .transfers_max = 1,
                                        .connections_max = 1,
                                        .connect_ms = fetch->timeout_ms,
                                        .total_ms = fetch->timeout_ms,
                                        .answer_bytes_max = out_body->bytes_max };
    SL_AUTO(sl_http_client_free) struct sl_http_client *client = sl_http_client_new(&opts, err);
    struct waiting waiting = { .loop = loop, .body = out_body };
    struct sl_http_call call = { .method = "GET",
                                 .url = fetch->url,
                                 .fields = fetch->fields,
                                 .user = fetch->user,
                                 .password = fetch->password };
    if (client == NULL || !sl_http_client_call(client, &call, on_answer, &waiting, err) ||
        !sl_loop_run(loop, err)) {
        return false;
    }
    SL_ASSERT(waiting.is_over);
    if (waiting.status == 0) {
        *err = waiting.err;
        return false;
    }
    *out_status = waiting.status;
    return true;
}

static void on_answer(const struct sl_http_answer *answer, void *arg)
{
    struct waiting *waiting = arg;
    waiting->status = answer->status;
    waiting->is_over = true;
    if (answer->status == 0) {
        waiting->err = *answer->err;
    } else if (!sl_buf_append_span(waiting->body, answer->body)) {
        waiting->status = 0;
        sl_fail(&waiting->err, SL_E_LIMIT, "the answer does not fit");
    }
    sl_loop_stop(waiting->loop);
}
