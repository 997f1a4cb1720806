#include "shared/subsystem/topic.h"

#include <string.h>

/* What is left of a text, word by word. */
struct words {
    struct sl_span rest;
    bool is_over; /* an empty rest is an empty word, unless this is set */
};

static struct words words_of(struct sl_span text);
static struct sl_span first(const struct words *words);
static struct words behind_first(const struct words *words);
static bool is_next(const struct words *words, char wildcard);

/* Only the last '#' has to be tried with more words: what an earlier one could take, it can take as well. */
bool sl_topic_takes(struct sl_span pattern, struct sl_span key)
{
    struct words wanted = words_of(pattern);
    struct words given = words_of(key);
    struct words behind_hash = { .is_over = true };
    struct words given_to_hash = { .is_over = true };
    bool has_hash = false;
    while (!given.is_over) {
        if (is_next(&wanted, '#')) {
            has_hash = true;
            behind_hash = behind_first(&wanted);
            given_to_hash = given;
            wanted = behind_hash;
        } else if (is_next(&wanted, '*') ||
                   (!wanted.is_over && sl_span_eq(first(&wanted), first(&given)))) {
            wanted = behind_first(&wanted);
            given = behind_first(&given);
        } else if (has_hash) {
            given_to_hash = behind_first(&given_to_hash);
            given = given_to_hash;
            wanted = behind_hash;
        } else {
            return false;
        }
    }
    while (is_next(&wanted, '#')) {
        wanted = behind_first(&wanted);
    }
    return wanted.is_over;
}

static struct words words_of(struct sl_span text)
{
    return (struct words){ .rest = text, .is_over = text.bytes == 0 };
}

static struct sl_span first(const struct words *words)
{
    const char *dot =
        words->rest.bytes == 0 ? NULL : memchr(words->rest.data, '.', words->rest.bytes);
    size_t bytes = dot == NULL ? words->rest.bytes : (size_t)(dot - words->rest.data);
    return (struct sl_span){ words->rest.data, bytes };
}

static struct words behind_first(const struct words *words)
{
    size_t bytes = first(words).bytes;
    if (bytes == words->rest.bytes) {
        return (struct words){ .is_over = true };
    }
    return (struct words){
        .rest = { words->rest.data + bytes + 1, words->rest.bytes - bytes - 1 },
    };
}

static bool is_next(const struct words *words, char wildcard)
{
    struct sl_span word = first(words);
    return !words->is_over && word.bytes == 1 && word.data[0] == wildcard;
}
