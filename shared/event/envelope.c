#include "shared/event/envelope.h"

#include <stddef.h>

#include <msgpack.h>

#include "shared/utf8.h"

/* What may be in an envelope of any version, so that the library never allocates more than a few hundred KiB. */
#define NESTING_MAX 16u
#define VALUES_MAX  4096u

/* Keys, heads and numbers of an envelope; its texts and body come on top. */
#define HEADS_BYTES_MAX 192u

enum kind { VERSION, TEXT, BOOL, TIME, BODY };

/* The map's keys. Times: bytes_max does not count, scale is what one second is. */
struct rule {
    const char *key;
    enum kind kind;
    bool is_required;
    size_t offset;
    size_t bytes_min;
    size_t bytes_max;
    int64_t scale;
};

#define AT(field) .offset = offsetof(struct sl_envelope, field)

static const struct rule rules[] = {
    { .key = "v", .kind = VERSION, .is_required = true },
    { .key = "id",
      .kind = TEXT,
      .is_required = true,
      AT(id),
      .bytes_min = 1,
      .bytes_max = SL_EVENT_ID_BYTES_MAX },
    { .key = "source",
      .kind = TEXT,
      .is_required = true,
      AT(source),
      .bytes_min = 1,
      .bytes_max = SL_EVENT_SOURCE_BYTES_MAX },
    { .key = "type",
      .kind = TEXT,
      .is_required = true,
      AT(type),
      .bytes_min = 1,
      .bytes_max = SL_EVENT_TYPE_BYTES_MAX },
    { .key = "account",
      .kind = TEXT,
      .is_required = true,
      AT(account),
      .bytes_max = SL_EVENT_ID_BYTES_MAX },
    { .key = "livemode", .kind = BOOL, .is_required = true, AT(livemode) },
    { .key = "object",
      .kind = TEXT,
      AT(object),
      .bytes_min = 1,
      .bytes_max = SL_EVENT_ID_BYTES_MAX },
    { .key = "occurred_at", .kind = TIME, .is_required = true, AT(occurred_at_s), .scale = 1 },
    { .key = "received_at",
      .kind = TIME,
      .is_required = true,
      AT(received_at_us),
      .scale = 1000000 },
    { .key = "deliver_at", .kind = TIME, AT(deliver_at_s), .scale = 1 },
    { .key = "content_type",
      .kind = TEXT,
      AT(content_type),
      .bytes_min = 1,
      .bytes_max = SL_EVENT_CONTENT_TYPE_BYTES_MAX },
    { .key = "body",
      .kind = BODY,
      .is_required = true,
      AT(body),
      .bytes_max = SL_EVENT_BODY_BYTES_MAX },
};

/* One MessagePack value without what is inside it. */
struct head {
    size_t bytes;    /* of the head and, for texts and the like, of the value */
    size_t children; /* values inside; a map's pairs count twice */
};

static bool is_said(const struct rule *rule, const struct sl_envelope *envelope);
static bool is_allowed(const struct rule *rule, struct sl_span text);
static struct sl_span behind_ascii(struct sl_span text);
static int append(void *out, const char *data, size_t bytes);
static void pack(msgpack_packer *packer, const struct rule *rule,
                 const struct sl_envelope *envelope);
static void pack_text(msgpack_packer *packer, struct sl_span text);
static bool is_bounded(struct sl_span bytes);
static bool read_head(struct sl_span bytes, struct head *out_head);
static uint64_t read_size(const unsigned char *at, size_t bytes);
static bool check_version(const msgpack_object_map *map, struct sl_err *err);
static bool take(const struct rule *rule, const msgpack_object *value,
                 struct sl_envelope *envelope);

static inline struct sl_span *text_at(struct sl_envelope *envelope, const struct rule *rule)
{
    return (struct sl_span *)(void *)((char *)envelope + rule->offset);
}

static inline struct sl_span text_of(const struct sl_envelope *envelope, const struct rule *rule)
{
    return *(const struct sl_span *)(const void *)((const char *)envelope + rule->offset);
}

bool sl_envelope_encode(const struct sl_envelope *envelope, struct sl_buf *out, struct sl_err *err)
{
    bool is_present[SL_COUNT(rules)];
    size_t count = 0;
    size_t bytes_max = HEADS_BYTES_MAX;
    for (size_t i = 0; i < SL_COUNT(rules); i++) {
        bool is_span = rules[i].kind == TEXT || rules[i].kind == BODY;
        struct sl_span text = is_span ? text_of(envelope, &rules[i]) : (struct sl_span){ NULL, 0 };
        is_present[i] = is_span ? is_allowed(&rules[i], text) : is_said(&rules[i], envelope);
        if (!is_present[i] && rules[i].is_required) {
            return sl_fail(err, SL_E_LIMIT, "an event with such a %s has no envelope",
                           rules[i].key);
        }
        count += is_present[i] ? 1 : 0;
        bytes_max += is_present[i] ? text.bytes : 0;
    }
    if (sl_buf_reserve(out, bytes_max) == NULL) {
        return sl_fail(err, SL_E_LIMIT, "no room for an envelope of %zu bytes", bytes_max);
    }
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    msgpack_pack_map(&packer, count);
    for (size_t i = 0; i < SL_COUNT(rules); i++) {
        if (is_present[i]) {
            pack_text(&packer, sl_span_of(rules[i].key));
            pack(&packer, &rules[i], envelope);
        }
    }
    if (!sl_buf_ok(out)) {
        return sl_fail(err, SL_E_LIMIT, "no room for an envelope");
    }
    return true;
}

/* An optional time is left out when it is 0. */
static bool is_said(const struct rule *rule, const struct sl_envelope *envelope)
{
    const char *field = (const char *)envelope + rule->offset;
    return rule->is_required || *(const int64_t *)(const void *)field != 0;
}

static bool is_allowed(const struct rule *rule, struct sl_span text)
{
    if (text.bytes < rule->bytes_min || text.bytes > rule->bytes_max) {
        return false;
    }
    if (rule->kind == TEXT) {
        text = behind_ascii(text);
    }
    while (rule->kind == TEXT && text.bytes > 0) {
        uint32_t code_point = 0;
        unsigned bytes = sl_utf8_next(text, &code_point);
        if (bytes == 0 || code_point == 0) {
            return false;
        }
        text = sl_span_make(text.data + bytes, text.bytes - bytes);
    }
    return true;
}

/* What is left from the first byte on that is not plain ASCII; nearly always nothing. */
static struct sl_span behind_ascii(struct sl_span text)
{
    size_t at = 0;
    while (at < text.bytes && text.data[at] != '\0' &&
           ((unsigned char)text.data[at] & 0x80u) == 0) {
        at++;
    }
    return at == 0 ? text : sl_span_make(text.data + at, text.bytes - at);
}

static int append(void *out, const char *data, size_t bytes)
{
    return sl_buf_append(out, data, bytes) ? 0 : -1;
}

static void pack(msgpack_packer *packer, const struct rule *rule,
                 const struct sl_envelope *envelope)
{
    const char *field = (const char *)envelope + rule->offset;
    switch (rule->kind) {
    case VERSION:
        msgpack_pack_int(packer, SL_ENVELOPE_VERSION);
        break;
    case TEXT:
        pack_text(packer, text_of(envelope, rule));
        break;
    case BOOL:
        *(const bool *)field ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
        break;
    case TIME: {
        int64_t time = *(const int64_t *)(const void *)field;
        bool is_known = time >= 0 && time / rule->scale <= SL_EVENT_TIME_S_MAX;
        msgpack_pack_int64(packer, is_known ? time : 0);
        break;
    }
    case BODY: {
        struct sl_span body = text_of(envelope, rule);
        msgpack_pack_bin(packer, body.bytes);
        msgpack_pack_bin_body(packer, body.data, body.bytes);
        break;
    }
    }
}

static void pack_text(msgpack_packer *packer, struct sl_span text)
{
    msgpack_pack_str(packer, text.bytes);
    msgpack_pack_str_body(packer, text.data, text.bytes);
}

bool sl_envelope_decode(struct sl_span bytes, struct sl_envelope *out_envelope, struct sl_err *err)
{
    if (!is_bounded(bytes)) {
        return sl_fail(err, SL_E_EVENT_MALFORMED, "%zu bytes are not one bounded MessagePack value",
                       bytes.bytes);
    }
    SL_DONE(msgpack_unpacked_destroy) msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t taken = 0;
    msgpack_unpack_return status = msgpack_unpack_next(&unpacked, bytes.data, bytes.bytes, &taken);
    if (status == MSGPACK_UNPACK_NOMEM_ERROR) {
        return sl_fail(err, SL_E_MEMORY, "no memory for an envelope");
    }
    if (status != MSGPACK_UNPACK_SUCCESS || taken != bytes.bytes ||
        unpacked.data.type != MSGPACK_OBJECT_MAP) {
        return sl_fail(err, SL_E_EVENT_MALFORMED, "not an envelope: no MessagePack map");
    }
    const msgpack_object_map *map = &unpacked.data.via.map;
    if (!check_version(map, err)) {
        return false;
    }

    struct sl_envelope envelope = { .id = { NULL, 0 } };
    bool is_seen[SL_COUNT(rules)] = { false };
    for (size_t i = 0; i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        for (size_t j = 0; j < SL_COUNT(rules) && key->type == MSGPACK_OBJECT_STR; j++) {
            if (!sl_span_is(sl_span_make(key->via.str.ptr, key->via.str.size), rules[j].key)) {
                continue;
            }
            if (is_seen[j] || !take(&rules[j], &map->ptr[i].val, &envelope)) {
                return sl_fail(err, SL_E_EVENT_MALFORMED, "not an envelope: bad or second \"%s\"",
                               rules[j].key);
            }
            is_seen[j] = true;
        }
    }
    for (size_t j = 0; j < SL_COUNT(rules); j++) {
        if (rules[j].is_required && !is_seen[j]) {
            return sl_fail(err, SL_E_EVENT_MALFORMED, "not an envelope: no \"%s\"", rules[j].key);
        }
    }
    *out_envelope = envelope;
    return true;
}

/* One value, whole, nothing behind it, within the limits of any version. Nothing is allocated. */
static bool is_bounded(struct sl_span bytes)
{
    size_t left[NESTING_MAX + 1] = { 1 }; /* values still to come, by level */
    size_t level = 0;
    size_t values = 0;
    if (bytes.bytes > SL_ENVELOPE_BYTES_MAX) {
        return false;
    }
    for (;;) {
        while (level > 0 && left[level] == 0) {
            level--;
        }
        if (left[level] == 0) {
            return bytes.bytes == 0;
        }
        left[level]--;
        struct head head = { 0 };
        values++;
        if (values > VALUES_MAX || !read_head(bytes, &head)) {
            return false;
        }
        bytes = sl_span_make(bytes.data + head.bytes, bytes.bytes - head.bytes);
        if (head.children > bytes.bytes || (head.children > 0 && level == NESTING_MAX)) {
            return false; /* every value takes a byte at least */
        }
        if (head.children > 0) {
            level++;
            left[level] = head.children;
        }
    }
}

/* Source: the MessagePack specification, "Formats". */
static bool read_head(struct sl_span bytes, struct head *out_head)
{
    /* clang-format off */
    enum { NOTHING, BYTES, VALUES, PAIRS };
    static const struct {
        unsigned char fixed;  /* bytes behind the first one */
        unsigned char size;   /* width of the size field at their start */
        unsigned char counts; /* what that size counts */
    } formats[32] = {
        { 0, 0, NOTHING }, { 0, 0, NOTHING }, { 0, 0, NOTHING }, { 0, 0, NOTHING }, /* nil, unused, false, true */
        { 1, 1, BYTES }, { 2, 2, BYTES }, { 4, 4, BYTES }, /* bin 8, 16, 32 */
        { 2, 1, BYTES }, { 3, 2, BYTES }, { 5, 4, BYTES }, /* ext 8, 16, 32, with their type */
        { 4, 0, NOTHING }, { 8, 0, NOTHING }, /* float 32, 64 */
        { 1, 0, NOTHING }, { 2, 0, NOTHING }, { 4, 0, NOTHING }, { 8, 0, NOTHING }, /* uint 8 to 64 */
        { 1, 0, NOTHING }, { 2, 0, NOTHING }, { 4, 0, NOTHING }, { 8, 0, NOTHING }, /* int 8 to 64 */
        { 2, 0, NOTHING }, { 3, 0, NOTHING }, { 5, 0, NOTHING }, { 9, 0, NOTHING }, { 17, 0, NOTHING }, /* fixext 1 to 16 */
        { 1, 1, BYTES }, { 2, 2, BYTES }, { 4, 4, BYTES }, /* str 8, 16, 32 */
        { 2, 2, VALUES }, { 4, 4, VALUES }, /* array 16, 32 */
        { 2, 2, PAIRS }, { 4, 4, PAIRS }, /* map 16, 32 */
    };
    /* clang-format on */
    if (bytes.bytes == 0) {
        return false;
    }
    const unsigned char *at = (const unsigned char *)bytes.data;
    unsigned char first = at[0];
    struct head head = { .bytes = 1 };
    if (first >= 0x80u && first <= 0x8fu) {
        head.children = 2 * (first & 0x0fu);
    } else if (first >= 0x90u && first <= 0x9fu) {
        head.children = first & 0x0fu;
    } else if (first >= 0xa0u && first <= 0xbfu) {
        head.bytes += first & 0x1fu;
    } else if (first == 0xc1u) {
        return false; /* never used */
    } else if (first >= 0xc0u && first <= 0xdfu) {
        size_t index = first - 0xc0u;
        head.bytes += formats[index].fixed;
        if (bytes.bytes < head.bytes) {
            return false;
        }
        uint64_t size = read_size(at + 1, formats[index].size);
        head.bytes += formats[index].counts == BYTES ? size : 0;
        head.children = formats[index].counts == VALUES  ? size
                        : formats[index].counts == PAIRS ? 2 * size
                                                         : 0;
    }
    if (bytes.bytes < head.bytes) {
        return false;
    }
    *out_head = head;
    return true;
}

/* Big-endian; 0 bytes are 0. */
static uint64_t read_size(const unsigned char *at, size_t bytes)
{
    uint64_t size = 0;
    for (size_t i = 0; i < bytes; i++) {
        size = size << 8 | at[i];
    }
    return size;
}

/* Before anything else is looked at: another version may give every other key another type. */
static bool check_version(const msgpack_object_map *map, struct sl_err *err)
{
    for (size_t i = 0; i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        const msgpack_object *value = &map->ptr[i].val;
        if (key->type != MSGPACK_OBJECT_STR ||
            !sl_span_is(sl_span_make(key->via.str.ptr, key->via.str.size), "v")) {
            continue;
        }
        if (value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
            (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
             value->via.u64 != SL_ENVELOPE_VERSION)) {
            return sl_fail(err, SL_E_EVENT_VERSION,
                           "an envelope of another version; this program reads version %d",
                           SL_ENVELOPE_VERSION);
        }
        if (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
            return true;
        }
        break;
    }
    return sl_fail(err, SL_E_EVENT_MALFORMED, "not an envelope: no version number");
}

/* False when the value breaks the rule. */
static bool take(const struct rule *rule, const msgpack_object *value, struct sl_envelope *envelope)
{
    char *field = (char *)envelope + rule->offset;
    switch (rule->kind) {
    case VERSION:
        return true; /* checked */
    case TEXT: {
        struct sl_span text = sl_span_make(value->via.str.ptr, value->via.str.size);
        if (value->type != MSGPACK_OBJECT_STR || !is_allowed(rule, text)) {
            return false;
        }
        /* The library has no address for an empty text; ours is empty, not absent. */
        *text_at(envelope, rule) = text.bytes == 0 ? SL_SPAN_LITERAL("") : text;
        return true;
    }
    case BOOL:
        *(bool *)field = value->type == MSGPACK_OBJECT_BOOLEAN && value->via.boolean;
        return value->type == MSGPACK_OBJECT_BOOLEAN;
    case TIME: {
        if (value->type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
            value->via.u64 / (uint64_t)rule->scale > (uint64_t)SL_EVENT_TIME_S_MAX) {
            return false;
        }
        *(int64_t *)(void *)field = (int64_t)value->via.u64;
        return true;
    }
    case BODY: {
        struct sl_span body = sl_span_make(value->via.bin.ptr, value->via.bin.size);
        if (value->type != MSGPACK_OBJECT_BIN || !is_allowed(rule, body)) {
            return false;
        }
        *text_at(envelope, rule) = body.bytes == 0 ? SL_SPAN_LITERAL("") : body;
        return true;
    }
    }
    return false;
}
