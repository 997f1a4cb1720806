/*
 * bisect - which part of a batch to try next, until every event is either applied or found guilty.
 *
 * Decides only. A batch starts as one slice. A slice that passes is done; one that fails is cut in two halves, tried in order; a
 * slice of one event that fails is guilty. With one guilty event among n that is about 2 * log2(n) + 1 tries.
 * Refuses: deciding whether a failure is the content's fault (retry_decide does).
 * Threads: no shared state.
 */
#ifndef CONSUMER_BISECT_H
#define CONSUMER_BISECT_H

#include <stdbool.h>
#include <stddef.h>

#define CON_BISECT_EVENTS_MAX 65536u
#define CON_BISECT_SLICES_MAX 18u /* log2 of the above, and the slice in hand */

struct con_slice {
    size_t first;
    size_t count;
};

struct con_bisect {
    struct con_slice todo[CON_BISECT_SLICES_MAX]; /* the last one is next */
    size_t todo_count;
};

/* count <= CON_BISECT_EVENTS_MAX; 0 is done at once. */
void con_bisect_init(struct con_bisect *bisect, size_t count);
/* The slice to try; false when nothing is left. The same one until it has passed or failed. */
bool con_bisect_next(const struct con_bisect *bisect, struct con_slice *out_slice);
/* The slice of con_bisect_next went through. */
void con_bisect_passed(struct con_bisect *bisect);
/* It failed. True: it was one event alone, which is guilty and leaves the search; false: it was cut in two. */
bool con_bisect_failed(struct con_bisect *bisect);

#endif
