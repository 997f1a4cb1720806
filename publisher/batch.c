#include "publisher/batch.h"

#include <stdlib.h>

#include "publisher/problem.h"
#include "shared/json/json_write.h"

/* The body once more, its tree, and what is made of it. */
#define ARENA_BYTES_MAX  (16u * 1024u * 1024u)
#define ANSWER_BYTES_MAX (512u * 1024u)
#define MULTI_STATUS     207
#define RETRY_AFTER_S    1

static void step(struct pub_batch *batch);
static void answer_one(const struct pub_batch *batch, struct sl_buf *out);
static void answer_all(const struct pub_batch *batch, struct sl_buf *out);
static void put_event(const struct pub_batch *batch, size_t place, struct sl_json_writer *json);
static const char *error_of(const struct pub_batch *batch, size_t place);

struct pub_batch *pub_batch_new(struct sl_http_request *request, struct sl_err *err)
{
    struct pub_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a batch");
        return NULL;
    }
    batch->request = request;
    sl_arena_init(&batch->arena, ARENA_BYTES_MAX);
    return batch;
}

bool pub_batch_begin(struct pub_batch *batch, struct sl_err *err)
{
    size_t count = batch->production.count;
    batch->answers = sl_arena_array(&batch->arena, count, sizeof *batch->answers);
    if (batch->answers == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the answers of a batch");
    }
    batch->left = 1;
    for (size_t i = 0; i < count; i++) {
        bool is_faulty = batch->production.items[i].fault != NULL;
        batch->answers[i] = !is_faulty                                ? PUB_UNAVAILABLE
                            : batch->production.items[i].is_held_back ? PUB_HELD_BACK
                                                                      : PUB_MALFORMED;
        batch->left += is_faulty ? 0 : 1;
    }
    return true;
}

void pub_batch_free(struct pub_batch *batch)
{
    if (batch != NULL) {
        sl_arena_done(&batch->arena);
        free(batch);
    }
}

void pub_batch_settle(struct pub_batch *batch, size_t place, enum pub_answer answer,
                      bool is_durable)
{
    SL_ASSERT(place < batch->production.count);
    batch->answers[place] = answer;
    batch->is_durable = is_durable;
    step(batch);
}

void pub_batch_end(struct pub_batch *batch)
{
    step(batch);
}

static void step(struct pub_batch *batch)
{
    SL_ASSERT(batch->left > 0);
    batch->left--;
    if (batch->left > 0) {
        return;
    }
    if (batch->on_ended != NULL) {
        batch->on_ended(batch, batch->arg);
        pub_batch_free(batch);
        return;
    }
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, ANSWER_BYTES_MAX);
    int status = pub_batch_status(batch->answers, batch->production.count);
    bool is_problem = !batch->production.is_batch && status / 100 != 2;
    if (batch->production.is_batch) {
        answer_all(batch, &body);
    } else if (is_problem) {
        pub_problem_body(status, error_of(batch, 0), &body);
    } else {
        answer_one(batch, &body);
    }
    batch->on_answered(batch->arg, status);
    sl_http_reply(batch->request, &(struct sl_http_reply){
                                      .status = status,
                                      .content_type = is_problem ? PUB_PROBLEM_TYPE : NULL,
                                      .retry_after_s = status == 503 ? RETRY_AFTER_S : 0,
                                      .body = sl_buf_span(&body),
                                  });
    pub_batch_free(batch);
}

int pub_batch_status(const enum pub_answer *answers, size_t count)
{
    int status = pub_answer_row(answers[0])->status;
    for (size_t i = 1; i < count; i++) {
        if (pub_answer_row(answers[i])->status != status) {
            return MULTI_STATUS;
        }
    }
    return status;
}

static void answer_one(const struct pub_batch *batch, struct sl_buf *out)
{
    pub_answer_received(batch->answers[0], batch->production.items[0].envelope.id,
                        batch->is_durable, out);
}

static void answer_all(const struct pub_batch *batch, struct sl_buf *out)
{
    size_t received = 0;
    struct sl_json_writer json = sl_json_writer_make(out);
    for (size_t i = 0; i < batch->production.count; i++) {
        received += pub_answer_row(batch->answers[i])->status / 100 == 2 ? 1 : 0;
    }
    sl_json_object_begin(&json);
    sl_json_put_int(&json, "received", (int64_t)received);
    sl_json_put_int(&json, "refused", (int64_t)(batch->production.count - received));
    sl_json_put_array(&json, "events");
    for (size_t i = 0; i < batch->production.count; i++) {
        put_event(batch, i, &json);
    }
    sl_json_array_end(&json);
    sl_json_object_end(&json);
}

static void put_event(const struct pub_batch *batch, size_t place, struct sl_json_writer *json)
{
    enum pub_answer answer = batch->answers[place];
    int status = pub_answer_row(answer)->status;
    sl_json_object_begin(json);
    sl_json_put_text(json, "id", batch->production.items[place].shown_id);
    sl_json_put_int(json, "status", status);
    sl_json_put_bool(json, "received", status / 100 == 2);
    if (answer == PUB_JOURNALED || answer == PUB_DROPPED) {
        sl_json_put_bool(json, "degraded", true);
    }
    if (answer == PUB_DROPPED) {
        sl_json_put_bool(json, "stored", false);
    } else if (answer == PUB_JOURNALED && !batch->is_durable) {
        sl_json_put_bool(json, "durable", false);
    }
    if (status / 100 != 2) {
        sl_json_put_text(json, "error", sl_span_of(error_of(batch, place)));
    }
    sl_json_object_end(json);
}

static const char *error_of(const struct pub_batch *batch, size_t place)
{
    const char *fault = batch->production.items[place].fault;
    return fault != NULL ? fault
           : batch->answers[place] == PUB_OVERLOADED
               ? "too much is waiting; send it again"
               : "nothing durable could be done; send it again";
}
