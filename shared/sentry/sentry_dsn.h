/*
 * sentry_dsn - SENTRY_DSN as data: where envelopes go, and the key that goes with them.
 *
 * Decides only. `https://<public key>[:<secret>]@<host>[:<port>][/<path>]/<project>`; the secret of old DSNs is ignored.
 * Source: develop.sentry.dev, "SDK Overview: Parsing the DSN" and "Envelopes: Ingestion".
 * Refuses: query strings and fragments, which no DSN has.
 * Threads: no state.
 */
#ifndef SHARED_SENTRY_DSN_H
#define SHARED_SENTRY_DSN_H

#include "shared/buf.h"

#define SL_SENTRY_URL_BYTES 512u
#define SL_SENTRY_KEY_BYTES 129u

struct sl_sentry_dsn {
    char url[SL_SENTRY_URL_BYTES]; /* "https://host/api/42/envelope/" */
    char key[SL_SENTRY_KEY_BYTES]; /* public key */
};

/* SL_E_CONFIG; the text never contains the DSN. */
bool sl_sentry_dsn_parse(const char *text, struct sl_sentry_dsn *out_dsn,
                         struct sl_err *err) SL_MUST;
/* The DSN of SENTRY_DSN_QUEUE, else of SENTRY_DSN (either may be NULL). False when there is none, or when it is a mistake, which is appended. */
bool sl_sentry_dsn_choose(const char *dsn, const char *dsn_queue, struct sl_sentry_dsn *out_dsn,
                          struct sl_buf *mistakes);

#endif
