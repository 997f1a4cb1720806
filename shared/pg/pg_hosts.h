/*
 * pg_hosts - the servers a connection string names, as a list to try one by one.
 *
 * Decides only: no DNS, no socket, no libpq. Takes the three values of libpq (host, hostaddr, port), each a comma list, and pairs them by
 * libpq's rules: one port serves all hosts, an empty entry means the default.
 * Refuses: names that can be no host. Its messages never repeat what was written, since a password whose @ or / is not percent-encoded
 * ends up in the place of a host, a port or a database.
 * Threads: no state.
 */
#ifndef SHARED_PG_HOSTS_H
#define SHARED_PG_HOSTS_H

#include "shared/err.h"

#define SL_PG_HOSTS_MAX         16u
#define SL_PG_HOST_BYTES_MAX    255u /* RFC 1035; a socket directory is shorter */
#define SL_PG_ADDRESS_BYTES_MAX 63u  /* IPv6 with a zone */

struct sl_pg_host {
    char host[SL_PG_HOST_BYTES_MAX +
              1]; /* name, address or socket directory; "": libpq's default socket */
    char address[SL_PG_ADDRESS_BYTES_MAX + 1]; /* numeric, known without DNS; "" */
    char port[6];                              /* "5432" */
    bool is_name;                              /* needs DNS */
};

struct sl_pg_hosts {
    struct sl_pg_host items[SL_PG_HOSTS_MAX];
    size_t count; /* at least 1 */
};

/* Each of the three may be NULL. out is untouched on failure. */
bool sl_pg_hosts_parse(const char *host, const char *hostaddr, const char *port,
                       struct sl_pg_hosts *out, struct sl_err *err) SL_MUST;

#endif
