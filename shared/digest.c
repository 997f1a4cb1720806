#include "shared/digest.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

struct sl_hmac_key {
    EVP_MAC_CTX
    *context; /* keyed; each message starts it again without a key, which keeps the old one */
};

static const char hex_digits[] = "0123456789abcdef";

static int hex_value(char digit);

struct sl_hmac_key *sl_hmac_key_new(struct sl_span secret, struct sl_err *err)
{
    struct sl_hmac_key *key = calloc(1, sizeof *key);
    if (key == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for an HMAC key");
        return NULL;
    }
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    key->context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context holds its own reference */

    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    const unsigned char *bytes = (const unsigned char *)(secret.bytes == 0 ? "" : secret.data);
    if (key->context == NULL || EVP_MAC_init(key->context, bytes, secret.bytes, params) != 1) {
        sl_hmac_key_free(key);
        sl_fail(err, SL_E_BUG, "OpenSSL offers no HMAC-SHA256");
        return NULL;
    }
    return key;
}

void sl_hmac_key_free(struct sl_hmac_key *key)
{
    if (key != NULL) {
        EVP_MAC_CTX_free(key->context);
        free(key);
    }
}

bool sl_hmac_sha256(struct sl_hmac_key *key, const struct sl_span *parts, size_t count,
                    uint8_t out_mac[SL_SHA256_BYTES])
{
    if (EVP_MAC_init(key->context, NULL, 0, NULL) != 1) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].bytes > 0 && EVP_MAC_update(key->context, (const unsigned char *)parts[i].data,
                                                 parts[i].bytes) != 1) {
            return false;
        }
    }
    uint8_t mac[SL_SHA256_BYTES];
    size_t bytes = 0;
    if (EVP_MAC_final(key->context, mac, &bytes, sizeof mac) != 1 || bytes != sizeof mac) {
        return false;
    }
    memcpy(out_mac, mac, sizeof mac);
    return true;
}

bool sl_sha256(struct sl_span data, uint8_t out_hash[SL_SHA256_BYTES])
{
    return EVP_Digest(data.bytes == 0 ? "" : data.data, data.bytes, out_hash, NULL, EVP_sha256(),
                      NULL) == 1;
}

bool sl_random_bytes(void *out, size_t bytes)
{
    return bytes <= INT_MAX && RAND_bytes(out, (int)bytes) == 1;
}

bool sl_equal_constant_time(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void sl_hex_encode(const uint8_t *data, size_t bytes, char *out_text)
{
    for (size_t i = 0; i < bytes; i++) {
        out_text[2 * i] = hex_digits[data[i] >> 4];
        out_text[2 * i + 1] = hex_digits[data[i] & 0x0Fu];
    }
    out_text[2 * bytes] = '\0';
}

bool sl_hex_decode(struct sl_span text, uint8_t *out_data, size_t bytes)
{
    if (text.bytes / 2 != bytes || text.bytes % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (hex_value(text.data[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < bytes; i++) {
        out_data[i] = (uint8_t)(hex_value(text.data[2 * i]) * 16 + hex_value(text.data[2 * i + 1]));
    }
    return true;
}

/* -1 when it is not a hex digit. */
static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}
