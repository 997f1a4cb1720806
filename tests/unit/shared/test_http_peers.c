#include "shared/http/http_peers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "tests/support/claims.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = { 0 };
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)&address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&address;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
    } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
    } else {
        address.ss_family = AF_UNIX;
    }
    return address;
}

static struct sl_http_peer *take(struct sl_http_peers *peers, const char *text)
{
    struct sockaddr_storage address = address_of(text);
    return sl_http_peers_take(peers, (struct sockaddr *)&address);
}

CLAIM(http_peers__only_addresses_of_the_internet_are_public)
{
    static const struct {
        const char *address;
        bool is_public;
    } cases[] = {
        { "3.18.12.63", true },       { "9.255.255.255", true },  { "10.0.0.1", false },
        { "11.0.0.0", true },         { "100.63.255.255", true }, { "100.64.0.1", false },
        { "100.127.255.255", false }, { "100.128.0.0", true },    { "127.0.0.1", false },
        { "169.254.169.254", false }, { "172.15.0.1", true },     { "172.16.0.1", false },
        { "172.31.255.255", false },  { "172.32.0.1", true },     { "192.168.1.1", false },
        { "192.169.0.1", true },      { "::1", false },           { "fe80::1", false },
        { "fd00::1", false },         { "fc00::1", false },       { "2001:db8::1", true },
        { "::ffff:10.0.0.1", false }, { "::ffff:8.8.8.8", true }, { "a Unix socket", false },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct sockaddr_storage address = address_of(cases[i].address);
        if (sl_http_peer_is_public((struct sockaddr *)&address) != cases[i].is_public) {
            fprintf(stderr, "\n%s\n", cases[i].address);
            CU_FAIL("public or not");
        }
    }
}

CLAIM(http_peers__connections_of_one_address_are_counted_and_given_back)
{
    struct sl_err err = { 0 };
    SL_AUTO(sl_http_peers_free) struct sl_http_peers *peers = sl_http_peers_new(&err);
    struct sl_http_peer *first = take(peers, "8.8.8.8");
    struct sl_http_peer *other = take(peers, "8.8.4.4");
    struct sl_http_peer *second = take(peers, "8.8.8.8");
    CU_ASSERT_PTR_EQUAL_FATAL(first, second);
    CU_ASSERT_EQUAL(sl_http_peer_connections(first), 2);
    CU_ASSERT_EQUAL(sl_http_peer_connections(other), 1);
    CU_ASSERT_PTR_NULL(take(peers, "10.0.0.1"));
    sl_http_peer_give(NULL);
    sl_http_peer_give(first);
    CU_ASSERT_EQUAL(sl_http_peer_connections(second), 1);
    sl_http_peer_give(second);
    struct sl_http_peer *again = take(peers, "8.8.8.8");
    CU_ASSERT_EQUAL(sl_http_peer_connections(again), 1);
}

CLAIM(http_peers__an_ipv6_address_counts_as_its_64_and_a_mapped_one_as_ipv4)
{
    struct sl_err err = { 0 };
    SL_AUTO(sl_http_peers_free) struct sl_http_peers *peers = sl_http_peers_new(&err);
    CU_ASSERT_PTR_EQUAL(take(peers, "2001:db8:1:2::1"), take(peers, "2001:db8:1:2:ffff::9"));
    CU_ASSERT_PTR_NOT_EQUAL(take(peers, "2001:db8:1:2::1"), take(peers, "2001:db8:1:3::1"));
    CU_ASSERT_PTR_EQUAL(take(peers, "::ffff:8.8.8.8"), take(peers, "8.8.8.8"));
}
