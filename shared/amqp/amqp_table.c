#include "shared/amqp/amqp_table.h"

#include "shared/scope.h"

/* One table or array that is open while the walk goes through its entries. */
struct level {
    size_t end; /* offset behind it */
    bool is_table;
};

static bool open_level(struct sl_span bytes, size_t *at, size_t limit, bool is_table,
                       struct level *out_level);
static int value_bytes(char type);

bool sl_amqp_table_is_sound(struct sl_span bytes)
{
    struct level levels[SL_AMQP_TABLE_DEPTH_MAX];
    size_t depth = 1;
    size_t at = 0;
    if (!open_level(bytes, &at, bytes.bytes, true, &levels[0])) {
        return false;
    }

    while (depth > 0) {
        const struct level *level = &levels[depth - 1];
        if (at == level->end) {
            depth--;
            continue;
        }
        if (level->is_table) {
            at += 1u + (unsigned char)bytes.data[at]; /* the name of the entry */
        }
        if (at >= level->end) {
            return false;
        }
        char type = bytes.data[at++];
        if (type == 'F' || type == 'A') {
            if (depth == SL_AMQP_TABLE_DEPTH_MAX ||
                !open_level(bytes, &at, level->end, type == 'F', &levels[depth])) {
                return false;
            }
            depth++;
            continue;
        }
        size_t more = 0;
        if (type == 'S' || type == 'x') {
            struct level text;
            if (!open_level(bytes, &at, level->end, false, &text)) {
                return false;
            }
            more = text.end - at;
        } else {
            int fixed = value_bytes(type);
            if (fixed < 0) {
                return false;
            }
            more = (size_t)fixed;
        }
        if (more > level->end - at) {
            return false;
        }
        at += more;
    }
    return true;
}

/* Reads a 4-byte length at *at; the whole must end at or before limit. */
static bool open_level(struct sl_span bytes, size_t *at, size_t limit, bool is_table,
                       struct level *out_level)
{
    if (limit - *at < 4) {
        return false;
    }
    const unsigned char *raw = (const unsigned char *)bytes.data + *at;
    size_t length = (size_t)raw[0] << 24 | (size_t)raw[1] << 16 | (size_t)raw[2] << 8 | raw[3];
    if (length > limit - *at - 4) {
        return false;
    }
    *at += 4;
    *out_level = (struct level){ .end = *at + length, .is_table = is_table };
    return true;
}

/* Bytes behind the type of a value of fixed size; -1 for a type that does not exist. */
static int value_bytes(char type)
{
    switch (type) {
    case 'V':
        return 0;
    case 't':
    case 'b':
    case 'B':
        return 1;
    case 's':
    case 'u':
        return 2;
    case 'I':
    case 'i':
    case 'f':
        return 4;
    case 'D':
        return 5;
    case 'l':
    case 'L':
    case 'd':
    case 'T':
        return 8;
    default:
        return -1;
    }
}
