/*
 * The path of a call: it takes a free slot and its timer is armed for its turn (the rate hands out turns, one after the other); when the timer fires it
 * is sent; what is heard is put to stripe_retry, which arms the timer again or lets the owner hear it.
 */
#include "shared/stripe/stripe_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/digest.h"
#include "shared/http/http_client.h"

#define URL_BYTES_MAX     8192u
#define FIELD_BYTES       512u
#define FIELDS_MAX        6u
#define BODY_BYTES_MAX    (1024u * 1024u)
#define ANSWER_BYTES_MAX  (32u * 1024u * 1024u) /* a page of 100 large events */
#define CONNECT_MS        5000
#define ANSWER_MS         20000
#define IDEMPOTENCY_BYTES 16u
#define US_PER_S          1000000

struct slot {
    struct sl_stripe_client *client;
    struct sl_timer *timer; /* until its turn, or until the next try */
    bool is_taken;
    char method[8];
    struct sl_buf url;
    struct sl_buf body;
    bool has_body;
    char account[FIELD_BYTES];
    char idempotency[FIELD_BYTES]; /* "" for what is no POST */
    unsigned tries;
    int64_t until_us; /* monotonic: no try ends later; 0: no such limit */
    void (*on_answer)(const struct sl_stripe_answer *answer, void *arg);
    void *arg;
};

struct sl_stripe_client {
    struct sl_loop *loop;
    struct sl_http_client *http;
    char *base;
    char *authorization; /* the whole field; wiped */
    int64_t gap_us;      /* between two calls */
    int64_t turn_us;     /* monotonic: when the next call may go */
    int64_t answer_us;
    int64_t budget_us;
    struct slot slots[SL_STRIPE_CALLS_MAX];
};

static bool make_slots(struct sl_stripe_client *client);
static struct slot *free_slot(struct sl_stripe_client *client);
static bool fill(struct slot *slot, const struct sl_stripe_call *call, struct sl_err *err);
static bool fill_url(struct slot *slot, const struct sl_stripe_call *call);
static bool fill_idempotency(struct slot *slot, const struct sl_stripe_call *call);
static void wait_for_turn(struct slot *slot, int64_t wait_ms);
static void send_try(void *arg);
static void on_http_answer(const struct sl_http_answer *heard, void *arg);
static bool has_time(const struct slot *slot, int64_t wait_ms);
static void settle(struct slot *slot, const struct sl_http_answer *heard);

struct sl_stripe_client *sl_stripe_client_new(const struct sl_stripe_client_opts *opts,
                                              struct sl_err *err)
{
    SL_AUTO(sl_stripe_client_free) struct sl_stripe_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a client of Stripe");
        return NULL;
    }
    client->loop = opts->loop;
    client->base = strdup(opts->base == NULL ? SL_STRIPE_API_BASE : opts->base);
    client->gap_us = US_PER_S / (opts->rate > 0 ? opts->rate : SL_STRIPE_RATE);
    client->answer_us = 1000 * (opts->answer_ms > 0 ? opts->answer_ms : ANSWER_MS);
    client->budget_us = 1000 * opts->budget_ms;
    if (client->base == NULL || !make_slots(client) ||
        asprintf(&client->authorization, "Authorization: Bearer %s", opts->key) < 0) {
        sl_fail(err, SL_E_MEMORY, "no memory for a client of Stripe");
        return NULL;
    }
    size_t end = strlen(client->base);
    if (end > 0 && client->base[end - 1] == '/') {
        client->base[end - 1] = '\0';
    }
    client->http = sl_http_client_new(
        &(struct sl_http_client_opts){
            .loop = opts->loop,
            .transfers_max = SL_STRIPE_CALLS_MAX,
            .connections_max = SL_STRIPE_CALLS_MAX,
            .connect_ms = CONNECT_MS,
            .total_ms = client->answer_us / 1000,
            .answer_bytes_max = ANSWER_BYTES_MAX,
        },
        err);
    return client->http == NULL ? NULL : SL_TAKE(client);
}

static bool make_slots(struct sl_stripe_client *client)
{
    for (size_t i = 0; i < SL_STRIPE_CALLS_MAX; i++) {
        struct slot *slot = &client->slots[i];
        slot->client = client;
        slot->timer = sl_timer_new(client->loop, send_try, slot);
        sl_buf_init(&slot->url, URL_BYTES_MAX);
        sl_buf_init(&slot->body, BODY_BYTES_MAX);
        if (slot->timer == NULL) {
            return false;
        }
    }
    return true;
}

void sl_stripe_client_free(struct sl_stripe_client *client)
{
    if (client == NULL) {
        return;
    }
    sl_http_client_free(client->http);
    for (size_t i = 0; i < SL_STRIPE_CALLS_MAX; i++) {
        sl_timer_free(client->slots[i].timer);
        sl_buf_done(&client->slots[i].url);
        sl_buf_done(&client->slots[i].body);
    }
    if (client->authorization != NULL) {
        explicit_bzero(client->authorization, strlen(client->authorization));
    }
    free(client->authorization);
    free(client->base);
    free(client);
}

bool sl_stripe_client_call(struct sl_stripe_client *client, const struct sl_stripe_call *call,
                           void (*on_answer)(const struct sl_stripe_answer *answer, void *arg),
                           void *arg, struct sl_err *err)
{
    struct slot *slot = free_slot(client);
    if (slot == NULL) {
        return sl_fail(err, SL_E_LIMIT, "%u calls to Stripe are under way", SL_STRIPE_CALLS_MAX);
    }
    if (!fill(slot, call, err)) {
        return false;
    }
    slot->is_taken = true;
    slot->tries = 0;
    slot->until_us = client->budget_us == 0 ? 0 : sl_clock_mono_us() + client->budget_us;
    slot->on_answer = on_answer;
    slot->arg = arg;
    wait_for_turn(slot, 0);
    return true;
}

static struct slot *free_slot(struct sl_stripe_client *client)
{
    for (size_t i = 0; i < SL_STRIPE_CALLS_MAX; i++) {
        if (!client->slots[i].is_taken) {
            return &client->slots[i];
        }
    }
    return NULL;
}

static bool fill(struct slot *slot, const struct sl_stripe_call *call, struct sl_err *err)
{
    const char *account = call->account == NULL ? "" : call->account;
    SL_ASSERT(strlen(call->method) < sizeof slot->method);
    snprintf(slot->method, sizeof slot->method, "%s", call->method);
    bool is_filled = snprintf(slot->account, sizeof slot->account, "Stripe-Account: %s", account) <
                     (int)sizeof slot->account;
    if (account[0] == '\0') {
        slot->account[0] = '\0';
    }
    if (!is_filled || !fill_url(slot, call) || !fill_idempotency(slot, call)) {
        return sl_fail(err, SL_E_LIMIT, "a call to Stripe that long cannot be made");
    }
    return true;
}

static bool fill_url(struct slot *slot, const struct sl_stripe_call *call)
{
    bool is_query = strcmp(call->method, "POST") != 0;
    sl_buf_reset(&slot->url);
    sl_buf_reset(&slot->body);
    sl_buf_printf(&slot->url, "%s%s", slot->client->base, call->path);
    if (is_query && call->form.bytes > 0) {
        sl_buf_append_char(&slot->url, '?');
        sl_buf_append_span(&slot->url, call->form);
    }
    slot->has_body = !is_query;
    if (slot->has_body) {
        sl_buf_append_span(&slot->body, call->form);
    }
    return sl_buf_ok(&slot->url) && sl_buf_ok(&slot->body);
}

static bool fill_idempotency(struct slot *slot, const struct sl_stripe_call *call)
{
    slot->idempotency[0] = '\0';
    if (strcmp(call->method, "POST") != 0) {
        return true;
    }
    char made[2 * IDEMPOTENCY_BYTES + 1] = "";
    const char *key = call->idempotency_key;
    if (key == NULL) {
        uint8_t random[IDEMPOTENCY_BYTES];
        if (!sl_random_bytes(random, sizeof random)) {
            return false;
        }
        sl_hex_encode(random, sizeof random, made);
        key = made;
    }
    return snprintf(slot->idempotency, sizeof slot->idempotency, "Idempotency-Key: %s", key) <
           (int)sizeof slot->idempotency;
}

/* Turns are handed out one gap apart, in the order they are asked for; wait_ms: not before. */
static void wait_for_turn(struct slot *slot, int64_t wait_ms)
{
    struct sl_stripe_client *client = slot->client;
    int64_t now_us = sl_clock_mono_us();
    int64_t at_us = now_us + wait_ms * 1000;
    at_us = client->turn_us > at_us ? client->turn_us : at_us;
    if (wait_ms == 0) {
        client->turn_us = at_us + client->gap_us; /* a retry takes no turn from those that wait */
    }
    sl_timer_arm(slot->timer, (at_us - now_us + 999) / 1000);
}

static void send_try(void *arg)
{
    struct slot *slot = arg;
    const char *fields[FIELDS_MAX + 1] = {
        slot->client->authorization,
        "Stripe-Version: " SL_STRIPE_API_VERSION,
    };
    size_t count = 2;
    if (slot->has_body) {
        fields[count++] = "Content-Type: application/x-www-form-urlencoded";
        fields[count++] = slot->idempotency;
    }
    if (slot->account[0] != '\0') {
        fields[count++] = slot->account;
    }
    const struct sl_http_call call = {
        .method = slot->method,
        .url = sl_buf_span(&slot->url).data,
        .fields = fields,
        .body = slot->has_body ? sl_buf_span(&slot->body) : (struct sl_span){ 0 },
    };
    struct sl_err err = { 0 };
    slot->tries++;
    if (!sl_http_client_call(slot->client->http, &call, on_http_answer, slot, &err)) {
        on_http_answer(&(struct sl_http_answer){ .err = &err }, slot);
    }
}

static void on_http_answer(const struct sl_http_answer *heard, void *arg)
{
    struct slot *slot = arg;
    uint64_t random = 0;
    bool is_random = sl_random_bytes(&random, sizeof random);
    const struct sl_stripe_try try = { .status = heard->status,
                                       .retry_after_s = heard->retry_after_s,
                                       .tries = slot->tries };
    int64_t wait_ms = sl_stripe_retry_ms(&try, is_random ? random : slot->tries);
    if (wait_ms < 0 || !has_time(slot, wait_ms)) {
        settle(slot, heard);
    } else {
        wait_for_turn(slot, wait_ms);
    }
}

/* A try that could end too late is not begun. */
static bool has_time(const struct slot *slot, int64_t wait_ms)
{
    int64_t end_us = sl_clock_mono_us() + wait_ms * 1000 + slot->client->answer_us;
    return slot->until_us == 0 || end_us <= slot->until_us;
}

/* The slot is free before the owner hears: it may make the next call at once. */
static void settle(struct slot *slot, const struct sl_http_answer *heard)
{
    const struct sl_stripe_answer answer = {
        .status = heard->status,
        .body = heard->body,
        .elapsed_us = heard->elapsed_us,
        .date_s = heard->date_s,
        .retry_after_s = heard->retry_after_s,
        .is_replayed = sl_span_is(sl_http_answer_field(heard, "Idempotent-Replayed"), "true"),
        .request_id = sl_http_answer_field(heard, "Request-Id"),
        .tries = slot->tries,
        .err = heard->err,
    };
    slot->is_taken = false;
    slot->on_answer(&answer, slot->arg);
}
