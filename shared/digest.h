/*
 * digest - the cryptography we need, and the only file that includes OpenSSL's digests.
 *
 * HMAC-SHA256 with the key set up once per secret, SHA-256, random bytes, constant-time comparison, hex.
 * Refuses: returning "no digest" silently; a failure of the library is a false.
 * Threads: a struct sl_hmac_key may be shared by threads for sl_hmac_sha256 only through one copy per thread (sl_hmac_key_new each).
 */
#ifndef SHARED_DIGEST_H
#define SHARED_DIGEST_H

#include <stdint.h>

#include "shared/err.h"
#include "shared/span.h"

#define SL_SHA256_BYTES     32u
#define SL_SHA256_HEX_BYTES 65u /* with the NUL */

struct sl_hmac_key;
/* Copies the secret into a keyed context. NULL on failure. */
struct sl_hmac_key *sl_hmac_key_new(struct sl_span secret, struct sl_err *err) SL_MUST;
/* Wipes. Accepts NULL. */
void sl_hmac_key_free(struct sl_hmac_key *key);

/* HMAC over the concatenation of `count` parts. */
bool sl_hmac_sha256(struct sl_hmac_key *key, const struct sl_span *parts, size_t count,
                    uint8_t out_mac[SL_SHA256_BYTES]) SL_MUST;
bool sl_sha256(struct sl_span data, uint8_t out_hash[SL_SHA256_BYTES]) SL_MUST;
bool sl_random_bytes(void *out, size_t bytes) SL_MUST;
/* Time depends on bytes only. */
bool sl_equal_constant_time(const void *a, const void *b, size_t bytes) SL_MUST;

/* out_text takes 2 * bytes + 1, lower case. */
void sl_hex_encode(const uint8_t *data, size_t bytes, char *out_text);
/* Exactly 2 * bytes hex digits of either case. */
bool sl_hex_decode(struct sl_span text, uint8_t *out_data, size_t bytes) SL_MUST;

SL_DEFINE_AUTO(struct sl_hmac_key *, sl_hmac_key_free)

#endif
