#include "publisher/outage.h"

#include <stdbool.h>

#include "shared/scope.h"
#include "tests/support/claims.h"

#define NEVER PUB_OUTAGES

/* Every pair of state and event: where it leads. */
CLAIM(outage__every_pair_leads_where_the_law_says_or_cannot_happen)
{
    static const enum pub_outage leads[PUB_OUTAGES][PUB_OUTAGE_EVENTS] = {
        /*                        UP             BLOCKED             UNBLOCKED      LOST                 OVERDUE */
        [PUB_OUTAGE_UP] = { PUB_OUTAGE_UP, PUB_OUTAGE_BLOCKED, PUB_OUTAGE_UP, PUB_OUTAGE_WAITING,
                            NEVER },
        [PUB_OUTAGE_BLOCKED] = { PUB_OUTAGE_UP, PUB_OUTAGE_BLOCKED, PUB_OUTAGE_UP,
                                 PUB_OUTAGE_WAITING, NEVER },
        [PUB_OUTAGE_WAITING] = { PUB_OUTAGE_UP, NEVER, NEVER, PUB_OUTAGE_WAITING,
                                 PUB_OUTAGE_DEGRADED },
        [PUB_OUTAGE_DEGRADED] = { PUB_OUTAGE_UP, NEVER, NEVER, PUB_OUTAGE_DEGRADED, NEVER },
    };
    for (int state = 0; state < PUB_OUTAGES; state++) {
        for (int event = 0; event < PUB_OUTAGE_EVENTS; event++) {
            const struct pub_outage_rule *rule =
                pub_outage_step((enum pub_outage)state, (enum pub_outage_event)event);
            CU_ASSERT_EQUAL(rule == NULL ? NEVER : rule->to, leads[state][event]);
            CU_ASSERT(rule == NULL || rule->why[0] != '\0');
        }
    }
}

/* The time runs exactly while the link is lost and nobody was told. */
static void tell(const enum pub_outage_event *events, size_t count, enum pub_outage end, bool runs,
                 unsigned told)
{
    enum pub_outage state = PUB_OUTAGE_WAITING;
    bool is_timed = true; /* from the start on */
    unsigned tellings = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pub_outage_rule *rule = pub_outage_step(state, events[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT(rule->act != PUB_OUTAGE_DO_TIME || !is_timed);
        CU_ASSERT(rule->act != PUB_OUTAGE_DO_STOP || is_timed);
        is_timed = rule->act == PUB_OUTAGE_DO_TIME   ? true
                   : rule->act == PUB_OUTAGE_DO_STOP ? false
                   : rule->act == PUB_OUTAGE_DO_TELL ? false
                                                     : is_timed;
        tellings += rule->act == PUB_OUTAGE_DO_TELL ? 1 : 0;
        state = rule->to;
    }
    CU_ASSERT_EQUAL(state, end);
    CU_ASSERT_EQUAL(is_timed, runs);
    CU_ASSERT_EQUAL(tellings, told);
}
#define STORY(end, runs, told, ...)                                                                \
    tell((const enum pub_outage_event[]){ __VA_ARGS__ },                                           \
         SL_COUNT(((const enum pub_outage_event[]){ __VA_ARGS__ })), end, runs, told)

CLAIM(outage__a_broker_that_comes_back_in_time_is_no_ones_business)
{
    STORY(PUB_OUTAGE_UP, false, 0, PUB_OUTAGE_EV_UP, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_EV_LOST,
          PUB_OUTAGE_EV_LOST, PUB_OUTAGE_EV_UP);
}

CLAIM(outage__one_that_stays_away_is_told_once_however_often_it_is_tried)
{
    STORY(PUB_OUTAGE_DEGRADED, false, 1, PUB_OUTAGE_EV_UP, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_EV_LOST,
          PUB_OUTAGE_EV_OVERDUE, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_EV_LOST);
}

CLAIM(outage__one_that_never_came_is_told_too)
{
    STORY(PUB_OUTAGE_DEGRADED, false, 1, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_EV_OVERDUE);
}

CLAIM(outage__a_second_loss_has_its_own_time)
{
    STORY(PUB_OUTAGE_DEGRADED, false, 2, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_EV_OVERDUE,
          PUB_OUTAGE_EV_UP, PUB_OUTAGE_EV_BLOCKED, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_EV_OVERDUE);
    STORY(PUB_OUTAGE_WAITING, true, 0, PUB_OUTAGE_EV_UP, PUB_OUTAGE_EV_BLOCKED, PUB_OUTAGE_EV_LOST);
}

CLAIM(outage__each_state_has_a_name_of_its_own)
{
    CU_ASSERT_STRING_EQUAL(pub_outage_name(PUB_OUTAGE_UP), "up");
    CU_ASSERT_STRING_EQUAL(pub_outage_name(PUB_OUTAGE_BLOCKED), "blocked");
    CU_ASSERT_STRING_EQUAL(pub_outage_name(PUB_OUTAGE_WAITING), "waiting");
    CU_ASSERT_STRING_EQUAL(pub_outage_name(PUB_OUTAGE_DEGRADED), "degraded");
}
