/*
 * top_view - what one screen of `sluice top` is made of, and what of it is trouble.
 *
 * Decides only: figures in, words out. What is OPS_UNKNOWN is never trouble, and never 0.
 * Thresholds: those of compose/prometheus/alerts.yml.
 * Threads: no state.
 */
#ifndef OPS_TOP_VIEW_H
#define OPS_TOP_VIEW_H

#include "ops/queue/queue_look.h"

#define OPS_TOP_TEXT_BYTES  96u
#define OPS_TOP_STATE_BYTES 160u
#define OPS_TOP_BUCKETS_MAX 24u

/* How many were slower than what, since a program's start: a histogram of /metrics. */
struct ops_top_buckets {
    size_t count;                          /* 0: not known */
    int64_t bound_us[OPS_TOP_BUCKETS_MAX]; /* the last is INT64_MAX */
    int64_t seen[OPS_TOP_BUCKETS_MAX];     /* up to this bound */
};

/* By the status that senders got, since the publisher's start; OPS_UNKNOWN when it does not tell. */
struct ops_top_answers {
    int64_t confirmed; /* 200 */
    int64_t kept;      /* 202 */
    int64_t refused;   /* 503 */
    int64_t rejected;  /* 4xx */
};

struct ops_top_publisher {
    struct sl_err err; /* code SL_E_NONE: it answered */
    char version[OPS_TOP_TEXT_BYTES];
    char broker[OPS_TOP_TEXT_BYTES]; /* up, blocked, waiting, degraded … */
    char journal[OPS_TOP_TEXT_BYTES];
    bool is_draining;
    int64_t inflight;
    int64_t pauses;
    int64_t journal_events;
    int64_t journal_bytes;
    int64_t journal_quota_bytes;
    int64_t journal_oldest_s; /* age */
    struct ops_top_answers answers;
};

struct ops_top_database {
    struct sl_err err;
    int64_t sessions;
    int64_t sessions_max;
    int64_t longest_ms;               /* the longest transaction at work */
    char breaker[OPS_TOP_TEXT_BYTES]; /* "": closed; else the SQLSTATE that opened it */
};

struct ops_top_item {
    const struct ops_queue_facts *facts;
    struct ops_flow flow;
    int64_t new_letters;              /* of the last hour, still open */
    int64_t breakers;                 /* types that are held back */
    char breaker[OPS_TOP_TEXT_BYTES]; /* one of them */
    int64_t p95_ms;                   /* received to applied, of the last minute or two */
};

enum ops_top_level { OPS_TOP_FINE, OPS_TOP_ODD, OPS_TOP_TROUBLE };

/* Why, in few words, the gravest first; "" for OPS_TOP_FINE. */
enum ops_top_level ops_top_judge(const struct ops_top_item *item,
                                 char out_state[OPS_TOP_STATE_BYTES]);
enum ops_top_level ops_top_judge_publisher(const struct ops_top_publisher *publisher,
                                           char out_state[OPS_TOP_STATE_BYTES]);
enum ops_top_level ops_top_judge_database(const struct ops_top_database *database,
                                          char out_state[OPS_TOP_STATE_BYTES]);

/* The bound below which 95 of 100 of what came between the two lie, in milliseconds; OPS_UNKNOWN when nothing came, or it is not known. */
int64_t ops_top_p95_ms(const struct ops_top_buckets *then, const struct ops_top_buckets *now);
/* Thousandths a second. OPS_UNKNOWN when one is, or the program was started anew. */
int64_t ops_top_rate_milli(int64_t then, int64_t now, int64_t took_ms);
/* A time in few letters: "0s", "45s", "12m", "3h", "2d". */
void ops_top_span(int64_t seconds, char out_text[OPS_TOP_TEXT_BYTES]);

#endif
