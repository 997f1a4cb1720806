/* The servers of a connection string, and the texts that libpq and the server give us. */
#include "shared/pg/pg_hosts.h"

#include <stdio.h>
#include <string.h>

#include "shared/pg/pg_text.h"
#include "tests/support/claims.h"

struct row {
    const char *host;
    const char *hostaddr;
    const char *port;
    const char *expected; /* host/address/port, "?" behind a name; NULL: refused */
};

static const struct row rows[] = {
    { NULL, NULL, NULL, "//5432" },
    { "", "", "", "//5432" },
    { "db", NULL, NULL, "db//5432?" },
    { "db", NULL, "6000", "db//6000?" },
    { "a,b", NULL, "6000", "a//6000? b//6000?" },
    { "a,b", NULL, "1,2", "a//1? b//2?" },
    { "a,b", NULL, ",2", "a//5432? b//2?" },
    { "a,,b", NULL, NULL, "a//5432? //5432 b//5432?" },
    { "10.0.0.1", NULL, NULL, "10.0.0.1/10.0.0.1/5432" },
    { "::1", NULL, NULL, "::1/::1/5432" },
    { "fe80::1%eth0", NULL, NULL, "fe80::1%eth0/fe80::1%eth0/5432" },
    { "db", "10.0.0.1", NULL, "db/10.0.0.1/5432" },
    { NULL, "10.0.0.1,10.0.0.2", NULL, "/10.0.0.1/5432 /10.0.0.2/5432" },
    { "/var/run/postgresql", NULL, "5433", "/var/run/postgresql//5433" },
    { "@abstract", NULL, NULL, "@abstract//5432" },
    { "a,b", NULL, "1,2,3", NULL },
    { "a,b", "10.0.0.1", NULL, NULL },
    { "a", NULL, "pa55", NULL },
    { "a", NULL, "0", NULL },
    { "a", NULL, "65536", NULL },
    { "a", NULL, "-1", NULL },
    { "ss@host", NULL, NULL, NULL },
    { "a b", NULL, NULL, NULL },
    { "a", "not an address", NULL, NULL },
    { "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", NULL, NULL, NULL },
};

CLAIM(pg_hosts__pairs_hosts_addresses_and_ports_as_libpq_does)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_pg_hosts hosts = { 0 };
        struct sl_err err = { 0 };
        char got[1024] = "";
        bool is_read =
            sl_pg_hosts_parse(rows[i].host, rows[i].hostaddr, rows[i].port, &hosts, &err);
        for (size_t k = 0; k < hosts.count; k++) {
            const struct sl_pg_host *host = &hosts.items[k];
            size_t used = strlen(got);
            snprintf(got + used, sizeof got - used, "%s%s/%s/%s%s", k == 0 ? "" : " ", host->host,
                     host->address, host->port, host->is_name ? "?" : "");
        }
        CU_ASSERT_EQUAL(is_read, rows[i].expected != NULL);
        if (rows[i].expected != NULL) {
            CU_ASSERT_STRING_EQUAL(got, rows[i].expected);
        } else {
            CU_ASSERT_EQUAL(err.code, SL_E_CONFIG);
            CU_ASSERT_EQUAL(hosts.count, 0);
            CU_ASSERT_PTR_NULL(strstr(err.text, "pa55"));
            CU_ASSERT_PTR_NULL(strstr(err.text, "ss@host"));
        }
    }
}

CLAIM(pg_hosts__a_name_longer_than_dns_allows_is_refused)
{
    char name[SL_PG_HOST_BYTES_MAX + 2];
    struct sl_pg_hosts hosts = { 0 };
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CU_ASSERT_FALSE(sl_pg_hosts_parse(name, NULL, NULL, &hosts, NULL));
    name[SL_PG_HOST_BYTES_MAX] = '\0';
    CU_ASSERT_TRUE(sl_pg_hosts_parse(name, NULL, NULL, &hosts, NULL));
}

CLAIM(pg_text__keeps_the_first_line_and_no_secret)
{
    static const char *const secrets[] = { "s3cret", NULL, "" };
    char out[64];
    sl_pg_text_clean("failed for s3cret at s3crets3cret\n\tIs it running?", secrets, 3, out,
                     sizeof out);
    CU_ASSERT_STRING_EQUAL(out, "failed for *** at ******");
    sl_pg_text_clean("", secrets, 3, out, sizeof out);
    CU_ASSERT_STRING_EQUAL(out, "");
    char small[8];
    sl_pg_text_clean("1234s3cret", secrets, 3, small, sizeof small);
    CU_ASSERT_STRING_EQUAL(small, "1234***");
    sl_pg_text_clean("12345s3cret", secrets, 3, small, sizeof small);
    CU_ASSERT_STRING_EQUAL(small, "12345"); /* no room for the mask: nothing of the secret either */
}

CLAIM(pg_text__cuts_the_value_off_a_data_exception_only)
{
    char refused[] = "invalid input syntax for type bigint: \"4242\"";
    sl_pg_text_cut_value(refused, "22P02");
    CU_ASSERT_STRING_EQUAL(refused, "invalid input syntax for type bigint");
    char other[] = "database says: \"no\"";
    sl_pg_text_cut_value(other, "42P01");
    CU_ASSERT_STRING_EQUAL(other, "database says: \"no\"");
}

CLAIM(pg_text__takes_the_sqlstate_out_of_a_failed_connection)
{
    char sqlstate[SL_SQLSTATE_BYTES];
    char verbose[] = "connection to server at \"h\", port 1 failed: FATAL:  28P01: password "
                     "authentication failed";
    sl_pg_text_take_sqlstate(verbose, sqlstate);
    CU_ASSERT_STRING_EQUAL(sqlstate, "28P01");
    CU_ASSERT_STRING_EQUAL(verbose, "connection to server at \"h\", port 1 failed: FATAL: password "
                                    "authentication failed");
    char plain[] = "connection refused:  no code: here";
    sl_pg_text_take_sqlstate(plain, sqlstate);
    CU_ASSERT_STRING_EQUAL(sqlstate, "");
    CU_ASSERT_STRING_EQUAL(plain, "connection refused:  no code: here");
}
