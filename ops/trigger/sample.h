/*
 * sample - correctly shaped events about customers that do not exist.
 *
 * Decides only: a step of the story (ops/trigger/sample_story.def), a customer's number, a run's name and a time in; the bytes of one event out.
 * Everything one customer's events say fits together: ids, amounts, periods, states, and `created` grows with each step. Event
 * ids hold the run's name and the event's number, so they are unique as long as run names are. Addresses are example.com.
 * The templates are ops/trigger/samples/<object>.json, whole events with {{places}}, and are compiled into the program.
 * Threads: a book is constant after it was opened.
 */
#ifndef OPS_SAMPLE_H
#define OPS_SAMPLE_H

#include <stdint.h>

#include "shared/buf.h"

#define OPS_SAMPLE_RUN_BYTES   8u            /* letters and digits of a run's name */
#define OPS_SAMPLE_BYTES_MAX   (32u * 1024u) /* of one event */
#define OPS_SAMPLE_NUMBERS_MAX 9999999999u   /* customers and events of one run */

struct ops_sample_book;

/* Reads the templates once; a place that nothing fills is a bug that is found here. */
struct ops_sample_book *ops_sample_book_new(struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void ops_sample_book_free(struct ops_sample_book *book);

struct ops_sample {
    const char *run;   /* exactly OPS_SAMPLE_RUN_BYTES letters and digits */
    uint64_t number;   /* of the event in its run, from 1 */
    uint64_t customer; /* from 1 */
    size_t step;       /* below ops_sample_step_count() */
    int64_t story_s;   /* wall time of this customer's first step; later steps are a second apart */
};

/* Appends the event to out. */
bool ops_sample_write(const struct ops_sample_book *book, const struct ops_sample *sample,
                      struct sl_buf *out, struct sl_err *err) SL_MUST;

size_t ops_sample_step_count(void);
const char *ops_sample_step_type(size_t step);

/*
 * The steps that a word stands for: "all" is the whole story, "signup" its happy beginning, a type its first step.
 * False for a word that is none of them.
 */
bool ops_sample_find(const char *word, size_t *out_first, size_t *out_count);
/* Whose event is the i-th (from 0) of a run over those steps, and which step it is. */
struct ops_sample_seat {
    uint64_t customer; /* from 1 */
    size_t step;
    size_t last_step; /* that this customer will live */
};
/* Customers come one after the other; of "all", every third lives the whole story and the others its beginning. */
void ops_sample_seat(size_t first, size_t count, uint64_t i, struct ops_sample_seat *out);

/* Every word ops_sample_find knows, one by one, without repeats; NULL at the end. For help and suggestions. */
const char *ops_sample_word(const void *unused, size_t i);

SL_DEFINE_AUTO(struct ops_sample_book *, ops_sample_book_free)

#endif
