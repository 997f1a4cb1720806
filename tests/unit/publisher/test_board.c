#include "publisher/board.h"

#include "tests/support/claims.h"

#define WELL                                                                                       \
    {                                                                                              \
        .has_tried = true, .is_open = true, .has_broker = true, .is_confirming = true,             \
        .outage = PUB_OUTAGE_UP                                                                    \
    }

static const struct pub_standing well = WELL;
static enum pub_outage was;

CLAIM(board__one_loop_is_what_it_is)
{
    const struct pub_standing one = { .has_tried = true, .outage = PUB_OUTAGE_DEGRADED };
    const struct pub_standing all = pub_board_fold(&one, 1);
    CU_ASSERT_TRUE(all.has_tried);
    CU_ASSERT_FALSE(all.has_broker);
    CU_ASSERT_EQUAL(all.outage, PUB_OUTAGE_DEGRADED);
}

CLAIM(board__together_they_are_as_well_as_the_worst)
{
    static const struct {
        struct pub_standing worst;
        const char *what;
    } rows[] = {
        { { .is_open = true, .has_broker = true, .is_confirming = true }, "not tried" },
        { { .has_tried = true, .outage = PUB_OUTAGE_WAITING }, "away" },
        { { .has_tried = true, .is_open = true, .is_blocked = true, .outage = PUB_OUTAGE_BLOCKED },
          "blocked" },
        { { .has_tried = true, .is_open = true, .has_broker = true }, "refusing" },
        { { .has_tried = true, .outage = PUB_OUTAGE_DEGRADED }, "degraded" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        for (size_t place = 0; place < 3; place++) {
            struct pub_standing standings[3] = { WELL, WELL, WELL };
            standings[place] = rows[i].worst;
            const struct pub_standing all = pub_board_fold(standings, 3);
            const struct pub_standing *worst = &rows[i].worst;
            CU_ASSERT_EQUAL(all.has_tried, worst->has_tried);
            CU_ASSERT_EQUAL(all.is_open, worst->is_open);
            CU_ASSERT_EQUAL(all.is_blocked, worst->is_blocked);
            CU_ASSERT_EQUAL(all.has_broker, worst->has_broker);
            CU_ASSERT_EQUAL(all.is_confirming, worst->is_confirming);
            CU_ASSERT_EQUAL(all.outage, worst->outage);
        }
    }
}

static void note(void *arg, const struct pub_standing *before, const struct pub_standing *all)
{
    was = before->outage;
    *(struct pub_standing *)arg = *all;
}

CLAIM(board__whoever_writes_hears_what_all_are_together)
{
    struct pub_board board;
    struct pub_standing heard = { 0 };
    struct pub_standing read = { 0 };
    pub_board_init(&board, 2);
    pub_board_set(&board, 0, &well, note, &heard);
    CU_ASSERT_FALSE(heard.is_confirming); /* the other has not tried yet */
    CU_ASSERT_EQUAL(heard.outage, PUB_OUTAGE_WAITING);
    pub_board_set(&board, 1, &well, note, &heard);
    CU_ASSERT_EQUAL(was, PUB_OUTAGE_WAITING); /* so this is the loop that brings the news */
    pub_board_read(&board, &read);
    CU_ASSERT_TRUE(heard.is_confirming && read.is_confirming);
    CU_ASSERT_EQUAL(read.outage, PUB_OUTAGE_UP);
    pub_board_set(&board, 0, &(struct pub_standing){ .has_tried = true }, NULL, NULL);
    pub_board_read(&board, &read);
    CU_ASSERT_FALSE(read.is_confirming);
    CU_ASSERT_TRUE(read.has_tried);
}
