/*
 * bucket - a token bucket: so many at once, and so many a second after that.
 *
 * Decides only: the caller tells the time.
 * Threads: one owner.
 */
#ifndef PUBLISHER_BUCKET_H
#define PUBLISHER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/scope.h"

struct pub_bucket {
    int64_t rate;   /* tokens a second, > 0 */
    int64_t burst;  /* most tokens, > 0 */
    int64_t millis; /* thousandths of a token at hand */
    int64_t at_ms;  /* monotonic, when that was so */
};

/* A full one. */
struct pub_bucket pub_bucket_make(int64_t rate, int64_t burst, int64_t now_ms);
/* Takes a token. */
bool pub_bucket_take(struct pub_bucket *bucket, int64_t now_ms) SL_MUST;
/* Whether there is a token. */
bool pub_bucket_has(struct pub_bucket *bucket, int64_t now_ms);
/* Whole seconds, at least 1, until there is one. */
unsigned pub_bucket_wait_s(const struct pub_bucket *bucket);

#endif
