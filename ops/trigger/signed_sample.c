#include "ops/trigger/signed_sample.h"

#include <stdio.h>

#include "ops/secrets.h"
#include "shared/clock.h"

static bool name_run(struct ops_signed_sample *sample, struct sl_err *err);

bool ops_signed_sample_init(struct ops_signed_sample *sample, struct sl_err *err)
{
    sample->fields[0] = "Content-Type: application/json; charset=utf-8";
    sample->fields[1] = "User-Agent: sluice-trigger/" SLUICE_VERSION;
    sample->fields[2] = sample->signature_field;
    sl_buf_init(&sample->body, OPS_SAMPLE_BYTES_MAX);
    sample->book = ops_sample_book_new(err);
    return sample->book != NULL && name_run(sample, err);
}

static bool name_run(struct ops_signed_sample *sample, struct sl_err *err)
{
    static const char letters[] = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789";
    uint8_t noise[OPS_SAMPLE_RUN_BYTES];
    if (!sl_random_bytes(noise, sizeof noise)) {
        return sl_fail(err, SL_E_IO, "no random bytes");
    }
    for (size_t i = 0; i < sizeof noise; i++) {
        sample->name[i] = letters[noise[i] % (sizeof letters - 1)];
    }
    return true;
}

bool ops_signed_sample_key(struct ops_signed_sample *sample, const struct ops_address *address,
                           const char *secret_file, struct sl_err *err)
{
    SL_DONE(ops_secrets_done) struct ops_secrets secrets = { 0 };
    if (!ops_secrets_open(address, OPS_STRIPE_SECRET, secret_file, &secrets, err)) {
        return false;
    }
    sample->key = sl_hmac_key_new(secrets.items[0], err);
    return sample->key != NULL;
}

bool ops_signed_sample_bad_key(struct ops_signed_sample *sample, struct sl_err *err)
{
    uint8_t noise[SL_SHA256_BYTES];
    if (!sl_random_bytes(noise, sizeof noise)) {
        return sl_fail(err, SL_E_IO, "no random bytes");
    }
    sample->key = sl_hmac_key_new(sl_span_make(noise, sizeof noise), err);
    return sample->key != NULL;
}

void ops_signed_sample_done(struct ops_signed_sample *sample)
{
    sl_hmac_key_free(sample->key);
    ops_sample_book_free(sample->book);
    sl_buf_done(&sample->body);
}

bool ops_signed_sample_write(struct ops_signed_sample *sample, size_t first_step, size_t step_count,
                             uint64_t i, struct sl_err *err)
{
    struct ops_sample_seat seat = { 0 };
    ops_sample_seat(first_step, step_count, i, &seat);
    if (seat.customer != sample->customer) {
        sample->customer = seat.customer;
        sample->story_s = sl_clock_wall_us() / 1000000 - (int64_t)seat.last_step;
    }
    struct ops_sample event = { .run = sample->name,
                                .number = i + 1,
                                .customer = seat.customer,
                                .step = seat.step,
                                .story_s = sample->story_s };
    sl_buf_reset(&sample->body);
    return ops_sample_write(sample->book, &event, &sample->body, err);
}

bool ops_signed_sample_sign(struct ops_signed_sample *sample, int64_t at_s, struct ops_shot *out,
                            struct sl_err *err)
{
    char header[SL_STRIPE_HEADER_BYTES];
    if (!sl_stripe_sign(sample->key, at_s, sl_buf_span(&sample->body), header)) {
        return sl_fail(err, SL_E_BUG, "the signature could not be computed");
    }
    snprintf(sample->signature_field, sizeof sample->signature_field, "Stripe-Signature: %s",
             header);
    *out = (struct ops_shot){ .body = sl_buf_span(&sample->body), .fields = sample->fields };
    return true;
}

bool ops_webhook_url(const struct ops_address *address, const char *flag,
                     char out_url[OPS_WEBHOOK_URL_BYTES], struct sl_err *err)
{
    char base[OPS_URL_BYTES];
    if (!ops_address_publisher(address, flag, base, err)) {
        return false;
    }
    const char *host = strstr(base, "://") + 3;
    snprintf(out_url, OPS_WEBHOOK_URL_BYTES, "%s%s", base,
             strchr(host, '/') == NULL ? OPS_WEBHOOK_PATH : "");
    return true;
}
