#include "shared/amqp/amqp_link_step.h"

#include <string.h>

#include "tests/support/claims.h"

/* Feeds the events from `phase` on; -1 ends. Returns the last phase; every pair must be in the table. */
static enum sl_link_phase tell(enum sl_link_phase phase, const int *events, const int *actions)
{
    for (size_t i = 0; events[i] >= 0; i++) {
        const struct sl_link_rule *rule = sl_link_step(phase, (enum sl_link_event)events[i]);
        CU_ASSERT_FATAL(rule != NULL);
        CU_ASSERT_EQUAL(rule->act, (enum sl_link_action)actions[i]);
        phase = rule->to;
    }
    return phase;
}

CLAIM(link_step__a_good_start_with_confirms)
{
    static const int events[] = { SL_LINK_EV_TRY,     SL_LINK_EV_CONNECTED,
                                  SL_LINK_EV_START,   SL_LINK_EV_TUNE,
                                  SL_LINK_EV_OPEN_OK, SL_LINK_EV_CHANNEL_OK,
                                  SL_LINK_EV_READY,   -1 };
    static const int actions[] = { SL_LINK_DO_DIAL,       SL_LINK_DO_GREET,   SL_LINK_DO_LOGIN,
                                   SL_LINK_DO_OPEN,       SL_LINK_DO_CHANNEL, SL_LINK_DO_SELECT,
                                   SL_LINK_DO_ANNOUNCE_UP };
    CU_ASSERT_EQUAL(tell(SL_LINK_NEW, events, actions), SL_LINK_UP);
}

CLAIM(link_step__without_confirms_an_open_channel_is_up)
{
    static const int events[] = { SL_LINK_EV_READY, -1 };
    static const int actions[] = { SL_LINK_DO_ANNOUNCE_UP };
    CU_ASSERT_EQUAL(tell(SL_LINK_CHANNEL, events, actions), SL_LINK_UP);
}

CLAIM(link_step__blocked_and_back_then_lost_then_again)
{
    static const int events[] = { SL_LINK_EV_BLOCKED,   SL_LINK_EV_BLOCKED,
                                  SL_LINK_EV_UNBLOCKED, SL_LINK_EV_UNBLOCKED,
                                  SL_LINK_EV_FAILED,    SL_LINK_EV_TRY,
                                  SL_LINK_EV_FAILED,    -1 };
    static const int actions[] = {
        SL_LINK_DO_ANNOUNCE_BLOCKED, SL_LINK_DO_NOTHING,  SL_LINK_DO_ANNOUNCE_UNBLOCKED,
        SL_LINK_DO_NOTHING,          SL_LINK_DO_BACK_OFF, SL_LINK_DO_DIAL,
        SL_LINK_DO_BACK_OFF
    };
    CU_ASSERT_EQUAL(tell(SL_LINK_UP, events, actions), SL_LINK_WAITING);
}

CLAIM(link_step__an_overdue_confirm_stalls_until_caught_up_and_an_alarm_comes_first)
{
    static const int events[] = { SL_LINK_EV_OVERDUE,   SL_LINK_EV_OVERDUE,
                                  SL_LINK_EV_CAUGHT_UP, SL_LINK_EV_OVERDUE,
                                  SL_LINK_EV_BLOCKED,   SL_LINK_EV_OVERDUE,
                                  SL_LINK_EV_UNBLOCKED, SL_LINK_EV_OVERDUE,
                                  SL_LINK_EV_FAILED,    -1 };
    static const int actions[] = {
        SL_LINK_DO_ANNOUNCE_STALLED,   SL_LINK_DO_NOTHING,          SL_LINK_DO_ANNOUNCE_CAUGHT_UP,
        SL_LINK_DO_ANNOUNCE_STALLED,   SL_LINK_DO_ANNOUNCE_BLOCKED, SL_LINK_DO_NOTHING,
        SL_LINK_DO_ANNOUNCE_UNBLOCKED, SL_LINK_DO_ANNOUNCE_STALLED, SL_LINK_DO_BACK_OFF
    };
    CU_ASSERT_EQUAL(tell(SL_LINK_UP, events, actions), SL_LINK_WAITING);
}

CLAIM(link_step__every_connected_phase_can_fail_and_no_pair_stands_twice)
{
    size_t count = 0;
    const struct sl_link_rule *rules = sl_link_rules(&count);
    for (int phase = SL_LINK_DIALING; phase < SL_LINK_WAITING; phase++) {
        const struct sl_link_rule *rule =
            sl_link_step((enum sl_link_phase)phase, SL_LINK_EV_FAILED);
        CU_ASSERT_FATAL(rule != NULL);
        CU_ASSERT(rule->to == SL_LINK_WAITING);
    }
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(strlen(rules[i].why) > 0);
        CU_ASSERT(sl_link_step(rules[i].from, rules[i].on) == &rules[i]);
    }
}

CLAIM(link_step__what_comes_out_of_turn_is_not_in_the_table)
{
    CU_ASSERT(sl_link_step(SL_LINK_GREETING, SL_LINK_EV_TUNE) == NULL);
    CU_ASSERT(sl_link_step(SL_LINK_LOGIN, SL_LINK_EV_START) == NULL);
    CU_ASSERT(sl_link_step(SL_LINK_LOGIN, SL_LINK_EV_OPEN_OK) == NULL);
    CU_ASSERT(sl_link_step(SL_LINK_UP, SL_LINK_EV_READY) == NULL);
    CU_ASSERT(sl_link_step(SL_LINK_UP, SL_LINK_EV_TUNE) == NULL);
    CU_ASSERT(sl_link_step(SL_LINK_OPENING, SL_LINK_EV_BLOCKED) == NULL);
    CU_ASSERT(sl_link_step(SL_LINK_WAITING, SL_LINK_EV_FAILED) == NULL);
}

CLAIM(link_step__owners_see_five_states)
{
    CU_ASSERT(sl_link_phase_state(SL_LINK_NEW) == SL_AMQP_CONNECTING);
    CU_ASSERT(sl_link_phase_state(SL_LINK_SELECTING) == SL_AMQP_CONNECTING);
    CU_ASSERT(sl_link_phase_state(SL_LINK_UP) == SL_AMQP_UP);
    CU_ASSERT(sl_link_phase_state(SL_LINK_BLOCKED) == SL_AMQP_BLOCKED);
    CU_ASSERT(sl_link_phase_state(SL_LINK_STALLED) == SL_AMQP_STALLED);
    CU_ASSERT(sl_link_phase_state(SL_LINK_WAITING) == SL_AMQP_WAITING);
}

CLAIM(link_step__a_close_for_a_body_too_large_says_how_large_one_may_be)
{
    static const struct {
        uint16_t reply_code;
        const char *text;
        size_t bytes_max;
    } rows[] = {
        { 406, "PRECONDITION_FAILED - message size 3210 is larger than configured max size 1000",
          1000 },
        { 406, "PRECONDITION_FAILED - message size 536870913 is larger than max size 536870912",
          536870912 },
        { 406, "PRECONDITION_FAILED - unknown delivery tag 7", 0 },
        { 406, "PRECONDITION_FAILED - inequivalent arg 'max size 10' for queue 'q'", 0 },
        { 406, "PRECONDITION_FAILED - message size 3210 is larger than configured max size", 0 },
        { 406, "PRECONDITION_FAILED - message size 3210 is larger than configured max size many",
          0 },
        { 406,
          "PRECONDITION_FAILED - message size 1 is larger than configured max size 99999999999",
          0 },
        { 406, "PRECONDITION_FAILED - message size 1 is larger than configured max size -1", 0 },
        { 404, "NOT_FOUND - message size 3210 is larger than configured max size 1000", 0 },
        { 406, "", 0 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(sl_link_body_bytes_max(rows[i].reply_code, sl_span_of(rows[i].text)),
                        rows[i].bytes_max);
    }
}

CLAIM(link_step__reply_codes_say_whose_fault_it_is)
{
    static const struct {
        uint16_t reply_code;
        enum sl_code code;
    } rows[] = {
        { 200, SL_E_AMQP_CLOSED },       { 311, SL_E_AMQP_REFUSED },   { 320, SL_E_AMQP_CLOSED },
        { 403, SL_E_AMQP_REFUSED },      { 404, SL_E_AMQP_NOT_FOUND }, { 405, SL_E_AMQP_REFUSED },
        { 406, SL_E_AMQP_PRECONDITION }, { 501, SL_E_AMQP_PROTOCOL },  { 505, SL_E_AMQP_PROTOCOL },
        { 506, SL_E_AMQP_CLOSED },       { 530, SL_E_AMQP_REFUSED },   { 541, SL_E_AMQP_CLOSED },
        { 0, SL_E_AMQP_CLOSED },         { 65535, SL_E_AMQP_CLOSED },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(sl_link_close_code(rows[i].reply_code), rows[i].code);
    }
    CU_ASSERT(sl_link_pause_ms_min(SL_E_AMQP_REFUSED) >= 30000);
    CU_ASSERT(sl_link_pause_ms_min(SL_E_AMQP_CLOSED) == 0);
}

CLAIM(link_step__the_brokers_version_is_a_number_that_can_be_compared)
{
    CU_ASSERT_EQUAL(sl_link_version_read(SL_SPAN_LITERAL("3.10.8")), 3010);
    CU_ASSERT_EQUAL(sl_link_version_read(SL_SPAN_LITERAL("4.3.0")), 4003);
    CU_ASSERT_EQUAL(sl_link_version_read(SL_SPAN_LITERAL("4.0.5+beta.1")), 4000);
    CU_ASSERT_EQUAL(sl_link_version_read(SL_SPAN_LITERAL("4")), 0);
    CU_ASSERT_EQUAL(sl_link_version_read(SL_SPAN_LITERAL("x.y.z")), 0);
    CU_ASSERT_EQUAL(sl_link_version_read(SL_SPAN_LITERAL("123456.1.0")), 0);
    CU_ASSERT_EQUAL(sl_link_version_read((struct sl_span){ 0 }), 0);
}
