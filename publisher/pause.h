/*
 * pause - who is paused, until when, and what a paused sender is told.
 *
 * Decides only. An operator's pause is for one source or for all of them, answers 429 or 503, and ends by itself or when it is taken back. A source's own
 * pause goes before the one for all.
 * Law: Retry-After is what is left of the pause, at most 5 minutes, so that an early end is noticed; 30 s when no end was given.
 * Threads: one owner.
 */
#ifndef PUBLISHER_PAUSE_H
#define PUBLISHER_PAUSE_H

#include <stdint.h>

#include "shared/err.h"
#include "shared/span.h"

#define PUB_PAUSE_SOURCE_BYTES 32u
#define PUB_PAUSES_MAX         10u /* eight senders, our own programs, and all of them */
#define PUB_PAUSE_FOR_EVER     INT64_MAX
#define PUB_PAUSE_MS_MAX       (INT64_C(30) * 24 * 3600 * 1000)

struct pub_pause {
    char source[PUB_PAUSE_SOURCE_BYTES]; /* "": all */
    int answer;                          /* 429 or 503 */
    int64_t since_us;                    /* wall clock */
    int64_t until_ms;                    /* monotonic clock; PUB_PAUSE_FOR_EVER: until resumed */
    uint64_t refused;                    /* requests, counted by the owner */
};

struct pub_pauses {
    struct pub_pause items[PUB_PAUSES_MAX];
    size_t count;
};

/* The two clocks at one moment. */
struct pub_now {
    int64_t mono_ms;
    int64_t wall_us;
};

/*
 * Pauses `source` ("" : all) for for_ms (0: until resumed). A pause it has already is replaced, and goes on counting. *out_pause (borrowed until the next
 * change) is the pause. SL_E_USAGE: answer is neither 429 nor 503, for_ms is out of range; SL_E_LIMIT: too many.
 */
bool pub_pauses_set(struct pub_pauses *pauses, const char *source, int answer, int64_t for_ms,
                    struct pub_now now, const struct pub_pause **out_pause,
                    struct sl_err *err) SL_MUST;
/*
 * Ends the pause of `source`, or with "" every pause. What has ended is in *out_ended. SL_E_USAGE when the source is paused only because all are: one
 * cannot be taken out of that.
 */
bool pub_pauses_resume(struct pub_pauses *pauses, const char *source, struct pub_pauses *out_ended,
                       struct sl_err *err) SL_MUST;
/* Ends what is over by now. */
void pub_pauses_expire(struct pub_pauses *pauses, int64_t now_ms, struct pub_pauses *out_ended);
/* When the next pause is over; PUB_PAUSE_FOR_EVER: none is. */
int64_t pub_pauses_next_ms(const struct pub_pauses *pauses);

/* The pause a request of this source meets; NULL: none. */
struct pub_pause *pub_pauses_find(struct pub_pauses *pauses, const char *source, int64_t now_ms);
unsigned pub_pause_retry_after_s(const struct pub_pause *pause, int64_t now_ms);

#endif
