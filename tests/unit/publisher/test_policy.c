#include "publisher/policy.h"

#include <stdio.h>

#include "tests/support/claims.h"

#define B            1u /* broker */
#define J            2u /* journal */
#define D            4u /* drop log */
#define FAILED(deed) (1u << (deed))

CLAIM(policy__decides_as_the_table_says)
{
    static const struct {
        enum pub_policy policy;
        unsigned has;
        unsigned failed;
        enum pub_deed deed;
    } rows[] = {
        { PUB_POLICY_JOURNAL, B | J | D, 0, PUB_DEED_PUBLISH },
        { PUB_POLICY_JOURNAL, J | D, 0, PUB_DEED_JOURNAL },
        { PUB_POLICY_JOURNAL, B | J | D, FAILED(PUB_DEED_PUBLISH), PUB_DEED_JOURNAL },
        { PUB_POLICY_JOURNAL, D, 0, PUB_DEED_REFUSE },
        { PUB_POLICY_JOURNAL, J | D, FAILED(PUB_DEED_JOURNAL), PUB_DEED_REFUSE },
        { PUB_POLICY_JOURNAL_DROP, J | D, 0, PUB_DEED_JOURNAL },
        { PUB_POLICY_JOURNAL_DROP, D, 0, PUB_DEED_DROP },
        { PUB_POLICY_JOURNAL_DROP, J | D, FAILED(PUB_DEED_JOURNAL), PUB_DEED_DROP },
        { PUB_POLICY_JOURNAL_DROP, J | D, FAILED(PUB_DEED_JOURNAL) | FAILED(PUB_DEED_DROP),
          PUB_DEED_REFUSE },
        { PUB_POLICY_JOURNAL_DROP, 0, 0, PUB_DEED_REFUSE },
        { PUB_POLICY_DROP, J | D, 0, PUB_DEED_DROP },
        { PUB_POLICY_DROP, B | J | D, FAILED(PUB_DEED_PUBLISH), PUB_DEED_DROP },
        { PUB_POLICY_DROP, J, 0, PUB_DEED_REFUSE },
        { PUB_POLICY_REJECT, B | J | D, 0, PUB_DEED_PUBLISH },
        { PUB_POLICY_REJECT, J | D, 0, PUB_DEED_REFUSE },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const struct pub_means means = { (rows[i].has & B) != 0, (rows[i].has & J) != 0,
                                         (rows[i].has & D) != 0 };
        CU_ASSERT_EQUAL(pub_policy_decide(rows[i].policy, &means, rows[i].failed), rows[i].deed);
    }
}

CLAIM(policy__every_event_ends_after_at_most_one_try_of_each_deed)
{
    for (int policy = 0; policy < PUB_POLICIES; policy++) {
        const struct pub_means all = { true, true, true };
        unsigned failed = 0;
        enum pub_deed deed = PUB_DEED_PUBLISH;
        for (unsigned tries = 0; tries < PUB_DEEDS && deed != PUB_DEED_REFUSE; tries++) {
            deed = pub_policy_decide((enum pub_policy)policy, &all, failed);
            CU_ASSERT_EQUAL(failed & (1u << deed), 0);
            failed |= 1u << deed;
        }
        CU_ASSERT_EQUAL(deed, PUB_DEED_REFUSE);
    }
}

static const char *const sources[] = { "stripe", "internal", NULL };

CLAIM(policy__one_word_is_for_all_and_pairs_are_for_each)
{
    struct pub_policy_list list;
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    sl_buf_init(&mistakes, 4096);
    pub_policy_parse("reject", sources, &list, &mistakes);
    CU_ASSERT_EQUAL(pub_policy_of(&list, "stripe"), PUB_POLICY_REJECT);
    pub_policy_parse("stripe=drop, internal=journal+drop", sources, &list, &mistakes);
    CU_ASSERT_EQUAL(pub_policy_of(&list, "stripe"), PUB_POLICY_DROP);
    CU_ASSERT_EQUAL(pub_policy_of(&list, "internal"), PUB_POLICY_JOURNAL_DROP);
    CU_ASSERT_EQUAL(pub_policy_of(&list, "another"), PUB_POLICY_JOURNAL);
    CU_ASSERT_EQUAL(mistakes.used_bytes, 0);
}

CLAIM(policy__every_mistake_is_told)
{
    struct pub_policy_list list;
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    sl_buf_init(&mistakes, 4096);
    pub_policy_parse("stripe=keep,strip=drop,stripe=drop,stripe=reject,journal", sources, &list,
                     &mistakes);
    CU_ASSERT_PTR_NOT_NULL(strstr(mistakes.data, "\"stripe=keep\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(mistakes.data, "no source \"strip\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(mistakes.data, "named twice"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mistakes.data, "\"journal\" is not"));
}
