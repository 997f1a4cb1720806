/*
 * amqp_papers - SLUICE_AMQP_CA, SLUICE_AMQP_CERT and SLUICE_AMQP_KEY: whom the broker must be vouched for by, and how we prove ourselves to it.
 *
 * Looks at the files once, for mistakes; a link (amqp_link) reads them again at each attempt to connect.
 * Law: a file that cannot be used is named with its key.
 * Threads: no state.
 */
#ifndef SHARED_AMQP_PAPERS_H
#define SHARED_AMQP_PAPERS_H

#include "shared/amqp/amqp_url.h"
#include "shared/buf.h"

/*
 * Copies what is set (each may be NULL) into a parsed url. Appends "NAME: what is wrong\n" per mistake: half of a pair, papers for a broker without TLS,
 * a file that cannot be used, a key of another certificate.
 */
void sl_amqp_papers_set(struct sl_amqp_url *url, const struct sl_tls_papers *papers,
                        struct sl_buf *mistakes);

/* The same for the text of AMQP_URL (NULL: not set, a mistake), which is parsed first. *out_url is the caller's to end (sl_amqp_url_done). */
void sl_amqp_papers_read(const char *url, const struct sl_tls_papers *papers,
                         struct sl_amqp_url *out_url, struct sl_buf *mistakes);

#endif
