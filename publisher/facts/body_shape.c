#include "publisher/facts/body_shape.h"

#include <ctype.h>
#include <stdio.h>

#define SHAPE_KEYS       3u
#define TYPE_BYTES       128u
#define WORD_BYTES_MAX   48u
#define SHOPIFY_ID_START "gid://shopify/"

static const struct {
    const char *type;
    const char *keys[SHAPE_KEYS];
} github_shapes[] = {
#define GITHUB_SHAPE(type, key1, key2, key3) { type, { key1, key2, key3 } },
#include "publisher/facts/github_shapes.def"
#undef GITHUB_SHAPE
};

static struct sl_span github_type(const struct sl_json *root, struct sl_arena *arena);
static struct sl_span shopify_type(const struct sl_json *root, struct sl_arena *arena);
static bool has_keys(const struct sl_json *root, const char *const keys[SHAPE_KEYS]);
static bool is_word(struct sl_span text);

struct sl_span pub_body_type(enum sl_body_shape shape, const struct sl_json *root,
                             struct sl_arena *arena)
{
    switch (shape) {
    case SL_SHAPE_GITHUB:
        return github_type(root, arena);
    case SL_SHAPE_SHOPIFY:
        return shopify_type(root, arena);
    case SL_SHAPE_NONE:
        break;
    }
    return (struct sl_span){ NULL, 0 };
}

static struct sl_span github_type(const struct sl_json *root, struct sl_arena *arena)
{
    for (size_t i = 0; i < SL_COUNT(github_shapes); i++) {
        if (!has_keys(root, github_shapes[i].keys)) {
            continue;
        }
        struct sl_span action = sl_json_text(sl_json_get(root, "action"), arena, false, NULL);
        char type[TYPE_BYTES];
        int bytes = is_word(action) ? snprintf(type, sizeof type, "%s.%.*s", github_shapes[i].type,
                                               SL_SPAN_ARGS(action))
                                    : snprintf(type, sizeof type, "%s", github_shapes[i].type);
        return sl_arena_copy(arena, sl_span_make(type, (size_t)bytes));
    }
    return (struct sl_span){ NULL, 0 };
}

static bool has_keys(const struct sl_json *root, const char *const keys[SHAPE_KEYS])
{
    for (size_t i = 0; i < SHAPE_KEYS && keys[i][0] != '\0'; i++) {
        if (sl_json_get(root, keys[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* "gid://shopify/Order/820982911946154508" is about an order. */
static struct sl_span shopify_type(const struct sl_json *root, struct sl_arena *arena)
{
    struct sl_span id = sl_json_text(sl_json_get(root, "admin_graphql_api_id"), arena, false, NULL);
    struct sl_span resource = { 0 };
    if (!sl_span_starts_with(id, SHOPIFY_ID_START)) {
        return (struct sl_span){ NULL, 0 };
    }
    struct sl_span rest =
        sl_span_make(id.data + strlen(SHOPIFY_ID_START), id.bytes - strlen(SHOPIFY_ID_START));
    if (!sl_span_split(&rest, '/', &resource) || !is_word(resource)) {
        return (struct sl_span){ NULL, 0 };
    }
    char type[TYPE_BYTES];
    for (size_t i = 0; i < resource.bytes; i++) {
        type[i] = (char)tolower((unsigned char)resource.data[i]);
    }
    return sl_arena_copy(arena, sl_span_make(type, resource.bytes));
}

static bool is_word(struct sl_span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (isalnum((unsigned char)text.data[i]) == 0 && text.data[i] != '_') {
            return false;
        }
    }
    return text.bytes > 0 && text.bytes <= WORD_BYTES_MAX;
}

bool pub_claim_fits(enum sl_body_shape shape, struct sl_span claim, struct sl_span type)
{
    if (shape == SL_SHAPE_SHOPIFY) {
        return claim.bytes >= type.bytes && memcmp(claim.data, type.data, type.bytes) == 0;
    }
    struct sl_span first = { 0 };
    return sl_span_split(&type, '.', &first) && sl_span_eq(first, claim);
}
