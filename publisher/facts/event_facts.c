#include "publisher/facts/event_facts.h"

#include "publisher/facts/body_shape.h"
#include "publisher/facts/json_facts.h"
#include "shared/digest.h"

#define EVENT_NODES_MAX 4096u

static bool name_by_digest(struct sl_arena *arena, struct sl_envelope *envelope,
                           struct sl_err *err);
static const struct sl_json *find(const struct sl_json *root, const char *paths);
static struct sl_span read_type(const struct sl_fact_rules *rules, const struct sl_json *root,
                                struct sl_arena *arena);
static struct sl_span read_id(const struct sl_json *value, struct sl_arena *arena);

bool pub_event_facts(struct sl_json_parser *parser, struct sl_arena *arena,
                     const struct sl_fact_rules *rules, const struct pub_received *received,
                     struct sl_envelope *out_envelope, struct sl_err *err)
{
    struct sl_err unread = { 0 };
    const struct sl_json *root =
        sl_json_parse(parser, arena, received->body, rules->depth, EVENT_NODES_MAX, &unread);
    out_envelope->body = received->body;
    out_envelope->account = SL_SPAN_LITERAL("");
    out_envelope->type = SL_SPAN_LITERAL("unparsed");
    out_envelope->id =
        received->signed_id.bytes > 0 ? received->signed_id : read_id(find(root, rules->id), arena);
    const struct sl_json *account = find(root, rules->account);
    struct sl_span account_id = pub_json_name(account, arena, SL_EVENT_ID_BYTES_MAX);
    bool has_odd_account = !sl_json_is_null(account) && account_id.data == NULL;
    bool needs_id = rules->id[0] != '\0';
    if ((needs_id && out_envelope->id.data == NULL) || has_odd_account) {
        return name_by_digest(arena, out_envelope, err);
    }
    if (out_envelope->id.data == NULL && !name_by_digest(arena, out_envelope, err)) {
        return false;
    }
    out_envelope->livemode =
        rules->livemode[0] == '\0' || sl_json_true(find(root, rules->livemode));
    if (!pub_json_time(find(root, rules->occurred_at), arena, &out_envelope->occurred_at_s)) {
        out_envelope->occurred_at_s = 0;
    }
    out_envelope->object = read_id(find(root, rules->object), arena);
    if (account_id.data != NULL) {
        out_envelope->account = account_id;
    }
    struct sl_span type = read_type(rules, root, arena);
    if (type.data != NULL) {
        out_envelope->type = type;
    }
    return true;
}

/* The first of several paths that leads to something. */
static const struct sl_json *find(const struct sl_json *root, const char *paths)
{
    struct sl_span rest = sl_span_of(paths);
    struct sl_span path = { 0 };
    while (sl_span_split(&rest, ',', &path) && path.bytes > 0) {
        const struct sl_json *found = sl_json_at_span(root, path);
        if (!sl_json_is_null(found)) {
            return found;
        }
    }
    return NULL;
}

static struct sl_span read_type(const struct sl_fact_rules *rules, const struct sl_json *root,
                                struct sl_arena *arena)
{
    struct sl_span type = pub_json_name(find(root, rules->type), arena, SL_EVENT_TYPE_BYTES_MAX);
    if (type.data == NULL) {
        type = pub_body_type(rules->shape, root, arena);
    }
    if (type.data == NULL && root != NULL && rules->type_rest[0] != '\0') {
        type = sl_span_of(rules->type_rest);
    }
    return type;
}

/* Some senders number their things. */
static struct sl_span read_id(const struct sl_json *value, struct sl_arena *arena)
{
    int64_t number = 0;
    return sl_json_int(value, &number) ? sl_json_number_text(value)
                                       : pub_json_name(value, arena, SL_EVENT_ID_BYTES_MAX);
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
