#include "shared/journal/journal_queue.h"

#include <errno.h>

#include "tests/support/claims.h"

#define RECORDS_MAX 1000u
#define BYTES_MAX   (2u * 1024u * 1024u)

struct told {
    uint64_t next; /* cookies come as they were given: 0, 1, 2 … */
    bool is_in_order;
    size_t failed;
};

static void tell(void *arg, uint64_t cookie, int os_error)
{
    struct told *told = arg;
    told->is_in_order = told->is_in_order && cookie == told->next;
    told->next++;
    told->failed += os_error != 0 ? 1 : 0;
}

static struct told reap(struct sl_journal_queue *queue, uint64_t next)
{
    struct told told = { .next = next, .is_in_order = true };
    sl_journal_queue_reap(queue, tell, &told);
    return told;
}

static bool put(struct sl_journal_queue *queue, struct sl_span payload, uint64_t cookie)
{
    struct sl_journal_record record = { .type = SL_JOURNAL_EVENT, .payload = payload };
    return sl_journal_queue_put(queue, &record, cookie);
}

static struct sl_journal_batch *take(struct sl_journal_queue *queue)
{
    struct sl_journal_batch *batch = NULL;
    CU_ASSERT(sl_journal_queue_wait(queue, 1, &batch));
    return batch;
}

/* A burst of requests keeps the loop from reaping while a quick disk settles one small batch after another. */
CLAIM(journal_queue__a_loop_too_busy_to_reap_has_room_for_all_that_the_disk_has_kept)
{
    SL_AUTO(sl_journal_queue_free)
    struct sl_journal_queue *queue = sl_journal_queue_new(RECORDS_MAX, BYTES_MAX, NULL);
    for (uint64_t i = 0; i < RECORDS_MAX; i++) {
        CU_ASSERT(put(queue, SL_SPAN_LITERAL("event"), i));
        struct sl_journal_batch *batch = take(queue);
        CU_ASSERT_EQUAL(batch->count, 1);
        sl_journal_queue_settle(queue, batch, 0);
    }
    CU_ASSERT(!put(queue, SL_SPAN_LITERAL("event"), RECORDS_MAX));
    CU_ASSERT_EQUAL(sl_journal_queue_waiting(queue), RECORDS_MAX);
    struct told told = reap(queue, 0);
    CU_ASSERT(told.is_in_order);
    CU_ASSERT_EQUAL(told.next, RECORDS_MAX);
    CU_ASSERT_EQUAL(sl_journal_queue_waiting_bytes(queue), 0);
    CU_ASSERT(put(queue, SL_SPAN_LITERAL("event"), RECORDS_MAX));
}

CLAIM(
    journal_queue__is_full_when_too_many_bytes_are_on_their_way_and_takes_again_after_some_are_settled)
{
    static const char large[500 * 1024];
    SL_AUTO(sl_journal_queue_free)
    struct sl_journal_queue *queue = sl_journal_queue_new(RECORDS_MAX, BYTES_MAX, NULL);
    uint64_t cookie = 0;
    while (put(queue, sl_span_make(large, sizeof large), cookie)) {
        cookie++;
    }
    CU_ASSERT_EQUAL(cookie, 4);
    CU_ASSERT_EQUAL(sl_journal_queue_batches(queue), 2);
    CU_ASSERT(put(queue, SL_SPAN_LITERAL("a small one"), cookie++));
    struct sl_journal_batch *batch = take(queue);
    CU_ASSERT(!put(queue, sl_span_make(large, sizeof large), cookie)); /* taken is not settled */
    sl_journal_queue_settle(queue, batch, 0);
    CU_ASSERT(put(queue, sl_span_make(large, sizeof large), cookie++));
    CU_ASSERT_EQUAL(reap(queue, 0).next, 2);
}

/* The broker freezes: every confirm deadline passes in one turn of the loop. */
CLAIM(journal_queue__a_burst_needs_as_many_batches_as_it_needs_and_gives_them_back)
{
    SL_AUTO(sl_journal_queue_free)
    struct sl_journal_queue *queue = sl_journal_queue_new(5000, 64u << 20, NULL);
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 5000; i++) {
            CU_ASSERT(put(queue, SL_SPAN_LITERAL("event"), round * 5000 + i));
        }
        CU_ASSERT(!put(queue, SL_SPAN_LITERAL("event"), 0));
        CU_ASSERT_EQUAL(sl_journal_queue_batches(queue), 20);
        while (sl_journal_queue_batches(queue) > 0) {
            sl_journal_queue_settle(queue, take(queue), 0);
        }
        CU_ASSERT_EQUAL(reap(queue, round * 5000).next, (round + 1) * 5000);
    }
}

CLAIM(journal_queue__records_share_a_batch_until_it_is_taken_or_reaches_its_limit)
{
    static const char large[300 * 1024];
    SL_AUTO(sl_journal_queue_free)
    struct sl_journal_queue *queue = sl_journal_queue_new(RECORDS_MAX, BYTES_MAX, NULL);
    for (uint64_t i = 0; i < 4; i++) {
        CU_ASSERT(put(queue, sl_span_make(large, sizeof large), i));
    }
    for (uint64_t i = 4; i < 4 + SL_JOURNAL_BATCH_RECORDS_MAX; i++) {
        CU_ASSERT(put(queue, SL_SPAN_LITERAL("event"), i));
    }
    static const size_t counts[] = { 3, 256, 1 }; /* bytes, records, the rest */
    for (size_t i = 0; i < SL_COUNT(counts); i++) {
        struct sl_journal_batch *batch = take(queue);
        CU_ASSERT_EQUAL(batch->count, counts[i]);
        CU_ASSERT(batch->bytes.used_bytes <= SL_JOURNAL_BATCH_BYTES_MAX);
        sl_journal_queue_settle(queue, batch, 0);
    }
    CU_ASSERT(reap(queue, 0).is_in_order);
}

CLAIM(journal_queue__a_failure_reaches_exactly_the_records_of_its_batch)
{
    SL_AUTO(sl_journal_queue_free)
    struct sl_journal_queue *queue = sl_journal_queue_new(RECORDS_MAX, BYTES_MAX, NULL);
    static const int outcomes[] = { 0, EIO, 0 };
    static const size_t counts[] = { 2, 3, 4 };
    uint64_t cookie = 0;
    for (size_t i = 0; i < SL_COUNT(outcomes); i++) {
        for (size_t record = 0; record < counts[i]; record++) {
            CU_ASSERT(put(queue, SL_SPAN_LITERAL("event"), cookie++));
        }
        sl_journal_queue_settle(queue, take(queue), outcomes[i]);
        struct told told = reap(queue, cookie - counts[i]);
        CU_ASSERT(told.is_in_order);
        CU_ASSERT_EQUAL(told.next, cookie);
        CU_ASSERT_EQUAL(told.failed, outcomes[i] == 0 ? 0 : counts[i]);
    }
}

CLAIM(journal_queue__stopped_it_gives_what_is_left_and_then_nothing)
{
    SL_AUTO(sl_journal_queue_free)
    struct sl_journal_queue *queue = sl_journal_queue_new(RECORDS_MAX, BYTES_MAX, NULL);
    CU_ASSERT(put(queue, SL_SPAN_LITERAL("event"), 0));
    sl_journal_queue_stop(queue);
    struct sl_journal_batch *batch = take(queue);
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    sl_journal_queue_settle(queue, batch, 0);
    CU_ASSERT(!sl_journal_queue_wait(queue, 0, &batch));
    CU_ASSERT_PTR_NULL(batch);
    CU_ASSERT_EQUAL(reap(queue, 0).next, 1);
}
