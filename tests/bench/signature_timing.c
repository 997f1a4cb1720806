/*
 * signature_timing - does the time of a refusal say how much of a forged signature was right?
 *
 * Usage: signature_timing_bench [VERIFICATIONS] (default: 1,000,000). Two kinds of forgery, in random order: wrong from its first byte, and
 * right up to its last. After dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?"): Welch's t over the times below the 90th
 * percentile; 4.5 or more means that the two can be told apart. The same is done with a comparison that stops at the first difference, which must be
 * found out, else the measurement sees nothing. Noise passes, a leak does not: it must show in each of three rounds. Exit status: 1 when it does, or
 * when the leak that is there on purpose was not seen. One line of JSON.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/signature/stripe_signature.h"

#define ROUNDS        3
#define T_MAX         4.5
#define KEPT          0.9
#define AT_S          1700000000
#define HEX_AT        (sizeof "t=1700000000,v1=" - 1)
#define SECRET        "whsec_0123456789abcdefghijklmn"
#define BODY          "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x.y\"}"
#define WARM_UP       1000u
#define FORGERIES     2u
#define COUNT_DEFAULT 1000000ul

struct bench {
    struct sl_hmac_key *key;
    char headers[FORGERIES]
                [SL_STRIPE_HEADER_BYTES]; /* wrong in the first byte, wrong in the last */
    char right[SL_STRIPE_HEADER_BYTES];
    size_t count;
    double *ns[FORGERIES];
    size_t used[FORGERIES];
};

typedef bool accepts_fn(const struct bench *bench, const char *header);

static void prepare(struct bench *bench, size_t count);
static bool is_accepted(const struct bench *bench, const char *header);
static bool is_accepted_leaking(const struct bench *bench, const char *header);
static double smallest_t(struct bench *bench, accepts_fn *accepts);
static void measure(struct bench *bench, accepts_fn *accepts);
static double welch_t(struct bench *bench);
static int by_size(const void *a, const void *b);

int main(int argc, char **argv)
{
    static struct bench bench;
    prepare(&bench, argc > 1 ? strtoul(argv[1], NULL, 10) : COUNT_DEFAULT);
    double ours = smallest_t(&bench, is_accepted);
    double leaking = smallest_t(&bench, is_accepted_leaking);
    printf("{\"verifications\":%zu,\"t\":%.2f,\"t_of_a_leak\":%.2f,\"bar\":%.1f}\n", bench.count,
           ours, leaking, T_MAX);
    return ours < T_MAX && leaking >= T_MAX ? 0 : 1;
}

static void prepare(struct bench *bench, size_t count)
{
    bench->count = count;
    bench->key = sl_hmac_key_new(SL_SPAN_LITERAL(SECRET), NULL);
    if (count < WARM_UP || bench->key == NULL ||
        !sl_stripe_sign(bench->key, AT_S, SL_SPAN_LITERAL(BODY), bench->right)) {
        fprintf(stderr, "usage: signature_timing_bench [VERIFICATIONS]\n");
        exit(64);
    }
    static const size_t wrong_at[FORGERIES] = { HEX_AT, HEX_AT + 63 };
    for (size_t i = 0; i < FORGERIES; i++) {
        memcpy(bench->headers[i], bench->right, sizeof bench->right);
        char *digit = &bench->headers[i][wrong_at[i]];
        *digit = *digit == '0' ? '1' : '0';
        bench->ns[i] = calloc(count, sizeof bench->ns[i][0]);
        if (bench->ns[i] == NULL) {
            exit(71);
        }
    }
}

static bool is_accepted(const struct bench *bench, const char *header)
{
    struct sl_hmac_key *keys[] = { bench->key };
    const struct sl_stripe_check check = { keys, 1, AT_S, 300 };
    return sl_stripe_verify(&check, sl_span_of(header), SL_SPAN_LITERAL(BODY), NULL) ==
           SL_SIGNATURE_VALID;
}

static bool is_accepted_leaking(const struct bench *bench, const char *header)
{
    bool is_valid = is_accepted(bench, header); /* as much work as ours */
    for (const volatile char *a = header, *b = bench->right; *a != '\0'; a++, b++) {
        if (*a != *b) {
            return false;
        }
    }
    return is_valid;
}

/* Of the rounds. */
static double smallest_t(struct bench *bench, accepts_fn *accepts)
{
    double smallest = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        measure(bench, accepts);
        double t = fabs(welch_t(bench));
        smallest = t < smallest ? t : smallest;
    }
    return smallest;
}

static void measure(struct bench *bench, accepts_fn *accepts)
{
    memset(bench->used, 0, sizeof bench->used);
    for (size_t i = 0; i < bench->count; i++) {
        size_t which = (size_t)random() & 1u;
        struct timespec begin;
        struct timespec end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        bool is_valid = accepts(bench, bench->headers[which]);
        clock_gettime(CLOCK_MONOTONIC, &end);
        if (is_valid) {
            fprintf(stderr, "a forgery was accepted\n");
            exit(70);
        }
        if (i >= WARM_UP) {
            bench->ns[which][bench->used[which]++] =
                (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
        }
    }
}

static double welch_t(struct bench *bench)
{
    double mean[FORGERIES];
    double error[FORGERIES]; /* variance of the mean */
    for (size_t i = 0; i < FORGERIES; i++) {
        qsort(bench->ns[i], bench->used[i], sizeof bench->ns[i][0], by_size);
        size_t kept = (size_t)((double)bench->used[i] * KEPT);
        double sum = 0;
        double squares = 0;
        for (size_t n = 0; n < kept; n++) {
            sum += bench->ns[i][n];
        }
        mean[i] = sum / (double)kept;
        for (size_t n = 0; n < kept; n++) {
            squares += (bench->ns[i][n] - mean[i]) * (bench->ns[i][n] - mean[i]);
        }
        error[i] = squares / (double)(kept - 1) / (double)kept;
    }
    return (mean[0] - mean[1]) / sqrt(error[0] + error[1]);
}

static int by_size(const void *a, const void *b)
{
    double one = *(const double *)a;
    double other = *(const double *)b;
    return one < other ? -1 : one > other;
}
