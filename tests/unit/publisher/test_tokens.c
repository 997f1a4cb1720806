#include "publisher/guard/tokens.h"

#include "tests/support/claims.h"

#define ONE   "0123456789abcdef0123456789abcdef"
#define TWO   "fedcba9876543210fedcba9876543210"
#define THREE "00112233445566778899aabbccddeeff"

static struct pub_tokens tokens;
static char said[512];

static void add(enum pub_caller caller, const char *list)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, sizeof said - 1);
    pub_tokens_add(&tokens, caller, "NAME", list, &mistakes);
    memcpy(said, sl_buf_span(&mistakes).data, mistakes.used_bytes);
    said[mistakes.used_bytes] = '\0';
}

CLAIM(tokens__are_found_whole_and_in_one_form_only)
{
    static const struct {
        const char *field;
        int caller; /* -1: nobody */
    } rows[] = {
        { "Bearer " ONE, PUB_CALLER_CONSOLE },
        { "Bearer " TWO, PUB_CALLER_CONSOLE },
        { "Bearer " THREE, PUB_CALLER_CRON },
        { "bearer " ONE, -1 },
        { "Bearer  " ONE, -1 },
        { "Bearer" ONE, -1 },
        { "Bearer 0123456789abcdef", -1 },
        { "Bearer " ONE "0", -1 },
        { "Bearer " ONE "," TWO, -1 },
        { "Bearer ", -1 },
        { "Basic " ONE, -1 },
        { ONE, -1 },
        { "", -1 },
        { NULL, -1 },
    };
    tokens = (struct pub_tokens){ .count = 0 };
    add(PUB_CALLER_CONSOLE, ONE "," TWO);
    CU_ASSERT_STRING_EQUAL(said, "");
    add(PUB_CALLER_RAPTOR, NULL);
    add(PUB_CALLER_CRON, THREE);
    CU_ASSERT_STRING_EQUAL(said, "");
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        enum pub_caller caller = PUB_CALLER_RAPTOR;
        bool is_found = pub_tokens_find(&tokens, sl_span_of(rows[i].field), &caller);
        CU_ASSERT_EQUAL(is_found, rows[i].caller >= 0);
        CU_ASSERT(!is_found || (int)caller == rows[i].caller);
    }
}

CLAIM(tokens__unsafe_ones_are_refused_without_being_shown)
{
    static const char *const lists[] = {
        "short-token-canary",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "0123456789abcdef 0123456789abcdef",
        ONE "," ONE,
        ONE "," TWO "," THREE,
        ONE ",",
        "",
    };
    for (size_t i = 0; i < SL_COUNT(lists); i++) {
        tokens = (struct pub_tokens){ .count = 0 };
        add(PUB_CALLER_CRON, lists[i]);
        CU_ASSERT_EQUAL(strncmp(said, "NAME: ", 6), 0);
        CU_ASSERT_PTR_NULL(strstr(said, "canary"));
        CU_ASSERT_PTR_NULL(strstr(said, ONE));
    }
    tokens = (struct pub_tokens){ .count = 0 };
    add(PUB_CALLER_CONSOLE, ONE);
    add(PUB_CALLER_CRON, ONE);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "given twice"));
}
