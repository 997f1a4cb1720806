/* queue purge: plan, typed phrase, then round by round: export, sync, acknowledge. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/actor.h"
#include "ops/commands.h"
#include "ops/pg_session.h"
#include "ops/plan.h"
#include "ops/queue/purge_file.h"
#include "ops/queue/purge_line.h"
#include "ops/queue/purge_target.h"
#include "ops/queue/queue.h"
#include "ops/queue/type_tally.h"
#include "ops/table.h"

#define EX_PARTIAL       3
#define EX_INTERRUPTED   130
#define REASON_BYTES_MAX 500u
#define LIMIT_MAX        INT64_C(1000000000)
#define NUMBER_BYTES     24u
#define SUBJECT_BYTES    (OPS_PURGE_QUEUE_BYTES + 8u)

static const char audit_sql[] =
    "SELECT sluice_audit_add($1, $2, $3, $4, jsonb_build_object('file', $5::text,"
    " 'messages', $6::text::bigint, 'bytes', $7::text::bigint))";

static const struct ops_column columns[] = {
    { .title = "QUEUE" },
    { .title = "WAITING", .is_number = true },
    { .title = "CONSUMERS", .is_number = true },
    { .title = "PURGED", .is_number = true },
    { .title = "FILE" },
};

static volatile sig_atomic_t stop;

struct purge {
    const char *word;
    const char *out_file;
    const char *reason;
    const char *confirm;
    int64_t limit;
    bool yes;
    bool dry_run; /* wins over both */
    enum ops_output output;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_purge_target target;
    struct ops_take *take;
    struct ops_pg_session *session;
    struct ops_purge_file file;
    struct sl_buf line;
    struct ops_tally tally;
    struct ops_tally round;
    char actor[OPS_ACTOR_BYTES];
    int64_t waiting;
    int64_t consumers;
    int64_t wanted;
    int64_t exported; /* of the round that runs, too */
    int64_t purged;
};

static void purge_done(struct purge *purge);
static bool read_wish(struct purge *purge, int argc, char **argv, struct sl_err *err);
static bool look(struct purge *purge, struct sl_err *err);
static bool act(struct purge *purge, int *out_status, struct sl_err *err);
static int tell_plan(const struct purge *purge);
static void tell_result(struct purge *purge);
static bool is_phrase_typed(struct purge *purge, struct sl_err *err);
static bool empty(struct purge *purge, struct sl_err *err);
static bool keep(const struct sl_amqp_delivery *delivery, void *arg, struct sl_err *err);
static bool note(struct purge *purge, const char *what, int64_t messages, struct sl_err *err);
static bool tell(struct purge *purge, struct sl_err *err);
static void on_signal(int number);

int ops_queue_purge(int argc, char **argv)
{
    static struct purge purge; /* two tallies: too large for the stack */
    struct sl_err err = { 0 };
    int status = EX_OK;
    purge = (struct purge){ .limit = LIMIT_MAX };
    sl_buf_init(&purge.line, OPS_PURGE_LINE_BYTES_MAX);
    bool is_done =
        read_wish(&purge, argc, argv, &err) && look(&purge, &err) && act(&purge, &status, &err);
    purge_done(&purge);
    return is_done ? status : ops_report("queue purge", &err);
}

static void purge_done(struct purge *purge)
{
    ops_take_free(purge->take);
    ops_pg_session_free(purge->session);
    ops_purge_file_done(&purge->file);
    sl_buf_done(&purge->line);
    sl_subsystems_done(&purge->subsystems);
    ops_address_done(&purge->address);
}

static bool read_wish(struct purge *purge, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "out", .kind = OPS_FLAG_TEXT, .out = (void *)&purge->out_file },
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&purge->reason },
        { .name = "confirm", .kind = OPS_FLAG_TEXT, .out = (void *)&purge->confirm },
        { .name = "limit",
          .kind = OPS_FLAG_COUNT,
          .out = &purge->limit,
          .min = 1,
          .max = LIMIT_MAX },
        { .name = "yes", .letter = 'y', .kind = OPS_FLAG_SWITCH, .out = &purge->yes },
        OPS_FLAG_DRY_RUN(purge->dry_run),
        OPS_FLAGS_ROWS(purge->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, err)) {
        return false;
    }
    purge->word = argv[first];
    purge->yes = (purge->yes || purge->confirm != NULL) && !purge->dry_run;
    if (purge->yes && purge->reason == NULL) {
        return sl_fail(err, SL_E_USAGE,
                       "--reason TEXT is required: who reads it later must know why");
    }
    return purge->reason == NULL || strlen(purge->reason) <= REASON_BYTES_MAX ||
           sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", REASON_BYTES_MAX);
}

/* The plan. Messages cannot be looked at where they are: taking one out and giving it back changes its place and its count of deliveries. */
static bool look(struct purge *purge, struct sl_err *err)
{
    struct sl_amqp_declared counts = { 0 };
    if (!ops_address_open(&purge->address, err) ||
        !ops_sections_load(&purge->address, &purge->subsystems, err) ||
        !ops_purge_target(&purge->subsystems, purge->word, &purge->target, err)) {
        return false;
    }
    const struct ops_take_opts opts = {
        .address = &purge->address, .queue = purge->target.queue, .on_message = keep, .arg = purge
    };
    purge->take = ops_take_new(&opts, err);
    if (purge->take == NULL || !ops_take_count(purge->take, &counts, err)) {
        return false;
    }
    purge->waiting = counts.message_count;
    purge->consumers = counts.consumer_count;
    purge->wanted = purge->waiting < purge->limit ? purge->waiting : purge->limit;
    return true;
}

static bool act(struct purge *purge, int *out_status, struct sl_err *err)
{
    const char *queue = purge->target.queue;
    if (purge->wanted == 0) {
        fprintf(stderr, "nothing waits in %s: nothing to do\n", queue);
        return tell(purge, err);
    }
    if (!purge->yes) {
        *out_status = tell_plan(purge);
        return tell(purge, err);
    }
    if (purge->consumers > 0) {
        fprintf(stderr,
                "sluice queue purge: %" PRId64 " consumers take from %s, so what it holds changes "
                "while it is emptied: sluice queue pause %s --reason TEXT\n",
                purge->consumers, queue, purge->target.subsystem->name);
        *out_status = EX_TEMPFAIL;
        return true;
    }
    ops_actor(purge->actor);
    if (!is_phrase_typed(purge, err)) {
        return false;
    }
    /* The audit comes before the first message is taken: without it, nothing is. */
    purge->session = ops_pg_session_here("sluice queue purge", false, err);
    if (purge->session == NULL || !ops_purge_file_make(&purge->file, purge->out_file, queue, err) ||
        !note(purge, "purging", purge->wanted, err)) {
        return false;
    }
    struct sl_err why = { 0 };
    bool is_empty = empty(purge, err);
    if (!note(purge, "purged", purge->purged, &why) && is_empty) {
        *err = why;
        is_empty = false;
    }
    tell_result(purge);
    *out_status = stop != 0 ? EX_INTERRUPTED : purge->purged < purge->wanted ? EX_PARTIAL : EX_OK;
    return tell(purge, is_empty ? err : &why) && is_empty;
}

static int tell_plan(const struct purge *purge)
{
    char phrase[OPS_PURGE_PHRASE_BYTES];
    char how[OPS_PURGE_PHRASE_BYTES + 96];
    ops_purge_phrase(&purge->target, phrase);
    snprintf(how, sizeof how,
             "add --reason TEXT --yes, or without a terminal --reason TEXT --confirm '%s'", phrase);
    fprintf(stderr,
            "the oldest %" PRId64
            " messages of %s would be exported to a file, then removed; their "
            "types are known when they are in the file\n",
            purge->wanted, purge->target.queue);
    return ops_plan_end(true, how);
}

static void tell_result(struct purge *purge)
{
    fprintf(stderr, "%" PRId64 " messages are in %s and no longer in %s\n", purge->purged,
            purge->file.path, purge->target.queue);
    ops_tally_print(&purge->tally, stderr);
    if (purge->exported > purge->purged) {
        fprintf(stderr, "the last %" PRId64 " in the file may still be in the queue as well\n",
                purge->exported - purge->purged);
    }
    fprintf(stderr, "to publish them again: sluice queue restore %s\n", purge->file.path);
}

static bool is_phrase_typed(struct purge *purge, struct sl_err *err)
{
    char phrase[OPS_PURGE_PHRASE_BYTES];
    char typed[OPS_PURGE_PHRASE_BYTES + 2] = "";
    ops_purge_phrase(&purge->target, phrase);
    if (purge->confirm == NULL && isatty(STDIN_FILENO) == 0) {
        return sl_fail(err, SL_E_USAGE, "there is no terminal to type on: --confirm '%s'", phrase);
    }
    if (purge->confirm == NULL) {
        fprintf(stderr,
                "%" PRId64 " messages of %s (severity %s)%s%s\nType %s to go on: ", purge->wanted,
                purge->target.queue, sl_subsystem_severity_name(purge->target.subsystem->severity),
                purge->target.subsystem->impact[0] == '\0' ? "" : ": ",
                purge->target.subsystem->impact, phrase);
        if (fgets(typed, sizeof typed, stdin) == NULL) {
            typed[0] = '\0';
        }
        typed[strcspn(typed, "\r\n")] = '\0';
    }
    return strcmp(purge->confirm == NULL ? typed : purge->confirm, phrase) == 0 ||
           sl_fail(err, SL_E_USAGE, "that is not the phrase '%s'; nothing was done", phrase);
}

/*
 * Each round is in the file and on the disk before it is acknowledged. Cut off anywhere, a message is in the queue, in the file, or in both.
 */
static bool empty(struct purge *purge, struct sl_err *err)
{
    const struct sigaction action = { .sa_handler = on_signal };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    while (purge->purged < purge->wanted && stop == 0) {
        int64_t left = purge->wanted - purge->purged;
        size_t most = left < OPS_TAKE_ROUND_MAX ? (size_t)left : OPS_TAKE_ROUND_MAX;
        size_t shown = 0;
        purge->round = purge->tally;
        if (!ops_take_round(purge->take, most, &shown, err) ||
            !ops_purge_file_sync(&purge->file, err) || !ops_take_settle(purge->take, err)) {
            return false;
        }
        purge->purged += (int64_t)shown;
        purge->tally = purge->round;
        if (isatty(STDERR_FILENO) != 0) {
            fprintf(stderr, "\r%" PRId64 " of %" PRId64, purge->purged, purge->wanted);
        }
        if (shown < most) {
            break; /* somebody else was quicker */
        }
    }
    if (isatty(STDERR_FILENO) != 0) {
        putc('\n', stderr);
    }
    return true;
}

static bool keep(const struct sl_amqp_delivery *delivery, void *arg, struct sl_err *err)
{
    struct purge *purge = arg;
    char type[OPS_PURGE_TYPE_BYTES];
    sl_buf_reset(&purge->line);
    if (!ops_purge_line_write(purge->target.queue, purge->target.subsystem->name, delivery,
                              &purge->line, type, err) ||
        !ops_purge_file_write(&purge->file, sl_buf_span(&purge->line), err)) {
        return false;
    }
    purge->exported++;
    ops_tally_add(&purge->round, sl_span_of(type));
    return true;
}

static bool note(struct purge *purge, const char *what, int64_t messages, struct sl_err *err)
{
    char subject[SUBJECT_BYTES];
    char number[NUMBER_BYTES];
    char bytes[NUMBER_BYTES];
    snprintf(subject, sizeof subject, "queue %s", purge->target.queue);
    snprintf(number, sizeof number, "%" PRId64, messages);
    snprintf(bytes, sizeof bytes, "%" PRId64, purge->file.bytes);
    const struct sl_pg_param params[] = {
        ops_pg_param(what),          ops_pg_param(subject),          ops_pg_param(purge->actor),
        ops_pg_param(purge->reason), ops_pg_param(purge->file.path), ops_pg_param(number),
        ops_pg_param(bytes)
    };
    return ops_pg_query(purge->session, audit_sql, params, SL_COUNT(params), NULL, err);
}

static bool tell(struct purge *purge, struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    char numbers[3][NUMBER_BYTES];
    snprintf(numbers[0], NUMBER_BYTES, "%" PRId64, purge->waiting);
    snprintf(numbers[1], NUMBER_BYTES, "%" PRId64, purge->consumers);
    snprintf(numbers[2], NUMBER_BYTES, "%" PRId64, purge->purged);
    ops_table_init(&table, columns, SL_COUNT(columns));
    ops_table_add(&table,
                  (const char *const[]){ purge->target.queue, numbers[0], numbers[1], numbers[2],
                                         purge->file.path[0] == '\0' ? NULL : purge->file.path });
    return ops_table_print(&table, purge->output, stdout, err);
}

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}
