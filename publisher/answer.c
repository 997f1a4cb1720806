#include "publisher/answer.h"

#include "shared/json/json_write.h"

/* Stripe retries for three days with growing pauses; Retry-After only spreads other senders. */
#define RETRY_SOON_S  1
#define RETRY_LATER_S 30

static const struct pub_answer_row rows[PUB_ANSWERS] = {
    [PUB_CONFIRMED] = { 200, 0, "accepted", NULL },
    [PUB_JOURNALED] = { 202, 0, "journaled", NULL },
    [PUB_DROPPED] = { 202, 0, "dropped", NULL },
    [PUB_NOT_AUTHENTIC] = { 400, 0, "bad_signature", "{\"error\":\"not authentic\"}" },
    [PUB_MALFORMED] = { 400, 0, "malformed", "{\"error\":\"malformed\"}" },
    [PUB_FORBIDDEN] = { 403, 0, "forbidden", "{\"error\":\"forbidden\"}" },
    [PUB_EMPTY] = { 400, 0, "malformed", "{\"error\":\"empty body\"}" },
    [PUB_ENCODED] = { 415, 0, "malformed", "{\"error\":\"content encoding is not supported\"}" },
    [PUB_LENGTH_MISSING] = { 411, 0, "malformed", "{\"error\":\"length required\"}" },
    [PUB_NOT_FOUND] = { 404, 0, "not_found", "{\"error\":\"not found\"}" },
    [PUB_BAD_METHOD] = { 405, 0, "bad_method", "{\"error\":\"method not allowed\"}" },
    [PUB_DISABLED] = { 503, RETRY_LATER_S, "disabled", "{\"error\":\"disabled\"}" },
    [PUB_DRAINING] = { 503, RETRY_SOON_S, "draining", "{\"error\":\"shutting down\"}" },
    [PUB_HELD_BACK] = { 503, RETRY_SOON_S, "held_back", "{\"error\":\"held back\"}" },
    [PUB_OVERLOADED] = { 503, RETRY_SOON_S, "overloaded", "{\"error\":\"overloaded\"}" },
    [PUB_UNAVAILABLE] = { 503, RETRY_LATER_S, "unavailable",
                          "{\"error\":\"temporarily unavailable\"}" },
    [PUB_LATE] = { 503, RETRY_LATER_S, "late", "{\"error\":\"temporarily unavailable\"}" },
};

const struct pub_answer_row *pub_answer_row(enum pub_answer answer)
{
    SL_ASSERT(answer < PUB_ANSWERS);
    return &rows[answer];
}

void pub_answer_received(enum pub_answer answer, struct sl_span id, bool is_durable,
                         struct sl_buf *out)
{
    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    sl_json_put_bool(&json, "received", true);
    sl_json_put_text(&json, "id", id);
    if (answer != PUB_CONFIRMED) {
        sl_json_put_bool(&json, "degraded", true);
    }
    if (answer == PUB_DROPPED) {
        sl_json_put_bool(&json, "stored", false);
    } else if (answer == PUB_JOURNALED && !is_durable) {
        sl_json_put_bool(&json, "durable", false);
    }
    sl_json_object_end(&json);
}
