#include "shared/journal/journal_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* What lies behind a record that begins below the limit still fits. */
#define BUFFER_BYTES_MAX (SL_JOURNAL_BATCH_BYTES_MAX + SL_JOURNAL_RECORD_BYTES_MAX)
/* One is written, one fills, one is to spare. */
#define BATCHES_KEPT 3u

/* A record that was put and is not reaped. */
struct waiting {
    uint64_t cookie;
    size_t bytes;
    int os_error; /* once it is settled */
};

struct sl_journal_queue {
    size_t records_max; /* these two never change */
    size_t bytes_max;

    /* The loop's. */
    uint64_t put_count;
    uint64_t reaped_count;
    uint64_t waiting_bytes;

    /* Under lock. Records of the ring are numbered as they were put; those below settled_count are settled. */
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct waiting *ring; /* records_max places */
    uint64_t settled_count;
    size_t way_bytes;   /* of batches on their way */
    size_t batch_count; /* of those */
    struct sl_journal_batch *unused;
    size_t unused_count;
    struct sl_journal_batch *oldest; /* of those queued */
    struct sl_journal_batch *newest; /* it may be filling still */
    bool is_stopped;
    bool is_idle; /* the thread waits for `filled` */
};

static struct sl_journal_batch *filling(struct sl_journal_queue *queue, size_t bytes);
static struct sl_journal_batch *fresh_batch(struct sl_journal_queue *queue);
static void free_batch(struct sl_journal_batch *batch);
static struct sl_journal_batch *take_oldest(struct sl_journal_queue *queue);
static void wait_filled(struct sl_journal_queue *queue, int64_t wait_us);

struct sl_journal_queue *sl_journal_queue_new(size_t records_max, size_t bytes_max,
                                              struct sl_err *err)
{
    struct sl_journal_queue *queue = calloc(1, sizeof *queue);
    struct waiting *ring = calloc(records_max, sizeof *ring);
    if (queue == NULL || ring == NULL) {
        free(ring);
        free(queue);
        sl_fail(err, SL_E_MEMORY, "no memory for the journal's queue");
        return NULL;
    }
    queue->records_max = records_max;
    queue->bytes_max = bytes_max;
    queue->ring = ring;
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
    struct sl_journal_batch *batch = NULL;
    while ((batch = take_oldest(queue)) != NULL || (batch = queue->unused) != NULL) {
        queue->unused = batch == queue->unused ? batch->next : queue->unused;
        free_batch(batch);
    }
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue->ring);
    free(queue);
}

bool sl_journal_queue_put(struct sl_journal_queue *queue, const struct sl_journal_record *record,
                          uint64_t cookie)
{
    if (queue->put_count - queue->reaped_count == queue->records_max) {
        return false;
    }
    size_t bytes = sl_journal_record_bytes(record->payload.bytes);
    pthread_mutex_lock(&queue->lock);
    bool has_room = queue->way_bytes + bytes <= queue->bytes_max;
    struct sl_journal_batch *batch = has_room ? filling(queue, bytes) : NULL;
    char *room = batch == NULL ? NULL : sl_buf_reserve(&batch->bytes, bytes);
    if (room != NULL) {
        sl_journal_record_compose(record, (uint8_t *)room);
        sl_buf_commit(&batch->bytes, bytes);
        batch->oldest_ns = batch->count == 0 ? record->received_ns : batch->oldest_ns;
        batch->count++;
        queue->way_bytes += bytes;
        queue->ring[queue->put_count % queue->records_max] =
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

/* The batch that takes the next record; NULL: no memory. */
static struct sl_journal_batch *filling(struct sl_journal_queue *queue, size_t bytes)
{
    struct sl_journal_batch *newest = queue->newest;
    if (newest != NULL && newest->count < SL_JOURNAL_BATCH_RECORDS_MAX &&
        newest->bytes.used_bytes + bytes <= SL_JOURNAL_BATCH_BYTES_MAX) {
        return newest;
    }
    struct sl_journal_batch *fresh = fresh_batch(queue);
    if (fresh != NULL) {
        queue->batch_count++;
        *(newest != NULL ? &newest->next : &queue->oldest) = fresh;
        queue->newest = fresh;
    }
    return fresh;
}

static struct sl_journal_batch *fresh_batch(struct sl_journal_queue *queue)
{
    struct sl_journal_batch *batch = queue->unused;
    if (batch == NULL) {
        batch = calloc(1, sizeof *batch);
        if (batch != NULL) {
            sl_buf_init(&batch->bytes, BUFFER_BYTES_MAX);
        }
        return batch;
    }
    queue->unused = batch->next;
    queue->unused_count--;
    sl_buf_reset(&batch->bytes);
    batch->count = 0;
    batch->next = NULL;
    return batch;
}

static void free_batch(struct sl_journal_batch *batch)
{
    sl_buf_done(&batch->bytes);
    free(batch);
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
        struct waiting one = queue->ring[queue->reaped_count % queue->records_max];
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

size_t sl_journal_queue_batches(struct sl_journal_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t count = queue->batch_count;
    pthread_mutex_unlock(&queue->lock);
    return count;
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
        queue->ring[queue->settled_count % queue->records_max].os_error = os_error;
        queue->settled_count++;
    }
    queue->way_bytes -= batch->bytes.used_bytes;
    queue->batch_count--;
    bool is_kept = queue->unused_count < BATCHES_KEPT;
    if (is_kept) {
        batch->next = queue->unused;
        queue->unused = batch;
        queue->unused_count++;
    }
    pthread_mutex_unlock(&queue->lock);
    if (!is_kept) {
        free_batch(batch);
    }
}
