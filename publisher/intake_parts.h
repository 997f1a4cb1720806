/*
 * intake_parts - what the files of the intake share: its struct, and what they ask of each other.
 *
 * intake.c opens and closes it, and says how it is; intake_link.c has the link to the broker and knows how far it is away; intake_way.c brings each event on its way
 * (publish, journal, drop log); intake_end.c is the one place where an event is counted, logged and answered, in time or because its time is over.
 * Nobody else includes this.
 * Threads: the intake's.
 */
#ifndef PUBLISHER_INTAKE_PARTS_H
#define PUBLISHER_INTAKE_PARTS_H

#include "publisher/broker.h"
#include "publisher/broker_signs.h"
#include "publisher/intake.h"
#include "publisher/keep.h"
#include "publisher/pending.h"
#include "publisher/replay.h"
#include "publisher/stores.h"
#include "publisher/wrap.h"

/* Requests waiting for a confirm or an fsync; at 2 s and 12,000/s a healthy broker never gets near. */
#define PUB_INTAKE_WAITING_MAX 4096u

struct pub_intake {
    struct pub_intake_opts opts;
    struct pub_outcomes outcomes;
    struct pub_broker_signs signs;
    struct pub_pending pending;
    struct pub_wrap wrap;
    struct pub_stores own_stores; /* of the first */
    struct pub_stores *stores;    /* the first one's */
    struct pub_keep keep;         /* the way of the others to the journal */
    struct sl_buf answer;
    struct pub_broker *broker;   /* NULL while the intake is being closed */
    struct pub_replay *replay;   /* NULL without a journal, and while the intake is being closed */
    struct sl_timer *late_timer; /* armed while requests wait */
    struct sl_timer *refusing;   /* armed: the broker refused a publish a moment ago */
    struct sl_series *inflight;  /* of all loops */
    struct sl_series *confirm_seconds;
};

/* intake.c */

/* What can be done for an event now; has_broker: as far as the broker goes. */
struct pub_means pub_intake_means(const struct pub_intake *intake, bool has_broker);

/* intake_link.c */

bool pub_intake_open_link(struct pub_intake *intake, struct sl_err *err) SL_MUST;
enum sl_amqp_state pub_intake_broker_state(const struct pub_intake *intake);
enum pub_outage pub_intake_outage(const struct pub_intake *intake);
/* The link is up, and what was published lately was taken. */
bool pub_intake_is_confirming(const struct pub_intake *intake);
/* To gauges and board. */
void pub_intake_show_broker(struct pub_intake *intake);
/* The journal has something to replay, or the broker can take it. arg: the intake. */
void pub_intake_replay_ready(void *arg);
/* The timer of a broker that refused a publish; arg: the intake. */
void pub_intake_on_refusing_over(void *arg);

/* intake_way.c */

/* What became of a publish, and of a record of the journal. arg: the intake. */
void pub_intake_on_settled(struct sl_amqp_link *link, uint64_t cookie,
                           enum sl_publish_outcome outcome, void *arg);
void pub_intake_on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *why);

/* intake_end.c */

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
