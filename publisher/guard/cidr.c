#include "publisher/guard/cidr.h"

#include <arpa/inet.h>

#include "shared/units.h"

#define BITS        128u
#define V4_AT       12u
#define BITS_DIGITS 3u

static const uint8_t mapped[V4_AT] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };

static bool add(struct pub_cidrs *cidrs, struct sl_span item);

const char *pub_cidrs_parse(const char *text, struct pub_cidrs *out)
{
    *out = (struct pub_cidrs){ .count = 0 };
    for (const char *at = text == NULL ? "" : text; *at != '\0';) {
        size_t bytes = strcspn(at, ", \t");
        if (bytes > 0 && !add(out, sl_span_make(at, bytes))) {
            return at;
        }
        at += bytes;
        at += strspn(at, ", \t");
    }
    return NULL;
}

static bool add(struct pub_cidrs *cidrs, struct sl_span item)
{
    struct sl_span rest = item;
    struct sl_span address = { 0 };
    int64_t bits = BITS;
    if (cidrs->count == PUB_CIDRS_MAX || !sl_span_split(&rest, '/', &address) ||
        !pub_address_parse(address, cidrs->items[cidrs->count].address)) {
        return false;
    }
    bool is_v4 = memchr(address.data, ':', address.bytes) == NULL;
    if (rest.data != NULL) {
        if (!sl_units_decimal(rest, BITS_DIGITS, &bits) || bits > (is_v4 ? 32 : BITS)) {
            return false;
        }
        bits += is_v4 ? BITS - 32 : 0;
    }
    cidrs->items[cidrs->count++].bits = (unsigned)bits;
    return true;
}

bool pub_address_parse(struct sl_span text, uint8_t out_address[PUB_ADDR_BYTES])
{
    char copy[PUB_ADDR_TEXT];
    if (text.bytes == 0 || text.bytes >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.data, text.bytes);
    copy[text.bytes] = '\0';
    if (inet_pton(AF_INET6, copy, out_address) == 1) {
        return true;
    }
    memcpy(out_address, mapped, V4_AT);
    return inet_pton(AF_INET, copy, out_address + V4_AT) == 1;
}

bool pub_cidrs_has(const struct pub_cidrs *cidrs, struct sl_span address)
{
    uint8_t bytes[PUB_ADDR_BYTES];
    if (cidrs->count == 0 || !pub_address_parse(address, bytes)) {
        return false;
    }
    for (size_t i = 0; i < cidrs->count; i++) {
        unsigned whole = cidrs->items[i].bits / 8;
        unsigned left = cidrs->items[i].bits % 8;
        uint8_t mask = (uint8_t)(0xFF00u >> left);
        if (memcmp(bytes, cidrs->items[i].address, whole) == 0 &&
            (left == 0 || ((bytes[whole] ^ cidrs->items[i].address[whole]) & mask) == 0)) {
            return true;
        }
    }
    return false;
}
