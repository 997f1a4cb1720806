#include "publisher/webhook.h"

#include <stdio.h>

#include "tests/support/claims.h"

#define NOW_S INT64_C(1700000000)
static const char secret[] = "whsec_0123456789abcdefghij";

static struct sl_hmac_key *key_of(const char *text)
{
    struct sl_err err = { 0 };
    struct sl_hmac_key *key = sl_hmac_key_new(sl_span_of(text), &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    return key;
}

struct gate_row {
    const char *name;
    int64_t signed_at_s; /* 0: no header */
    const char *body;
    const char *encoding;
    bool has_keys;
    int status; /* 0: admitted */
};

CLAIM(webhook__the_gate_answers_as_the_table_says)
{
    static const struct gate_row rows[] = {
        { "fresh", NOW_S, "{}", NULL, true, 0 },
        { "identity is no encoding", NOW_S, "{}", "identity", true, 0 },
        { "not json is still authentic", NOW_S, "} 123][", NULL, true, 0 },
        { "unsigned", 0, "{}", NULL, true, 400 },
        { "stale", NOW_S - 301, "{}", NULL, true, 400 },
        { "at the edge", NOW_S - 300, "{}", NULL, true, 0 },
        { "from the future", NOW_S + 301, "{}", NULL, true, 400 },
        { "empty", NOW_S, "", NULL, true, 400 },
        { "compressed", NOW_S, "{}", "gzip", true, 415 },
        { "switched off", NOW_S, "{}", NULL, false, 503 },
    };
    SL_AUTO(sl_hmac_key_free) struct sl_hmac_key *key = key_of(secret);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        char header[SL_STRIPE_HEADER_BYTES] = "";
        if (rows[i].signed_at_s != 0) {
            CU_ASSERT_FATAL(
                sl_stripe_sign(key, rows[i].signed_at_s, sl_span_of(rows[i].body), header));
        }
        const struct pub_source source = { .name = "stripe",
                                           .keys = &key,
                                           .key_count = rows[i].has_keys ? 1 : 0,
                                           .tolerance_s = 300 };
        const struct pub_webhook webhook = {
            .signature = sl_span_of(header[0] == '\0' ? NULL : header),
            .content_encoding = sl_span_of(rows[i].encoding),
            .body = sl_span_of(rows[i].body),
            .received_at_us = NOW_S * 1000000 + 999999,
        };
        enum pub_answer answer = PUB_CONFIRMED;
        enum sl_signature_verdict verdict = SL_SIGNATURE_VALID;
        bool is_admitted = pub_webhook_admit(&source, &webhook, &answer, &verdict);
        if (is_admitted != (rows[i].status == 0) ||
            (!is_admitted && pub_answer_row(answer)->status != rows[i].status)) {
            printf("%s: %d\n", rows[i].name, pub_answer_row(answer)->status);
            CU_FAIL("the gate decided otherwise");
        }
    }
}
