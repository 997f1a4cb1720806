/*
 * replay_run - a replay run as the database holds it: its frozen set, its status, its counts.
 *
 * The set is frozen when the run is made: each letter chosen is `replaying`, carries the run's name and is an item of the run, so no second run can choose
 * it. A letter ends as `replayed` when the inbox proves that its event was applied (sluice_dead_letter_close), or as `open` again when the consumer gives
 * the copy up; either writes the item's outcome. Every change of status is a row of sluice_audit.
 * Only one process works on a run: an advisory lock of the session.
 * Law: schemas/replay.md, schemas/migrations/0011_replay_runs.sql.
 * Threads: one.
 */
#ifndef OPS_REPLAY_RUN_H
#define OPS_REPLAY_RUN_H

#include "ops/dead/dead_filter.h"
#include "ops/pg_session.h"
#include "ops/replay/replay_gate.h"
#include "ops/replay/replay_pace.h"

#define OPS_REPLAY_NAME_BYTES   32u
#define OPS_REPLAY_STATUS_BYTES 16u
#define OPS_REPLAY_TARGET_BYTES 96u
#define OPS_REPLAY_RATE_MAX     1000

struct ops_replay_run {
    char name[OPS_REPLAY_NAME_BYTES]; /* "20260131-140000-1a2b3c" */
    char status[OPS_REPLAY_STATUS_BYTES];
    char why[OPS_REPLAY_WHY_BYTES];
    char target[OPS_REPLAY_TARGET_BYTES]; /* "": each letter goes to its own subsystem */
    int64_t letters;
    int64_t canary; /* letters that go first; 0: none */
    bool is_canary_passed;
    int64_t rate; /* letters a second at most */
};

struct ops_replay_counts {
    int64_t unpublished; /* the broker has not confirmed them, or it is not known */
    int64_t waiting;     /* published, and nobody knows the end yet */
    int64_t replayed;
    int64_t failed;    /* open again */
    int64_t withdrawn; /* open again, never published */
    struct ops_replay_canary canary;
    int64_t canary_unpublished;
    struct ops_replay_look look; /* what the database knows of it */
};

struct ops_replay_wish {
    const struct ops_dead_filter *filter;
    int64_t limit;
    int64_t canary;
    int64_t rate;
    const char *target; /* may be NULL */
    const char *actor;
    const char *reason; /* may be NULL */
};

/* A new one, by the time and at random. */
bool ops_replay_name(char out_name[OPS_REPLAY_NAME_BYTES], struct sl_err *err) SL_MUST;
/* Freezes the set and makes the run, `planned`; out_run->letters is 0 and there is no run when no letter was left to choose. */
bool ops_replay_make(struct ops_pg_session *session, const struct ops_replay_wish *wish,
                     struct ops_replay_run *out_run, struct sl_err *err) SL_MUST;
/* SL_E_USAGE when there is no such run. */
bool ops_replay_load(struct ops_pg_session *session, const char *name,
                     struct ops_replay_run *out_run, struct sl_err *err) SL_MUST;
/* SL_E_PG_CONTENTION while another process works on the run. */
bool ops_replay_lock(struct ops_pg_session *session, const char *name, struct sl_err *err) SL_MUST;
/*
 * From one of `froms` ("planned,paused") to another status, with a row in the audit. SL_E_USAGE, naming its status, when it is in none of them.
 */
bool ops_replay_move(struct ops_pg_session *session, struct ops_replay_run *run, const char *froms,
                     const char *goal, const char *why, const char *act, const char *actor,
                     const char *reason, struct sl_err *err) SL_MUST;
/* The canary is passed, or waived by a person. */
bool ops_replay_pass_canary(struct ops_pg_session *session, struct ops_replay_run *run,
                            const char *why, const char *actor, struct sl_err *err) SL_MUST;
/* Opens what an aborted run has not published. */
bool ops_replay_withdraw(struct ops_pg_session *session, const char *name, int64_t *out_withdrawn,
                         struct sl_err *err) SL_MUST;
/* Closes what the inbox proves, brings run->status and run->why up to date, and counts. */
bool ops_replay_count(struct ops_pg_session *session, struct ops_replay_run *run,
                      struct ops_replay_counts *out_counts, struct sl_err *err) SL_MUST;
/* How fast it goes now, and what holds it back ("": nothing), for whoever looks. */
bool ops_replay_note_pace(struct ops_pg_session *session, const struct ops_replay_run *run,
                          int64_t pace, const char *why, struct sl_err *err) SL_MUST;
/* The subsystems its undecided copies go to, one a row. */
bool ops_replay_targets(struct ops_pg_session *session, const char *name,
                        struct ops_pg_rows *out_rows, struct sl_err *err) SL_MUST;

#endif
