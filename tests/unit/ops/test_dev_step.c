#include "ops/dev/dev_step.h"

#include "tests/support/claims.h"

/* One story: the events, and after each the state and action they must lead to. */
struct chapter {
    enum dev_event event;
    enum dev_state to;
    enum dev_action action;
};

static void tell(const struct chapter *story, unsigned count)
{
    enum dev_state state = DEV_STOPPED;
    for (unsigned i = 0; i < count; i++) {
        struct dev_rule rule = dev_step(state, story[i].event);
        CU_ASSERT_EQUAL(rule.to, story[i].to);
        CU_ASSERT_EQUAL(rule.action, story[i].action);
        state = rule.to;
    }
}

#define TELL(story) tell(story, sizeof(story) / sizeof((story)[0]))

CLAIM(dev_step__what_is_wanted_runs_and_is_not_started_twice)
{
    static const struct chapter story[] = {
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_SPAWN },
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_NOTHING },
        { DEV_EV_SERVES, DEV_READY, DEV_DO_SERVE },
        { DEV_EV_SERVES, DEV_READY, DEV_DO_NOTHING },
        { DEV_EV_WANTED, DEV_READY, DEV_DO_NOTHING },
    };
    TELL(story);
}

CLAIM(dev_step__what_dies_is_started_again_after_a_pause)
{
    static const struct chapter story[] = {
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_SPAWN }, { DEV_EV_EXITED, DEV_PAUSED, DEV_DO_PAUSE },
        { DEV_EV_WANTED, DEV_PAUSED, DEV_DO_NOTHING }, { DEV_EV_DUE, DEV_STARTING, DEV_DO_SPAWN },
        { DEV_EV_SERVES, DEV_READY, DEV_DO_SERVE },    { DEV_EV_EXITED, DEV_PAUSED, DEV_DO_PAUSE },
    };
    TELL(story);
}

CLAIM(dev_step__what_is_held_stops_and_starts_again_when_released)
{
    static const struct chapter story[] = {
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_SPAWN },
        { DEV_EV_SERVES, DEV_READY, DEV_DO_SERVE },
        { DEV_EV_HELD, DEV_STOPPING, DEV_DO_STOP },
        { DEV_EV_HELD, DEV_STOPPING, DEV_DO_NOTHING },
        { DEV_EV_EXITED, DEV_STOPPED, DEV_DO_REST },
        { DEV_EV_HELD, DEV_STOPPED, DEV_DO_NOTHING },
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_SPAWN },
    };
    TELL(story);
}

CLAIM(dev_step__a_release_while_it_stops_waits_for_the_end)
{
    static const struct chapter story[] = {
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_SPAWN },
        { DEV_EV_HELD, DEV_STOPPING, DEV_DO_STOP },
        { DEV_EV_WANTED, DEV_STOPPING, DEV_DO_NOTHING },
        { DEV_EV_EXITED, DEV_STOPPED, DEV_DO_REST },
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_SPAWN },
    };
    TELL(story);
}

CLAIM(dev_step__who_does_not_stop_is_made_to_as_often_as_it_takes)
{
    static const struct chapter story[] = {
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_SPAWN }, { DEV_EV_HELD, DEV_STOPPING, DEV_DO_STOP },
        { DEV_EV_DUE, DEV_STOPPING, DEV_DO_KILL },     { DEV_EV_DUE, DEV_STOPPING, DEV_DO_KILL },
        { DEV_EV_EXITED, DEV_STOPPED, DEV_DO_REST },
    };
    TELL(story);
}

CLAIM(dev_step__holding_what_pauses_after_a_death_ends_the_pause)
{
    static const struct chapter story[] = {
        { DEV_EV_WANTED, DEV_STARTING, DEV_DO_SPAWN },
        { DEV_EV_EXITED, DEV_PAUSED, DEV_DO_PAUSE },
        { DEV_EV_HELD, DEV_STOPPED, DEV_DO_REST },
        { DEV_EV_DUE, DEV_STOPPED, DEV_DO_NOTHING },
    };
    TELL(story);
}

CLAIM(dev_step__nothing_is_spawned_while_a_process_may_live)
{
    static const enum dev_state alive[] = { DEV_STARTING, DEV_READY, DEV_STOPPING };
    for (unsigned i = 0; i < sizeof alive / sizeof alive[0]; i++) {
        for (unsigned event = 0; event < DEV_EVENTS; event++) {
            CU_ASSERT_NOT_EQUAL(dev_step(alive[i], (enum dev_event)event).action, DEV_DO_SPAWN);
        }
    }
}

CLAIM(dev_restart_pause__grows_from_one_second_to_ten)
{
    static const int64_t expected_ms[] = { 1000, 1000, 2000, 4000, 8000, 10000, 10000 };
    for (unsigned deaths = 0; deaths < sizeof expected_ms / sizeof expected_ms[0]; deaths++) {
        CU_ASSERT_EQUAL(dev_restart_pause_ms(deaths), expected_ms[deaths]);
    }
    CU_ASSERT_EQUAL(dev_restart_pause_ms(4000000000u), 10000);
}
