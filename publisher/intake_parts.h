/*
 * intake_parts - what the files of the intake share: its struct, and how an event ends.
 *
 * intake.c takes events and brings each on its way (publish, journal, drop log); intake_end.c is the one place where an event is counted, logged and
 * answered, in time or because its time is over. Nobody else includes this.
 * Threads: the intake's.
 */
#ifndef PUBLISHER_INTAKE_PARTS_H
#define PUBLISHER_INTAKE_PARTS_H

#include "publisher/broker.h"
#include "publisher/broker_signs.h"
#include "publisher/intake.h"
#include "publisher/pending.h"
#include "publisher/replay.h"
#include "publisher/stores.h"
#include "publisher/wrap.h"

struct pub_intake {
    struct pub_intake_opts opts;
    struct pub_outcomes outcomes;
    struct pub_broker_signs signs;
    struct pub_pending pending;
    struct pub_wrap wrap;
    struct pub_stores stores;
    struct sl_buf answer;
    struct pub_broker *broker;   /* NULL while the intake is being closed */
    struct pub_replay *replay;   /* NULL without a journal, and while the intake is being closed */
    struct sl_timer *late_timer; /* armed while requests wait */
    struct sl_timer *refusing;   /* armed: the broker refused a publish a moment ago */
    struct sl_series *inflight;
    struct sl_series *confirm_seconds;
};

/* Puts the event into intake->wrap. */
bool pub_intake_wrap(struct pub_intake *intake, const struct pub_event *event,
                     struct sl_err *err) SL_MUST;

/* Counts, logs and answers; the event is gone. why: NULL when there is nothing to add. */
void pub_intake_end(struct pub_intake *intake, struct pub_event *event, enum pub_answer answer,
                    const struct sl_err *why);
/* Ends the event, which is in intake->wrap, with a line in the drop log. False: it was not written. */
bool pub_intake_drop(struct pub_intake *intake, struct pub_event *event,
                     struct sl_err *err) SL_MUST;
/* Answers, and nothing else. id: of the event. */
void pub_intake_answer(struct pub_intake *intake, struct pub_waiter waiter, const char *id,
                       enum pub_answer answer);
/* The timer of those that wait too long; arg: the intake. */
void pub_intake_on_late(void *arg);
/* What was done for an event whose sender was answered 503: kept "broker", "journal" or "none". */
void pub_intake_forget(struct pub_intake *intake, struct pub_event *event, const char *kept);

#endif
