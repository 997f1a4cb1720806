/*
 * cidr - a list of networks, and whether an address is in one of them.
 *
 * Decides only. `10.0.0.0/8, 2001:db8::/32, 192.0.2.7`; an IPv4 address and its IPv6-mapped form are the same.
 * Threads: no state.
 */
#ifndef PUBLISHER_CIDR_H
#define PUBLISHER_CIDR_H

#include <stdint.h>

#include "shared/scope.h"
#include "shared/span.h"

#define PUB_CIDRS_MAX  64u
#define PUB_ADDR_BYTES 16u
#define PUB_ADDR_TEXT  46u

struct pub_cidrs {
    struct {
        uint8_t address[PUB_ADDR_BYTES];
        unsigned bits; /* of 128 */
    } items[PUB_CIDRS_MAX];
    size_t count;
};

/* Separated by commas and spaces; text may be NULL. NULL, or the item that is wrong, borrowed; too many items make the last one wrong. */
const char *pub_cidrs_parse(const char *text, struct pub_cidrs *out) SL_MUST;
bool pub_cidrs_has(const struct pub_cidrs *cidrs, struct sl_span address);
/* IPv4 as ::ffff:a.b.c.d. */
bool pub_address_parse(struct sl_span text, uint8_t out_address[PUB_ADDR_BYTES]) SL_MUST;

#endif
