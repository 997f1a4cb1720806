/*
 * secrets - how a source signs, and with which secrets, as the publisher would have it.
 *
 * Order for secrets: the file of a flag, the source's variable (and SLUICE_CONFIG file, and <NAME>_FILE), the running local stack.
 * Refuses: printing a secret.
 * Threads: one owner.
 */
#ifndef OPS_SECRETS_H
#define OPS_SECRETS_H

#include "ops/address.h"
#include "shared/signature/sources.h"

#define OPS_SECRETS_BYTES_MAX 4096u
#define OPS_STRIPE_SECRET     "STRIPE_WEBHOOK_SECRET"

/* A source of SLUICE_SOURCES, or a well-known scheme, by name; NULL: stripe. SL_E_USAGE when there is none of that name, with those that are. */
bool ops_source_find(const struct ops_address *address, const char *name, struct sl_source *out,
                     struct sl_err *err) SL_MUST;

/* Signing secrets, wiped by done. */
struct ops_secrets {
    char *text;         /* owned */
    const char *origin; /* the variable, "the local stack" or the file's name; borrowed */
    struct sl_span items[SL_STRIPE_SECRETS_MAX];
    size_t count;
};
/* From the file (may be NULL), else the variable, else the local stack. At least one, or SL_E_CONFIG. */
bool ops_secrets_open(const struct ops_address *address, const char *variable, const char *file,
                      struct ops_secrets *out, struct sl_err *err) SL_MUST;
void ops_secrets_done(struct ops_secrets *secrets);

#endif
