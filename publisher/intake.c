#include "publisher/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "publisher/event_facts.h"
#include "shared/clock.h"

/* Publishes waiting for their confirm; at 2 s and 12,000/s a healthy broker never gets near. */
#define WAITING_MAX 4096u
/* Facts of one event: ids, type, routing key, the parse tree of its first levels and a copy of the body. */
#define ARENA_BYTES_ROOM (1024u * 1024u)
#define ANSWER_BYTES_MAX 1024u

/* One publish on its way. */
struct waiting {
    struct sl_http_request *request; /* NULL: free slot */
    const struct pub_source *source;
    int64_t published_us;
    char id[SL_EVENT_ID_BYTES_MAX + 1];
    uint32_t next_free;
};

struct pub_intake {
    struct pub_intake_opts opts;
    struct sl_amqp_link *link;
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_buf envelope;
    struct sl_buf answer;
    struct waiting *slots; /* WAITING_MAX */
    uint32_t first_free;   /* WAITING_MAX: none */
    size_t waiting;
    bool is_draining;
    struct sl_series *inflight;
    struct sl_series *confirm_seconds;
    struct sl_series *up;
    struct sl_series *blocked;
    struct sl_series *degraded;
};

static bool open_link(struct pub_intake *intake, struct sl_err *err);
static void on_up(struct sl_amqp_link *link, void *arg);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason,
                       void *arg);
static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
static bool publish(struct pub_intake *intake, const struct pub_source *source,
                    struct sl_http_request *request, struct sl_span *out_id, struct sl_err *err);
static void count(struct pub_intake *intake, const char *source, const char *outcome);

struct pub_intake *pub_intake_new(const struct pub_intake_opts *opts, struct sl_err *err)
{
    SL_AUTO(pub_intake_free) struct pub_intake *intake = calloc(1, sizeof *intake);
    if (intake == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the intake");
        return NULL;
    }
    intake->opts = *opts;
    sl_arena_init(&intake->arena, opts->body_bytes_max + ARENA_BYTES_ROOM);
    sl_buf_init(&intake->envelope, SL_ENVELOPE_BYTES_MAX);
    sl_buf_init(&intake->answer, ANSWER_BYTES_MAX);
    intake->parser = sl_json_parser_new(opts->body_bytes_max);
    intake->slots = calloc(WAITING_MAX, sizeof *intake->slots);
    if (intake->parser == NULL || intake->slots == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the intake");
        return NULL;
    }
    for (uint32_t i = 0; i < WAITING_MAX; i++) {
        intake->slots[i].next_free = i + 1;
    }
    intake->inflight = sl_metrics_series(opts->metrics, SL_M_PUBLISH_INFLIGHT, NULL, NULL);
    intake->confirm_seconds = sl_metrics_series(opts->metrics, SL_M_PUBLISH_SECONDS, NULL, NULL);
    intake->up = sl_metrics_series(opts->metrics, SL_M_BROKER_UP, "publish", NULL);
    intake->blocked = sl_metrics_series(opts->metrics, SL_M_BROKER_BLOCKED, "publish", NULL);
    intake->degraded = sl_metrics_series(opts->metrics, SL_M_DEGRADED, NULL, NULL);
    sl_series_set(intake->degraded, 1);
    if (!open_link(intake, err)) {
        return NULL;
    }
    return SL_TAKE(intake);
}

static bool open_link(struct pub_intake *intake, struct sl_err *err)
{
    char host[64] = "unknown";
    char name[160];
    if (gethostname(host, sizeof host - 1) != 0) {
        snprintf(host, sizeof host, "unknown");
    }
    snprintf(name, sizeof name, "%s/%s/%d", intake->opts.service, host, (int)getpid());
    intake->link = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){
            .loop = intake->opts.loop,
            .url = intake->opts.amqp,
            .connection_name = name,
            .confirms = true,
            .confirm_ms = intake->opts.confirm_ms,
            .publishes_max = WAITING_MAX,
            .arg = intake,
            .on_up = on_up,
            .on_down = on_down,
            .on_blocked = on_blocked,
            .on_settled = on_settled,
        },
        err);
    return intake->link != NULL;
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct pub_intake *intake = arg;
    sl_series_set(intake->up, 1);
    sl_series_set(intake->blocked, 0);
    sl_series_set(intake->degraded, 0);
    sl_info(intake->opts.log, "broker.connected", "the broker is reachable; events are confirmed");
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct pub_intake *intake = arg;
    sl_series_set(intake->up, 0);
    sl_series_set(intake->degraded, 1);
    sl_series_add(sl_metrics_series(intake->opts.metrics, SL_M_BROKER_RECONNECTS, "publish",
                                    sl_code_name(why->code)),
                  1);
    sl_log_err(intake->opts.log, SL_WARN, "broker.lost",
               "the broker is away; events are answered 503 until it is back", why,
               sl_int("wait_ms", wait_ms));
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    (void)link;
    struct pub_intake *intake = arg;
    sl_series_set(intake->blocked, is_blocked ? 1 : 0);
    sl_series_set(intake->degraded, is_blocked ? 1 : 0);
    if (is_blocked) {
        sl_warn(intake->opts.log, "broker.blocked",
                "the broker takes no publishes (alarm); events are answered 503",
                sl_text("reason", reason));
    } else {
        sl_info(intake->opts.log, "broker.unblocked", "the broker takes publishes again");
    }
}

void pub_intake_free(struct pub_intake *intake)
{
    if (intake == NULL) {
        return;
    }
    sl_amqp_link_free(intake->link);
    for (size_t i = 0; intake->slots != NULL && i < WAITING_MAX; i++) {
        if (intake->slots[i].request != NULL) {
            pub_intake_answer(intake, intake->slots[i].request, PUB_UNAVAILABLE,
                              (struct sl_span){ NULL, 0 });
        }
    }
    sl_json_parser_free(intake->parser);
    sl_arena_done(&intake->arena);
    sl_buf_done(&intake->envelope);
    sl_buf_done(&intake->answer);
    free(intake->slots);
    free(intake);
}

void pub_intake_take(struct pub_intake *intake, const struct pub_source *source,
                     struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    const struct pub_webhook webhook = {
        .signature = sl_http_field(head, "Stripe-Signature"),
        .content_encoding = sl_http_field(head, "Content-Encoding"),
        .body = sl_http_request_body(request),
        .received_at_us = sl_http_request_received_us(request),
    };
    enum pub_answer refusal = PUB_NOT_AUTHENTIC;
    enum sl_signature_verdict verdict = SL_SIGNATURE_MISSING;
    struct sl_span nothing = { NULL, 0 };
    if (intake->is_draining) {
        count(intake, source->name, pub_answer_row(PUB_DRAINING)->outcome);
        pub_intake_answer(intake, request, PUB_DRAINING, nothing);
        return;
    }
    if (!pub_webhook_admit(source, &webhook, &refusal, &verdict)) {
        bool is_old = verdict == SL_SIGNATURE_STALE || verdict == SL_SIGNATURE_FUTURE;
        count(intake, source->name, is_old ? "stale" : pub_answer_row(refusal)->outcome);
        sl_info(intake->opts.log, "webhook.refused", "a request was refused; nothing was stored",
                sl_str("source", source->name),
                sl_str("reason", refusal == PUB_NOT_AUTHENTIC ? sl_signature_verdict_name(verdict)
                                                              : pub_answer_row(refusal)->outcome),
                sl_str("peer", sl_http_request_peer(request)),
                sl_int("body_bytes", (int64_t)webhook.body.bytes));
        pub_intake_answer(intake, request, refusal, nothing);
        return;
    }
    struct sl_err why = { 0 };
    struct sl_span id = { NULL, 0 };
    if (!publish(intake, source, request, &id, &why)) {
        enum pub_answer answer = why.code == SL_E_LIMIT ? PUB_OVERLOADED : PUB_UNAVAILABLE;
        count(intake, source->name, pub_answer_row(answer)->outcome);
        sl_log_err(intake->opts.log, SL_WARN, "publish.refused",
                   "nothing durable could be done; answered 503, the sender retries", &why,
                   sl_text("event_id", id), sl_str("source", source->name));
        pub_intake_answer(intake, request, answer, nothing);
    }
    sl_arena_reset(&intake->arena);
}

static bool publish(struct pub_intake *intake, const struct pub_source *source,
                    struct sl_http_request *request, struct sl_span *out_id, struct sl_err *err)
{
    struct sl_envelope envelope = {
        .source = sl_span_of(source->name),
        .received_at_us = sl_http_request_received_us(request),
        .content_type = sl_http_field(sl_http_request_head(request), "Content-Type"),
    };
    if (!pub_event_facts(intake->parser, &intake->arena, sl_http_request_body(request), &envelope,
                         err)) {
        return false;
    }
    *out_id = envelope.id;
    if (intake->first_free == WAITING_MAX) {
        return sl_fail(err, SL_E_LIMIT, "%u publishes wait for their confirm already", WAITING_MAX);
    }
    sl_buf_reset(&intake->envelope);
    struct sl_span key = pub_routing_key(&intake->arena, envelope.source, envelope.type);
    if (key.data == NULL || !sl_envelope_encode(&envelope, &intake->envelope, err)) {
        return key.data != NULL ? false
                                : sl_fail(err, SL_E_MEMORY, "no memory for the routing key");
    }
    const struct sl_amqp_message message = {
        .exchange = "sluice.events",
        .routing_key = key,
        .message_id = envelope.id,
        .type = envelope.type,
        .content_type = SL_SPAN_LITERAL("application/msgpack"),
        .app_id = SL_SPAN_LITERAL("sluice"),
        .timestamp_s = envelope.received_at_us / 1000000,
        .body = sl_buf_span(&intake->envelope),
    };
    uint32_t index = intake->first_free;
    if (!sl_amqp_publish(intake->link, &message, index, err)) {
        return false;
    }
    struct waiting *slot = &intake->slots[index];
    intake->first_free = slot->next_free;
    slot->request = request;
    slot->source = source;
    slot->published_us = sl_clock_mono_us();
    snprintf(slot->id, sizeof slot->id, "%.*s", SL_SPAN_ARGS(envelope.id));
    intake->waiting++;
    sl_series_set(intake->inflight, (int64_t)intake->waiting);
    return true;
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    struct pub_intake *intake = arg;
    SL_ASSERT(cookie < WAITING_MAX);
    struct waiting *slot = &intake->slots[cookie];
    SL_ASSERT(slot->request != NULL);
    struct sl_http_request *request = slot->request;
    slot->request = NULL;
    slot->next_free = intake->first_free;
    intake->first_free = (uint32_t)cookie;
    intake->waiting--;
    sl_series_set(intake->inflight, (int64_t)intake->waiting);
    sl_series_add(sl_metrics_series(intake->opts.metrics, SL_M_PUBLISH,
                                    sl_publish_outcome_name(outcome), NULL),
                  1);

    enum pub_answer answer = pub_answer_for(outcome);
    count(intake, slot->source->name, pub_answer_row(answer)->outcome);
    if (answer == PUB_CONFIRMED) {
        sl_series_observe_us(intake->confirm_seconds, sl_clock_mono_us() - slot->published_us);
        sl_debug(intake->opts.log, "publish.confirmed", "the broker holds the event",
                 sl_str("event_id", slot->id));
    } else {
        sl_warn(intake->opts.log, "publish.unconfirmed",
                "the broker did not take the event; answered 503, the sender retries",
                sl_str("event_id", slot->id), sl_str("source", slot->source->name),
                sl_str("reason", sl_publish_outcome_name(outcome)));
    }
    pub_intake_answer(intake, request, answer, sl_span_of(slot->id));
}

static void count(struct pub_intake *intake, const char *source, const char *outcome)
{
    sl_series_add(sl_metrics_series(intake->opts.metrics, SL_M_EVENTS_RECEIVED, source, outcome),
                  1);
}

void pub_intake_answer(struct pub_intake *intake, struct sl_http_request *request,
                       enum pub_answer answer, struct sl_span id)
{
    const struct pub_answer_row *row = pub_answer_row(answer);
    struct sl_http_reply reply = { .status = row->status,
                                   .retry_after_s = row->retry_after_s,
                                   .body = sl_span_of(row->body) };
    if (answer == PUB_CONFIRMED) {
        sl_buf_reset(&intake->answer);
        pub_answer_confirmed(id, &intake->answer);
        reply.body = sl_buf_span(&intake->answer);
    }
    if (answer == PUB_BAD_METHOD) {
        reply.allow = "POST";
    }
    sl_http_reply(request, &reply);
}

bool pub_intake_is_ready(const struct pub_intake *intake)
{
    return !intake->is_draining && sl_amqp_link_state(intake->link) == SL_AMQP_UP;
}

bool pub_intake_has_tried(const struct pub_intake *intake)
{
    return sl_amqp_link_has_tried(intake->link);
}

size_t pub_intake_waiting(const struct pub_intake *intake)
{
    return intake->waiting;
}

void pub_intake_drain(struct pub_intake *intake)
{
    intake->is_draining = true;
}
