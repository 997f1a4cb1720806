#include <stdlib.h>
#include <string.h>

#include "consumer/batch.h"
#include "consumer/departure.h"
#include "consumer/settle.h"
#include "tests/support/claims.h"

static void hold_for(struct con_batch *batch, enum con_turn turn, uint64_t tag, size_t bytes,
                     int64_t now_us)
{
    char *body = calloc(1, bytes + 1);
    struct con_arrival arrival = { .tag = tag,
                                   .turn = turn,
                                   .bytes = sl_span_make(body, bytes),
                                   .routing_key = SL_SPAN_LITERAL("stripe.invoice.paid"),
                                   .attempt = 1 };
    CU_ASSERT_TRUE_FATAL(con_batch_hold(batch, &arrival, now_us));
    free(body);
}

static void hold(struct con_batch *batch, uint64_t tag, size_t bytes, int64_t now_us)
{
    hold_for(batch, CON_TURN_LIVE, tag, bytes, now_us);
}

/* The acknowledgements as text: "3+ 5 " is up to 3, then 5 alone. */
static char acks[256];

static void note_ack(void *arg, uint64_t tag, bool multiple)
{
    (void)arg;
    size_t used = strlen(acks);
    snprintf(acks + used, sizeof acks - used, "%llu%s ", (unsigned long long)tag,
             multiple ? "+" : "");
}

static void note_release(void *arg, uint64_t tag)
{
    note_ack(arg, tag, false);
}

static size_t settle(struct con_batch *batch)
{
    acks[0] = '\0';
    return con_settle(batch, note_ack, NULL);
}

CLAIM(batch__an_idle_worker_does_not_wait)
{
    struct con_batch batch;
    con_batch_init(&batch, 500);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 1000000), -1);
    hold(&batch, 1, 10, 1000000);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 1000000), 0);
    con_batch_done(&batch);
}

CLAIM(batch__transactions_in_a_row_wait_shortly_for_company)
{
    struct con_batch batch;
    con_batch_init(&batch, 2);
    con_batch_ended(&batch, 1000000);
    hold(&batch, 1, 10, 1000100);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 1000100), CON_BATCH_LINGER_US);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 1000100 + CON_BATCH_LINGER_US), 0);
    hold(&batch, 2, 10, 1000200);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 1000200), 0);
    con_batch_done(&batch);
}

CLAIM(batch__takes_the_oldest_within_its_limits)
{
    struct con_batch batch;
    struct con_delivery *taken[8];
    con_batch_init(&batch, 3);
    for (uint64_t tag = 1; tag <= 5; tag++) {
        hold(&batch, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 8, 0), 3);
    CU_ASSERT_EQUAL(taken[0]->tag, 1);
    CU_ASSERT_EQUAL(taken[2]->tag, 3);
    CU_ASSERT_EQUAL(taken[2]->state, CON_DELIVERY_RUNNING);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 1, 0), 1);
    CU_ASSERT_EQUAL(taken[0]->tag, 4);
    CU_ASSERT_EQUAL(batch.held_count, 5);
    CU_ASSERT_EQUAL(batch.waiting[CON_TURN_LIVE].count, 1);
    con_batch_done(&batch);
}

CLAIM(batch__a_transaction_is_bounded_in_bytes_but_takes_one_event_at_least)
{
    struct con_batch batch;
    struct con_delivery *taken[8];
    con_batch_init(&batch, 8);
    hold(&batch, 1, CON_BATCH_TAKEN_BYTES_MAX - 1, 0);
    hold(&batch, 2, CON_BATCH_TAKEN_BYTES_MAX + 1, 0);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 8, 0), 1);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 8, 0), 1);
    CU_ASSERT_EQUAL(taken[0]->tag, 2);
    con_batch_done(&batch);
}

CLAIM(batch__a_worker_reads_no_more_than_it_may_hold_however_large_the_events)
{
    struct con_batch batch;
    struct con_delivery *taken[8];
    con_batch_init(&batch, 8);
    hold(&batch, 1, CON_BATCH_HELD_BYTES_MAX - 1, 0);
    CU_ASSERT_FALSE(con_batch_is_full(&batch));
    hold(&batch, 2, 1, 0);
    CU_ASSERT_TRUE(con_batch_is_full(&batch));
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 8, 0), 1);
    CU_ASSERT_TRUE(con_batch_is_full(&batch)); /* running, so still held */
    con_batch_done(&batch);
}

CLAIM(batch__what_arrives_is_copied)
{
    struct con_batch batch;
    struct con_delivery *taken[1];
    char body[] = "abc";
    char key[] = "k.e.y";
    con_batch_init(&batch, 8);
    struct con_arrival arrival = { .tag = 1,
                                   .bytes = sl_span_of(body),
                                   .routing_key = sl_span_of(key),
                                   .attempt = 2,
                                   .first_failed_ms = 77,
                                   .traceparent = SL_SPAN_LITERAL("00-1") };
    CU_ASSERT_TRUE(con_batch_hold(&batch, &arrival, 0));
    memset(body, 'x', 3);
    memset(key, 'x', 5);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 1, 0), 1);
    CU_ASSERT_TRUE(sl_span_is(taken[0]->bytes, "abc"));
    CU_ASSERT_TRUE(sl_span_is(taken[0]->routing_key, "k.e.y"));
    CU_ASSERT_TRUE(sl_span_is(taken[0]->traceparent, "00-1"));
    CU_ASSERT_PTR_NULL(taken[0]->replay_run.data);
    CU_ASSERT_EQUAL(taken[0]->attempt, 2);
    CU_ASSERT_EQUAL(taken[0]->first_failed_ms, 77);
    con_batch_done(&batch);
}

CLAIM(batch__a_lost_connection_forgets_all_but_what_runs)
{
    struct con_batch batch;
    struct con_delivery *taken[2];
    con_batch_init(&batch, 2);
    for (uint64_t tag = 1; tag <= 4; tag++) {
        hold(&batch, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 2, 0), 2);
    struct con_delivery *running[2] = { NULL };
    CU_ASSERT_EQUAL(con_batch_forget(&batch, running), 2);
    CU_ASSERT_PTR_EQUAL(running[1], taken[1]);
    CU_ASSERT_EQUAL(batch.held_count, 0);
    CU_ASSERT_EQUAL(batch.held_bytes, 0);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 0), -1);
    hold(&batch, 1, 10, 0);
    CU_ASSERT_EQUAL(batch.held_count, 1);
    CU_ASSERT_EQUAL(taken[1]->tag, 2);
    con_delivery_free(taken[0]);
    con_delivery_free(taken[1]);
    con_batch_done(&batch);
}

CLAIM(batch__what_came_from_a_deleted_queue_is_not_forgotten_with_the_connection)
{
    struct con_batch batch;
    struct con_delivery *taken[3];
    con_batch_init(&batch, 3);
    for (uint64_t tag = 1; tag <= 6; tag++) {
        hold_for(&batch, tag % 3 == 0 ? CON_TURN_REPLAY : CON_TURN_LIVE, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 1, 0), 1);
    CU_ASSERT_EQUAL(con_batch_keep(&batch, CON_TURN_LIVE), 4);
    struct con_delivery *running[3] = { NULL };
    CU_ASSERT_EQUAL(con_batch_forget(&batch, running), 0);
    CU_ASSERT_EQUAL(batch.held_count, 4);
    CU_ASSERT_EQUAL(batch.held_bytes, 40);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_REPLAY, 0), -1);
    hold(&batch, 1, 10, 0); /* of the next connection */
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken + 1, 1, 0), 1);
    CU_ASSERT_EQUAL(con_batch_forget(&batch, running), 0);
    CU_ASSERT_EQUAL(batch.held_count, 4);
    CU_ASSERT_EQUAL(batch.waiting[CON_TURN_LIVE].count, 2);
    CU_ASSERT_PTR_EQUAL(batch.first, taken[0]);
    con_batch_done(&batch);
}

CLAIM(settle__what_has_no_tag_is_dropped_without_a_word_and_cannot_be_given_back)
{
    struct con_batch batch;
    struct con_delivery *taken[8];
    con_batch_init(&batch, 8);
    for (uint64_t tag = 1; tag <= 3; tag++) {
        hold(&batch, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_keep(&batch, CON_TURN_LIVE), 3);
    hold(&batch, 1, 10, 0);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 2, 0), 2);
    taken[1]->state = CON_DELIVERY_SETTLED; /* behind one in work */
    CU_ASSERT_EQUAL(settle(&batch), 1);
    CU_ASSERT_STRING_EQUAL(acks, "");
    taken[0]->state = CON_DELIVERY_SETTLED;
    CU_ASSERT_EQUAL(settle(&batch), 1);
    CU_ASSERT_STRING_EQUAL(acks, "");
    acks[0] = '\0';
    CU_ASSERT_EQUAL(con_settle_release(&batch, note_release, NULL), 1);
    CU_ASSERT_STRING_EQUAL(acks, "1 ");
    CU_ASSERT_EQUAL(batch.held_count, 1);
    hold(&batch, 2, 10, 0);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 8, 0), 2);
    taken[0]->state = CON_DELIVERY_SETTLED;
    taken[1]->state = CON_DELIVERY_SETTLED;
    CU_ASSERT_EQUAL(settle(&batch), 2);
    CU_ASSERT_STRING_EQUAL(acks, "2+ ");
    con_batch_done(&batch);
}

CLAIM(batch__what_was_taken_too_much_waits_again_in_order)
{
    struct con_batch batch;
    struct con_delivery *taken[4];
    con_batch_init(&batch, 4);
    for (uint64_t tag = 1; tag <= 5; tag++) {
        hold(&batch, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 4, 0), 4);
    con_batch_give_back(&batch, taken + 1, 3, 0);
    CU_ASSERT_EQUAL(batch.waiting[CON_TURN_LIVE].count, 4);
    CU_ASSERT_EQUAL(batch.waiting[CON_TURN_LIVE].bytes, 40);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 4, 0), 4);
    CU_ASSERT_EQUAL(taken[0]->tag, 2);
    CU_ASSERT_EQUAL(taken[3]->tag, 5);
    con_batch_done(&batch);
}

CLAIM(settle__a_drain_gives_back_what_waits_and_nothing_else)
{
    struct con_batch batch;
    struct con_delivery *taken[3];
    con_batch_init(&batch, 3);
    for (uint64_t tag = 1; tag <= 5; tag++) {
        hold(&batch, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 3, 0), 3);
    taken[0]->state = CON_DELIVERY_LEAVING;
    con_batch_give_back_all(&batch, 0);
    acks[0] = '\0';
    CU_ASSERT_EQUAL(con_settle_release(&batch, note_release, NULL), 4);
    CU_ASSERT_STRING_EQUAL(acks, "2 3 4 5 ");
    CU_ASSERT_EQUAL(batch.held_count, 1);
    CU_ASSERT_EQUAL(batch.waiting[CON_TURN_LIVE].count, 0);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 0), -1);
    taken[0]->state = CON_DELIVERY_SETTLED;
    CU_ASSERT_EQUAL(settle(&batch), 1);
    CU_ASSERT_PTR_NULL(batch.first);
    con_batch_done(&batch);
}

CLAIM(batch__a_failed_one_among_those_given_back_is_not_taken_again)
{
    struct con_batch batch;
    struct con_delivery *taken[3];
    con_batch_init(&batch, 3);
    for (uint64_t tag = 1; tag <= 4; tag++) {
        hold(&batch, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 3, 0), 3);
    taken[1]->state = CON_DELIVERY_LEAVING;
    con_batch_give_back_all(&batch, 0);
    CU_ASSERT_EQUAL(batch.waiting[CON_TURN_LIVE].count, 3);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 3, 0), 3);
    CU_ASSERT_EQUAL(taken[0]->tag, 1);
    CU_ASSERT_EQUAL(taken[1]->tag, 3);
    CU_ASSERT_EQUAL(taken[2]->tag, 4);
    con_batch_done(&batch);
}

CLAIM(settle__a_run_at_the_head_is_one_acknowledgement)
{
    struct con_batch batch;
    struct con_delivery *taken[4];
    con_batch_init(&batch, 4);
    for (uint64_t tag = 1; tag <= 5; tag++) {
        hold(&batch, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 4, 0), 4);
    CU_ASSERT_EQUAL(settle(&batch), 0);
    CU_ASSERT_STRING_EQUAL(acks, "");
    for (size_t i = 0; i < 4; i++) {
        taken[i]->state = CON_DELIVERY_SETTLED;
    }
    CU_ASSERT_EQUAL(settle(&batch), 4);
    CU_ASSERT_STRING_EQUAL(acks, "4+ ");
    CU_ASSERT_EQUAL(batch.held_count, 1);
    CU_ASSERT_EQUAL(batch.held_bytes, 10);
    con_batch_done(&batch);
}

CLAIM(settle__one_delivery_is_acknowledged_alone)
{
    struct con_batch batch;
    struct con_delivery *taken[1];
    con_batch_init(&batch, 4);
    hold(&batch, 9, 10, 0);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 1, 0), 1);
    taken[0]->state = CON_DELIVERY_SETTLED;
    CU_ASSERT_EQUAL(settle(&batch), 1);
    CU_ASSERT_STRING_EQUAL(acks, "9 ");
    CU_ASSERT_PTR_NULL(batch.first);
    CU_ASSERT_PTR_NULL(batch.last);
    con_batch_done(&batch);
}

CLAIM(settle__nothing_in_work_is_covered_by_the_acknowledgement_of_others)
{
    struct con_batch batch;
    struct con_delivery *taken[6];
    con_batch_init(&batch, 6);
    for (uint64_t tag = 1; tag <= 6; tag++) {
        hold(&batch, tag, 10, 0);
    }
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 6, 0), 6);
    taken[0]->state = CON_DELIVERY_SETTLED;
    taken[1]->state = CON_DELIVERY_SETTLED;
    taken[2]->state = CON_DELIVERY_LEAVING;
    taken[3]->state = CON_DELIVERY_SETTLED;
    taken[5]->state = CON_DELIVERY_SETTLED;
    CU_ASSERT_EQUAL(settle(&batch), 4);
    CU_ASSERT_STRING_EQUAL(acks, "2+ 4 6 ");
    taken[2]->state = CON_DELIVERY_SETTLED;
    taken[4]->state = CON_DELIVERY_SETTLED;
    CU_ASSERT_EQUAL(settle(&batch), 2);
    CU_ASSERT_STRING_EQUAL(acks, "5+ ");
    CU_ASSERT_EQUAL(batch.held_bytes, 0);
    hold(&batch, 7, 10, 0);
    CU_ASSERT_EQUAL(batch.first->tag, 7);
    con_batch_done(&batch);
}

CLAIM(batch__what_is_diverted_is_not_taken_and_those_around_it_are)
{
    struct con_batch batch;
    struct con_delivery *taken[3];
    con_batch_init(&batch, 3);
    hold(&batch, 1, 10, 0);
    hold(&batch, 2, 10, 0);
    con_batch_divert(&batch, batch.last, con_departure_early(batch.last, 60));
    CU_ASSERT_EQUAL(batch.waiting[CON_TURN_LIVE].count, 1);
    hold(&batch, 3, 10, 0);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 3, 0), 2);
    CU_ASSERT_TRUE(taken[0]->tag == 1 && taken[1]->tag == 3);
    con_batch_done(&batch);

    hold(&batch, 1, 10, 0);
    con_batch_divert(&batch, batch.last, con_departure_early(batch.last, 60));
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 0), -1);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 3, 0), 0);
    con_batch_done(&batch);
}

CLAIM(batch__each_turn_has_its_own_line_and_acknowledgements_are_still_in_order_of_arrival)
{
    struct con_batch batch;
    struct con_delivery *taken[4];
    struct con_delivery *copies[4];
    con_batch_init(&batch, 4);
    hold_for(&batch, CON_TURN_REPLAY, 1, 10, 0);
    hold_for(&batch, CON_TURN_LIVE, 2, 10, 0);
    hold_for(&batch, CON_TURN_REPLAY, 3, 10, 0);
    hold_for(&batch, CON_TURN_LIVE, 4, 10, 0);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 4, 0), 2);
    CU_ASSERT_TRUE(taken[0]->tag == 2 && taken[1]->tag == 4);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_LIVE, 0), -1);
    CU_ASSERT_EQUAL(con_batch_wait_us(&batch, CON_TURN_REPLAY, 0), 0);
    taken[0]->state = CON_DELIVERY_SETTLED;
    taken[1]->state = CON_DELIVERY_SETTLED;
    CU_ASSERT_EQUAL(settle(&batch), 2);
    CU_ASSERT_STRING_EQUAL(acks, "2 4 ");
    hold_for(&batch, CON_TURN_LIVE, 5, 10, 0);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_REPLAY, copies, 4, 0), 2);
    CU_ASSERT_TRUE(copies[0]->tag == 1 && copies[1]->tag == 3);
    con_batch_give_back_all(&batch, 0);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_REPLAY, copies, 4, 0), 2);
    CU_ASSERT_EQUAL(con_batch_take(&batch, CON_TURN_LIVE, taken, 4, 0), 1);
    CU_ASSERT_EQUAL(taken[0]->tag, 5);
    con_batch_done(&batch);
}
