#include "ops/address.h"

#include "tests/support/claims.h"

static const struct {
    const char *listen;
    const char *url; /* NULL: refused */
} rows[] = {
    { "127.0.0.1:8080", "http://127.0.0.1:8080" },
    { "0.0.0.0:80", "http://127.0.0.1:80" },
    { ":8080", "http://127.0.0.1:8080" },
    { "*:8080", "http://127.0.0.1:8080" },
    { "[::]:8080", "http://[::1]:8080" },
    { "[::1]:8080", "http://[::1]:8080" },
    { "10.0.0.7:9464", "http://10.0.0.7:9464" },
    { "8080", NULL },
    { "host:", NULL },
    { "host:http", NULL },
    { "unix:/run/sluice.sock", NULL },
};

CLAIM(address__a_listen_address_is_reached_where_it_listens)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        char url[OPS_URL_BYTES] = "";
        bool is_taken = ops_address_from_listen(rows[i].listen, url);
        CU_ASSERT_EQUAL(is_taken, rows[i].url != NULL);
        if (is_taken && rows[i].url != NULL) {
            CU_ASSERT_STRING_EQUAL(url, rows[i].url);
        }
    }
}
