#include "ops/snapshot/redact.h"

#include <string.h>

#include "tests/support/claims.h"

static size_t wiped(const char *text, const char *setting, char out[128])
{
    SL_DONE(sl_buf_done) struct sl_buf buf = { 0 };
    sl_buf_init(&buf, 1024);
    sl_buf_append_span(&buf, sl_span_of(text));
    size_t found = ops_redact_setting(&buf, setting);
    memcpy(out, buf.data, buf.used_bytes);
    out[buf.used_bytes] = '\0';
    return found;
}

CLAIM(redact__a_secret_is_wiped_wherever_it_stands_and_nothing_moves)
{
    char out[128];
    CU_ASSERT_EQUAL(wiped("a hunter22 b hunter22", "hunter22", out), 2);
    CU_ASSERT_STRING_EQUAL(out, "a ******** b ********");
}

CLAIM(redact__the_password_of_a_url_and_of_each_host_of_a_list)
{
    char out[128];
    CU_ASSERT_EQUAL(
        wiped("host h pass-one x pass-two", "amqp://u:pass-one@h:1,u:pass-two@i:2/v", out), 2);
    CU_ASSERT_STRING_EQUAL(out, "host h ******** x ********");
}

CLAIM(redact__each_of_several_secrets)
{
    char out[128];
    CU_ASSERT_EQUAL(wiped("whsec_first and whsec_second", "whsec_first, whsec_second", out), 2);
    CU_ASSERT_STRING_EQUAL(out, "*********** and ************");
}

CLAIM(redact__what_is_too_short_to_be_a_secret_is_left_alone)
{
    char out[128];
    CU_ASSERT_EQUAL(wiped("the guest at the door", "amqp://guest:guest@h:1/", out), 0);
    CU_ASSERT_EQUAL(wiped("nothing here", "", out), 0);
    CU_ASSERT_STRING_EQUAL(out, "nothing here");
}
