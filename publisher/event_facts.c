#include "publisher/event_facts.h"

#include <stdio.h>

#include "shared/digest.h"
#include "shared/routing_key.h"

#define EVENT_DEPTH_MAX 3u /* root, data, data.object: what lies below stays closed */
#define EVENT_NODES_MAX 4096u
#define YEAR_10000_S                                                                               \
    INT64_C(253402300800) /* later times are not times Postgres or people can use */

static bool name_by_digest(struct sl_arena *arena, struct sl_envelope *envelope,
                           struct sl_err *err);
static struct sl_span read_name(const struct sl_json *value, struct sl_arena *arena,
                                size_t bytes_max);
static bool is_name_byte(unsigned char byte);

bool pub_event_facts(struct sl_json_parser *parser, struct sl_arena *arena, struct sl_span body,
                     struct sl_envelope *out_envelope, struct sl_err *err)
{
    struct sl_err unread = { 0 };
    const struct sl_json *root =
        sl_json_parse(parser, arena, body, EVENT_DEPTH_MAX, EVENT_NODES_MAX, &unread);
    out_envelope->body = body;
    out_envelope->account = SL_SPAN_LITERAL("");
    out_envelope->type = SL_SPAN_LITERAL("unparsed");
    out_envelope->id = read_name(sl_json_get(root, "id"), arena, SL_EVENT_ID_BYTES_MAX);
    const struct sl_json *account = sl_json_get(root, "account");
    struct sl_span account_id = read_name(account, arena, SL_EVENT_ID_BYTES_MAX);
    bool has_odd_account = !sl_json_is_null(account) && account_id.data == NULL;
    if (out_envelope->id.data == NULL || has_odd_account) {
        return name_by_digest(arena, out_envelope, err);
    }
    struct sl_span type = read_name(sl_json_get(root, "type"), arena, SL_EVENT_TYPE_BYTES_MAX);
    if (type.data != NULL) {
        out_envelope->type = type;
    }
    if (account_id.data != NULL) {
        out_envelope->account = account_id;
    }
    out_envelope->livemode = sl_json_true(sl_json_get(root, "livemode"));
    out_envelope->object =
        read_name(sl_json_at(root, "data.object.id"), arena, SL_EVENT_ID_BYTES_MAX);
    int64_t created_s = 0;
    if (sl_json_int(sl_json_get(root, "created"), &created_s) && created_s >= 0 &&
        created_s < YEAR_10000_S) {
        out_envelope->occurred_at_s = created_s;
    }
    return true;
}

static bool name_by_digest(struct sl_arena *arena, struct sl_envelope *envelope, struct sl_err *err)
{
    uint8_t hash[SL_SHA256_BYTES];
    char text[sizeof "sha256:" + SL_SHA256_HEX_BYTES] = "sha256:";
    if (!sl_sha256(envelope->body, hash)) {
        return sl_fail(err, SL_E_MEMORY, "cannot hash the body");
    }
    sl_hex_encode(hash, sizeof hash, text + strlen("sha256:"));
    envelope->id = sl_arena_copy(arena, sl_span_of(text));
    return envelope->id.data != NULL || sl_fail(err, SL_E_MEMORY, "no memory for the event id");
}

/* A string of 1..bytes_max visible ASCII bytes, or absent: what every store, log and header can carry unchanged. */
static struct sl_span read_name(const struct sl_json *value, struct sl_arena *arena,
                                size_t bytes_max)
{
    struct sl_span text = sl_json_text(value, arena, false, NULL);
    if (text.data == NULL || text.bytes == 0 || text.bytes > bytes_max) {
        return (struct sl_span){ NULL, 0 };
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (!is_name_byte((unsigned char)text.data[i])) {
            return (struct sl_span){ NULL, 0 };
        }
    }
    return text;
}

static bool is_name_byte(unsigned char byte)
{
    return byte > 0x20 && byte < 0x7F;
}

struct sl_span pub_routing_key(struct sl_arena *arena, struct sl_span source, struct sl_span type)
{
    struct sl_span last = sl_routing_key_type(type);
    size_t bytes = source.bytes + 1 + last.bytes;
    char *key = sl_arena_alloc(arena, bytes + 1);
    if (key == NULL) {
        return (struct sl_span){ NULL, 0 };
    }
    snprintf(key, bytes + 1, "%.*s.%.*s", SL_SPAN_ARGS(source), SL_SPAN_ARGS(last));
    return sl_span_make(key, bytes);
}
