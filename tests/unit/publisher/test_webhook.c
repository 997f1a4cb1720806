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
    bool is_doubled;
    int status; /* 0: admitted */
};

CLAIM(webhook__the_gate_answers_as_the_table_says)
{
    static const struct gate_row rows[] = {
        { "fresh", NOW_S, "{}", NULL, true, false, 0 },
        { "identity is no encoding", NOW_S, "{}", "identity", true, false, 0 },
        { "not json is still authentic", NOW_S, "} 123][", NULL, true, false, 0 },
        { "unsigned", 0, "{}", NULL, true, false, 400 },
        { "stale", NOW_S - 301, "{}", NULL, true, false, 400 },
        { "at the edge", NOW_S - 300, "{}", NULL, true, false, 0 },
        { "from the future", NOW_S + 301, "{}", NULL, true, false, 400 },
        { "empty", NOW_S, "", NULL, true, false, 400 },
        { "compressed", NOW_S, "{}", "gzip", true, false, 415 },
        { "a field that counts sent twice", NOW_S, "{}", NULL, true, true, 400 },
        { "switched off", NOW_S, "{}", NULL, false, false, 503 },
    };
    SL_AUTO(sl_hmac_key_free) struct sl_hmac_key *key = key_of(secret);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        char header[SL_STRIPE_HEADER_BYTES] = "";
        if (rows[i].signed_at_s != 0) {
            CU_ASSERT_FATAL(
                sl_stripe_sign(key, rows[i].signed_at_s, sl_span_of(rows[i].body), header));
        }
        struct sl_sources sources;
        sl_sources_default(&sources);
        const struct pub_keyring keyring = { .keys = { key }, .count = rows[i].has_keys ? 1 : 0 };
        const struct pub_source source = {
            .name = "stripe", .rules = &sources.items[0], .keyring = &keyring, .tolerance_s = 300
        };
        const struct pub_webhook webhook = {
            .what.signature = sl_span_of(header[0] == '\0' ? NULL : header),
            .what.body = sl_span_of(rows[i].body),
            .is_doubled = rows[i].is_doubled,
            .content_encoding = sl_span_of(rows[i].encoding),
            .received_at_us = NOW_S * 1000000 + 999999,
        };
        struct pub_judgement judgement;
        bool is_admitted = pub_webhook_admit(&source, &webhook, &judgement);
        int status = pub_answer_row(judgement.refusal)->status;
        if (is_admitted != (rows[i].status == 0) || (!is_admitted && status != rows[i].status)) {
            printf("%s: %d\n", rows[i].name, status);
            CU_FAIL("the gate decided otherwise");
        }
    }
}
