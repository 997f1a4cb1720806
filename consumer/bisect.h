/*
 * bisect - which part of a batch to try next, until every event is either applied or found guilty.
 *
 * Decides only. A batch starts as one slice. A slice that passes is done; one that fails is cut in two halves, tried in order; a
 * slice of one event that fails is guilty. When the first half of a slice that failed passes, the second is cut without being tried: the guilt is in
 * it. With one guilty event among n that is at most 2 * log2(n) + 1 tries. An event that is suspected can be tried first, alone: 4 tries when right.
 * Refuses: deciding whether a failure is the content's fault (retry_decide does).
 * Threads: no shared state.
 */
#ifndef CONSUMER_BISECT_H
#define CONSUMER_BISECT_H

#include <stdbool.h>
#include <stddef.h>

#define CON_BISECT_EVENTS_MAX 65536u
#define CON_BISECT_SLICES_MAX                                                                      \
    40u /* up to two stay behind at each of log2 of the above levels, and those put off */
#define CON_BISECT_PUT_OFF_MAX 4u

struct con_slice {
    size_t first;
    size_t count;
};

struct con_bisect {
    struct con_slice todo[CON_BISECT_SLICES_MAX]; /* the last one is next */
    bool
        is_first_half[CON_BISECT_SLICES_MAX]; /* of a failed slice, the other half being below it */
    size_t todo_count;
    size_t put_off_count; /* ever, of this batch */
};

/* count <= CON_BISECT_EVENTS_MAX; 0 is done at once. */
void con_bisect_init(struct con_bisect *bisect, size_t count);
/* The slice to try; false when nothing is left. The same one until it has passed, failed or been put off. */
bool con_bisect_next(const struct con_bisect *bisect, struct con_slice *out_slice);
/* The slice of con_bisect_next went through. */
void con_bisect_passed(struct con_bisect *bisect);
/* It failed. True: it was one event alone, which is guilty and leaves the search; false: it was cut in two. */
bool con_bisect_failed(struct con_bisect *bisect);
/* It failed, and this event of it is tried next, alone; the slice holds several. */
void con_bisect_suspect(struct con_bisect *bisect, size_t index);
/* It is tried again when everything else has been. False: nothing else is left, or CON_BISECT_PUT_OFF_MAX were put off already. */
bool con_bisect_put_off(struct con_bisect *bisect);

#endif
