#include "ops/gameday/gameday_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ops/gameday/gameday_figures.h"
#include "shared/clock.h"
#include "shared/json/json_write.h"

#define OUT_BYTES_MAX  65536u
#define TEXT_BYTES     64u
#define EX_INTERRUPTED 130

static void put_names(struct sl_json_writer *json, const struct ops_gameday_session *session);
static enum ops_gameday_verdict judge(const struct ops_gameday_session *session);
static const char *verdict_of(const struct ops_gameday_session *session);
static void put_session(struct sl_json_writer *json, const struct ops_gameday_session *session);
static bool write_json(struct sl_buf *out, struct sl_err *err);
static int64_t slowest_ms(const struct ops_gameday_course *course);
static void duration(int64_t ms, const char *never, char out[TEXT_BYTES]);
static void moment(int64_t wall_us, char out[TEXT_BYTES]);
static bool tell_people(const struct ops_gameday_session *session, struct sl_err *err);
static void write_page(const struct ops_gameday_session *session, FILE *page);

void ops_gameday_tell_header(const struct ops_gameday_session *session, FILE *stream)
{
    bool is_prod = session->inventory == OPS_GAMEDAY_PROD;
    fprintf(stream, "INVENTORY  %s%s\n", is_prod ? "PROD" : "staging",
            is_prod ? ": real senders, real customers" : "");
    fprintf(stream, "scenario   %s: %s\n", session->scenario->name, session->scenario->what);
    fprintf(stream, "expected   %s\n", session->scenario->expect);
    fprintf(stream, "runbook    runbooks/%s\n", session->scenario->page);
    fprintf(stream, "load       %" PRIu64 "/s of sample events (livemode false) to %s",
            session->rate_per_s, session->publisher);
    uint64_t storm = ops_gameday_storm_rate(session->scenario->storm, session->rate_per_s);
    if (storm > 0) {
        fprintf(stream, ", and the storm, %" PRIu64 "/s", storm);
    }
    fprintf(stream, "\nfault      for %" PRId64 " s", session->hold_ms / 1000);
    if (session->scenario->needs_commands) {
        fprintf(stream, "; commands of %s\n", session->origin);
    } else {
        fputs("; no server is touched\n", stream);
    }
    fputs("ledgers    of", stream);
    for (size_t i = 0; i < session->takers->count; i++) {
        fprintf(stream, "%s %s", i == 0 ? "" : ",", session->takers->items[i].section->name);
    }
    for (size_t i = 0; i < session->takers->left_out_count; i++) {
        fprintf(stream, "%s %s",
                i == 0 ? "; these wait longer than --drain and are left out:" : ",",
                session->takers->left_out[i]->name);
    }
    fputc('\n', stream);
    if (session->skips_backup) {
        fprintf(stream, "backup     NOT CHECKED (SKIP_BACKUP_FRESHNESS=1)\n");
    }
}

bool ops_gameday_tell_plan(const struct ops_gameday_session *session, enum ops_output output,
                           struct sl_err *err)
{
    if (output == OPS_OUTPUT_TABLE) {
        ops_gameday_tell_header(session, stdout);
        if (session->command.begin != NULL) {
            printf("begin      %s%s\n", session->command.begin,
                   session->scenario->repeats_begin ? "   (again every 3 s)" : "");
        }
        if (session->command.end != NULL) {
            printf("end        %s\n", session->command.end);
        }
        return fflush(stdout) == 0 || sl_fail(err, SL_E_IO, "cannot write the plan");
    }
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OUT_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&out);
    sl_json_object_begin(&json);
    put_session(&json, session);
    sl_json_object_end(&json);
    return write_json(&out, err);
}

static void put_session(struct sl_json_writer *json, const struct ops_gameday_session *session)
{
    const struct ops_gameday_scenario *scenario = session->scenario;
    sl_json_put_text(json, "inventory", sl_span_of(ops_gameday_inventory_name(session->inventory)));
    sl_json_put_text(json, "scenario", sl_span_of(scenario->name));
    sl_json_put_text(json, "what", sl_span_of(scenario->what));
    sl_json_put_text(json, "expected", sl_span_of(scenario->expect));
    sl_json_put_text(json, "runbook", sl_span_of(scenario->page));
    sl_json_put_text(json, "actor", sl_span_of(session->actor));
    sl_json_put_text(json, "publisher", sl_span_of(session->publisher));
    put_names(json, session);
    sl_json_put_text(json, "commands", sl_span_of(session->origin));
    sl_json_put_text(json, "begin", sl_span_of(session->command.begin));
    sl_json_put_text(json, "end", sl_span_of(session->command.end));
    sl_json_put_int(json, "rate_per_s", (int64_t)session->rate_per_s);
    sl_json_put_int(json, "hold_ms", session->hold_ms);
    sl_json_put_bool(json, "backup_check_skipped", session->skips_backup);
}

static bool write_json(struct sl_buf *out, struct sl_err *err)
{
    sl_buf_append_char(out, '\n');
    return (sl_buf_ok(out) && fwrite(out->data, 1, out->used_bytes, stdout) == out->used_bytes &&
            fflush(stdout) == 0) ||
           sl_fail(err, SL_E_IO, "cannot write the report");
}

/* ---- afterwards ---- */

static void put_names(struct sl_json_writer *json, const struct ops_gameday_session *session)
{
    const struct ops_gameday_takers *takers = session->takers;
    sl_json_put_array(json, "subsystems");
    for (size_t i = 0; i < takers->count; i++) {
        sl_json_put_text(json, NULL, sl_span_of(takers->items[i].section->name));
    }
    sl_json_array_end(json);
    sl_json_put_array(json, "left_out");
    for (size_t i = 0; i < takers->left_out_count; i++) {
        sl_json_put_text(json, NULL, sl_span_of(takers->left_out[i]->name));
    }
    sl_json_array_end(json);
}

static enum ops_gameday_verdict judge(const struct ops_gameday_session *session)
{
    const struct ops_gameday_ledger *ledgers[SL_SUBSYSTEMS_MAX] = { 0 };
    for (size_t i = 0; i < session->takers->count; i++) {
        ledgers[i] = &session->takers->items[i].ledger;
    }
    return ops_gameday_judge(session->answers, ledgers, session->takers->count);
}

static const char *verdict_of(const struct ops_gameday_session *session)
{
    switch (judge(session)) {
    case OPS_GAMEDAY_BROKEN:
        return "BROKEN: the promise was not kept";
    case OPS_GAMEDAY_NOT_DRAINED:
        return "NOT DRAINED: nothing is lost yet, and not everything has arrived";
    case OPS_GAMEDAY_PASSED:
        break;
    }
    if (session->course->trouble.text[0] != '\0') {
        return "NOT HELD AS PLANNED: nothing was lost, but something failed on the way";
    }
    if (session->course->is_interrupted) {
        return "STOPPED: nothing was lost";
    }
    return session->course->normal_ms == OPS_GAMEDAY_NEVER
               ? "NOT WELL AGAIN in time: nothing was lost"
               : "PASSED: nothing lost, nothing doubled";
}

int ops_gameday_status(const struct ops_gameday_session *session)
{
    enum ops_gameday_verdict verdict = judge(session);
    if (verdict == OPS_GAMEDAY_BROKEN || session->course->trouble.text[0] != '\0') {
        return EXIT_FAILURE;
    }
    if (session->course->is_interrupted) {
        return EX_INTERRUPTED;
    }
    bool is_late =
        verdict == OPS_GAMEDAY_NOT_DRAINED || session->course->normal_ms == OPS_GAMEDAY_NEVER;
    return is_late ? EX_TEMPFAIL : EX_OK;
}

bool ops_gameday_tell(const struct ops_gameday_session *session, enum ops_output output,
                      struct sl_err *err)
{
    if (output == OPS_OUTPUT_TABLE) {
        return tell_people(session, err) &&
               (fflush(stdout) == 0 || sl_fail(err, SL_E_IO, "cannot write the report"));
    }
    const struct ops_gameday_course *course = session->course;
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    char times[3][TEXT_BYTES];
    sl_buf_init(&out, OUT_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&out);
    const struct {
        const char *key;
        int64_t ms;
    } waits[] = { { "degraded_after_ms", course->degraded_ms },
                  { "normal_after_ms", course->normal_ms },
                  { "drained_after_ms", session->drain_ms },
                  { "slowest_answer_ms", slowest_ms(course) } };
    const char *const moments[] = { "started_at", "fault_began_at", "fault_ended_at" };
    const int64_t at_us[] = { course->started_us, course->begun_us, course->ended_us };

    sl_json_object_begin(&json);
    put_session(&json, session);
    for (size_t i = 0; i < SL_COUNT(moments); i++) {
        moment(at_us[i], times[i]);
        sl_json_put_text(&json, moments[i], sl_span_of(at_us[i] == 0 ? NULL : times[i]));
    }
    for (size_t i = 0; i < SL_COUNT(waits); i++) {
        if (waits[i].ms == OPS_GAMEDAY_NEVER) {
            sl_json_put_null(&json, waits[i].key);
        } else {
            sl_json_put_int(&json, waits[i].key, waits[i].ms);
        }
    }
    sl_json_put_bool(&json, "consumer_seen", course->sees_consumer);
    sl_json_put_bool(&json, "interrupted", course->is_interrupted);
    sl_json_put_text(&json, "trouble",
                     sl_span_of(course->trouble.text[0] == '\0' ? NULL : course->trouble.text));
    ops_gameday_figures_put(&json, session->answers, session->takers);
    sl_json_put_text(&json, "verdict", sl_span_of(verdict_of(session)));
    sl_json_object_end(&json);
    return write_json(&out, err);
}

static bool tell_people(const struct ops_gameday_session *session, struct sl_err *err)
{
    char text[3][TEXT_BYTES];
    duration(session->course->degraded_ms, "not seen", text[0]);
    duration(session->course->normal_ms, "not in time", text[1]);
    duration(session->drain_ms, "not in time", text[2]);
    printf("\ninventory     %s%s\n", ops_gameday_inventory_name(session->inventory),
           session->skips_backup ? ", backup not checked" : "");
    printf("scenario      %s\n", session->scenario->name);
    printf("degraded      %s after the fault began\n", text[0]);
    printf("normal        %s after it ended%s\n", text[1],
           session->course->sees_consumer ? "" : " (the consumer's health is not visible here)");
    printf("drained       %s after that\n", text[2]);
    printf("answers       the slowest took %" PRId64 " ms\n\n", slowest_ms(session->course));
    if (!ops_gameday_figures_tell(session->answers, session->takers, err)) {
        return false;
    }
    if (session->course->trouble.text[0] != '\0') {
        printf("\ntrouble: %s\n", session->course->trouble.text);
    }
    printf("\n%s\n", verdict_of(session));
    return true;
}

bool ops_gameday_keep(const struct ops_gameday_session *session, const char *path,
                      struct sl_err *err)
{
    FILE *page = fopen(path, "we");
    if (page == NULL) {
        return sl_fail(err, SL_E_CREATE, "%.200s: %s", path, strerror(errno));
    }
    write_page(session, page);
    bool is_whole = ferror(page) == 0;
    return (fclose(page) == 0 && is_whole) ||
           sl_fail(err, SL_E_IO, "%.200s: could not be written", path);
}

static void write_page(const struct ops_gameday_session *session, FILE *page)
{
    const struct ops_gameday_course *course = session->course;
    char text[3][TEXT_BYTES];
    char at[3][TEXT_BYTES];
    duration(course->degraded_ms, "not seen", text[0]);
    duration(course->normal_ms, "not in time", text[1]);
    duration(session->drain_ms, "not in time", text[2]);
    moment(course->started_us, at[0]);
    moment(course->begun_us, at[1]);
    moment(course->ended_us, at[2]);
    fprintf(page, "# Game day: %s, inventory %s\n\n", session->scenario->name,
            ops_gameday_inventory_name(session->inventory));
    fprintf(page, "**%s**\n\n", verdict_of(session));
    if (session->skips_backup) {
        fprintf(page, "The age of the backups was NOT checked (SKIP_BACKUP_FRESHNESS=1).\n\n");
    }
    fprintf(page, "What was done: %s, for %" PRId64 " s, under %" PRIu64 " events/s, by %s.\n",
            session->scenario->what, session->hold_ms / 1000, session->rate_per_s, session->actor);
    fprintf(page, "Expected: %s.\nRunbook: runbooks/%s.\n\n", session->scenario->expect,
            session->scenario->page);
    fprintf(page, "| when (UTC) | what |\n|---|---|\n");
    fprintf(page, "| %s | steady load |\n| %s | the fault begins; degraded: %s after |\n", at[0],
            at[1], text[0]);
    fprintf(page, "| %s | the fault ended; normal: %s after; then drained: %s after |\n\n", at[2],
            text[1], text[2]);
    fprintf(page, "The slowest answer took %" PRId64 " ms.\n\n", slowest_ms(course));
    ops_gameday_figures_write(session->answers, session->takers, page);
    if (course->trouble.text[0] != '\0') {
        fprintf(page, "\nTrouble: %s\n", course->trouble.text);
    }
    fprintf(page, "\n## What was seen\n\n- \n\n## What the runbook lacked\n\n- \n\n"
                  "## What is changed, by which role, until when\n\n- \n");
}

static int64_t slowest_ms(const struct ops_gameday_course *course)
{
    int64_t steady_us = course->steady.slowest_us;
    int64_t storm_us = course->storm.slowest_us;
    return (steady_us > storm_us ? steady_us : storm_us) / 1000;
}

static void duration(int64_t ms, const char *never, char out[TEXT_BYTES])
{
    if (ms == OPS_GAMEDAY_NEVER) {
        snprintf(out, TEXT_BYTES, "%s", never);
    } else {
        snprintf(out, TEXT_BYTES, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
    }
}

static void moment(int64_t wall_us, char out[TEXT_BYTES])
{
    char text[SL_RFC3339_BYTES];
    sl_clock_rfc3339(wall_us, text);
    snprintf(out, TEXT_BYTES, "%s", wall_us == 0 ? "never" : text);
}
