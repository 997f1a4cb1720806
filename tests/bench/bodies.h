/*
 * bodies - the events that a bench sends: lines "<signature>\t<body>" as signed_bodies.mjs writes them.
 *
 * Loaded whole, so that nothing is read while the clock runs. The lines and their bodies borrow from `text`, which lives as long as the program.
 * For bench programs only: a failure ends the program with a sentence.
 */
#ifndef BENCH_BODIES_H
#define BENCH_BODIES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/event/envelope.h"

struct bench_body {
    struct sl_span signature;
    struct sl_span body;
};

struct bench_bodies {
    struct bench_body *items;
    size_t count;
};

#define BENCH_FAIL(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

static inline struct bench_bodies bench_bodies_load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        BENCH_FAIL("%s cannot be read", path);
    }
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(bytes + 1);
    if (text == NULL || fread(text, 1, bytes, file) != bytes) {
        BENCH_FAIL("%s cannot be read", path);
    }
    fclose(file);
    text[bytes] = '\0';
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    struct bench_bodies bodies = { .items = calloc(lines, sizeof bodies.items[0]) };
    for (char *line = text; bodies.items != NULL && bodies.count < lines;) {
        char *end = strchr(line, '\n');
        char *tab = memchr(line, '\t', (size_t)(end - line));
        if (tab == NULL) {
            BENCH_FAIL("%s: line %zu has no tab", path, bodies.count + 1);
        }
        bodies.items[bodies.count++] = (struct bench_body){
            .signature = sl_span_make(line, (size_t)(tab - line)),
            .body = sl_span_make(tab + 1, (size_t)(end - tab - 1)),
        };
        line = end + 1;
    }
    if (bodies.count == 0) {
        BENCH_FAIL("%s holds no event", path);
    }
    return bodies;
}

/* The id that the body begins with. */
static inline struct sl_span bench_body_id(struct sl_span body)
{
    static const char before[] = "{\"id\":\"";
    size_t skip = sizeof before - 1;
    const char *end = body.bytes > skip && memcmp(body.data, before, skip) == 0
                          ? memchr(body.data + skip, '"', body.bytes - skip)
                          : NULL;
    if (end == NULL) {
        BENCH_FAIL("a body does not begin with its id");
    }
    return sl_span_make(body.data + skip, (size_t)(end - body.data) - skip);
}

/* The message that the publisher makes of it; appended to out. */
static inline struct sl_envelope bench_envelope(struct sl_span body, int64_t now_us)
{
    return (struct sl_envelope){
        .id = bench_body_id(body),
        .source = SL_SPAN_LITERAL("stripe"),
        .type = SL_SPAN_LITERAL("customer.created"),
        .account = SL_SPAN_LITERAL(""),
        .object = SL_SPAN_LITERAL("cus_bench"),
        .occurred_at_s = now_us / 1000000,
        .received_at_us = now_us,
        .content_type = SL_SPAN_LITERAL("application/json"),
        .body = body,
    };
}

static inline int bench_compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* Sorts the samples; 0 when there are none. */
static inline uint32_t bench_percentile(uint32_t *samples, size_t count, unsigned percent)
{
    if (count == 0) {
        return 0;
    }
    qsort(samples, count, sizeof samples[0], bench_compare);
    size_t at = (count * percent + 99) / 100;
    return samples[at > 0 ? at - 1 : 0];
}

#endif
