#include "shared/journal_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* What lies behind a record that begins below the limit still fits. */
#define BUFFER_BYTES_MAX (SL_JOURNAL_BATCH_BYTES_MAX + SL_JOURNAL_RECORD_BYTES_MAX)

/* A record that was put and is not reaped. */
struct waiting {
    uint64_t cookie;
    size_t bytes;
    int os_error; /* once it is settled */
};

struct sl_journal_queue {
    struct sl_journal_batch storage[SL_JOURNAL_BATCHES];

    /* The loop's. */
    uint64_t put_count;
    uint64_t reaped_count;
    uint64_t waiting_bytes;

    /* Under lock. Records of the ring are numbered as they were put; those below settled_count are settled. */
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct waiting ring[SL_JOURNAL_WAITING_MAX];
    uint64_t settled_count;
    struct sl_journal_batch *unused;
    struct sl_journal_batch *oldest; /* of those queued */
    struct sl_journal_batch *newest; /* it may be filling still */
    bool is_stopped;
    bool is_idle; /* the thread waits for `filled` */
};

static struct sl_journal_batch *filling(struct sl_journal_queue *queue, size_t bytes);
static struct sl_journal_batch *take_oldest(struct sl_journal_queue *queue);
static void wait_filled(struct sl_journal_queue *queue, int64_t wait_us);

struct sl_journal_queue *sl_journal_queue_new(struct sl_err *err)
{
    struct sl_journal_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the journal's queue");
        return NULL;
    }
    for (size_t i = 0; i < SL_JOURNAL_BATCHES; i++) {
        sl_buf_init(&queue->storage[i].bytes, BUFFER_BYTES_MAX);
        queue->storage[i].next = queue->unused;
        queue->unused = &queue->storage[i];
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return queue;
}

void sl_journal_queue_free(struct sl_journal_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    for (size_t i = 0; i < SL_JOURNAL_BATCHES; i++) {
        sl_buf_done(&queue->storage[i].bytes);
    }
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

bool sl_journal_queue_put(struct sl_journal_queue *queue, const struct sl_journal_record *record,
                          uint64_t cookie)
{
    if (queue->put_count - queue->reaped_count == SL_JOURNAL_WAITING_MAX) {
        return false;
    }
    size_t bytes = sl_journal_record_bytes(record->payload.bytes);
    pthread_mutex_lock(&queue->lock);
    struct sl_journal_batch *batch = filling(queue, bytes);
    char *room = batch == NULL ? NULL : sl_buf_reserve(&batch->bytes, bytes);
    if (room != NULL) {
        sl_journal_record_compose(record, (uint8_t *)room);
        sl_buf_commit(&batch->bytes, bytes);
        batch->oldest_ns = batch->count == 0 ? record->received_ns : batch->oldest_ns;
        batch->count++;
        queue->ring[queue->put_count % SL_JOURNAL_WAITING_MAX] =
            (struct waiting){ .cookie = cookie, .bytes = bytes };
        if (queue->is_idle) {
            queue->is_idle = false;
            pthread_cond_signal(&queue->filled);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    if (room == NULL) {
        return false;
    }
    queue->put_count++;
    queue->waiting_bytes += bytes;
    return true;
}

/* The batch that takes the next record; NULL: all are on their way. */
static struct sl_journal_batch *filling(struct sl_journal_queue *queue, size_t bytes)
{
    struct sl_journal_batch *newest = queue->newest;
    if (newest != NULL && newest->count < SL_JOURNAL_BATCH_RECORDS_MAX &&
        newest->bytes.used_bytes + bytes <= SL_JOURNAL_BATCH_BYTES_MAX) {
        return newest;
    }
    struct sl_journal_batch *fresh = queue->unused;
    if (fresh != NULL) {
        queue->unused = fresh->next;
        sl_buf_reset(&fresh->bytes);
        fresh->count = 0;
        fresh->next = NULL;
        *(newest != NULL ? &newest->next : &queue->oldest) = fresh;
        queue->newest = fresh;
    }
    return fresh;
}

void sl_journal_queue_reap(struct sl_journal_queue *queue,
                           void (*fn)(void *arg, uint64_t cookie, int os_error), void *arg)
{
    /* What is settled meanwhile is reaped the next time. */
    pthread_mutex_lock(&queue->lock);
    uint64_t settled = queue->settled_count;
    pthread_mutex_unlock(&queue->lock);
    while (queue->reaped_count < settled) {
        /* The thread writes none below settled, and put none before reaped_count has passed. */
        struct waiting one = queue->ring[queue->reaped_count % SL_JOURNAL_WAITING_MAX];
        queue->reaped_count++;
        queue->waiting_bytes -= one.bytes;
        fn(arg, one.cookie, one.os_error);
    }
}

size_t sl_journal_queue_waiting(const struct sl_journal_queue *queue)
{
    return (size_t)(queue->put_count - queue->reaped_count);
}

uint64_t sl_journal_queue_waiting_bytes(const struct sl_journal_queue *queue)
{
    return queue->waiting_bytes;
}

void sl_journal_queue_stop(struct sl_journal_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_stopped = true;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

bool sl_journal_queue_wait(struct sl_journal_queue *queue, int64_t wait_us,
                           struct sl_journal_batch **out_batch)
{
    pthread_mutex_lock(&queue->lock);
    struct sl_journal_batch *batch = take_oldest(queue);
    bool is_over = batch == NULL && queue->is_stopped;
    if (batch == NULL && !is_over) {
        wait_filled(queue, wait_us);
    }
    pthread_mutex_unlock(&queue->lock);
    *out_batch = batch;
    return !is_over;
}

static struct sl_journal_batch *take_oldest(struct sl_journal_queue *queue)
{
    struct sl_journal_batch *batch = queue->oldest;
    if (batch != NULL) {
        queue->oldest = batch->next;
        queue->newest = queue->oldest == NULL ? NULL : queue->newest;
        batch->next = NULL;
    }
    return batch;
}

static void wait_filled(struct sl_journal_queue *queue, int64_t wait_us)
{
    queue->is_idle = true;
    if (wait_us > 0) {
        struct timespec until = { 0 };
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t until_ns = until.tv_nsec + wait_us % 1000000 * 1000;
        until.tv_sec += wait_us / 1000000 + until_ns / 1000000000;
        until.tv_nsec = until_ns % 1000000000;
        (void)pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
    } else {
        (void)pthread_cond_wait(&queue->filled, &queue->lock);
    }
    queue->is_idle = false;
}

void sl_journal_queue_settle(struct sl_journal_queue *queue, struct sl_journal_batch *batch,
                             int os_error)
{
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < batch->count; i++) {
        queue->ring[queue->settled_count % SL_JOURNAL_WAITING_MAX].os_error = os_error;
        queue->settled_count++;
    }
    batch->next = queue->unused;
    queue->unused = batch;
    pthread_mutex_unlock(&queue->lock);
}
