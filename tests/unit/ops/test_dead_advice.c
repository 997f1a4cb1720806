#include "ops/dead/dead_advice.h"

#include "tests/support/claims.h"

static const char *advice(const char *reason, const char *error_class, const char *code)
{
    return ops_dead_advice(sl_span_of(reason), sl_span_of(error_class), sl_span_of(code));
}

CLAIM(dead_advice__a_longer_beginning_of_a_code_wins)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("exhausted", "item", "23503"), "refers to"));
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("exhausted", "item", "23505"), "same key"));
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("permanent", "permanent", "23514"), "constraint"));
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("permanent", "permanent", "22001"), "column"));
}

CLAIM(dead_advice__every_reason_of_a_letter_has_a_sentence)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("unrouted", "unrouted", "amqp.unrouted"), "topology"));
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("version", "version", "event.version"), "upgrade"));
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("undecodable", "decode", "event.malformed"), "discard"));
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("exhausted", "crash", "delivery_limit"), "export"));
    CU_ASSERT_PTR_NOT_NULL(strstr(advice("exhausted", "item", ""), "every attempt failed"));
}
