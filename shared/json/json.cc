/*
 * The project's only C++ file, and the only one that includes simdjson.
 *
 * simdjson's On-Demand parser checks UTF-8, finds every token and keeps no tree; that part is used as it is (iterate_raw). The grammar
 * over the tokens is ours: On-Demand's own values check lazily, match brackets by count only, and pass over what nobody asks for. Here
 * one pass over the tokens checks all of RFC 8259 and builds the nodes that the caller's depth asks for.
 */
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <ctype.h>
#include <new>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern "C" {
#include "shared/json/json.h"
}

static_assert(simdjson::SIMDJSON_VERSION_MAJOR == 3, "the token interface was read in version 3");

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

static constexpr size_t FIRST_CAPACITY_BYTES = 16 * 1024;

struct sl_json_parser {
    simdjson::ondemand::parser index;
    size_t bytes_max;
    uint8_t
        *kinds; /* a bit a level: 1 is an object; a container takes a byte, so bytes_max bits do */
};

/* What the grammar allows next. */
enum class expect {
    VALUE,
    VALUE_OR_END, /* behind [ */
    KEY,
    KEY_OR_END, /* behind { */
    COLON,
    COMMA_OR_END,
    NOTHING, /* behind the root */
};

/*
 * The walk over the tokens. Containers under construction need no stack: `next` of an opened one holds its parent, and `first` its
 * last child, whose `next` is the first one; when the container ends the links get their public meaning.
 */
struct walk {
    struct sl_json_parser *parser;
    struct sl_arena *arena;
    struct sl_span text;
    unsigned depth_max;
    size_t nodes_left;

    expect expected;
    size_t depth;         /* containers around the current token */
    struct sl_json *open; /* innermost opened container, NULL at the root */
    struct sl_json *shut; /* the container below depth_max around the token, or NULL */
    struct sl_span key;   /* of the value that comes next, in an object */
    struct sl_json *root; /* once it is complete */

    enum sl_code code; /* of the complaint, when a step returned false */
    const char *why;
    const char *at;
};

static bool grow(struct sl_json_parser *parser, size_t bytes);
static bool walk_tokens(struct walk *walk, simdjson::ondemand::json_iterator *tokens);
static bool take_token(struct walk *walk, struct sl_span token);
static bool refuse(struct walk *walk, const char *at, enum sl_code code, const char *why);
static bool begin_container(struct walk *walk, const char *at);
static bool end_container(struct walk *walk, const char *at);
static bool take_separator(struct walk *walk, const char *at);
static bool take_string(struct walk *walk, struct sl_span raw);
static bool take_scalar(struct walk *walk, struct sl_span raw);
static bool may_begin_value(const struct walk *walk);
static bool is_number(struct sl_span text);
static struct sl_json *add_node(struct walk *walk, enum sl_json_type type, struct sl_span raw);
static void complete(struct walk *walk, struct sl_json *node);
static bool check_escapes(struct walk *walk);

struct sl_json_parser *sl_json_parser_new(size_t bytes_max)
{
    SL_ASSERT(bytes_max > 0);
    struct sl_json_parser *parser = new (std::nothrow) sl_json_parser();
    if (parser == nullptr) {
        return nullptr;
    }
    parser->bytes_max = bytes_max;
    parser->kinds = static_cast<uint8_t *>(calloc(bytes_max / 8 + 1, 1));
    if (parser->kinds == nullptr) {
        sl_json_parser_free(parser);
        return nullptr;
    }
    return parser;
}

void sl_json_parser_free(struct sl_json_parser *parser)
{
    if (parser != nullptr) {
        free(parser->kinds);
        delete parser;
    }
}

struct sl_json *sl_json_parse(struct sl_json_parser *parser, struct sl_arena *arena,
                              struct sl_span text, unsigned depth_max, size_t nodes_max,
                              struct sl_err *err)
{
    SL_ASSERT(depth_max >= 1);
    if (text.bytes > parser->bytes_max) {
        sl_fail(err, SL_E_LIMIT, "JSON of %zu bytes is over %zu", text.bytes, parser->bytes_max);
        return nullptr;
    }
    if (sl_span_starts_with(text, BYTE_ORDER_MARK)) {
        text = sl_span_make(text.data + 3, text.bytes - 3);
    }
    if (text.bytes == 0) {
        sl_fail(err, SL_E_JSON_MALFORMED, "not JSON: empty");
        return nullptr;
    }
    size_t padded_bytes = text.bytes + simdjson::SIMDJSON_PADDING;
    char *copy = static_cast<char *>(sl_arena_alloc(arena, padded_bytes));
    if (copy == nullptr || !grow(parser, text.bytes)) {
        sl_fail(err, SL_E_MEMORY, "no memory for JSON of %zu bytes", text.bytes);
        return nullptr;
    }
    memcpy(copy, text.data, text.bytes);

    simdjson::padded_string_view padded(copy, text.bytes, padded_bytes);
    simdjson::ondemand::json_iterator tokens;
    simdjson::error_code indexed = parser->index.iterate_raw(padded).get(tokens);
    if (indexed != simdjson::SUCCESS) {
        sl_fail(err, indexed == simdjson::MEMALLOC ? SL_E_MEMORY : SL_E_JSON_MALFORMED,
                "not JSON: %s", simdjson::error_message(indexed));
        return nullptr;
    }

    struct walk walk = {};
    walk.parser = parser;
    walk.arena = arena;
    walk.text = sl_span_make(copy, text.bytes);
    walk.depth_max = depth_max;
    walk.nodes_left = nodes_max;
    if (!walk_tokens(&walk, &tokens) || !check_escapes(&walk)) {
        sl_fail(err, walk.code, "not usable as JSON: %s at byte %zu", walk.why,
                static_cast<size_t>(walk.at - copy));
        return nullptr;
    }
    return walk.root;
}

/* Room in the token index, doubling, so that a parser that never meets a large body stays small. */
static bool grow(struct sl_json_parser *parser, size_t bytes)
{
    if (bytes <= parser->index.capacity()) {
        return true;
    }
    size_t capacity = FIRST_CAPACITY_BYTES;
    while (capacity < bytes) {
        capacity *= 2;
    }
    return parser->index.allocate(capacity) == simdjson::SUCCESS;
}

static bool walk_tokens(struct walk *walk, simdjson::ondemand::json_iterator *tokens)
{
    while (!tokens->at_end()) {
        /* Up to the next token, so white space may follow; the last one ends with the text. */
        size_t bytes = tokens->peek_length();
        const uint8_t *at = tokens->return_current_and_advance();
        if (!take_token(walk, sl_span_make(at, bytes))) {
            return false;
        }
    }
    if (walk->expected != expect::NOTHING) {
        return refuse(walk, walk->text.data + walk->text.bytes, SL_E_JSON_MALFORMED, "cut");
    }
    return true;
}

static bool take_token(struct walk *walk, struct sl_span token)
{
    switch (token.data[0]) {
    case '{':
    case '[':
        return begin_container(walk, token.data);
    case '}':
    case ']':
        return end_container(walk, token.data);
    case ',':
    case ':':
        return take_separator(walk, token.data);
    case '"':
        return take_string(walk, sl_span_trim(token));
    default:
        return take_scalar(walk, sl_span_trim(token));
    }
}

static bool refuse(struct walk *walk, const char *at, enum sl_code code, const char *why)
{
    walk->code = code;
    walk->why = why;
    walk->at = at;
    return false;
}

static bool begin_container(struct walk *walk, const char *at)
{
    if (!may_begin_value(walk)) {
        return refuse(walk, at, SL_E_JSON_MALFORMED, "unexpected bracket");
    }
    bool is_object = *at == '{';
    uint8_t bit = static_cast<uint8_t>(1u << (walk->depth % 8));
    uint8_t *kinds = &walk->parser->kinds[walk->depth / 8];
    *kinds = static_cast<uint8_t>(is_object ? *kinds | bit : *kinds & ~bit);
    walk->depth++;
    walk->expected = is_object ? expect::KEY_OR_END : expect::VALUE_OR_END;
    if (walk->shut != nullptr) {
        return true;
    }

    enum sl_json_type type = is_object ? SL_JSON_OBJECT : SL_JSON_ARRAY;
    struct sl_json *node = add_node(walk, type, sl_span_make(at, 0));
    if (node == nullptr) {
        return false;
    }
    if (walk->depth > walk->depth_max) {
        walk->shut = node;
        return true;
    }
    node->is_opened = true;
    node->next = walk->open;
    walk->open = node;
    return true;
}

static bool end_container(struct walk *walk, const char *at)
{
    bool is_object = *at == '}';
    expect when_empty = is_object ? expect::KEY_OR_END : expect::VALUE_OR_END;
    if (walk->depth == 0 ||
        (walk->expected != expect::COMMA_OR_END && walk->expected != when_empty)) {
        return refuse(walk, at, SL_E_JSON_MALFORMED, "unexpected bracket");
    }
    walk->depth--;
    bool was_object = (walk->parser->kinds[walk->depth / 8] >> (walk->depth % 8) & 1u) != 0;
    if (was_object != is_object) {
        return refuse(walk, at, SL_E_JSON_MALFORMED, "wrong kind of bracket");
    }
    walk->expected = walk->depth == 0 ? expect::NOTHING : expect::COMMA_OR_END;

    struct sl_json *node = walk->shut;
    if (node != nullptr && walk->depth > walk->depth_max) {
        return true; /* ended inside a container that is not opened */
    }
    if (node != nullptr) {
        walk->shut = nullptr;
    } else {
        node = walk->open;
        walk->open = node->next;
        node->next = nullptr;
        if (node->first != nullptr) {
            struct sl_json *last = node->first;
            node->first = last->next;
            last->next = nullptr;
        }
    }
    node->raw.bytes = static_cast<size_t>(at + 1 - node->raw.data);
    complete(walk, node);
    return true;
}

static bool take_separator(struct walk *walk, const char *at)
{
    if (*at == ':' && walk->expected == expect::COLON) {
        walk->expected = expect::VALUE;
        return true;
    }
    if (*at == ',' && walk->expected == expect::COMMA_OR_END) {
        size_t level = walk->depth - 1;
        bool in_object = (walk->parser->kinds[level / 8] >> (level % 8) & 1u) != 0;
        walk->expected = in_object ? expect::KEY : expect::VALUE;
        return true;
    }
    return refuse(walk, at, SL_E_JSON_MALFORMED, "unexpected separator");
}

/* Control characters and the closing quote were checked by the index; escapes are checked at the end. */
static bool take_string(struct walk *walk, struct sl_span raw)
{
    if (raw.bytes < 2 || raw.data[raw.bytes - 1] != '"') {
        return refuse(walk, raw.data, SL_E_JSON_MALFORMED, "bad string");
    }
    if (walk->expected == expect::KEY || walk->expected == expect::KEY_OR_END) {
        walk->key = sl_span_make(raw.data + 1, raw.bytes - 2);
        walk->expected = expect::COLON;
        return true;
    }
    return take_scalar(walk, raw);
}

static bool take_scalar(struct walk *walk, struct sl_span raw)
{
    enum sl_json_type type = SL_JSON_NULL;
    if (raw.bytes > 0 && raw.data[0] == '"') {
        type = SL_JSON_STRING;
    } else if (sl_span_is(raw, "true") || sl_span_is(raw, "false")) {
        type = SL_JSON_BOOL;
    } else if (is_number(raw)) {
        type = SL_JSON_NUMBER;
    } else if (!sl_span_is(raw, "null")) {
        return refuse(walk, raw.data, SL_E_JSON_MALFORMED, "bad value");
    }
    if (!may_begin_value(walk)) {
        return refuse(walk, raw.data, SL_E_JSON_MALFORMED, "unexpected value");
    }
    walk->expected = walk->depth == 0 ? expect::NOTHING : expect::COMMA_OR_END;
    if (walk->shut != nullptr) {
        return true;
    }
    struct sl_json *node = add_node(walk, type, raw);
    if (node == nullptr) {
        return false;
    }
    node->is_true = type == SL_JSON_BOOL && raw.data[0] == 't';
    complete(walk, node);
    return true;
}

static bool may_begin_value(const struct walk *walk)
{
    return walk->expected == expect::VALUE || walk->expected == expect::VALUE_OR_END;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? and nothing behind it. */
static bool is_number(struct sl_span text)
{
    const char *at = text.data;
    const char *end = text.data + text.bytes;
    auto digits = [&at, end] {
        const char *from = at;
        while (at < end && *at >= '0' && *at <= '9') {
            at++;
        }
        return at > from;
    };
    if (at < end && *at == '-') {
        at++;
    }
    if (at < end && *at == '0') {
        at++;
    } else if (!digits()) {
        return false;
    }
    if (at < end && *at == '.') {
        at++;
        if (!digits()) {
            return false;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        if (!digits()) {
            return false;
        }
    }
    return at == end;
}

static struct sl_json *add_node(struct walk *walk, enum sl_json_type type, struct sl_span raw)
{
    if (walk->nodes_left == 0) {
        refuse(walk, raw.data, SL_E_LIMIT, "too many values");
        return nullptr;
    }
    struct sl_json *node =
        static_cast<struct sl_json *>(sl_arena_alloc(walk->arena, sizeof(struct sl_json)));
    if (node == nullptr) {
        refuse(walk, raw.data, SL_E_MEMORY, "no memory for its values");
        return nullptr;
    }
    walk->nodes_left--;
    node->type = type;
    node->raw = raw;
    if (walk->open != nullptr && walk->open->type == SL_JSON_OBJECT) {
        node->key = walk->key;
    }
    return node;
}

/* A whole value becomes the last child of the container around it. */
static void complete(struct walk *walk, struct sl_json *node)
{
    struct sl_json *parent = walk->open;
    if (parent == nullptr) {
        walk->root = node;
        return;
    }
    if (parent->first == nullptr) {
        node->next = node;
    } else {
        node->next = parent->first->next;
        parent->first->next = node;
    }
    parent->first = node;
    parent->child_count++;
}

/* Once the tokens are right a backslash can only be inside a string. */
static bool check_escapes(struct walk *walk)
{
    const char *end = walk->text.data + walk->text.bytes;
    const char *at = walk->text.data;
    for (;;) {
        at = static_cast<const char *>(memchr(at, '\\', static_cast<size_t>(end - at)));
        if (at == nullptr) {
            return true;
        }
        /* A string ends with a quote inside the text, and the padding behind it is zero: no byte here is out of bounds. */
        size_t bytes = at[1] == 'u' ? 6 : 2;
        bool is_known = at[1] != '\0' && strchr("\"\\/bfnrtu", at[1]) != nullptr;
        for (size_t i = 2; i < bytes; i++) {
            is_known = is_known && isxdigit(static_cast<unsigned char>(at[i])) != 0;
        }
        if (!is_known) {
            return refuse(walk, at, SL_E_JSON_MALFORMED, "bad escape");
        }
        at += bytes;
    }
}
