/* queue restore: what `queue purge` took out of a queue, published to its subsystem again. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ops/actor.h"
#include "ops/commands.h"
#include "ops/pg_session.h"
#include "ops/plan.h"
#include "ops/queue/purge_line.h"
#include "ops/queue/purge_target.h"
#include "ops/queue/queue.h"
#include "ops/queue/type_tally.h"
#include "ops/sections.h"
#include "ops/table.h"
#include "ops/trigger/courier.h"
#include "shared/event/delay_route.h"

#define EX_PARTIAL        3
#define RATE_DEFAULT      50
#define RATE_MAX          10000
#define US_PER_S          INT64_C(1000000)
#define PORTION           25u
#define PORTION_BYTES_MAX ((size_t)8 * 1024 * 1024) /* then a portion goes, however few it has */
#define ARENA_BYTES_MAX   (OPS_PURGE_LINE_BYTES_MAX * 4 + PORTION_BYTES_MAX * 4)
#define NUMBER_BYTES      24u
#define PREFIX            "sluice."
#define REASON_BYTES_MAX  500u

_Static_assert(PORTION <= OPS_COURIER_BATCH_MAX, "a portion is one batch of the courier");

static const char audit_sql[] =
    "SELECT sluice_audit_add($1, 'queue restore', $2, $3, jsonb_build_object('file', $4::text,"
    " 'messages', $5::text::bigint))";

static const struct ops_column columns[] = {
    { .title = "FILE" },
    { .title = "MESSAGES", .is_number = true },
    { .title = "PUBLISHED", .is_number = true },
    { .title = "TORN", .is_number = true },
};

struct restore {
    const char *path;
    char whole_path[PATH_MAX];
    const char *reason;
    int64_t rate;
    bool yes;
    enum ops_output output;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_pg_session *session;
    struct ops_courier *courier;
    struct sl_json_parser *parser;
    struct sl_arena arena;
    FILE *file;
    char *text; /* of getline */
    size_t room;
    int64_t line; /* that is read, from 1 */
    struct ops_tally tally;
    struct ops_purge_line lines[PORTION];
    struct sl_delay_route routes[PORTION];
    struct sl_amqp_message messages[PORTION];
    size_t count;
    int64_t found;
    int64_t published;
    int64_t torn;
};

static void restore_done(struct restore *restore);
static bool read_wish(struct restore *restore, int argc, char **argv, struct sl_err *err);
static bool open_all(struct restore *restore, struct sl_err *err);
static bool survey(struct restore *restore, struct sl_err *err);
static bool act(struct restore *restore, int *out_status, struct sl_err *err);
static bool publish_all(struct restore *restore, struct sl_err *err);
static bool publish(struct restore *restore, struct sl_err *err);
static bool next(struct restore *restore, struct ops_purge_line *line, bool *out_is_there,
                 struct sl_err *err);
static bool note(struct restore *restore, const char *what, int64_t messages, struct sl_err *err);
static bool tell(const struct restore *restore, struct sl_err *err);

int ops_queue_restore(int argc, char **argv)
{
    static struct restore restore; /* a tally and a portion: too large for the stack */
    struct sl_err err = { 0 };
    int status = EX_OK;
    restore = (struct restore){ .rate = RATE_DEFAULT };
    sl_arena_init(&restore.arena, ARENA_BYTES_MAX);
    bool is_done = read_wish(&restore, argc, argv, &err) && open_all(&restore, &err) &&
                   survey(&restore, &err) && act(&restore, &status, &err);
    restore_done(&restore);
    return is_done ? status : ops_report("queue restore", &err);
}

static void restore_done(struct restore *restore)
{
    if (restore->file != NULL) {
        (void)fclose(restore->file);
    }
    free(restore->text);
    ops_courier_free(restore->courier);
    ops_pg_session_free(restore->session);
    sl_json_parser_free(restore->parser);
    sl_arena_done(&restore->arena);
    sl_subsystems_done(&restore->subsystems);
    ops_address_done(&restore->address);
}

static bool read_wish(struct restore *restore, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&restore->reason },
        { .name = "rate",
          .kind = OPS_FLAG_COUNT,
          .out = &restore->rate,
          .min = 1,
          .max = RATE_MAX },
        OPS_FLAGS_MEANT(restore->yes),
        OPS_FLAGS_ROWS(restore->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, err)) {
        return false;
    }
    restore->path = argv[first];
    return restore->reason == NULL || strlen(restore->reason) <= REASON_BYTES_MAX ||
           sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", REASON_BYTES_MAX);
}

static bool open_all(struct restore *restore, struct sl_err *err)
{
    restore->file = fopen(restore->path, "re");
    if (restore->file == NULL || realpath(restore->path, restore->whole_path) == NULL) {
        return sl_fail(err, SL_E_ABSENT, "%.200s cannot be read: %s", restore->path,
                       strerror(errno));
    }
    restore->parser = sl_json_parser_new(OPS_PURGE_LINE_BYTES_MAX);
    return (restore->parser != NULL || sl_fail(err, SL_E_MEMORY, "no memory for a parser")) &&
           ops_address_open(&restore->address, err) &&
           ops_sections_load(&restore->address, &restore->subsystems, err);
}

/* Every line is read before the first is published: a file that is wrong somewhere is not half done. */
static bool survey(struct restore *restore, struct sl_err *err)
{
    bool is_there = true;
    for (;;) {
        struct ops_purge_line *line = &restore->lines[0];
        sl_arena_reset(&restore->arena);
        if (!next(restore, line, &is_there, err)) {
            return false;
        }
        if (!is_there) {
            break;
        }
        restore->found++;
        ops_tally_add(&restore->tally, line->type);
    }
    rewind(restore->file);
    restore->line = 0;
    return true;
}

static bool act(struct restore *restore, int *out_status, struct sl_err *err)
{
    fprintf(stderr, "%" PRId64 " messages in %s\n", restore->found, restore->path);
    ops_tally_print(&restore->tally, stderr);
    if (restore->torn > 0) {
        fputs("the last line is torn: its message was never taken out of the queue\n", stderr);
    }
    if (restore->found == 0 || !restore->yes) {
        if (restore->found > 0) {
            fputs("they would be published to the queue they were in, with their own ids: an event "
                  "that was applied meanwhile is a duplicate\n",
                  stderr);
        }
        *out_status = ops_plan_end(restore->found > 0, OPS_PLAN_YES);
        return tell(restore, err);
    }
    restore->session = ops_pg_session_here("sluice queue restore", false, err);
    if (restore->session == NULL || !note(restore, "restoring", restore->found, err)) {
        return false;
    }
    restore->courier = ops_courier_new(&restore->address, err);
    bool is_done = restore->courier != NULL && publish_all(restore, err);
    struct sl_err why = { 0 };
    bool is_noted = note(restore, "restored", restore->published, &why);
    if (is_done && !is_noted) {
        *err = why;
    }
    fprintf(stderr, "%" PRId64 " of %" PRId64 " messages were published\n", restore->published,
            restore->found);
    *out_status = restore->published < restore->found ? EX_PARTIAL : EX_OK;
    return tell(restore, is_done ? err : &why) && is_done && is_noted;
}

static bool publish_all(struct restore *restore, struct sl_err *err)
{
    for (bool is_there = true; is_there;) {
        restore->count = 0;
        sl_arena_reset(&restore->arena);
        while (is_there && restore->count < PORTION &&
               restore->arena.used_bytes < PORTION_BYTES_MAX) {
            if (!next(restore, &restore->lines[restore->count], &is_there, err)) {
                return false;
            }
            restore->count += is_there ? 1 : 0;
        }
        if (restore->count > 0 && !publish(restore, err)) {
            return false;
        }
    }
    return true;
}

static bool publish(struct restore *restore, struct sl_err *err)
{
    enum sl_publish_outcome outcomes[PORTION];
    for (size_t i = 0; i < restore->count; i++) {
        struct ops_purge_line *line = &restore->lines[i];
        char name[OPS_PURGE_QUEUE_BYTES];
        snprintf(name, sizeof name, "%.*s", (int)(line->queue.bytes - strlen(PREFIX)),
                 line->queue.data + strlen(PREFIX));
        sl_delay_route(0, name, &restore->routes[i]); /* to the queue it was in */
        restore->messages[i] = line->message;
        restore->messages[i].exchange = SL_DUE_EXCHANGE;
        restore->messages[i].routing_key = sl_span_of(restore->routes[i].key);
    }
    if (!ops_courier_send(restore->courier, restore->messages, restore->count,
                          US_PER_S / restore->rate, outcomes, err)) {
        return false;
    }
    for (size_t i = 0; i < restore->count; i++) {
        if (outcomes[i] == SL_PUBLISH_CONFIRMED) {
            restore->published++;
        } else {
            return sl_fail(err, SL_E_AMQP_CLOSED,
                           "the broker has not taken a message near line %" PRId64
                           " (%s); the file is whole, and all of it can be published again: what "
                           "arrived already will be a duplicate",
                           restore->line, sl_publish_outcome_name(outcomes[i]));
        }
    }
    return true;
}

/* A line without an end was being written when the purge was cut off: nothing was acknowledged for it. */
static bool next(struct restore *restore, struct ops_purge_line *line, bool *out_is_there,
                 struct sl_err *err)
{
    ssize_t bytes = getline(&restore->text, &restore->room, restore->file);
    *out_is_there = bytes > 0 && restore->text[bytes - 1] == '\n';
    if (!*out_is_there) {
        restore->torn = bytes > 0 ? 1 : 0;
        return ferror(restore->file) == 0 ||
               sl_fail(err, SL_E_IO, "%.200s cannot be read", restore->path);
    }
    restore->line++;
    struct sl_span text = sl_span_make(restore->text, (size_t)bytes - 1);
    if (!ops_purge_line_read(restore->parser, &restore->arena, text, line, err)) {
        return sl_err_wrap(err, "line %" PRId64, restore->line);
    }
    char queue[OPS_PURGE_QUEUE_BYTES];
    struct ops_purge_target target;
    snprintf(queue, sizeof queue, "%.*s", SL_SPAN_ARGS(line->queue));
    return (ops_purge_target(&restore->subsystems, queue, &target, err) &&
            (strcmp(target.queue, queue) == 0 ||
             sl_fail(err, SL_E_JSON_MALFORMED, "'%.80s' is no queue's whole name", queue))) ||
           sl_err_wrap(err, "line %" PRId64, restore->line);
}

static bool note(struct restore *restore, const char *what, int64_t messages, struct sl_err *err)
{
    char actor[OPS_ACTOR_BYTES];
    char number[NUMBER_BYTES];
    ops_actor(actor);
    snprintf(number, sizeof number, "%" PRId64, messages);
    const struct sl_pg_param params[] = { ops_pg_param(what), ops_pg_param(actor),
                                          ops_pg_param(restore->reason == NULL ? ""
                                                                               : restore->reason),
                                          ops_pg_param(restore->whole_path), ops_pg_param(number) };
    return ops_pg_query(restore->session, audit_sql, params, SL_COUNT(params), NULL, err);
}

static bool tell(const struct restore *restore, struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    char numbers[3][NUMBER_BYTES];
    snprintf(numbers[0], NUMBER_BYTES, "%" PRId64, restore->found);
    snprintf(numbers[1], NUMBER_BYTES, "%" PRId64, restore->published);
    snprintf(numbers[2], NUMBER_BYTES, "%" PRId64, restore->torn);
    ops_table_init(&table, columns, SL_COUNT(columns));
    ops_table_add(&table,
                  (const char *const[]){ restore->path, numbers[0], numbers[1], numbers[2] });
    return ops_table_print(&table, restore->output, stdout, err);
}
