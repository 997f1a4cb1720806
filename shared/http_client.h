/*
 * http_client - HTTP requests to others, over libcurl's multi interface on our loop.
 *
 * Bounded in time (connect and total), in answer size and in concurrency; https is verified; no redirects.
 * The only file that includes curl.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_HTTP_CLIENT_H
#define SHARED_HTTP_CLIENT_H

#include "shared/loop.h"
#include "shared/span.h"

struct sl_http_client;

struct sl_http_client_opts {
    struct sl_loop *loop;
    size_t transfers_max;   /* running at once; more are refused */
    size_t connections_max; /* kept per host */
    int64_t connect_ms;
    int64_t total_ms;
    size_t answer_bytes_max;
};

struct sl_http_call {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *url;
    const char *const *fields; /* "Name: value", NULL-terminated; NULL: none */
    struct sl_span body;       /* copied; absent for none */
    const char *user;          /* basic authentication; NULL: none */
    const char *password;
};

struct sl_http_answer {
    int status;               /* 0: no answer, see err */
    struct sl_span body;      /* borrowed during the callback */
    int64_t elapsed_us;       /* start to last byte */
    const struct sl_err *err; /* when status is 0 */
};

struct sl_http_client *sl_http_client_new(const struct sl_http_client_opts *opts,
                                          struct sl_err *err) SL_MUST;
/* Ends running transfers without calling back. Accepts NULL. */
void sl_http_client_free(struct sl_http_client *client);

/* Starts a transfer; on_answer runs exactly once, later, in the loop. False: not started (SL_E_LIMIT, SL_E_MEMORY). */
bool sl_http_client_call(struct sl_http_client *client, const struct sl_http_call *call,
                         void (*on_answer)(const struct sl_http_answer *answer, void *arg),
                         void *arg, struct sl_err *err) SL_MUST;
size_t sl_http_client_running(const struct sl_http_client *client);

SL_DEFINE_AUTO(struct sl_http_client *, sl_http_client_free)

#endif
