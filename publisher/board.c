#include "publisher/board.h"

void pub_board_init(struct pub_board *board, size_t loops)
{
    SL_ASSERT(loops > 0 && loops <= PUB_LOOPS_MAX);
    *board = (struct pub_board){ .count = loops };
    pthread_mutex_init(&board->lock, NULL);
    for (size_t i = 0; i < loops; i++) {
        board->places[i].outage = PUB_OUTAGE_WAITING;
    }
}

void pub_board_set(struct pub_board *board, size_t loop, const struct pub_standing *standing,
                   void (*fn)(void *arg, const struct pub_standing *before,
                              const struct pub_standing *all),
                   void *arg)
{
    SL_ASSERT(loop < board->count);
    pthread_mutex_lock(&board->lock);
    const struct pub_standing before = pub_board_fold(board->places, board->count);
    board->places[loop] = *standing;
    const struct pub_standing all = pub_board_fold(board->places, board->count);
    if (fn != NULL) {
        fn(arg, &before, &all);
    }
    pthread_mutex_unlock(&board->lock);
}

void pub_board_read(struct pub_board *board, struct pub_standing *out_all)
{
    pthread_mutex_lock(&board->lock);
    *out_all = pub_board_fold(board->places, board->count);
    pthread_mutex_unlock(&board->lock);
}

struct pub_standing pub_board_fold(const struct pub_standing *standings, size_t count)
{
    struct pub_standing all = standings[0];
    for (size_t i = 1; i < count; i++) {
        const struct pub_standing *one = &standings[i];
        all.has_tried = all.has_tried && one->has_tried;
        all.is_open = all.is_open && one->is_open;
        all.is_blocked = all.is_blocked || one->is_blocked;
        all.has_broker = all.has_broker && one->has_broker;
        all.is_confirming = all.is_confirming && one->is_confirming;
        all.outage = one->outage > all.outage ? one->outage : all.outage;
    }
    return all;
}
