#include "ops/queue/type_tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int by_count(const void *a, const void *b);

void ops_tally_add(struct ops_tally *tally, struct sl_span type)
{
    char name[OPS_TALLY_TYPE_BYTES];
    snprintf(name, sizeof name, "%.*s", type.bytes == 0 ? 7 : (int)type.bytes,
             type.bytes == 0 ? "unknown" : type.data);
    for (char *at = name; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        *at = byte < 0x20 || byte == 0x7f ? '?' : *at;
    }
    for (size_t i = 0; i < tally->used; i++) {
        if (strcmp(tally->items[i].type, name) == 0) {
            tally->items[i].count++;
            return;
        }
    }
    if (tally->used == OPS_TALLY_TYPES_MAX) {
        tally->others++;
        return;
    }
    memcpy(tally->items[tally->used].type, name, sizeof name);
    tally->items[tally->used++].count = 1;
}

void ops_tally_print(struct ops_tally *tally, FILE *out)
{
    qsort(tally->items, tally->used, sizeof tally->items[0], by_count);
    for (size_t i = 0; i < tally->used; i++) {
        fprintf(out, "%8" PRId64 " %s\n", tally->items[i].count, tally->items[i].type);
    }
    if (tally->others > 0) {
        fprintf(out, "%8" PRId64 " of other types\n", tally->others);
    }
}

static int by_count(const void *a, const void *b)
{
    const struct ops_tally_item *left = a;
    const struct ops_tally_item *right = b;
    return left->count < right->count   ? 1
           : left->count > right->count ? -1
                                        : strcmp(left->type, right->type);
}
