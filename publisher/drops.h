/*
 * drops - the drop log: one line for each event that was answered 2xx and not kept.
 *
 * A line of JSON without the body (id, type, source, size, SHA-256, reason, time), in $SLUICE_STATE_DIR/drops.jsonl, written to the file before
 * the event is answered. It is not fsynced: its events are outside the promise, and the answer says so.
 * A full file is set aside under a numbered name; when all numbers are taken the log takes nothing more, and the event is refused instead.
 * Refuses: bodies, dropping without a line.
 * Threads: any loop writes and asks; opening and closing belong to one.
 */
#ifndef PUBLISHER_DROPS_H
#define PUBLISHER_DROPS_H

#include <pthread.h>
#include <stdint.h>

#include "shared/buf.h"

struct pub_drops {
    pthread_mutex_t lock; /* of what follows, while it is open */
    int dir;              /* -1: closed */
    int file;
    int64_t bytes;     /* in the current file */
    int64_t bytes_max; /* of one file */
    bool is_torn;      /* the last line is incomplete: the next one starts on a line of its own */
    struct sl_buf line;
};

struct pub_drop {
    int64_t at_us; /* wall clock */
    struct sl_span id;
    struct sl_span type;
    struct sl_span source;
    size_t body_bytes;
    const char *body_sha256; /* hex */
    const char *reason;
};

/* state_dir must exist and be ours to write. */
bool pub_drops_open(struct pub_drops *drops, const char *state_dir, struct sl_err *err) SL_MUST;
/* Accepts what a failed open left, and storage whose dir and file are -1. */
void pub_drops_close(struct pub_drops *drops);
/* It is open. */
bool pub_drops_can_write(struct pub_drops *drops);
/* False: the line is not in the file, and the event must not be answered 2xx. */
bool pub_drops_write(struct pub_drops *drops, const struct pub_drop *drop,
                     struct sl_err *err) SL_MUST;

#endif
