/*
 * fetch - one HTTP request, waited for.
 *
 * For commands that have nothing else to do meanwhile; many requests at once are ops/trigger/volley.h.
 * Threads: runs a loop of its own until the answer or the deadline.
 */
#ifndef OPS_FETCH_H
#define OPS_FETCH_H

#include <stdint.h>

#include "shared/buf.h"

struct ops_fetch {
    const char *url;
    const char *user; /* basic authentication; NULL: none */
    const char *password;
    int64_t timeout_ms;
    const char *const *fields; /* "Name: value", NULL-terminated; NULL: none */
};

/* GET. True with any answer: its status and its body (as far as the buffer takes it; a longer one is SL_E_LIMIT). */
bool ops_fetch(const struct ops_fetch *fetch, int *out_status, struct sl_buf *out_body,
               struct sl_err *err) SL_MUST;

#endif
