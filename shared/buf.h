/*
 * buf - growable bytes with a ceiling.
 *
 * Owns its storage. An append that would pass the ceiling, or for which there is no memory, changes nothing, marks the buffer
 * as failed and returns false; later appends fail too, so a writer may check once at the end with sl_buf_ok.
 * Refuses: growing without a limit.
 * Threads: one owner.
 */
#ifndef SHARED_BUF_H
#define SHARED_BUF_H

#include "shared/err.h"
#include "shared/span.h"

struct sl_buf {
    char *
        data; /* NULL until the first append; always NUL-terminated behind used_bytes once allocated */
    size_t used_bytes;
    size_t room_bytes; /* allocated, without the terminator */
    size_t bytes_max;  /* ceiling; 0 is a buffer that was never initialised and takes nothing */
    bool failed;
};

/* Allocates nothing yet. bytes_max > 0. */
void sl_buf_init(struct sl_buf *buf, size_t bytes_max);
/* Frees; accepts zeroed storage. */
void sl_buf_done(struct sl_buf *buf);
/* Empties and clears the failed mark; keeps the memory. */
void sl_buf_reset(struct sl_buf *buf);

bool sl_buf_append(struct sl_buf *buf, const void *data, size_t bytes);
bool sl_buf_append_span(struct sl_buf *buf, struct sl_span span);
bool sl_buf_append_text(struct sl_buf *buf, const char *text);
bool sl_buf_append_char(struct sl_buf *buf, char byte);
bool sl_buf_printf(struct sl_buf *buf, const char *fmt, ...) SL_PRINTF(2, 3);

/* Room for `bytes` more at the end, to be filled by the caller and then claimed with sl_buf_commit; NULL on failure. */
char *sl_buf_reserve(struct sl_buf *buf, size_t bytes) SL_MUST;
void sl_buf_commit(struct sl_buf *buf, size_t bytes);

static inline bool sl_buf_ok(const struct sl_buf *buf)
{
    return !buf->failed;
}

/* Borrowed until the next change. */
static inline struct sl_span sl_buf_span(const struct sl_buf *buf)
{
    return (struct sl_span){ buf->data == NULL ? "" : buf->data, buf->used_bytes };
}

#endif
