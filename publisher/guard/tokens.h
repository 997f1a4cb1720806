/*
 * tokens - who may use the API: bearer tokens of our own callers, as hashes.
 *
 * Decides only. One caller has at most two tokens, so that one can replace the other without a gap, and may do only what its scopes say.
 * Law: a token is at least 32 characters; only its SHA-256 is kept; what is presented is hashed and compared with every entry, in a time that says nothing.
 * Refuses: tokens in a URL; any form but `Authorization: Bearer <token>`.
 * Threads: const once read.
 */
#ifndef PUBLISHER_TOKENS_H
#define PUBLISHER_TOKENS_H

#include "shared/buf.h"
#include "shared/digest.h"

#define PUB_TOKENS_PER_CALLER 2u

/* What a caller may do, as bits. */
enum pub_scope {
    PUB_SCOPE_BILLING_READ = 1u << 0,
    PUB_SCOPE_BILLING_WRITE = 1u << 1,
    PUB_SCOPE_EVENTS = 1u << 2, /* publish its own events */
};

enum pub_caller { PUB_CALLER_CONSOLE, PUB_CALLER_RAPTOR, PUB_CALLER_CRON, PUB_CALLERS };
/* "console", "raptor", "cron": for logs and metrics. */
const char *pub_caller_name(enum pub_caller caller);
unsigned pub_caller_scopes(enum pub_caller caller);

#define PUB_TOKENS_MAX (PUB_TOKENS_PER_CALLER * PUB_CALLERS)

struct pub_tokens {
    struct {
        enum pub_caller caller;
        uint8_t hash[SL_SHA256_BYTES];
    } items[PUB_TOKENS_MAX];
    size_t count;
};

/* Adds a caller's tokens from a comma separated list; NULL adds none. Mistakes as "name: …\n", without the token. */
void pub_tokens_add(struct pub_tokens *tokens, enum pub_caller caller, const char *name,
                    const char *list, struct sl_buf *mistakes);

/* authorization: the field's value, absent when there is none. True: *out_caller is whose token it is. */
bool pub_tokens_find(const struct pub_tokens *tokens, struct sl_span authorization,
                     enum pub_caller *out_caller) SL_MUST;

#endif
