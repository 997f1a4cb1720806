/*
 * origin - did a request come the way it should, through our edge; and whose address counts.
 *
 * Decides only. Passed: CF-Connecting-IP is there, once, and the peer is a trusted proxy or the request carries the origin secret. The header alone proves
 * nothing: anyone who finds the origin can send it.
 * The client's address is what the edge says when the edge is trusted (CF-Connecting-IP, else the last hop of X-Forwarded-For), else the peer's. It is used to
 * tell clients apart, never to let one in.
 * Law: secrets are compared by their SHA-256, all of them, in a time that says nothing.
 * Threads: no state.
 */
#ifndef PUBLISHER_ORIGIN_H
#define PUBLISHER_ORIGIN_H

#include "publisher/guard/cidr.h"
#include "shared/buf.h"
#include "shared/digest.h"

#define PUB_ORIGIN_SECRETS_MAX 2u

enum pub_origin_mode { PUB_ORIGIN_OFF, PUB_ORIGIN_ENFORCE, PUB_ORIGIN_REPORT };

struct pub_origin {
    enum pub_origin_mode mode;
    struct pub_cidrs proxies;
    uint8_t secrets[PUB_ORIGIN_SECRETS_MAX][SL_SHA256_BYTES];
    size_t secret_count;
};

/* secrets: one, or two separated by a comma; NULL: none. NULL, or what is wrong with them. */
const char *pub_origin_set_secrets(struct pub_origin *origin, const char *secrets) SL_MUST;

struct pub_origin_request {
    struct sl_span peer;
    struct sl_span connecting_ip; /* CF-Connecting-IP */
    struct sl_span forwarded_for; /* X-Forwarded-For */
    struct sl_span secret;        /* of the origin secret's field */
    bool is_doubled;              /* one of those was sent twice */
};

enum pub_origin_verdict {
    PUB_ORIGIN_PASSED,
    PUB_ORIGIN_NO_ADDRESS, /* no CF-Connecting-IP, or none that is an address */
    PUB_ORIGIN_DOUBLED,
    PUB_ORIGIN_WRONG_SECRET,
    PUB_ORIGIN_UNTRUSTED, /* not a trusted proxy, and no secret */
};
/* Label of the metric: "passed", "no_address", "doubled", "wrong_secret", "untrusted". */
const char *pub_origin_verdict_name(enum pub_origin_verdict verdict);

enum pub_origin_verdict pub_origin_judge(const struct pub_origin *origin,
                                         const struct pub_origin_request *request);
/* Borrowed from the request. */
struct sl_span pub_origin_client(const struct pub_origin *origin,
                                 const struct pub_origin_request *request);

#endif
