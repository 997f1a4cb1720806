/*
 * keyring - the signing secrets in force, as keys.
 *
 * A keyring is replaced as a whole, between two requests: a request is judged by the keys in force when it is complete, and by nothing afterwards.
 * Refuses: unsafe secrets (scheme); more than SL_STRIPE_SECRETS_MAX.
 * Threads: a keyring belongs to one loop; each loop has its own.
 */
#ifndef PUBLISHER_KEYRING_H
#define PUBLISHER_KEYRING_H

#include "shared/signature/scheme.h"

struct pub_keyring {
    struct sl_hmac_key *keys[SL_STRIPE_SECRETS_MAX];
    size_t count;
};

/* The keys of a scheme from a comma separated list. False: *out_why says what is wrong, without the secret; the keyring is empty. Storage must be zeroed. */
bool pub_keyring_load(struct pub_keyring *keyring, const struct sl_scheme *scheme,
                      const char *secrets, const char **out_why) SL_MUST;
/* Each gets the other's keys. */
void pub_keyring_swap(struct pub_keyring *a, struct pub_keyring *b);
/* Wipes. Accepts zeroed storage. */
void pub_keyring_done(struct pub_keyring *keyring);

#endif
