#include "publisher/guard/keyring.h"

#include <string.h>

#include "tests/support/claims.h"

static const char one[] = "whsec_0123456789abcdefghij";
static const char two[] = "whsec_zyxwvutsrqponm9876543210";

static bool load(struct pub_keyring *keyring, const char *secrets, const char **out_why)
{
    struct sl_scheme scheme = { 0 };
    CU_ASSERT_FATAL(sl_scheme_preset(SL_SPAN_LITERAL("stripe"), &scheme));
    return pub_keyring_load(keyring, &scheme, secrets, out_why);
}

static bool opens(const struct pub_keyring *keyring, const char *secret)
{
    struct sl_err err = { 0 };
    char header[SL_STRIPE_HEADER_BYTES];
    struct sl_hmac_key *key = sl_hmac_key_new(sl_span_of(secret), &err);
    bool is_signed = sl_stripe_sign(key, 1700000000, SL_SPAN_LITERAL("{}"), header);
    sl_hmac_key_free(key);
    const struct sl_stripe_check check = {
        .keys = keyring->keys, .key_count = keyring->count, .now_s = 1700000000, .tolerance_s = 300
    };
    return is_signed && keyring->count > 0 &&
           sl_stripe_verify(&check, sl_span_of(header), SL_SPAN_LITERAL("{}"), NULL) ==
               SL_SIGNATURE_VALID;
}

CLAIM(keyring__a_rotation_has_both_secrets_then_one)
{
    struct pub_keyring used = { 0 };
    struct pub_keyring next = { 0 };
    const char *why = NULL;
    char both[80];
    CU_ASSERT(load(&used, one, &why));
    CU_ASSERT(opens(&used, one));
    CU_ASSERT_FALSE(opens(&used, two));

    strcpy(both, two);
    strcat(both, ",");
    strcat(both, one);
    CU_ASSERT(load(&next, both, &why));
    pub_keyring_swap(&used, &next);
    pub_keyring_done(&next);
    CU_ASSERT(opens(&used, one));
    CU_ASSERT(opens(&used, two));

    CU_ASSERT(load(&next, two, &why));
    pub_keyring_swap(&used, &next);
    pub_keyring_done(&next);
    CU_ASSERT_FALSE(opens(&used, one));
    CU_ASSERT(opens(&used, two));
    pub_keyring_done(&used);
}

CLAIM(keyring__one_unsafe_secret_spoils_the_list)
{
    static const char *const lists[] = {
        NULL,
        "",
        "short",
        "whsec_0123456789abcdefghij,",
        "whsec_0123456789abcdefghij,short",
        "whsec_0123456789abcdefghij, whsec_zyxwvutsrqponm9876543210",
        "whsec_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < SL_COUNT(lists); i++) {
        struct pub_keyring keyring = { 0 };
        const char *why = NULL;
        CU_ASSERT_FALSE(load(&keyring, lists[i], &why));
        CU_ASSERT_PTR_NOT_NULL_FATAL(why);
        CU_ASSERT_PTR_NULL(strstr(why, "0123456789"));
        CU_ASSERT_EQUAL(keyring.count, 0);
    }
}

CLAIM(keyring__nine_secrets_are_too_many)
{
    struct pub_keyring keyring = { 0 };
    const char *why = NULL;
    char list[512] = "";
    for (unsigned i = 0; i < 9; i++) {
        strcat(list, i == 0 ? "" : ",");
        strcat(list, one);
    }
    CU_ASSERT_FALSE(load(&keyring, list, &why));
    CU_ASSERT_EQUAL(keyring.count, 0);
}
