/*
 * cause - why a queue grows: one of six causes, from figures, with the evidence and the next move.
 *
 * Decides only. What is OPS_UNKNOWN is no evidence for anything. The rules are tried from the cause that hides the others (nobody consumes, the
 * database stands) to the one that is left (it is slow).
 * Source: runbooks/queue-backlog.md, its branches and thresholds.
 * Threads: no state.
 */
#ifndef OPS_CAUSE_H
#define OPS_CAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPS_UNKNOWN              INT64_MIN
#define OPS_CAUSE_TEXT_BYTES     96u
#define OPS_CAUSE_EVIDENCE_BYTES 640u
#define OPS_CAUSE_DO_BYTES       256u

enum ops_cause {
    OPS_CAUSE_NONE,        /* nothing is wrong */
    OPS_CAUSE_CATCHING_UP, /* more goes out than comes in */
    OPS_CAUSE_PAUSED,      /* by an operator */
    OPS_CAUSE_UNKNOWN,     /* too little is known to say */
    OPS_CAUSE_CONSUMER_OUTAGE,
    OPS_CAUSE_PRODUCER_STORM,
    OPS_CAUSE_SLOW_PROCESSING,
    OPS_CAUSE_RETRY_STORM,
    OPS_CAUSE_POISON,
    OPS_CAUSE_DATABASE,
};

/* Of one subsystem. Rates are in thousandths of an event a second, over the sample. */
struct ops_cause_figures {
    const char *subsystem;
    bool is_http;         /* a URL does the work, not the database */
    bool is_paused;       /* by an order */
    bool is_pg_away;      /* no session could be had */
    bool is_pg_read_only; /* a standby, or told to take no rows */
    int64_t waiting;
    int64_t unacked;
    int64_t delayed;
    int64_t consumers;
    int64_t running; /* consumer processes that said so in the database */
    int64_t oldest_s;
    int64_t idle_s; /* nothing was settled for so long, although there was something to do */
    int64_t sample_ms;
    int64_t settled; /* within the sample */
    int64_t in_milli;
    int64_t out_milli;
    int64_t usual_milli; /* what came in on average, of the hour before the last five minutes */
    int64_t arrived;     /* received and applied within five minutes */
    int64_t retries;     /* failed tries of five minutes that will come again */
    int64_t retried;     /* events of these */
    int64_t letters;     /* given up within fifteen minutes, still open */
    int64_t group;       /* of these, of the most frequent cause */
    int64_t breakers;    /* types that are held back by themselves */
    int64_t pg_breakers; /* consumers that hold the database's own breaker open */
    int64_t blocked;     /* sessions of its workers that waited for a lock */
    int64_t busy_ms;     /* its longest transaction that was seen at work */
    int64_t sessions;    /* client sessions of the whole server */
    int64_t sessions_max;
    char retry_error
        [OPS_CAUSE_TEXT_BYTES]; /* the most frequent of the failed tries: "invoice.paid 23503" */
    char letter_error[OPS_CAUSE_TEXT_BYTES];
    char fingerprint[32];
    char breaker_type[OPS_CAUSE_TEXT_BYTES];
    char blocker[OPS_CAUSE_TEXT_BYTES]; /* who holds the lock */
    char pg_error[OPS_CAUSE_TEXT_BYTES];
};

struct ops_diagnosis {
    enum ops_cause cause;
    char evidence[OPS_CAUSE_EVIDENCE_BYTES]; /* facts, separated by "; " */
    char next[OPS_CAUSE_DO_BYTES]; /* a command, or a sentence; "" when there is nothing to do */
};

struct ops_diagnosis ops_cause_find(const struct ops_cause_figures *figures);
/* "consumer outage" */
const char *ops_cause_name(enum ops_cause cause);
/* One of the six: somebody should act. */
bool ops_cause_is_trouble(enum ops_cause cause);

#endif
