#include "publisher/guard/keyring.h"

static bool add(struct pub_keyring *keyring, const struct sl_scheme *scheme, struct sl_span secret,
                const char **out_why);

bool pub_keyring_load(struct pub_keyring *keyring, const struct sl_scheme *scheme,
                      const char *secrets, const char **out_why)
{
    if (secrets == NULL) {
        *out_why = "must be set to the sender's signing secret";
        return false;
    }
    struct sl_span rest = sl_span_of(secrets);
    struct sl_span secret = { 0 };
    while (sl_span_split(&rest, ',', &secret)) {
        if (!add(keyring, scheme, secret, out_why)) {
            pub_keyring_done(keyring);
            return false;
        }
    }
    return true;
}

static bool add(struct pub_keyring *keyring, const struct sl_scheme *scheme, struct sl_span secret,
                const char **out_why)
{
    *out_why = sl_scheme_secret_objection(scheme, secret);
    if (*out_why != NULL) {
        return false;
    }
    if (keyring->count == SL_STRIPE_SECRETS_MAX) {
        *out_why = "holds more than 8 secrets";
        return false;
    }
    struct sl_err err = { 0 };
    struct sl_hmac_key *key = sl_scheme_key_new(scheme, secret, &err);
    if (key == NULL) {
        *out_why = "could not be loaded into the digest library";
        return false;
    }
    keyring->keys[keyring->count++] = key;
    return true;
}

void pub_keyring_swap(struct pub_keyring *a, struct pub_keyring *b)
{
    struct pub_keyring held = *a;
    *a = *b;
    *b = held;
}

void pub_keyring_done(struct pub_keyring *keyring)
{
    for (size_t i = 0; i < keyring->count; i++) {
        sl_hmac_key_free(keyring->keys[i]);
    }
    *keyring = (struct pub_keyring){ .count = 0 };
}
