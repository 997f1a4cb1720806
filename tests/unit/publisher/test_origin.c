#include "publisher/origin.h"

#include "tests/support/claims.h"

#define SECRET "the-edge-adds-this-0123456789"
#define SECOND "and-this-while-it-changes-9876"

static struct pub_origin origin_of(const char *proxies, const char *secrets)
{
    struct pub_origin origin = { .mode = PUB_ORIGIN_ENFORCE };
    CU_ASSERT_PTR_NULL_FATAL(pub_cidrs_parse(proxies, &origin.proxies));
    CU_ASSERT_PTR_NULL_FATAL(pub_origin_set_secrets(&origin, secrets));
    return origin;
}

CLAIM(origin__the_header_alone_proves_nothing)
{
    static const struct {
        const char *peer;
        const char *address;
        const char *secret;
        bool is_doubled;
        enum pub_origin_verdict verdict;
        const char *client;
    } rows[] = {
        { "10.1.2.3", "203.0.113.9", NULL, false, PUB_ORIGIN_PASSED, "203.0.113.9" },
        { "::ffff:10.1.2.3", "203.0.113.9", NULL, false, PUB_ORIGIN_PASSED, "203.0.113.9" },
        { "10.1.2.3", "2001:db8::7", NULL, false, PUB_ORIGIN_PASSED, "2001:db8::7" },
        { "198.51.100.1", "203.0.113.9", SECRET, false, PUB_ORIGIN_PASSED, "203.0.113.9" },
        { "198.51.100.1", "203.0.113.9", SECOND, false, PUB_ORIGIN_PASSED, "203.0.113.9" },
        { "198.51.100.1", "203.0.113.9", NULL, false, PUB_ORIGIN_UNTRUSTED, "198.51.100.1" },
        { "198.51.100.1", "203.0.113.9", "the-edge-adds-this-0123456788", false,
          PUB_ORIGIN_WRONG_SECRET, "198.51.100.1" },
        { "198.51.100.1", "203.0.113.9", "", false, PUB_ORIGIN_WRONG_SECRET, "198.51.100.1" },
        { "198.51.100.1", "203.0.113.9", SECRET "," SECOND, false, PUB_ORIGIN_WRONG_SECRET,
          "198.51.100.1" },
        { "10.1.2.3", NULL, NULL, false, PUB_ORIGIN_NO_ADDRESS, "10.1.2.3" },
        { "10.1.2.3", "", NULL, false, PUB_ORIGIN_NO_ADDRESS, "10.1.2.3" },
        { "10.1.2.3", "not an address", NULL, false, PUB_ORIGIN_NO_ADDRESS, "10.1.2.3" },
        { "10.1.2.3", "203.0.113.9, 10.1.2.3", NULL, false, PUB_ORIGIN_NO_ADDRESS, "10.1.2.3" },
        { "10.1.2.3", "203.0.113.9", NULL, true, PUB_ORIGIN_DOUBLED, "10.1.2.3" },
        { "198.51.100.1", NULL, SECRET, false, PUB_ORIGIN_NO_ADDRESS, "198.51.100.1" },
        { "unix", "203.0.113.9", NULL, false, PUB_ORIGIN_UNTRUSTED, "unix" },
    };
    struct pub_origin origin = origin_of("10.0.0.0/8, 192.0.2.7", SECRET "," SECOND);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const struct pub_origin_request request = {
            .peer = sl_span_of(rows[i].peer),
            .connecting_ip = sl_span_of(rows[i].address),
            .secret = sl_span_of(rows[i].secret),
            .is_doubled = rows[i].is_doubled,
        };
        CU_ASSERT_EQUAL(pub_origin_judge(&origin, &request), rows[i].verdict);
        CU_ASSERT_TRUE(sl_span_is(pub_origin_client(&origin, &request), rows[i].client));
    }
}

CLAIM(origin__without_an_edge_nobody_passes_and_the_last_hop_counts_only_from_one)
{
    struct pub_origin none = origin_of(NULL, NULL);
    struct pub_origin one = origin_of("10.0.0.0/8", NULL);
    struct pub_origin_request request = { .peer = SL_SPAN_LITERAL("10.0.0.1"),
                                          .connecting_ip = SL_SPAN_LITERAL("203.0.113.9"),
                                          .forwarded_for =
                                              SL_SPAN_LITERAL("6.6.6.6, 203.0.113.8") };
    CU_ASSERT_EQUAL(pub_origin_judge(&none, &request), PUB_ORIGIN_UNTRUSTED);
    CU_ASSERT_TRUE(sl_span_is(pub_origin_client(&none, &request), "10.0.0.1"));
    request.connecting_ip = (struct sl_span){ NULL, 0 };
    CU_ASSERT_TRUE(sl_span_is(pub_origin_client(&one, &request), "203.0.113.8"));
    request.forwarded_for = SL_SPAN_LITERAL("6.6.6.6, evil");
    CU_ASSERT_TRUE(sl_span_is(pub_origin_client(&one, &request), "10.0.0.1"));
}

CLAIM(origin__networks_are_read_strictly)
{
    static const struct {
        const char *list;
        const char *wrong; /* NULL: fine */
        const char *in;
        const char *out;
    } rows[] = {
        { "", NULL, NULL, "10.0.0.1" },
        { "10.0.0.0/8", NULL, "10.255.255.255", "11.0.0.0" },
        { "10.128.0.0/9", NULL, "10.128.0.1", "10.127.255.255" },
        { "0.0.0.0/0", NULL, "203.0.113.1", "2001:db8::1" },
        { "2001:db8::/33", NULL, "2001:db8:7fff::1", "2001:db8:8000::1" },
        { "192.0.2.7 , 2001:db8::1", NULL, "2001:db8::1", "192.0.2.8" },
        { "10.0.0.0/33", "10.0.0.0/33", NULL, NULL },
        { "10.0.0.0/", "10.0.0.0/", NULL, NULL },
        { "10.0.0/8", "10.0.0/8", NULL, NULL },
        { "10.0.0.0/8,edge.example", "edge.example", NULL, NULL },
        { "2001:db8::/129", "2001:db8::/129", NULL, NULL },
        { "10.0.0.0/08", "10.0.0.0/08", NULL, NULL },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct pub_cidrs cidrs;
        const char *wrong = pub_cidrs_parse(rows[i].list, &cidrs);
        CU_ASSERT_EQUAL((wrong == NULL), (rows[i].wrong == NULL));
        CU_ASSERT(wrong == NULL || strcmp(wrong, rows[i].wrong) == 0);
        CU_ASSERT(rows[i].in == NULL || pub_cidrs_has(&cidrs, sl_span_of(rows[i].in)));
        CU_ASSERT(rows[i].out == NULL || !pub_cidrs_has(&cidrs, sl_span_of(rows[i].out)));
    }
}
