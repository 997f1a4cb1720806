/*
 * gameday_report - the session report: for people, as JSON, and as a page to keep.
 *
 * Decides only, except for the stream and the file it writes.
 * Threads: one.
 */
#ifndef OPS_GAMEDAY_REPORT_H
#define OPS_GAMEDAY_REPORT_H

#include <stdio.h>

#include "ops/flags.h"
#include "ops/gameday/gameday_drive.h"
#include "ops/gameday/gameday_takers.h"

struct ops_gameday_session {
    const struct ops_gameday_scenario *scenario;
    enum ops_gameday_inventory inventory;
    bool skips_backup; /* SKIP_BACKUP_FRESHNESS=1 in prod */
    const char *actor;
    const char *publisher;                   /* URL */
    const struct ops_gameday_takers *takers; /* whose ledgers are told */
    const char *origin;                      /* of the commands; NULL: none */
    struct ops_gameday_command command;
    uint64_t rate_per_s;
    int64_t hold_ms;
    int64_t drain_limit_ms;
    /* Afterwards. */
    const struct ops_gameday_course *course;
    const struct ops_gameday_answers *answers;
    int64_t drain_ms; /* OPS_GAMEDAY_NEVER: not within its time */
};

/* What is about to be done, where, and what to expect. */
void ops_gameday_tell_header(const struct ops_gameday_session *session, FILE *stream);
/* The same with the commands, for people or programs. */
bool ops_gameday_tell_plan(const struct ops_gameday_session *session, enum ops_output output,
                           struct sl_err *err) SL_MUST;
bool ops_gameday_tell(const struct ops_gameday_session *session, enum ops_output output,
                      struct sl_err *err) SL_MUST;
/* Markdown. An existing file is replaced. */
bool ops_gameday_keep(const struct ops_gameday_session *session, const char *path,
                      struct sl_err *err) SL_MUST;
/* 0 passed; 1 lost, doubled or unexpected, or a command failed; 75 not well or not drained in time; 130 stopped. */
int ops_gameday_status(const struct ops_gameday_session *session);

#endif
