#include "publisher/origin.h"

#include "shared/signature/stripe_signature.h"

static bool is_trusted(const struct pub_origin *origin, const struct pub_origin_request *request);
static bool is_secret(const struct pub_origin *origin, struct sl_span secret);
static struct sl_span last_hop(struct sl_span list);

const char *pub_origin_set_secrets(struct pub_origin *origin, const char *secrets)
{
    struct sl_span rest = sl_span_of(secrets);
    struct sl_span secret = { 0 };
    origin->secret_count = 0;
    while (sl_span_split(&rest, ',', &secret)) {
        const char *why = sl_stripe_secret_objection(secret);
        if (why != NULL) {
            return why;
        }
        if (origin->secret_count == PUB_ORIGIN_SECRETS_MAX) {
            return "holds more than two secrets; two are enough to replace one";
        }
        if (!sl_sha256(secret, origin->secrets[origin->secret_count])) {
            return "could not be hashed";
        }
        origin->secret_count++;
    }
    return NULL;
}

const char *pub_origin_verdict_name(enum pub_origin_verdict verdict)
{
    switch (verdict) {
    case PUB_ORIGIN_PASSED:
        return "passed";
    case PUB_ORIGIN_NO_ADDRESS:
        return "no_address";
    case PUB_ORIGIN_DOUBLED:
        return "doubled";
    case PUB_ORIGIN_WRONG_SECRET:
        return "wrong_secret";
    case PUB_ORIGIN_UNTRUSTED:
        return "untrusted";
    }
    return "untrusted";
}

enum pub_origin_verdict pub_origin_judge(const struct pub_origin *origin,
                                         const struct pub_origin_request *request)
{
    uint8_t address[PUB_ADDR_BYTES];
    if (request->is_doubled) {
        return PUB_ORIGIN_DOUBLED;
    }
    if (!pub_address_parse(request->connecting_ip, address)) {
        return PUB_ORIGIN_NO_ADDRESS;
    }
    if (is_trusted(origin, request)) {
        return PUB_ORIGIN_PASSED;
    }
    return request->secret.data != NULL ? PUB_ORIGIN_WRONG_SECRET : PUB_ORIGIN_UNTRUSTED;
}

static bool is_trusted(const struct pub_origin *origin, const struct pub_origin_request *request)
{
    bool has_secret = is_secret(origin, request->secret);
    return pub_cidrs_has(&origin->proxies, request->peer) || has_secret;
}

static bool is_secret(const struct pub_origin *origin, struct sl_span secret)
{
    uint8_t hash[SL_SHA256_BYTES];
    bool is_found = false;
    if (secret.data == NULL || !sl_sha256(secret, hash)) {
        return false;
    }
    for (size_t i = 0; i < origin->secret_count; i++) {
        bool is_same = sl_equal_constant_time(hash, origin->secrets[i], sizeof hash);
        is_found = is_found || is_same;
    }
    return is_found;
}

struct sl_span pub_origin_client(const struct pub_origin *origin,
                                 const struct pub_origin_request *request)
{
    uint8_t address[PUB_ADDR_BYTES];
    if (request->is_doubled || !is_trusted(origin, request)) {
        return request->peer;
    }
    if (pub_address_parse(request->connecting_ip, address)) {
        return request->connecting_ip;
    }
    struct sl_span hop = last_hop(request->forwarded_for);
    return pub_address_parse(hop, address) ? hop : request->peer;
}

/* The one that the trusted proxy wrote itself. */
static struct sl_span last_hop(struct sl_span list)
{
    struct sl_span hop = { NULL, 0 };
    while (sl_span_split(&list, ',', &hop)) {
    }
    return sl_span_trim(hop);
}
