#include "consumer/handlers/http_handler.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/event_columns.h"
#include "consumer/handlers/http_outage.h"
#include "consumer/handlers/http_request.h"
#include "consumer/handlers/http_verdict.h"
#include "shared/clock.h"
#include "shared/http/http_client.h"
#include "shared/units.h"

#define ANSWER_BYTES_MAX (16u * 1024u) /* more of an answer is not looked at */
#define CONNECT_MS_MAX   5000
#define PARAMS_BYTES_MAX (1024u * 1024u)      /* keys of a batch */
#define ROUND_BYTES_MAX  (8u * 1024u * 1024u) /* fields of its requests, replies */
#define REPLY_BYTES_MAX  ANSWER_BYTES_MAX
#define PLACE_DIGITS_MAX 9u
#define KNOWN_PARAMS     5u

enum post_state {
    POST_NOT_YET,
    POST_RUNNING,
    POST_IN_DOUBT, /* failed, and it may be the target's fault: decided when the round ends */
    POST_OVER,     /* taken, refused, or known from before */
};

struct post {
    struct http_handler *handler;
    struct con_event *event;
    enum post_state state;
    const struct con_event
        *first; /* of a twin: the same event, before it in the batch; else NULL */
    struct con_http_verdict *verdict;
};

struct http_handler {
    const struct sl_subsystem *subsystem; /* borrowed */
    const struct con_target *target;      /* borrowed */
    char where[128];                      /* the URL as errors show it */
    struct sl_http_client *client;
    struct sl_json_parser *parser;
    struct sl_series *seconds;
    struct con_outage outage;
    size_t turn; /* of the event that is tried while the target is away */

    struct post *posts; /* of the batch, in its arena */
    struct con_event *events;
    size_t count;
    size_t slice_first; /* the slice that is planned */
    size_t slice_count;

    struct sl_arena round; /* emptied with each round: a batch may have many */
    struct sl_buf params;
    con_prepared_fn *on_prepared;
    void *arg;
    struct con_chosen_events asked; /* of the inbox */
    bool has_passed;
    bool is_closed; /* nothing new is sent: stopping, or a person is needed */
    struct con_handler_error held;
};

static void free_self(void *self);
static void show_url(struct http_handler *handler);
static void add_statements(struct con_statements *statements);
static bool read_batch(void *self, struct sl_arena *arena, struct con_event *events, size_t count,
                       size_t *out_replaced, struct sl_err *err);
static const struct con_event *find_first(const struct http_handler *handler, size_t index);
static enum con_prepare prepare(void *self, struct sl_pg_link *pg, con_prepared_fn *on_prepared,
                                void *arg, struct sl_err *err);
static size_t open_round(struct http_handler *handler, size_t *indexes);
static bool ask(struct http_handler *handler, struct sl_pg_link *pg, struct sl_err *err);
static void on_known(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                     const struct sl_pg_error *error, void *arg);
static bool read_known(struct http_handler *handler, const struct sl_pg_result *result,
                       struct sl_err *err);
static void send_some(struct http_handler *handler);
static struct post *next_post(struct http_handler *handler);
static bool send_one(struct http_handler *handler, struct post *post, struct sl_err *err);
static void on_answer(const struct sl_http_answer *answer, void *arg);
static void settle_post(struct http_handler *handler, struct post *post);
static uint64_t identity(const struct con_event *event);
static void refuse(struct post *post);
static void close_round(struct http_handler *handler);
static void follow_twins(struct http_handler *handler);
static void stop(void *self);
static bool plan(void *self, size_t first, size_t count, struct sl_err *err);
static void settle(void *self);

static const struct con_handler_type type = {
    .free = free_self,
    .add_statements = add_statements,
    .read = read_batch,
    .prepare = prepare,
    .stop = stop,
    .plan = plan,
    .settle = settle,
};

bool con_http_handler_init(struct con_handler *handler, const struct con_handler_opts *opts,
                           struct sl_err *err)
{
    struct http_handler *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a handler");
    }
    const struct sl_subsystem *subsystem = opts->subsystem;
    self->subsystem = subsystem;
    self->target = opts->target;
    show_url(self);
    sl_arena_init(&self->round, ROUND_BYTES_MAX);
    sl_buf_init(&self->params, PARAMS_BYTES_MAX);
    self->seconds = sl_metrics_series(opts->metrics, SL_M_TARGET_SECONDS, subsystem->name, NULL);
    self->parser = sl_json_parser_new(REPLY_BYTES_MAX);
    self->client = sl_http_client_new(
        &(struct sl_http_client_opts){
            .loop = opts->loop,
            .transfers_max = subsystem->batch,
            .connections_max = subsystem->batch,
            .connect_ms =
                subsystem->timeout_ms < CONNECT_MS_MAX ? subsystem->timeout_ms : CONNECT_MS_MAX,
            .total_ms = subsystem->timeout_ms,
            .answer_bytes_max = ANSWER_BYTES_MAX,
            .cuts_answers = true,
        },
        err);
    if (self->parser == NULL || self->client == NULL) {
        free_self(self);
        return sl_fail(err, SL_E_MEMORY, "no memory for a handler");
    }
    *handler = (struct con_handler){ &type, self };
    return true;
}

/* A query may hold what nobody should read in a log. */
static void show_url(struct http_handler *handler)
{
    struct sl_span url = sl_span_of(handler->target->url);
    struct sl_span shown = { 0 };
    (void)sl_span_split(&url, '?', &shown);
    snprintf(handler->where, sizeof handler->where, "%.*s", SL_SPAN_ARGS(shown));
}

static void free_self(void *self)
{
    struct http_handler *handler = self;
    if (handler != NULL) {
        sl_http_client_free(handler->client);
        sl_json_parser_free(handler->parser);
        sl_arena_done(&handler->round);
        sl_buf_done(&handler->params);
        free(handler);
    }
}

static void add_statements(struct con_statements *statements)
{
    con_statements_add(statements, "known");
}

/* The batch -------------------------------------------------------------------------------------- */

static bool read_batch(void *self, struct sl_arena *arena, struct con_event *events, size_t count,
                       size_t *out_replaced, struct sl_err *err)
{
    (void)out_replaced;
    struct http_handler *handler = self;
    handler->events = events;
    handler->count = count;
    handler->posts = sl_arena_array(arena, count, sizeof handler->posts[0]);
    if (handler->posts == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room for a batch of %zu events", count);
    }
    for (size_t i = 0; i < count; i++) {
        struct post *post = &handler->posts[i];
        *post = (struct post){ .handler = handler, .event = &events[i] };
        post->state = events[i].verdict == CON_PENDING ? POST_NOT_YET : POST_OVER;
        post->first = post->state == POST_NOT_YET ? find_first(handler, i) : NULL;
        post->verdict = sl_arena_alloc(arena, sizeof *post->verdict);
        if (post->verdict == NULL) {
            return sl_fail(err, SL_E_MEMORY, "no room for a batch of %zu events", count);
        }
    }
    return true;
}

/* NULL when it is the first of its kind. At most SL_SUBSYSTEM_HTTP_BATCH_MAX events, so each is compared with those before it. */
static const struct con_event *find_first(const struct http_handler *handler, size_t index)
{
    const struct sl_envelope *a = &handler->events[index].envelope;
    for (size_t i = 0; i < index; i++) {
        const struct sl_envelope *b = &handler->events[i].envelope;
        if (handler->posts[i].state == POST_NOT_YET && sl_span_eq(a->id, b->id) &&
            sl_span_eq(a->account, b->account) && a->livemode == b->livemode &&
            a->occurred_at_s == b->occurred_at_s) {
            return &handler->events[i];
        }
    }
    return NULL;
}

static enum con_prepare prepare(void *self, struct sl_pg_link *pg, con_prepared_fn *on_prepared,
                                void *arg, struct sl_err *err)
{
    struct http_handler *handler = self;
    handler->on_prepared = on_prepared;
    handler->arg = arg;
    handler->has_passed = false;
    handler->is_closed = false;
    handler->held = (struct con_handler_error){ .sqlstate = "" };
    sl_fail(&handler->held.err, SL_E_TARGET_SYSTEMIC, "POST %s: waits until another event passes",
            handler->where);
    sl_arena_reset(&handler->round);
    size_t *indexes = sl_arena_array(&handler->round, handler->count, sizeof indexes[0]);
    if (indexes == NULL) {
        sl_fail(err, SL_E_MEMORY, "no room for a batch of %zu events", handler->count);
        return CON_PREPARE_FAILED;
    }
    handler->asked = (struct con_chosen_events){ .events = handler->events, .indexes = indexes };
    handler->asked.count = open_round(handler, indexes);
    if (handler->asked.count == 0) {
        return CON_PREPARED;
    }
    return ask(handler, pg, err) ? CON_PREPARING : CON_PREPARE_FAILED;
}

/* What was held is tried again. Returns how many events are to be sent. */
static size_t open_round(struct http_handler *handler, size_t *indexes)
{
    size_t count = 0;
    for (size_t i = 0; i < handler->count; i++) {
        struct post *post = &handler->posts[i];
        if (post->event->verdict == CON_HELD) {
            post->event->verdict = CON_PENDING;
            post->state = POST_NOT_YET;
        }
        if (post->state == POST_NOT_YET && post->first == NULL) {
            indexes[count++] = i;
        }
    }
    return count;
}

/* The inbox -------------------------------------------------------------------------------------- */

static bool ask(struct http_handler *handler, struct sl_pg_link *pg, struct sl_err *err)
{
    static const enum con_event_column columns[KNOWN_PARAMS - 1] = {
        CON_COLUMN_ACCOUNT,
        CON_COLUMN_LIVEMODE,
        CON_COLUMN_EVENT_ID,
        CON_COLUMN_OCCURRED_AT,
    };
    struct sl_pg_param params[KNOWN_PARAMS] = {
        { .value = sl_span_of(handler->subsystem->name) },
    };
    const struct sl_pg_step step = { .name = "known",
                                     .params = params,
                                     .param_count = SL_COUNT(params) };
    return con_event_columns_params(columns, SL_COUNT(columns), &handler->asked, &handler->round,
                                    &handler->params, params + 1, err) &&
           sl_pg_run(pg, &step, 1, on_known, handler, err);
}

static void on_known(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                     const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)count;
    struct http_handler *handler = arg;
    struct con_handler_error why = { .sqlstate = "" };
    if (error != NULL) {
        why.err = error->err;
        memcpy(why.sqlstate, error->sqlstate, sizeof why.sqlstate);
    }
    if (error == NULL && read_known(handler, results[0], &why.err)) {
        send_some(handler);
        return;
    }
    handler->held = why;
    handler->is_closed = true;
    send_some(handler);
}

static bool read_known(struct http_handler *handler, const struct sl_pg_result *result,
                       struct sl_err *err)
{
    for (size_t row = 0; row < sl_pg_rows(result); row++) {
        int64_t place = 0;
        if (!sl_units_decimal(sl_pg_value(result, row, 0), PLACE_DIGITS_MAX, &place) || place < 1 ||
            place > (int64_t)handler->asked.count) {
            return sl_fail(err, SL_E_BUG, "the inbox returned a place that it was not given");
        }
        struct post *post = &handler->posts[handler->asked.indexes[place - 1]];
        post->event->verdict = CON_DUPLICATE;
        post->state = POST_OVER;
    }
    return true;
}

/* The round -------------------------------------------------------------------------------------- */

/* Sends as much as may run side by side; when nothing runs and nothing may be sent any more, the round is over. */
static void send_some(struct http_handler *handler)
{
    struct post *post = NULL;
    while ((post = next_post(handler)) != NULL) {
        struct sl_err why = { 0 };
        post->state = POST_RUNNING;
        if (!send_one(handler, post, &why)) {
            post->state = POST_NOT_YET;
            handler->held = (struct con_handler_error){ .err = why };
            handler->is_closed = true;
        }
    }
    if (sl_http_client_running(handler->client) == 0) {
        close_round(handler);
    }
}

/* NULL when nothing may be sent now. While the target is away one event is on its way, and none follows it. */
static struct post *next_post(struct http_handler *handler)
{
    size_t running = sl_http_client_running(handler->client);
    size_t room = handler->outage.is_away ? 1 : handler->subsystem->batch;
    if (handler->is_closed || running >= room ||
        (handler->outage.is_away && handler->outage.is_in_doubt)) {
        return NULL;
    }
    for (size_t i = 0; i < handler->count; i++) {
        struct post *post = &handler->posts[(handler->turn + i) % handler->count];
        if (post->state == POST_NOT_YET && post->first == NULL &&
            post->event->verdict == CON_PENDING) {
            handler->turn = (handler->turn + i + 1) % handler->count;
            return post;
        }
    }
    return NULL;
}

static bool send_one(struct http_handler *handler, struct post *post, struct sl_err *err)
{
    struct con_http_request request;
    if (!con_http_request_event(&request, handler->target, handler->subsystem->name, post->event,
                                sl_clock_wall_us() / 1000000, &handler->round, err)) {
        return false;
    }
    const struct sl_http_call call = {
        .method = "POST",
        .url = handler->target->url,
        .fields = request.fields,
        .body = post->event->envelope.body,
    };
    return sl_http_client_call(handler->client, &call, on_answer, post, err);
}

static void on_answer(const struct sl_http_answer *answer, void *arg)
{
    struct post *post = arg;
    struct http_handler *handler = post->handler;
    sl_series_observe_us(handler->seconds, answer->elapsed_us);
    con_http_verdict(answer, handler->subsystem, handler->where, handler->parser, &handler->round,
                     post->verdict);
    settle_post(handler, post);
    send_some(handler);
}

static void settle_post(struct http_handler *handler, struct post *post)
{
    const struct con_http_verdict *verdict = post->verdict;
    post->state = POST_OVER;
    switch (verdict->verdict) {
    case SL_RULE_DONE:
        con_outage_passed(&handler->outage);
        handler->has_passed = true;
        return;
    case SL_RULE_PERMANENT:
    case SL_RULE_RETRY:
        if (verdict->is_of_target) {
            con_outage_failed(&handler->outage, identity(post->event), verdict->is_reached);
            post->state = POST_IN_DOUBT;
            return;
        }
        con_outage_passed(&handler->outage);
        handler->has_passed = true;
        refuse(post);
        return;
    case SL_RULE_SYSTEMIC:
    case SL_RULE_HALT:
        con_outage_halted(&handler->outage);
        handler->held = (struct con_handler_error){ .err = verdict->err };
        handler->is_closed = true;
        post->event->verdict = CON_HELD;
        return;
    }
}

/* FNV-1a of the id: good enough to tell five events apart. */
static uint64_t identity(const struct con_event *event)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < event->envelope.id.bytes; i++) {
        hash = (hash ^ (unsigned char)event->envelope.id.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void refuse(struct post *post)
{
    post->event->verdict = CON_DEAD;
    post->event->why = post->verdict->err;
    post->event->code = post->verdict->code;
    post->event->retry_after_s = post->verdict->retry_after_s;
}

static void close_round(struct http_handler *handler)
{
    bool is_targets_fault = con_outage_ended(&handler->outage, handler->has_passed);
    bool has_held = false;
    for (size_t i = 0; i < handler->count; i++) {
        struct post *post = &handler->posts[i];
        if (post->state == POST_IN_DOUBT && !is_targets_fault) {
            post->state = POST_OVER;
            refuse(post);
        } else if (post->state == POST_IN_DOUBT) {
            handler->held = (struct con_handler_error){ .err = post->verdict->err };
            handler->held.err.code = SL_E_TARGET_SYSTEMIC;
            post->event->verdict = CON_HELD;
        } else if (post->state == POST_NOT_YET && post->first == NULL) {
            post->event->verdict = CON_HELD;
        }
        has_held = has_held || post->event->verdict == CON_HELD;
    }
    follow_twins(handler);
    handler->on_prepared(handler->arg, has_held ? &handler->held : NULL);
}

/* What became of the first of its kind becomes of the others; when it was taken the inbox sorts them out. */
static void follow_twins(struct http_handler *handler)
{
    for (size_t i = 0; i < handler->count; i++) {
        struct post *twin = &handler->posts[i];
        if (twin->first != NULL && twin->state == POST_NOT_YET) {
            twin->event->verdict = twin->first->verdict;
            twin->event->why = twin->first->why;
            twin->event->code = twin->first->code;
            twin->event->retry_after_s = twin->first->retry_after_s;
            twin->state = twin->first->verdict == CON_HELD ? POST_NOT_YET : POST_OVER;
        }
    }
}

/* What runs is waited for: it may be taken, and then it is committed. */
static void stop(void *self)
{
    struct http_handler *handler = self;
    handler->is_closed = true;
    sl_fail(&handler->held.err, SL_E_TARGET_SYSTEMIC, "stopping");
}

/* The slice: the inbox rows are all there is to write -------------------------------------------- */

static bool plan(void *self, size_t first, size_t count, struct sl_err *err)
{
    struct http_handler *handler = self;
    (void)err;
    handler->slice_first = first;
    handler->slice_count = count;
    return true;
}

static void settle(void *self)
{
    const struct http_handler *handler = self;
    for (size_t i = 0; i < handler->slice_count; i++) {
        struct con_event *event = &handler->events[handler->slice_first + i];
        if (event->verdict == CON_PENDING) {
            event->verdict = CON_APPLIED;
        }
    }
}
