#include "publisher/guard/bucket.h"

#define TOKEN INT64_C(1000)

static void refill(struct pub_bucket *bucket, int64_t now_ms);

struct pub_bucket pub_bucket_make(int64_t rate, int64_t burst, int64_t now_ms)
{
    SL_ASSERT(rate > 0 && burst > 0);
    return (struct pub_bucket){
        .rate = rate, .burst = burst, .millis = burst * TOKEN, .at_ms = now_ms
    };
}

bool pub_bucket_take(struct pub_bucket *bucket, int64_t now_ms)
{
    refill(bucket, now_ms);
    if (bucket->millis < TOKEN) {
        return false;
    }
    bucket->millis -= TOKEN;
    return true;
}

bool pub_bucket_has(struct pub_bucket *bucket, int64_t now_ms)
{
    refill(bucket, now_ms);
    return bucket->millis >= TOKEN;
}

/* rate tokens a second are rate thousandths a millisecond. */
static void refill(struct pub_bucket *bucket, int64_t now_ms)
{
    int64_t passed_ms = now_ms - bucket->at_ms;
    int64_t missing = bucket->burst * TOKEN - bucket->millis;
    if (passed_ms <= 0) {
        return;
    }
    bucket->at_ms = now_ms;
    bucket->millis += passed_ms > missing / bucket->rate ? missing : passed_ms * bucket->rate;
}

unsigned pub_bucket_wait_s(const struct pub_bucket *bucket)
{
    int64_t missing = TOKEN - bucket->millis;
    int64_t wait_s = missing <= 0 ? 1 : (missing / bucket->rate + 999) / 1000;
    return wait_s < 1 ? 1 : (unsigned)wait_s;
}
