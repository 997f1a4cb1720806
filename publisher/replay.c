#include "publisher/replay.h"

#include <stdlib.h>

#include "publisher/wrap.h"
#include "shared/backoff.h"
#include "shared/clock.h"
#include "shared/digest.h"

#define TICK_MS       4
#define TAKE_MAX      32u  /* at a time: live traffic gets its turn in between; 8,000 a second */
#define LIVE_BUSY_MAX 256u /* so many live requests waiting: not now */
/* Pauses while queues refuse: a probe costs little, and an operator who has made room should not wait long. */
#define REFUSED_BASE_MS 200
#define REFUSED_CAP_MS  10000

struct flying {
    uint64_t seq;
    bool is_used;
};

struct pub_replay {
    struct pub_replay_opts opts;
    struct sl_amqp_link *link; /* NULL before there is one */
    struct pub_wrap wrap;
    struct sl_timer *timer;
    struct flying flying[PUB_REPLAY_WINDOW];
    size_t flying_count;
    int64_t allowance_us;      /* of the rate: an event costs 1 s / rate */
    int64_t asked_us;          /* when the allowance was last brought up to date; 0: idle */
    int64_t run_count;         /* confirmed since the journal was last empty */
    struct sl_backoff backoff; /* of queues that refuse */
    int64_t resume_ms;         /* nothing is sent before this; 0: at once */
    struct sl_series *events;
    struct sl_series *bytes;
    struct sl_series *oldest;
    struct sl_series *usable;
    struct sl_series *appended;
    struct sl_series *poisoned;
    struct sl_series *aside;
    struct sl_series *aside_bytes;
    struct sl_series *missing;
    struct sl_series *replayed;
};

static void open_series(struct pub_replay *replay);
static void on_timer(void *arg);
static struct sl_journal_stats show(struct pub_replay *replay);
static size_t allowed(struct pub_replay *replay);
static bool send_one(struct pub_replay *replay, const struct sl_journal_record *record);
static size_t free_slot(const struct pub_replay *replay);
static void hold_back(struct pub_replay *replay);
static void tell_when_done(struct pub_replay *replay);

struct pub_replay *pub_replay_new(const struct pub_replay_opts *opts, struct sl_err *err)
{
    SL_AUTO(pub_replay_free) struct pub_replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the replay");
        return NULL;
    }
    replay->opts = *opts;
    replay->backoff = (struct sl_backoff){ .base_ms = REFUSED_BASE_MS, .cap_ms = REFUSED_CAP_MS };
    if (!sl_random_bytes(&replay->backoff.rng, sizeof replay->backoff.rng)) {
        sl_fail(err, SL_E_IO, "no random numbers from the kernel");
        return NULL;
    }
    replay->backoff.rng |= 1;
    replay->timer = sl_timer_new(opts->loop, on_timer, replay);
    if (replay->timer == NULL || !pub_wrap_init(&replay->wrap, SL_EVENT_BODY_BYTES_MAX, err)) {
        sl_fail(err, SL_E_MEMORY, "no memory for the replay");
        return NULL;
    }
    open_series(replay);
    return SL_TAKE(replay);
}

static void open_series(struct pub_replay *replay)
{
    struct sl_metrics *metrics = replay->opts.metrics;
    replay->events = sl_metrics_series(metrics, SL_M_JOURNAL_EVENTS, NULL, NULL);
    replay->bytes = sl_metrics_series(metrics, SL_M_JOURNAL_BYTES, NULL, NULL);
    replay->oldest = sl_metrics_series(metrics, SL_M_JOURNAL_OLDEST, NULL, NULL);
    replay->usable = sl_metrics_series(metrics, SL_M_JOURNAL_USABLE, NULL, NULL);
    replay->appended = sl_metrics_series(metrics, SL_M_JOURNAL_APPENDED, NULL, NULL);
    replay->poisoned = sl_metrics_series(metrics, SL_M_JOURNAL_POISONED, NULL, NULL);
    replay->aside = sl_metrics_series(metrics, SL_M_JOURNAL_POISON, NULL, NULL);
    replay->aside_bytes = sl_metrics_series(metrics, SL_M_JOURNAL_POISON_BYTES, NULL, NULL);
    replay->missing = sl_metrics_series(metrics, SL_M_JOURNAL_MISSING, NULL, NULL);
    replay->replayed = sl_metrics_series(metrics, SL_M_JOURNAL_REPLAYED, NULL, NULL);
    const struct sl_journal_stats stats = show(replay);
    sl_series_set(sl_metrics_series(metrics, SL_M_JOURNAL_MAX, NULL, NULL),
                  (int64_t)stats.quota_bytes);
    sl_series_set(sl_metrics_series(metrics, SL_M_JOURNAL_FOUND, NULL, NULL),
                  (int64_t)(stats.totals.found - stats.totals.found_resolved));
}

void pub_replay_free(struct pub_replay *replay)
{
    if (replay == NULL) {
        return;
    }
    for (size_t i = 0; i < PUB_REPLAY_WINDOW; i++) {
        if (replay->flying[i].is_used) {
            sl_journal_put_back(replay->opts.journal, replay->flying[i].seq);
        }
    }
    pub_wrap_done(&replay->wrap);
    sl_timer_free(replay->timer);
    free(replay);
}

void pub_replay_set_link(struct pub_replay *replay, struct sl_amqp_link *link)
{
    replay->link = link;
}

void pub_replay_set_rate(struct pub_replay *replay, int64_t rate)
{
    replay->opts.rate = rate;
}

int64_t pub_replay_rate(const struct pub_replay *replay)
{
    return replay->opts.rate;
}

void pub_replay_wake(struct pub_replay *replay)
{
    if (!sl_timer_is_armed(replay->timer)) {
        sl_timer_arm(replay->timer, TICK_MS);
    }
}

static struct sl_journal_stats show(struct pub_replay *replay)
{
    struct sl_journal_stats stats = { 0 };
    sl_journal_read_stats(replay->opts.journal, &stats);
    sl_series_set(replay->events, (int64_t)stats.pending);
    sl_series_set(replay->bytes, (int64_t)stats.bytes);
    sl_series_set(replay->oldest, (int64_t)(stats.oldest_ns / 1000000000u));
    sl_series_set(replay->usable, stats.state == SL_JOURNAL_OK ? 1 : 0);
    sl_series_set(replay->appended, (int64_t)stats.totals.appended);
    sl_series_set(replay->poisoned, (int64_t)stats.totals.poisoned);
    sl_series_set(replay->aside, (int64_t)stats.poison_events);
    sl_series_set(replay->aside_bytes, (int64_t)stats.poison_bytes);
    sl_series_set(replay->missing, (int64_t)stats.totals.missing);
    return stats;
}

/* Sends what rate, window and live traffic allow; comes again as long as there is something to do and a broker to do it. */
static void on_timer(void *arg)
{
    struct pub_replay *replay = arg;
    struct sl_journal_record records[TAKE_MAX];
    const struct sl_journal_stats stats = show(replay);
    if (replay->link == NULL || sl_amqp_link_state(replay->link) != SL_AMQP_UP) {
        replay->asked_us = 0; /* woken again when the link is up */
        return;
    }
    int64_t pause_ms = replay->resume_ms - sl_clock_mono_ms();
    if (pause_ms > 0) {
        replay->asked_us = 0;
        sl_timer_arm(replay->timer, pause_ms);
        return;
    }
    if (replay->opts.live(replay->opts.arg) < LIVE_BUSY_MAX) {
        size_t count = sl_journal_take(replay->opts.journal, records, allowed(replay));
        bool goes_on = true;
        for (size_t i = 0; i < count; i++) {
            goes_on = goes_on && send_one(replay, &records[i]);
            if (!goes_on) {
                sl_journal_put_back(replay->opts.journal, records[i].seq);
            }
        }
    }
    if (stats.pending > 0) {
        sl_timer_arm(replay->timer, TICK_MS);
    } else {
        replay->asked_us = 0;
    }
}

/* How many may be sent now: a token bucket of at most one window. */
static size_t allowed(struct pub_replay *replay)
{
    int64_t cost_us = 1000000 / replay->opts.rate;
    int64_t now_us = sl_clock_mono_us();
    cost_us = cost_us > 0 ? cost_us : 1;
    replay->allowance_us += replay->asked_us == 0 ? TICK_MS * 1000 : now_us - replay->asked_us;
    replay->asked_us = now_us;
    int64_t most_us = cost_us * PUB_REPLAY_WINDOW;
    replay->allowance_us = replay->allowance_us > most_us ? most_us : replay->allowance_us;
    size_t room = PUB_REPLAY_WINDOW - replay->flying_count;
    size_t paid = (size_t)(replay->allowance_us / cost_us);
    size_t count = paid < room ? paid : room;
    return count < TAKE_MAX ? count : TAKE_MAX;
}

/* False: the link takes nothing now; the caller puts the record back. */
static bool send_one(struct pub_replay *replay, const struct sl_journal_record *record)
{
    struct sl_err err = { 0 };
    if (!pub_wrap_encoded(&replay->wrap, record->payload, &err)) {
        sl_log_err(replay->opts.log, SL_ERROR, "journal.unreadable",
                   "a journaled event cannot be decoded; it is tried again, then set aside", &err,
                   sl_int("seq", (int64_t)record->seq));
        sl_journal_fail(replay->opts.journal, record->seq);
        return true;
    }
    size_t slot = free_slot(replay);
    const struct sl_amqp_message message = pub_wrap_message(&replay->wrap);
    if (!sl_amqp_publish(replay->link, &message, PUB_REPLAY_COOKIE + slot, &err)) {
        if (err.code != SL_E_AMQP_TOO_LARGE) {
            return false;
        }
        sl_journal_fail(replay->opts.journal, record->seq); /* poison/ in the end, with a finding */
        return true;
    }
    replay->flying[slot] = (struct flying){ .seq = record->seq, .is_used = true };
    replay->flying_count++;
    replay->allowance_us -= 1000000 / replay->opts.rate;
    return true;
}

static size_t free_slot(const struct pub_replay *replay)
{
    size_t slot = 0;
    while (slot < PUB_REPLAY_WINDOW && replay->flying[slot].is_used) {
        slot++;
    }
    SL_ASSERT(slot < PUB_REPLAY_WINDOW); /* allowed() left room */
    return slot;
}

void pub_replay_settled(struct pub_replay *replay, uint64_t cookie, enum sl_publish_outcome outcome)
{
    size_t slot = (size_t)(cookie - PUB_REPLAY_COOKIE);
    SL_ASSERT(slot < PUB_REPLAY_WINDOW);
    SL_ASSERT(replay->flying[slot].is_used);
    uint64_t seq = replay->flying[slot].seq;
    replay->flying[slot].is_used = false;
    replay->flying_count--;
    switch (outcome) {
    case SL_PUBLISH_CONFIRMED:
        sl_journal_ack(replay->opts.journal, seq);
        sl_series_add(replay->replayed, 1);
        replay->run_count++;
        sl_backoff_reset(&replay->backoff);
        replay->resume_ms = 0;
        break;
    case SL_PUBLISH_RETURNED:
    case SL_PUBLISH_NACKED:
        sl_journal_defer(replay->opts.journal, seq);
        hold_back(replay);
        break;
    case SL_PUBLISH_TIMEOUT:
    case SL_PUBLISH_LOST:
        sl_journal_put_back(replay->opts.journal, seq);
        break;
    }
    if (replay->flying_count == 0) {
        tell_when_done(replay);
    }
}

/* Once for all that were refused together. */
static void hold_back(struct pub_replay *replay)
{
    int64_t now_ms = sl_clock_mono_ms();
    if (replay->resume_ms <= now_ms) {
        replay->resume_ms = now_ms + sl_backoff_next_ms(&replay->backoff);
    }
}

static void tell_when_done(struct pub_replay *replay)
{
    const struct sl_journal_stats stats = show(replay);
    if (stats.pending == 0 && replay->run_count > 0) {
        sl_info(replay->opts.log, "journal.replayed",
                "everything in the journal has been published",
                sl_int("events", replay->run_count));
        replay->run_count = 0;
    }
}
