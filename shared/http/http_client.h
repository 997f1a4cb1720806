/*
 * http_client - HTTP requests to others, over libcurl's multi interface on our loop.
 *
 * Bounded in time (connect and total, waiting for a connection included), in answer size and in concurrency; https is verified; no
 * redirects. Connections are kept and reused. The proxy variables of the environment (https_proxy, no_proxy …) are honoured.
 * The only file that includes curl. The program ignores SIGPIPE.
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
    bool cuts_answers; /* a longer answer is cut there; else it is an error */
};

struct sl_http_call {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *url;
    /* "Name: value", NULL-terminated; NULL: none. No Content-Type is sent but the one given here. */
    const char *const *fields;
    struct sl_span body; /* copied; absent for none */
    const char *user;    /* basic authentication; NULL: none */
    const char *password;
};

struct sl_http_answer {
    int status;               /* 0: no answer, see err */
    struct sl_span body;      /* borrowed during the callback */
    int64_t elapsed_us;       /* start to last byte */
    int64_t retry_after_s;    /* Retry-After, as seconds from now; 0: none */
    int64_t date_s;           /* Date, the other side's clock; 0: none */
    void *fields;             /* for sl_http_answer_field; NULL: there was no answer */
    const struct sl_err *err; /* when status is 0 */
    bool was_sent; /* at least a part of the request left us: the other side may have acted on it */
};

struct sl_http_client *sl_http_client_new(const struct sl_http_client_opts *opts,
                                          struct sl_err *err) SL_MUST;
/* Ends running transfers without calling back. Not from inside on_answer. Accepts NULL. */
void sl_http_client_free(struct sl_http_client *client);

/*
 * Starts a transfer; on_answer runs exactly once, later, in the loop, and may start the next. False: not started (SL_E_LIMIT,
 * SL_E_MEMORY; SL_E_HTTP_MALFORMED for a control byte in method, URL or field).
 * Errors of an answer: SL_E_DEADLINE, SL_E_NET_RESOLVE, SL_E_HTTP_UNREACHABLE, SL_E_HTTP_MALFORMED (URL), SL_E_LIMIT (answer too large).
 */
bool sl_http_client_call(struct sl_http_client *client, const struct sl_http_call *call,
                         void (*on_answer)(const struct sl_http_answer *answer, void *arg),
                         void *arg, struct sl_err *err) SL_MUST;
/* A field of the answer, borrowed during the callback; absent when it has none of that name. The last one of several. */
struct sl_span sl_http_answer_field(const struct sl_http_answer *answer, const char *name);
size_t sl_http_client_running(const struct sl_http_client *client);

SL_DEFINE_AUTO(struct sl_http_client *, sl_http_client_free)

#endif
