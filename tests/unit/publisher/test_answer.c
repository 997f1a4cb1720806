#include "publisher/answer.h"
#include "tests/support/claims.h"

CLAIM(answer__only_a_confirm_is_a_2xx)
{
    const enum sl_publish_outcome outcomes[] = { SL_PUBLISH_CONFIRMED, SL_PUBLISH_RETURNED,
                                                 SL_PUBLISH_NACKED, SL_PUBLISH_TIMEOUT,
                                                 SL_PUBLISH_LOST };
    for (size_t i = 0; i < SL_COUNT(outcomes); i++) {
        int status = pub_answer_row(pub_answer_for(outcomes[i]))->status;
        CU_ASSERT_EQUAL(status, outcomes[i] == SL_PUBLISH_CONFIRMED ? 200 : 503);
    }
}

CLAIM(answer__every_503_says_when_to_come_back_and_nothing_else_does)
{
    for (int answer = 0; answer < PUB_ANSWERS; answer++) {
        const struct pub_answer_row *row = pub_answer_row((enum pub_answer)answer);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row->outcome);
        CU_ASSERT_EQUAL(row->status == 503, row->retry_after_s > 0);
        CU_ASSERT_EQUAL(row->body == NULL, answer == PUB_CONFIRMED);
    }
}

CLAIM(answer__a_confirmed_event_is_named_in_valid_json)
{
    SL_DONE(sl_buf_done) struct sl_buf body;
    sl_buf_init(&body, 1024);
    pub_answer_confirmed(SL_SPAN_LITERAL("evt_\"quoted\\"), &body);
    CU_ASSERT_STRING_EQUAL(body.data, "{\"received\":true,\"id\":\"evt_\\\"quoted\\\\\"}");
}
