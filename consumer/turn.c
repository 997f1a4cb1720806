#include "consumer/turn.h"

static int64_t pause_ms(const struct con_turns *turns, const struct con_turn_look *look);

int64_t con_turn_next(const struct con_turns *turns, const struct con_turn_look *look,
                      enum con_turn *out_turn)
{
    int64_t live_us = look->wait_us[CON_TURN_LIVE];
    enum con_turn other =
        look->wait_us[CON_TURN_REHEARSAL] >= 0 ? CON_TURN_REHEARSAL : CON_TURN_REPLAY;
    int64_t other_us = look->wait_us[other];
    *out_turn = CON_TURN_LIVE;
    if (other_us < 0 || (live_us >= 0 && pause_ms(turns, look) > 0)) {
        return live_us;
    }
    *out_turn = other;
    return other_us;
}

/* How long live events still have the worker to themselves. */
static int64_t pause_ms(const struct con_turns *turns, const struct con_turn_look *look)
{
    int64_t pause_ms = turns->took_ms * CON_TURN_REST_TIMES;
    pause_ms = pause_ms < CON_TURN_PAUSE_MS ? CON_TURN_PAUSE_MS : pause_ms;
    pause_ms = pause_ms > CON_TURN_PAUSE_MS_MAX ? CON_TURN_PAUSE_MS_MAX : pause_ms;
    int64_t left_ms = turns->ended_ms + pause_ms - look->now_ms;
    return turns->ended_ms == 0 || look->is_isolating || left_ms < 0 ? 0 : left_ms;
}

void con_turn_ended(struct con_turns *turns, enum con_turn turn, int64_t began_ms, int64_t now_ms)
{
    if (turn != CON_TURN_LIVE) {
        *turns = (struct con_turns){ .ended_ms = now_ms, .took_ms = now_ms - began_ms };
    }
}
