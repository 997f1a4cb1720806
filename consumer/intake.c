#include "consumer/intake.h"

#include <stdio.h>

#include "shared/clock.h"

static void tell_started(struct con_intake *intake);
static void begin_replays(struct con_intake *intake);
static uint16_t prefetch(const struct con_intake *intake, uint16_t wide);
static void end_one(struct con_intake *intake, const char *tag);
static bool ask_broker(struct con_intake *intake);
static void on_answered(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                        const struct sl_err *err, void *arg);

void con_intake_begin(struct con_intake *intake, bool is_narrow)
{
    enum sl_amqp_state state = sl_amqp_link_state(intake->broker);
    bool is_open = state == SL_AMQP_UP || state == SL_AMQP_BLOCKED;
    const struct sl_subsystem *subsystem = intake->subsystem;
    struct sl_err why;
    if (intake->is_on || !is_open) {
        return;
    }
    intake->is_narrow = is_narrow;
    snprintf(intake->tag, sizeof intake->tag, "%s.%u", subsystem->queue, intake->tags++);
    if (!sl_amqp_consume_as(intake->broker, subsystem->queue, intake->tag,
                            prefetch(intake, subsystem->prefetch), &why)) {
        return;
    }
    intake->is_on = true;
    if (!intake->is_queue_missing) {
        tell_started(intake);
    }
    begin_replays(intake);
}

static void tell_started(struct con_intake *intake)
{
    const struct sl_subsystem *subsystem = intake->subsystem;
    intake->is_queue_missing = false;
    sl_info(intake->log, "consumer.started", "taking deliveries",
            sl_str("subsystem", subsystem->name), sl_str("worker", intake->owner),
            sl_str("queue", subsystem->queue),
            sl_int("prefetch", prefetch(intake, subsystem->prefetch)),
            sl_int("batch", subsystem->batch));
}

void con_intake_begin_replays(struct con_intake *intake, int64_t seen_ms)
{
    intake->replays_seen_ms = seen_ms;
    begin_replays(intake);
}

/* A prefetch counts for the consumers that begin behind it, and for each of them alone. */
static void begin_replays(struct con_intake *intake)
{
    const struct sl_subsystem *subsystem = intake->subsystem;
    struct sl_err why;
    if (!intake->is_on || intake->is_on_replays ||
        intake->replays_seen_ms <= intake->replays_lost_ms) {
        return;
    }
    snprintf(intake->replay_tag, sizeof intake->replay_tag, "%s.%u", subsystem->replay_queue,
             intake->tags++);
    intake->is_on_replays =
        sl_amqp_consume_as(intake->broker, subsystem->replay_queue, intake->replay_tag,
                           prefetch(intake, subsystem->replay_prefetch), &why);
}

static uint16_t prefetch(const struct con_intake *intake, uint16_t wide)
{
    return intake->is_narrow ? 1 : wide;
}

/* A prefetch cannot be changed. What was on its way to the old tags still arrives. */
void con_intake_widen(struct con_intake *intake)
{
    if (intake->is_on && intake->is_narrow) {
        con_intake_end(intake);
        con_intake_begin(intake, false);
    }
}

void con_intake_end(struct con_intake *intake)
{
    if (intake->is_on) {
        end_one(intake, intake->tag);
    }
    if (intake->is_on_replays) {
        end_one(intake, intake->replay_tag);
    }
    intake->is_on = false;
    intake->is_on_replays = false;
    intake->is_awaiting = intake->cancels > 0;
}

static void end_one(struct con_intake *intake, const char *tag)
{
    struct sl_err why;
    if (sl_amqp_consume_stop(intake->broker, tag, &why)) {
        intake->cancels++;
    } else {
        sl_log_err(intake->log, SL_DEBUG, "consumer.ack_lost", "the connection is ending anyway",
                   &why);
    }
}

void con_intake_delivered(struct con_intake *intake)
{
    if (intake->is_queue_missing) {
        tell_started(intake);
    }
}

void con_intake_stopped(struct con_intake *intake, bool must_ask)
{
    intake->cancels -= intake->cancels > 0 ? 1 : 0;
    if (intake->cancels == 0) {
        intake->is_awaiting = must_ask && ask_broker(intake);
    }
}

/* Its answer comes behind everything that was on its way. False: there is nobody to ask. */
static bool ask_broker(struct con_intake *intake)
{
    struct sl_err why;
    const struct sl_amqp_declare ask = { .kind = SL_AMQP_DECLARE_QUEUE,
                                         .passive = true,
                                         .name = intake->subsystem->queue };
    return sl_amqp_declare(intake->broker, &ask, on_answered, intake, &why);
}

static void on_answered(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                        const struct sl_err *err, void *arg)
{
    (void)link;
    (void)declared;
    (void)err; /* a queue that is gone delivers nothing */
    struct con_intake *intake = arg;
    intake->is_awaiting = false;
}

void con_intake_lost(struct con_intake *intake, const struct sl_err *why)
{
    intake->is_on = false;
    intake->is_on_replays = false;
    intake->cancels = 0;
    intake->is_awaiting = false;
    intake->is_queue_missing = why->code == SL_E_AMQP_NOT_FOUND;
    if (intake->is_queue_missing) { /* whichever it was */
        intake->replays_lost_ms = sl_clock_mono_ms();
    }
}

bool con_intake_is_still(struct con_intake *intake)
{
    if (!intake->is_awaiting && !intake->has_asked) {
        intake->has_asked = true;
        intake->is_awaiting = ask_broker(intake);
    }
    return !intake->is_awaiting;
}

void con_intake_busy(struct con_intake *intake)
{
    intake->has_asked = false;
}
