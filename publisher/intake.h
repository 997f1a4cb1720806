/*
 * intake - an authentic request becomes something durable, and only then an answer.
 *
 * Happy path: wrap (facts, envelope), publish persistent + mandatory, wait for the confirm, answer 200.
 * When the broker is away, blocked, or does not confirm in time, the source's policy says what comes next (policy): the journal, fsynced, then
 * 202; a line in the drop log, then 202 that says so; or 503, and the sender retries. No request waits for a broker that is known to be away.
 * The sender going away does not cancel its event. The number of requests waiting is bounded (503), and so is their time: one for which nothing durable was
 * done in time is answered 503, and what is done for it later is a duplicate at most.
 * Refuses: any other meaning of a 2xx.
 * Threads: one for each loop, and belongs to it. The first one's journal and drop log serve all; it is opened first.
 */
#ifndef PUBLISHER_INTAKE_H
#define PUBLISHER_INTAKE_H

#include "publisher/batch.h"
#include "publisher/board.h"
#include "publisher/outage.h"
#include "publisher/outcome.h"
#include "publisher/policy.h"
#include "publisher/source.h"
#include "shared/amqp/amqp_link.h"
#include "shared/http/http_server.h"
#include "shared/journal/journal.h"
#include "shared/mailbox.h"

struct pub_intake;

struct pub_intake_opts {
    struct sl_loop *loop;
    size_t number;                    /* of the loop, from 0 */
    struct pub_intake *first;         /* that of loop 0, which owns the stores; NULL: this one */
    struct sl_mailbox *mailbox;       /* of this loop; all borrowed */
    struct sl_mailbox *first_mailbox; /* of loop 0 */
    struct pub_board *board;
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp;         /* borrowed */
    const struct pub_policy_list *policies; /* borrowed */
    const char *service;                    /* borrowed */
    const char *state_dir;                  /* borrowed; journal and drop log live there */
    const struct pub_levels *levels;        /* borrowed */
    struct sl_sentry *sentry;               /* borrowed; NULL: none */
    int64_t confirm_ms;
    int64_t answer_ms; /* longest wait of a request */
    int64_t degraded_after_ms;
    size_t body_bytes_max;
    size_t bodies_bytes_max; /* of all requests together */
    int64_t journal_bytes_max;
    bool allow_volatile;
    int64_t replay_rate; /* journaled events published a second once the broker is back */
};

/* Opens journal and drop log, recovers what an earlier run left, starts connecting to the broker. */
struct pub_intake *pub_intake_new(const struct pub_intake_opts *opts, struct sl_err *err) SL_MUST;
/* Closes journal and drop log; what was accepted is told to each loop. For the first, when the loops have ended and before any intake is freed. Accepts NULL. */
void pub_intake_close_stores(struct pub_intake *intake);
/* Closes everything; what still waits is answered 503. Accepts NULL. */
void pub_intake_free(struct pub_intake *intake);

/* Takes a request that was let in (reception); answers it now or later. */
void pub_intake_take(struct pub_intake *intake, const struct pub_source *source,
                     struct sl_http_request *request);

/* The same for each event of our own programs that has no fault. Takes over the batch. */
void pub_intake_take_batch(struct pub_intake *intake, const struct pub_source *source,
                           struct pub_batch *batch);

struct pub_intake_state {
    bool has_tried;                  /* the first attempt to reach the broker is over */
    bool is_confirming;              /* the broker takes publishes, and has refused none lately */
    bool can_take;                   /* by broker, journal or drop log: not everything is refused */
    enum pub_outage outage;          /* how far the broker's absence has come */
    bool is_changing_broker;         /* another one is about to take over */
    int64_t away_since_us;           /* wall clock; 0: the broker takes publishes */
    size_t waiting;                  /* requests not answered, in all loops */
    struct sl_journal_stats journal; /* zeroed without one */
    int64_t replay_rate;             /* events a second at most; 0 without a journal */
};
/* Of this loop alone, but for what the loops share. */
void pub_intake_look(const struct pub_intake *intake, struct pub_intake_state *out_state);
/* Some source's policy has a deed left for its next event; has_broker: as far as the broker goes. Any thread. */
bool pub_intake_can_take(const struct pub_intake *intake, bool has_broker);
/* Goes over to another broker without a gap (publisher/broker.h). Takes over what *url owns; on failure nothing has happened. */
bool pub_intake_change_broker(struct pub_intake *intake, struct sl_amqp_url *url,
                              struct sl_err *err) SL_MUST;
/* Replays what the journal holds now rather than later; rate: at most so many a second from now on, 0: as before. SL_E_JOURNAL_FAILED without a journal. */
bool pub_intake_replay(struct pub_intake *intake, int64_t rate, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct pub_intake *, pub_intake_free)

#endif
