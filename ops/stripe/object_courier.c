#include "ops/stripe/object_courier.h"

#include <stdlib.h>

#include "ops/trigger/courier.h"
#include "shared/clock.h"
#include "shared/event/event_message.h"
#include "shared/stripe/stripe_observed.h"
#include "shared/stripe/stripe_whole.h"

#define ARENA_BYTES_MAX (64u * 1024u * 1024u)
#define DEPTH_MAX       4u
#define NODES_MAX       1000000u
#define PATH_BYTES_MAX  1024u
#define US_PER_S        1000000

struct ops_object_courier {
    const struct ops_address *address;
    struct ops_stripe_api *api;
    struct ops_courier *courier; /* from the first object on */
    int64_t gap_us;              /* between two */
    struct sl_json_parser *parser;
    struct sl_arena arena; /* of the object in hand */
    struct sl_stripe_whole whole;
};

static bool put_together(struct ops_object_courier *courier, const char *account,
                         const struct sl_json **object, struct sl_buf *text, struct sl_err *err);
static bool fetch_rest(struct ops_object_courier *courier, const char *account, struct sl_err *err);
static bool publish(struct ops_object_courier *courier, const struct sl_envelope *event,
                    bool *out_is_confirmed, struct sl_err *err);

struct ops_object_courier *ops_object_courier_new(const struct ops_address *address,
                                                  struct ops_stripe_api *api, int64_t rate,
                                                  struct sl_err *err)
{
    SL_AUTO(ops_object_courier_free)
    struct ops_object_courier *courier = calloc(1, sizeof *courier);
    if (courier != NULL) {
        courier->address = address;
        courier->api = api;
        courier->gap_us = US_PER_S / rate;
        sl_arena_init(&courier->arena, ARENA_BYTES_MAX);
        courier->parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
    }
    if (courier == NULL || courier->parser == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory to publish Stripe's objects");
        return NULL;
    }
    return SL_TAKE(courier);
}

void ops_object_courier_free(struct ops_object_courier *courier)
{
    if (courier != NULL) {
        ops_courier_free(courier->courier);
        sl_json_parser_free(courier->parser);
        sl_stripe_whole_done(&courier->whole);
        sl_arena_done(&courier->arena);
        free(courier);
    }
}

bool ops_object_courier_send(struct ops_object_courier *courier, const struct ops_object_seen *seen,
                             bool *out_is_confirmed, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    struct sl_envelope event = { 0 };
    sl_buf_init(&text, SL_EVENT_BODY_BYTES_MAX);
    sl_buf_init(&body, SL_ENVELOPE_BYTES_MAX);
    sl_arena_reset(&courier->arena);
    const struct sl_json *object =
        sl_json_parse(courier->parser, &courier->arena, seen->text, DEPTH_MAX, NODES_MAX, err);
    if (object == NULL || !put_together(courier, seen->account, &object, &text, err)) {
        return false;
    }
    const struct sl_stripe_observation observation = {
        .object = object,
        .account = seen->account,
        .livemode = ops_stripe_api_is_live(courier->api),
        .date_s = seen->date_s,
        .elapsed_us = seen->elapsed_us,
        .now_us = sl_clock_wall_us(),
    };
    return sl_stripe_observed(&observation, &courier->arena, &body, &event, err) &&
           publish(courier, &event, out_is_confirmed, err);
}

/* A list that no event can hold stays as Stripe showed it. */
static bool put_together(struct ops_object_courier *courier, const char *account,
                         const struct sl_json **object, struct sl_buf *text, struct sl_err *err)
{
    if (!sl_stripe_whole_begin(&courier->whole, *object, &courier->arena)) {
        return true;
    }
    struct sl_err why = { 0 };
    const struct sl_json *whole = NULL;
    if (fetch_rest(courier, account, &why) &&
        sl_stripe_whole_write(&courier->whole, *object, text, &why)) {
        whole = sl_json_parse(courier->parser, &courier->arena, sl_buf_span(text), DEPTH_MAX,
                              NODES_MAX, &why);
    }
    if (whole == NULL && why.code != SL_E_LIMIT) {
        return sl_fail(err, why.code, "%s", why.text);
    }
    *object = whole == NULL ? *object : whole;
    return true;
}

static bool fetch_rest(struct ops_object_courier *courier, const char *account, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf path = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf query = { 0 };
    sl_buf_init(&path, PATH_BYTES_MAX);
    sl_buf_init(&query, PATH_BYTES_MAX);
    for (bool has_more = true; has_more;) {
        const struct sl_json *page = NULL;
        sl_stripe_whole_ask(&courier->whole, &path, &query);
        if (!sl_buf_ok(&path) || !sl_buf_ok(&query)) {
            return sl_fail(err, SL_E_LIMIT, "the id of an object at Stripe is too long");
        }
        if (!ops_stripe_api_get(courier->api, sl_buf_span(&path).data, sl_buf_span(&query), account,
                                &page, err) ||
            !sl_stripe_whole_take(&courier->whole, page, &courier->arena, &has_more, err)) {
            return false;
        }
    }
    return true;
}

static bool publish(struct ops_object_courier *courier, const struct sl_envelope *event,
                    bool *out_is_confirmed, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    sl_buf_init(&bytes, SL_ENVELOPE_BYTES_MAX);
    if (courier->courier == NULL) {
        courier->courier = ops_courier_new(courier->address, err);
    }
    if (courier->courier == NULL || !sl_envelope_encode(event, &bytes, err)) {
        return false;
    }
    struct sl_span key = sl_event_routing_key(&courier->arena, event->source, event->type);
    if (key.data == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a message");
    }
    const struct sl_amqp_message message = sl_event_message(event, key, sl_buf_span(&bytes));
    enum sl_publish_outcome outcome = SL_PUBLISH_NACKED;
    if (!ops_courier_send(courier->courier, &message, 1, courier->gap_us, &outcome, err)) {
        return false;
    }
    *out_is_confirmed = outcome == SL_PUBLISH_CONFIRMED;
    return true;
}
