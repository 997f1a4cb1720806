/*
 * top_screen - the terminal: its size, one key at a time, a page in place of the last one, and everything as it was afterwards.
 *
 * Uses the terminal's second screen. Restores it on close and when the process is ended by SIGINT, SIGTERM or SIGHUP (the caller closes after
 * ops_top_screen_is_over).
 * Threads: one; owns those signals.
 */
#ifndef OPS_TOP_SCREEN_H
#define OPS_TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "shared/err.h"
#include "shared/span.h"

struct ops_top_screen {
    struct termios before;
    bool is_open;
};

/* Both ends are a terminal. */
bool ops_top_screen_is_possible(void);
bool ops_top_screen_open(struct ops_top_screen *screen, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void ops_top_screen_close(struct ops_top_screen *screen);

/* 0 for both when it does not say. */
void ops_top_screen_size(size_t *out_columns, size_t *out_rows);
void ops_top_screen_show(struct sl_span page);
/*
 * Waits for a key, for wake_fd to be readable, or for wait_ms. The key, or '\0'. After a change of its size it returns at once.
 */
char ops_top_screen_wait(int wake_fd, int64_t wait_ms);
/* A signal, or the terminal is gone. */
bool ops_top_screen_is_over(void);

#endif
