/*
 * The path of a write: take -> call Stripe -> on_stripe. A refusal is answered there. What was done is observed at once, or, when Stripe's answer is of an unknown time, after one
 * more call (look_again). publish hands the event to the intake as a batch of one; on_published answers.
 */
#include "publisher/billing/billing_write.h"

#include <stdio.h>
#include <stdlib.h>

#include "publisher/billing/billing_problem.h"
#include "publisher/problem.h"
#include "shared/clock.h"
#include "shared/stripe/stripe_observed.h"

#define KEY_BYTES_MAX   255u
#define ARENA_BYTES_MAX (8u * 1024u * 1024u)
#define ANSWER_MAX      (2u * 1024u * 1024u)
#define DEPTH_MAX       4u
#define NODES_MAX       65536u

enum stage {
    ASKED,         /* Stripe has the call */
    LOOKING_AGAIN, /* it was done before: how is it now? */
    PUBLISHING,
};

struct pub_billing_write {
    struct pub_billing_writes *writes;
    struct sl_http_request *request; /* NULL: handed to the batch */
    enum pub_caller caller;
    enum stage stage;
    struct pub_billing_wish wish;
    char key[KEY_BYTES_MAX + 1]; /* "": none was given */
    bool was_refused;            /* LOOKING_AGAIN because of a 404 */
    struct sl_arena arena;
    struct sl_buf answer; /* Stripe's object */
    struct sl_buf body;   /* of the event */
    struct pub_batch *batch;
    TAILQ_ENTRY(pub_billing_write) in_list; /* until Stripe has answered */
};

static struct pub_billing_write *new_write(struct pub_billing_writes *writes,
                                           enum pub_caller caller, struct sl_http_request *request);
static void free_write(struct pub_billing_write *write);
static bool read_key(struct pub_billing_write *write);
static bool call(struct pub_billing_write *write, const char *method, struct sl_span form,
                 struct sl_err *err);
static struct sl_stripe_client *client_for(const struct pub_billing_writes *writes,
                                           const char *method);
static void on_stripe(const struct sl_stripe_answer *answer, void *arg);
static bool must_look_again(const struct pub_billing_write *write,
                            const struct sl_stripe_answer *answer);
static void look_again(struct pub_billing_write *write, const struct sl_stripe_answer *answer,
                       const struct sl_json *root);
static void take_answer(struct pub_billing_write *write, const struct sl_stripe_answer *answer,
                        const struct sl_json *root);
static bool publish(struct pub_billing_write *write, const struct sl_stripe_answer *answer,
                    const struct sl_json *root, struct sl_err *err);
static void on_published(struct pub_batch *batch, void *arg);
static void answer_done(struct pub_billing_write *write, struct sl_http_request *request,
                        enum pub_answer kept, const struct sl_err *why);
static void refuse(struct pub_billing_write *write, int status, const char *detail,
                   const char *allow);

void pub_billing_writes_init(struct pub_billing_writes *writes)
{
    TAILQ_INIT(&writes->at_stripe);
}

void pub_billing_writes_done(struct pub_billing_writes *writes)
{
    struct pub_billing_write *write = NULL;
    while (writes->at_stripe.tqh_last != NULL &&
           (write = TAILQ_FIRST(&writes->at_stripe)) != NULL) {
        refuse(write, 503,
               "shutting down before Stripe has answered: whether it was done is not known; send "
               "it again with the same Idempotency-Key",
               NULL);
    }
}

void pub_billing_writes_take(struct pub_billing_writes *writes, enum pub_caller caller,
                             struct sl_http_request *request)
{
    struct sl_err err = { 0 };
    struct pub_billing_write *write = new_write(writes, caller, request);
    if (write == NULL) {
        pub_problem_reply(request, 503, "no memory", NULL);
        return;
    }
    const struct sl_http_head *head = sl_http_request_head(request);
    const struct pub_billing_asked asked = {
        .method = head->method,
        .path = head->path,
        .query = head->query,
        .body = sl_http_request_body(request),
        .parser = writes->parser,
        .arena = &write->arena,
    };
    int status = pub_billing_wish_read(&asked, &write->wish);
    if (status != 0) {
        refuse(write, status, write->wish.why, status == 405 ? write->wish.allow : NULL);
    } else if (!read_key(write)) {
        refuse(write, 400, "Idempotency-Key: 1 to 255 visible ASCII characters", NULL);
    } else if (client_for(writes, write->wish.method) == NULL) {
        refuse(write, 503, "STRIPE_API_KEY is not configured", NULL);
    } else if (*writes->is_draining) {
        refuse(write, 503, "shutting down", NULL);
    } else if (!call(write, write->wish.method, sl_buf_span(&write->wish.form), &err)) {
        refuse(write, 503, "too many calls to Stripe at once", NULL);
    }
}

static struct pub_billing_write *new_write(struct pub_billing_writes *writes,
                                           enum pub_caller caller, struct sl_http_request *request)
{
    struct pub_billing_write *write = calloc(1, sizeof *write);
    if (write != NULL) {
        write->writes = writes;
        write->caller = caller;
        write->request = request;
        sl_arena_init(&write->arena, ARENA_BYTES_MAX);
        sl_buf_init(&write->answer, ANSWER_MAX);
        sl_buf_init(&write->body, ANSWER_MAX);
        TAILQ_INSERT_TAIL(&writes->at_stripe, write, in_list);
        writes->count++;
    }
    return write;
}

static void free_write(struct pub_billing_write *write)
{
    if (write->stage != PUBLISHING) {
        TAILQ_REMOVE(&write->writes->at_stripe, write, in_list);
    }
    write->writes->count--;
    pub_billing_wish_done(&write->wish);
    sl_arena_done(&write->arena);
    sl_buf_done(&write->answer);
    sl_buf_done(&write->body);
    free(write);
}

static bool read_key(struct pub_billing_write *write)
{
    struct sl_span key = sl_http_field(sl_http_request_head(write->request), "Idempotency-Key");
    if (key.data == NULL) {
        return true;
    }
    for (size_t i = 0; i < key.bytes; i++) {
        if (key.data[i] <= ' ' || key.data[i] >= 0x7f) {
            return false;
        }
    }
    snprintf(write->key, sizeof write->key, "%.*s", SL_SPAN_ARGS(key));
    return key.bytes > 0 && key.bytes <= KEY_BYTES_MAX;
}

static bool call(struct pub_billing_write *write, const char *method, struct sl_span form,
                 struct sl_err *err)
{
    const struct sl_stripe_call call = {
        .method = method,
        .path = write->wish.path,
        .form = form,
        .account = write->wish.account,
        .idempotency_key = write->key[0] == '\0' ? NULL : write->key,
    };
    return sl_stripe_client_call(client_for(write->writes, method), &call, on_stripe, write, err);
}

static struct sl_stripe_client *client_for(const struct pub_billing_writes *writes,
                                           const char *method)
{
    return strcmp(method, "GET") == 0 ? writes->stripe_reads : writes->stripe;
}

static void on_stripe(const struct sl_stripe_answer *answer, void *arg)
{
    struct pub_billing_write *write = arg;
    struct sl_err unread = { 0 };
    const struct sl_json *root = NULL;
    sl_arena_reset(&write->arena);
    if (answer->status != 0) {
        root = sl_json_parse(write->writes->parser, &write->arena, answer->body, DEPTH_MAX,
                             NODES_MAX, &unread);
    }
    if (must_look_again(write, answer)) {
        look_again(write, answer, root);
    } else if (answer->status >= 200 && answer->status <= 299) {
        take_answer(write, answer, root);
    } else {
        sl_warn(write->writes->log, "billing.refused", "Stripe did not do what was asked",
                sl_str("deed", write->wish.name), sl_str("path", write->wish.path),
                sl_str("caller", pub_caller_name(write->caller)), sl_int("status", answer->status),
                sl_int("tries", answer->tries), sl_text("request_id", answer->request_id),
                sl_str("error", answer->err == NULL ? NULL : answer->err->text));
        pub_billing_problem_reply(write->request, answer, root, &write->arena);
        free_write(write);
    }
}

/* Only what Stripe says now, and says of now, is of a known time. */
static bool must_look_again(const struct pub_billing_write *write,
                            const struct sl_stripe_answer *answer)
{
    bool is_done = answer->status >= 200 && answer->status <= 299;
    bool is_canceled_already = write->wish.deed == PUB_BILLING_CANCEL && answer->status == 404;
    return write->stage == ASKED && ((is_done && answer->is_replayed) || is_canceled_already);
}

/* The answer stays what was heard first; of a cancel that came too late it is the canceled subscription. */
static void look_again(struct pub_billing_write *write, const struct sl_stripe_answer *answer,
                       const struct sl_json *root)
{
    struct sl_err err = { 0 };
    write->stage = LOOKING_AGAIN;
    write->was_refused = answer->status == 404;
    struct sl_span id = sl_json_text(sl_json_get(root, "id"), &write->arena, true, NULL);
    if (!write->was_refused) {
        sl_buf_append_span(&write->answer, answer->body);
    }
    if (write->wish.deed == PUB_BILLING_CREATE) {
        snprintf(write->wish.path, sizeof write->wish.path, "/v1/customers/%.*s", SL_SPAN_ARGS(id));
    }
    if (!call(write, "GET", (struct sl_span){ 0 }, &err)) {
        refuse(write, 503, "too many calls to Stripe at once", NULL);
    }
}

static void take_answer(struct pub_billing_write *write, const struct sl_stripe_answer *answer,
                        const struct sl_json *root)
{
    struct sl_err why = { 0 };
    struct sl_span status = sl_json_text(sl_json_get(root, "status"), &write->arena, true, NULL);
    if (write->was_refused && !sl_span_is(status, "canceled")) {
        refuse(write, 409, "Stripe did not cancel it, and shows it as it was", NULL);
        return;
    }
    if (write->answer.used_bytes == 0) {
        sl_buf_append_span(&write->answer, answer->body);
    }
    if (!sl_buf_ok(&write->answer) || !publish(write, answer, root, &why)) {
        answer_done(write, write->request, PUB_UNAVAILABLE, &why);
    }
}

/* True: on_published is called, maybe from here. */
static bool publish(struct pub_billing_write *write, const struct sl_stripe_answer *answer,
                    const struct sl_json *root, struct sl_err *err)
{
    struct pub_billing_writes *writes = write->writes;
    struct sl_envelope envelope = { 0 };
    const struct sl_stripe_observation seen = {
        .object = root,
        .account = write->wish.account,
        .livemode = writes->livemode,
        .date_s = answer->date_s,
        .elapsed_us = answer->elapsed_us,
        .now_us = sl_clock_wall_us(),
    };
    if (!sl_stripe_observed(&seen, &write->arena, &write->body, &envelope, err)) {
        return false;
    }
    struct pub_batch *batch = pub_batch_new(write->request, err);
    if (batch == NULL) {
        return false;
    }
    batch->production.items = sl_arena_array(&batch->arena, 1, sizeof *batch->production.items);
    batch->production.count = 1;
    if (batch->production.items == NULL) {
        pub_batch_free(batch);
        return sl_fail(err, SL_E_MEMORY, "no memory for a batch");
    }
    batch->production.items[0] =
        (struct pub_produced){ .envelope = envelope, .shown_id = envelope.id };
    batch->on_ended = on_published;
    batch->arg = write;
    if (!pub_batch_begin(batch, err)) {
        pub_batch_free(batch);
        return false;
    }
    TAILQ_REMOVE(&writes->at_stripe, write, in_list);
    write->stage = PUBLISHING;
    struct pub_source *source =
        pub_sources_find(writes->sources, SL_SPAN_LITERAL(SL_SOURCE_STRIPE));
    pub_intake_take_batch(writes->intake,
                          source != NULL ? source : pub_sources_internal(writes->sources), batch);
    return true;
}

static void on_published(struct pub_batch *batch, void *arg)
{
    answer_done(arg, batch->request, batch->answers[0], NULL);
}

static void answer_done(struct pub_billing_write *write, struct sl_http_request *request,
                        enum pub_answer kept, const struct sl_err *why)
{
    const char *outcome = pub_answer_row(kept)->outcome;
    bool is_kept = kept == PUB_CONFIRMED || kept == PUB_JOURNALED;
    sl_info(write->writes->log, "billing.written", "Stripe has done what was asked",
            sl_str("deed", write->wish.name), sl_str("path", write->wish.path),
            sl_str("caller", pub_caller_name(write->caller)), sl_str("event", outcome));
    if (!is_kept) {
        sl_warn(write->writes->log, "billing.untold",
                "Stripe has done what was asked, but no event says so; the tables follow with "
                "Stripe's own webhook",
                sl_str("deed", write->wish.name), sl_str("path", write->wish.path),
                sl_str("outcome", outcome), sl_str("error", why == NULL ? NULL : why->text));
    }
    if (!is_kept && write->wish.deed == PUB_BILLING_SYNC) {
        pub_problem_reply(request, 503, "nothing durable could be done; send it again", NULL);
    } else if (!sl_buf_ok(&write->answer)) {
        pub_problem_reply(request, 502,
                          "Stripe has done it, but its answer is too large to pass on", NULL);
    } else {
        sl_http_reply(request, &(struct sl_http_reply){
                                   .status = kept == PUB_CONFIRMED ? 200 : 202,
                                   .body = sl_buf_span(&write->answer),
                               });
    }
    free_write(write);
}

static void refuse(struct pub_billing_write *write, int status, const char *detail,
                   const char *allow)
{
    pub_problem_reply(write->request, status, detail, allow);
    free_write(write);
}
