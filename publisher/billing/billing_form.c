#include "publisher/billing/billing_form.h"

#include <stdio.h>

#include "shared/http/form.h"

#define NAME_BYTES_MAX 512u

/* A container that is being walked through. */
struct level {
    const struct sl_json *next; /* member to come; NULL: none is left */
    size_t name_bytes;          /* of the name that its members continue */
    size_t index;               /* of next, in a list */
    bool is_list;
};

struct walk {
    struct level levels[PUB_BILLING_FORM_DEPTH];
    size_t depth; /* levels in use */
    char name[NAME_BYTES_MAX];
    struct sl_arena *arena;
    struct sl_buf *out;
};

static bool put_name(struct walk *walk, const struct sl_json *member);
static const char *put_value(struct walk *walk, const struct sl_json *member);
static bool is_container(const struct sl_json *value);

const char *pub_billing_form(const struct sl_json *object, const char *skip, struct sl_arena *arena,
                             struct sl_buf *out)
{
    struct walk walk = {
        .levels = { { .next = object->first } }, .depth = 1, .arena = arena, .out = out
    };
    while (walk.depth > 0) {
        struct level *level = &walk.levels[walk.depth - 1];
        const struct sl_json *member = level->next;
        if (member == NULL) {
            walk.depth--;
            continue;
        }
        level->next = member->next;
        if (walk.depth == 1 && skip != NULL && sl_span_is(member->key, skip)) {
            continue;
        }
        if (!put_name(&walk, member)) {
            return "a parameter's name is too long, or holds brackets or escapes";
        }
        level->index++;
        const char *why = put_value(&walk, member);
        if (why != NULL) {
            return why;
        }
    }
    return sl_buf_ok(out) ? NULL : "the parameters are too long";
}

/* "metadata[a]", "expand[0]": the name of the level, continued. */
static bool put_name(struct walk *walk, const struct sl_json *member)
{
    const struct level *level = &walk->levels[walk->depth - 1];
    char *end = walk->name + level->name_bytes;
    size_t room = sizeof walk->name - level->name_bytes;
    int bytes = 0;
    if (level->is_list) {
        bytes = snprintf(end, room, "[%zu]", level->index);
    } else {
        for (size_t i = 0; i < member->key.bytes; i++) {
            if (strchr("[]\\", member->key.data[i]) != NULL) { /* its NUL too */
                return false;
            }
        }
        bytes =
            snprintf(end, room, walk->depth == 1 ? "%.*s" : "[%.*s]", SL_SPAN_ARGS(member->key));
    }
    return bytes > 0 && (size_t)bytes < room;
}

static const char *put_value(struct walk *walk, const struct sl_json *member)
{
    struct sl_span text = SL_SPAN_LITERAL("");
    if (is_container(member) && (!member->is_opened || walk->depth == PUB_BILLING_FORM_DEPTH)) {
        return "a parameter is nested too deep";
    }
    if (is_container(member) && member->child_count > 0) {
        walk->levels[walk->depth++] = (struct level){ .next = member->first,
                                                      .name_bytes = strlen(walk->name),
                                                      .is_list = member->type == SL_JSON_ARRAY };
        return NULL;
    }
    if (member->type == SL_JSON_STRING) {
        text = sl_json_text(member, walk->arena, false, NULL);
    } else if (member->type == SL_JSON_NUMBER || member->type == SL_JSON_BOOL) {
        text = member->raw;
    }
    if (text.data == NULL) {
        return "the parameters are too long";
    }
    sl_form_put(walk->out, walk->name, text);
    return NULL;
}

static bool is_container(const struct sl_json *value)
{
    return value->type == SL_JSON_ARRAY || value->type == SL_JSON_OBJECT;
}
