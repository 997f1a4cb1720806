#include "publisher/answer.h"
#include "tests/support/claims.h"

CLAIM(answer__every_503_says_when_to_come_back_and_nothing_else_does)
{
    for (int answer = 0; answer < PUB_ANSWERS; answer++) {
        const struct pub_answer_row *row = pub_answer_row((enum pub_answer)answer);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row->outcome);
        CU_ASSERT_EQUAL(row->status == 503, row->retry_after_s > 0);
        CU_ASSERT_EQUAL(row->body == NULL, row->status / 100 == 2);
    }
}

CLAIM(answer__a_2xx_names_the_event_and_what_was_kept_of_it)
{
    static const struct {
        enum pub_answer answer;
        bool is_durable;
        int status;
        const char *body;
    } rows[] = {
        { PUB_CONFIRMED, true, 200, "{\"received\":true,\"id\":\"evt_\\\"1\\\"\"}" },
        { PUB_JOURNALED, true, 202,
          "{\"received\":true,\"id\":\"evt_\\\"1\\\"\",\"degraded\":true}" },
        { PUB_JOURNALED, false, 202,
          "{\"received\":true,\"id\":\"evt_\\\"1\\\"\",\"degraded\":true,\"durable\":false}" },
        { PUB_DROPPED, true, 202,
          "{\"received\":true,\"id\":\"evt_\\\"1\\\"\",\"degraded\":true,\"stored\":false}" },
    };
    SL_DONE(sl_buf_done) struct sl_buf body;
    sl_buf_init(&body, 1024);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        sl_buf_reset(&body);
        pub_answer_received(rows[i].answer, SL_SPAN_LITERAL("evt_\"1\""), rows[i].is_durable,
                            &body);
        CU_ASSERT_STRING_EQUAL(body.data, rows[i].body);
        CU_ASSERT_EQUAL(pub_answer_row(rows[i].answer)->status, rows[i].status);
    }
}
