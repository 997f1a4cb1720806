#include "ops/journal/journal_drain.h"

#include <inttypes.h>
#include <stdio.h>

#include "ops/trigger/courier.h"
#include "shared/clock.h"
#include "shared/event/event_message.h"
#include "shared/journal/journal.h"

#define MOMENT_MS   10
#define IDLE_MS     30000 /* a segment that cannot be read is tried again after ten seconds */
#define ARENA_BYTES (64u * 1024u)
/* Nothing is appended: the least there is. A spare of that size is made and left to the publisher, which makes a larger one. */
#define SEGMENT_BYTES 4096u
#define QUOTA_BYTES   (UINT64_C(1) << 40)

struct drain {
    const struct ops_journal_drain_opts *opts;
    struct ops_journal_drain_result *result;
    struct ops_courier *courier;
    struct sl_loop *loop; /* the journal's */
    struct sl_timer *moment;
    struct sl_journal *journal;
    struct sl_arena arena;     /* routing keys of one batch */
    int64_t moved_ms;          /* monotonic: the last confirm, or the start */
    uint64_t refused_in_a_row; /* since the last confirm */
};

static void drain_done(struct drain *drain);
static bool open_journal(struct drain *drain, struct sl_err *err);
static bool open_courier(struct drain *drain, struct sl_err *err);
static void on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *err);
static void on_finding(void *arg, const struct sl_journal_finding *finding);
static void on_moment(void *arg);
static bool pump(struct drain *drain, struct sl_err *err);
static bool is_over(const struct drain *drain);
static size_t wanted(const struct drain *drain);
static bool deliver(struct drain *drain, const struct sl_journal_record *records, size_t count,
                    struct sl_err *err);
static bool fits(const struct drain *drain, const struct sl_journal_record *record);
static bool compose(struct drain *drain, const struct sl_journal_record *record,
                    struct sl_envelope *envelope, struct sl_amqp_message *out_message);
static void settle(struct drain *drain, uint64_t seq, enum sl_publish_outcome outcome);
static uint64_t pending(const struct drain *drain);

bool ops_journal_drain(const struct ops_journal_drain_opts *opts,
                       struct ops_journal_drain_result *out_result, struct sl_err *err)
{
    *out_result = (struct ops_journal_drain_result){ 0 };
    SL_DONE(drain_done) struct drain drain = { .opts = opts, .result = out_result };
    sl_arena_init(&drain.arena, ARENA_BYTES);
    bool is_done = open_journal(&drain, err) && open_courier(&drain, err) && pump(&drain, err);
    out_result->left = drain.journal == NULL ? 0 : pending(&drain);
    return is_done;
}

static void drain_done(struct drain *drain)
{
    ops_courier_free(drain->courier);
    sl_journal_close(drain->journal);
    sl_timer_free(drain->moment);
    sl_loop_free(drain->loop);
    sl_arena_done(&drain->arena);
}

static bool open_journal(struct drain *drain, struct sl_err *err)
{
    drain->loop = sl_loop_new(err);
    drain->moment = drain->loop == NULL ? NULL : sl_timer_new(drain->loop, on_moment, drain);
    if (drain->moment == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a replay");
    }
    drain->journal = sl_journal_open(
        &(struct sl_journal_opts){
            .dir = drain->opts->dir,
            .quota_bytes = QUOTA_BYTES,
            .segment_bytes = SEGMENT_BYTES,
            .allow_volatile = true, /* to empty it is always right */
            .loop = drain->loop,
            .arg = drain,
            .on_appended = on_appended,
            .on_finding = on_finding,
        },
        err);
    return drain->journal != NULL;
}

static bool open_courier(struct drain *drain, struct sl_err *err)
{
    drain->courier = ops_courier_new(drain->opts->address, err);
    drain->moved_ms = sl_clock_mono_ms();
    return drain->courier != NULL;
}

static void on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *err)
{
    (void)arg;
    (void)cookie;
    (void)ok;
    (void)err;
    SL_ASSERT(false); /* nothing is appended */
}

static void on_finding(void *arg, const struct sl_journal_finding *finding)
{
    struct drain *drain = arg;
    drain->result->set_aside += finding->what == SL_JOURNAL_TELL_POISONED ? 1 : 0;
    fprintf(stderr, "sluice journal replay: %s: %s (%s, from %" PRIu64 " to %" PRIu64 ")\n",
            sl_journal_tell_name(finding->what), sl_journal_tell_sentence(finding->what),
            finding->place, finding->from, finding->to);
}

static void on_moment(void *arg)
{
    sl_loop_stop(((struct drain *)arg)->loop);
}

static bool pump(struct drain *drain, struct sl_err *err)
{
    struct sl_journal_record records[OPS_COURIER_BATCH_MAX];
    while (!is_over(drain)) {
        size_t count = sl_journal_take(drain->journal, records, wanted(drain));
        if (count > 0 && !deliver(drain, records, count, err)) {
            return false;
        }
        /* The journal's threads read, set aside and have findings meanwhile. */
        sl_timer_arm(drain->moment, count > 0 ? 0 : MOMENT_MS);
        if (!sl_loop_run(drain->loop, err)) {
            return false;
        }
    }
    return true;
}

static bool is_over(const struct drain *drain)
{
    bool is_spent =
        drain->opts->limit > 0 && drain->result->published >= (uint64_t)drain->opts->limit;
    uint64_t waiting = pending(drain);
    return is_spent || drain->refused_in_a_row >= waiting ||
           sl_clock_mono_ms() - drain->moved_ms > IDLE_MS;
}

static size_t wanted(const struct drain *drain)
{
    uint64_t more = drain->opts->limit == 0
                        ? UINT64_MAX
                        : (uint64_t)drain->opts->limit - drain->result->published;
    return more < OPS_COURIER_BATCH_MAX ? (size_t)more : OPS_COURIER_BATCH_MAX;
}

static bool deliver(struct drain *drain, const struct sl_journal_record *records, size_t count,
                    struct sl_err *err)
{
    struct sl_amqp_message messages[OPS_COURIER_BATCH_MAX];
    enum sl_publish_outcome outcomes[OPS_COURIER_BATCH_MAX];
    struct sl_envelope envelopes[OPS_COURIER_BATCH_MAX];
    uint64_t seqs[OPS_COURIER_BATCH_MAX];
    size_t sent = 0;
    sl_arena_reset(&drain->arena);
    for (size_t i = 0; i < count; i++) {
        if (fits(drain, &records[i]) &&
            compose(drain, &records[i], &envelopes[sent], &messages[sent])) {
            seqs[sent++] = records[i].seq;
        } else {
            sl_journal_fail(drain->journal,
                            records[i].seq); /* poison/ in the end, with a finding */
        }
    }
    int64_t gap_us = 1000000 / drain->opts->rate;
    bool is_sent =
        sent == 0 || ops_courier_send(drain->courier, messages, sent, gap_us, outcomes, err);
    for (size_t i = 0; i < sent; i++) {
        settle(drain, seqs[i], outcomes[i]);
    }
    /* The broker has just said what it takes: such an event is left out of the next portion. */
    return is_sent || err->code == SL_E_AMQP_TOO_LARGE;
}

static bool fits(const struct drain *drain, const struct sl_journal_record *record)
{
    size_t takes = ops_courier_takes(drain->courier);
    return takes == 0 || record->payload.bytes <= takes;
}

/* False: it cannot be decoded, and was said. */
static bool compose(struct drain *drain, const struct sl_journal_record *record,
                    struct sl_envelope *envelope, struct sl_amqp_message *out_message)
{
    struct sl_err err = { 0 };
    if (!sl_envelope_decode(record->payload, envelope, &err)) {
        fprintf(stderr, "sluice journal replay: event %" PRIu64 " cannot be decoded: %s\n",
                record->seq, err.text);
        return false;
    }
    struct sl_span key = sl_event_routing_key(&drain->arena, envelope->source, envelope->type);
    *out_message = sl_event_message(envelope, key, record->payload);
    return key.data != NULL;
}

static void settle(struct drain *drain, uint64_t seq, enum sl_publish_outcome outcome)
{
    switch (outcome) {
    case SL_PUBLISH_CONFIRMED:
        sl_journal_ack(drain->journal, seq);
        drain->result->published++;
        drain->refused_in_a_row = 0;
        drain->moved_ms = sl_clock_mono_ms();
        break;
    case SL_PUBLISH_RETURNED:
    case SL_PUBLISH_NACKED:
        sl_journal_defer(drain->journal, seq);
        drain->result->refused++;
        drain->refused_in_a_row++;
        break;
    case SL_PUBLISH_TIMEOUT:
    case SL_PUBLISH_LOST:
        sl_journal_put_back(drain->journal, seq);
        break;
    }
}

static uint64_t pending(const struct drain *drain)
{
    struct sl_journal_stats stats = { 0 };
    sl_journal_read_stats(drain->journal, &stats);
    return stats.pending;
}
