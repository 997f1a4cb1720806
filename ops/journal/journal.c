#include "ops/journal/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/daemon.h"
#include "ops/journal/journal_survey.h"
#include "ops/plural.h"
#include "ops/table.h"
#include "shared/clock.h"
#include "shared/event/envelope.h"
#include "shared/json/json_write.h"

#define LIST_DEFAULT   50
#define LIST_MAX       1000000
#define TEXT_BYTES_MAX 16384u

#define STATE_DIR_USAGE                                                                               \
    "  --state-dir DIR   the publisher's state folder; default: SLUICE_STATE_DIR, the local stack,\n" \
    "                    /var/lib/sluice\n"

const char ops_journal_status_usage[] = STATE_DIR_USAGE
    "  --timeout D       longest wait for the publisher's answer (3s)\n" OPS_USAGE_OUTPUT
    "Exit status: 0, also when events wait; 66 there is no journal.\n";
const char ops_journal_list_usage[] = STATE_DIR_USAGE
    "  --limit N         at most so many, oldest first (50)\n"
    "  --all             also those that have been published and are not removed yet\n"
    "  --poison          those that were set aside in poison/: unreadable, or larger than the broker takes\n" OPS_USAGE_ROWS
    "Bodies are never shown. Exit status: 0, 66 there is no journal.\n";
const char ops_journal_verify_usage[] = STATE_DIR_USAGE OPS_USAGE_ROWS
    "Reads and proves every record, and changes nothing; also while the publisher runs.\n"
    "Exit status: 0 all is as it was written, 1 something is damaged or missing, 66 there is no journal.\n";

struct wish {
    const char *state_dir;
    enum ops_output output;
    int64_t timeout_ms;
    int64_t limit;
    bool is_all;
    bool is_poison;
    bool is_document; /* the answer is no rows */
    char dir[OPS_JOURNAL_PATH_BYTES];
};

struct listing {
    struct ops_table table;
    const struct wish *wish;
    int64_t shown;
};

struct damages {
    struct ops_table table;
    size_t notes;
    size_t losses;
};

static bool read_wish(const struct ops_flag *own, size_t own_count, int argc, char **argv,
                      struct wish *wish, struct sl_err *err);
static int fail_survey(const char *command, const struct wish *wish, int why,
                       const struct sl_err *err);
static bool ask_publisher(struct ops_daemon *daemon, const struct wish *wish);
static bool tell_status(const struct ops_journal_survey *survey, struct ops_daemon *daemon,
                        bool is_running, const struct wish *wish);
static void put_status(const struct ops_journal_survey *survey, struct ops_daemon *daemon,
                       bool is_running, const struct wish *wish, struct sl_buf *out);
static void put_live(struct ops_daemon *daemon, const char *path, struct sl_json_writer *json);
static void print_status(const struct ops_journal_survey *survey, struct ops_daemon *daemon,
                         bool is_running, const struct wish *wish);
static const char *time_of(uint64_t ns, char out_text[SL_RFC3339_BYTES]);
static void listing_done(struct listing *listing);
static bool list_event(void *arg, const char *segment, const struct sl_journal_record *record,
                       bool is_resolved);
static void damages_done(struct damages *damages);
static void note_damage(void *arg, const struct ops_journal_damage *damage);

bool ops_journal_dir(const char *flag, char out_dir[OPS_JOURNAL_PATH_BYTES], struct sl_err *err)
{
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    if (!ops_address_open(&address, err)) {
        return false;
    }
    int bytes = snprintf(out_dir, OPS_JOURNAL_PATH_BYTES, "%s/%s",
                         ops_address_state_dir(&address, flag), OPS_JOURNAL_NAME);
    return (bytes > 0 && (size_t)bytes < OPS_JOURNAL_PATH_BYTES) ||
           sl_fail(err, SL_E_CONFIG, "the state folder's name is too long");
}

int ops_journal_absent(const char *command, const char *dir)
{
    fprintf(
        stderr,
        "sluice %s: there is no journal in %s: no publisher has kept an event there; --state-dir names another folder\n",
        command, dir);
    return EX_NOINPUT;
}

static bool read_wish(const struct ops_flag *own, size_t own_count, int argc, char **argv,
                      struct wish *wish, struct sl_err *err)
{
    struct ops_flag flags[OPS_FLAGS_MAX] = {
        { .name = "state-dir", .kind = OPS_FLAG_TEXT, .out = &wish->state_dir },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    flags[1].max = wish->is_document ? OPS_OUTPUT_JSON : OPS_OUTPUT_CSV;
    for (size_t i = 0; i < own_count; i++) {
        flags[3 + i] = own[i];
    }
    return ops_flags_read(flags, 3 + own_count, argc, argv, 0, 0, &first, err) &&
           ops_journal_dir(wish->state_dir, wish->dir, err);
}

static int fail_survey(const char *command, const struct wish *wish, int why,
                       const struct sl_err *err)
{
    if (why == ENOENT) {
        return ops_journal_absent(command, wish->dir);
    }
    int status = ops_report(command, err);
    return why == EACCES || why == EPERM ? EX_NOPERM : status;
}

/* ---- status ---- */

int ops_journal_status(int argc, char **argv)
{
    struct wish wish = { .timeout_ms = OPS_DAEMON_TIMEOUT_MS, .is_document = true };
    struct sl_err err = { 0 };
    const struct ops_flag own[] = {
        { .name = "timeout",
          .kind = OPS_FLAG_DURATION,
          .out = &wish.timeout_ms,
          .min = 100,
          .max = OPS_DAEMON_TIMEOUT_MS_MAX },
    };
    struct ops_journal_survey survey = { 0 };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    int why = 0;
    if (!read_wish(own, SL_COUNT(own), argc, argv, &wish, &err)) {
        return ops_report("journal status", &err);
    }
    if (!ops_journal_survey(wish.dir, &(struct ops_journal_visitor){ 0 }, &survey, &why, &err)) {
        return fail_survey("journal status", &wish, why, &err);
    }
    bool is_running = ask_publisher(&daemon, &wish);
    return tell_status(&survey, &daemon, is_running, &wish) ? EXIT_SUCCESS : EX_IOERR;
}

/* Whoever may read the folder may ask; without an answer the folder says enough. */
static bool ask_publisher(struct ops_daemon *daemon, const struct wish *wish)
{
    struct sl_err unsaid = { 0 };
    const struct ops_daemon_where where = { .program = OPS_PUBLISHER,
                                            .state_dir = wish->state_dir,
                                            .timeout_ms = wish->timeout_ms };
    return ops_daemon_ask(daemon, &where, SL_SPAN_LITERAL("{\"command\":\"status\"}"), &unsaid);
}

static bool tell_status(const struct ops_journal_survey *survey, struct ops_daemon *daemon,
                        bool is_running, const struct wish *wish)
{
    if (wish->output == OPS_OUTPUT_TABLE) {
        print_status(survey, daemon, is_running, wish);
        return ferror(stdout) == 0;
    }
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, TEXT_BYTES_MAX);
    put_status(survey, daemon, is_running, wish, &text);
    return sl_buf_ok(&text) && printf("%s\n", text.data) > 0;
}

static void put_status(const struct ops_journal_survey *survey, struct ops_daemon *daemon,
                       bool is_running, const struct wish *wish, struct sl_buf *out)
{
    char time[SL_RFC3339_BYTES];
    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "dir", sl_span_of(wish->dir));
    sl_json_put_bool(&json, "in_use", survey->is_owned);
    sl_json_put_int(&json, "waiting", (int64_t)(survey->events - survey->resolved));
    sl_json_put_int(&json, "published", (int64_t)survey->resolved);
    sl_json_put_int(&json, "poisoned", (int64_t)survey->poisoned);
    sl_json_put_int(&json, "set_aside", (int64_t)survey->set_aside);
    sl_json_put_int(&json, "segments", (int64_t)survey->segments);
    sl_json_put_int(&json, "bytes", (int64_t)survey->bytes);
    if (survey->oldest_ns == 0) {
        sl_json_put_null(&json, "oldest");
    } else {
        sl_json_put_text(&json, "oldest", sl_span_of(time_of(survey->oldest_ns, time)));
    }
    if (!is_running) {
        sl_json_put_null(&json, "publisher");
    } else {
        sl_json_put_object(&json, "publisher");
        put_live(daemon, "journal.state", &json);
        put_live(daemon, "journal.durable", &json);
        put_live(daemon, "journal.quota_bytes", &json);
        put_live(daemon, "journal.replay_rate", &json);
        put_live(daemon, "broker.state", &json);
        sl_json_object_end(&json);
    }
    sl_json_object_end(&json);
}

/* A member of the publisher's answer, under its own path with '_' for '.'. */
static void put_live(struct ops_daemon *daemon, const char *path, struct sl_json_writer *json)
{
    const struct sl_json *value = sl_json_at(daemon->root, path);
    char key[64];
    int64_t number = 0;
    snprintf(key, sizeof key, "%s", path);
    for (char *c = key; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : *c;
    }
    if (sl_json_is_null(value)) {
        sl_json_put_null(json, key);
    } else if (sl_json_int(value, &number)) {
        sl_json_put_int(json, key, number);
    } else if (value->type == SL_JSON_STRING) {
        sl_json_put_text(json, key, sl_span_of(ops_daemon_text(daemon, value)));
    } else {
        sl_json_put_bool(json, key, sl_json_true(value));
    }
}

static void print_status(const struct ops_journal_survey *survey, struct ops_daemon *daemon,
                         bool is_running, const struct wish *wish)
{
    char time[SL_RFC3339_BYTES];
    uint64_t waiting = survey->events - survey->resolved;
    printf("%" PRIu64 " event%s wait%s to be published%s%s; %" PRIu64 " segment%s, %" PRIu64
           " bytes, in %s\n",
           waiting, ops_plural(waiting), waiting == 1 ? "s" : "",
           survey->oldest_ns == 0 ? "" : ", the oldest since ",
           survey->oldest_ns == 0 ? "" : time_of(survey->oldest_ns, time), survey->segments,
           ops_plural(survey->segments), survey->bytes, wish->dir);
    if (survey->poisoned > 0) {
        printf(
            "%" PRIu64
            " events could not be published as such and are in poison/: sluice journal list --poison\n",
            survey->poisoned);
    }
    if (survey->set_aside > 0) {
        printf("%" PRIu64 " copies of damaged bytes were set aside: sluice journal verify\n",
               survey->set_aside);
    }
    if (is_running) {
        printf("the publisher is running: journal %s, broker %s, replay at most %s a second\n",
               ops_daemon_text(daemon, sl_json_at(daemon->root, "journal.state")),
               ops_daemon_text(daemon, sl_json_at(daemon->root, "broker.state")),
               ops_daemon_text(daemon, sl_json_at(daemon->root, "journal.replay_rate")));
    } else if (survey->is_owned) {
        printf("a program holds the journal, but does not answer\n");
    } else {
        printf(
            "no publisher is running here; it publishes them when it starts, or: sluice journal replay\n");
    }
}

static const char *time_of(uint64_t ns, char out_text[SL_RFC3339_BYTES])
{
    sl_clock_rfc3339_s((int64_t)(ns / 1000000000u), out_text);
    return out_text;
}

/* ---- list ---- */

int ops_journal_list(int argc, char **argv)
{
    static const struct ops_column columns[] = {
        { .title = "NUMBER", .is_number = true },
        { .title = "ID" },
        { .title = "TYPE" },
        { .title = "SOURCE" },
        { .title = "RECEIVED" },
        { .title = "BYTES", .is_number = true },
        { .title = "STATE" },
        { .title = "SEGMENT" },
    };
    struct wish wish = { .limit = LIST_DEFAULT };
    struct sl_err err = { 0 };
    const struct ops_flag own[] = {
        { .name = "limit", .kind = OPS_FLAG_COUNT, .out = &wish.limit, .min = 1, .max = LIST_MAX },
        { .name = "all", .kind = OPS_FLAG_SWITCH, .out = &wish.is_all },
        { .name = "poison", .kind = OPS_FLAG_SWITCH, .out = &wish.is_poison },
    };
    struct ops_journal_survey survey = { 0 };
    SL_DONE(listing_done) struct listing listing = { .wish = &wish };
    const struct ops_journal_visitor visitor = { .arg = &listing, .on_event = list_event };
    int why = 0;
    ops_table_init(&listing.table, columns, SL_COUNT(columns));
    if (!read_wish(own, SL_COUNT(own), argc, argv, &wish, &err)) {
        return ops_report("journal list", &err);
    }
    bool is_read = wish.is_poison ? ops_journal_survey_poison(wish.dir, &visitor, &err)
                                  : ops_journal_survey(wish.dir, &visitor, &survey, &why, &err);
    if (!is_read) {
        return fail_survey("journal list", &wish, why, &err);
    }
    return ops_table_print(&listing.table, wish.output, stdout, &err)
               ? EXIT_SUCCESS
               : ops_report("journal list", &err);
}

static void listing_done(struct listing *listing)
{
    ops_table_done(&listing->table);
}

static bool list_event(void *arg, const char *segment, const struct sl_journal_record *record,
                       bool is_resolved)
{
    struct listing *listing = arg;
    struct sl_envelope envelope = { 0 };
    struct sl_err unread = { 0 };
    char text[4][SL_EVENT_ID_BYTES_MAX + 1] = { "?", "?", "?", "" };
    char number[24];
    char bytes[24];
    char time[SL_RFC3339_BYTES];
    if (is_resolved && !listing->wish->is_all) {
        return true;
    }
    if (sl_envelope_decode(record->payload, &envelope, &unread)) {
        snprintf(text[0], sizeof text[0], "%.*s", SL_SPAN_ARGS(envelope.id));
        snprintf(text[1], sizeof text[1], "%.*s", SL_SPAN_ARGS(envelope.type));
        snprintf(text[2], sizeof text[2], "%.*s", SL_SPAN_ARGS(envelope.source));
    }
    snprintf(number, sizeof number, "%" PRIu64, record->seq);
    snprintf(bytes, sizeof bytes, "%zu", envelope.body.bytes);
    const char *cells[] = { number,
                            text[0],
                            text[1],
                            text[2],
                            time_of(record->received_ns, time),
                            bytes,
                            listing->wish->is_poison ? "set aside"
                            : is_resolved            ? "published"
                                                     : "waiting",
                            segment };
    ops_table_add(&listing->table, cells);
    return ++listing->shown < listing->wish->limit;
}

/* ---- verify ---- */

int ops_journal_verify(int argc, char **argv)
{
    static const struct ops_column columns[] = {
        { .title = "SEGMENT" },
        { .title = "FINDING" },
        { .title = "OFFSET", .is_number = true },
        { .title = "BYTES", .is_number = true },
        { .title = "EVENTS", .is_number = true },
        { .title = "FIRST NUMBER", .is_number = true },
    };
    struct wish wish = { 0 };
    struct sl_err err = { 0 };
    struct ops_journal_survey survey = { 0 };
    SL_DONE(damages_done) struct damages damages = { 0 };
    const struct ops_journal_visitor visitor = { .arg = &damages, .on_damage = note_damage };
    int why = 0;
    ops_table_init(&damages.table, columns, SL_COUNT(columns));
    if (!read_wish(NULL, 0, argc, argv, &wish, &err)) {
        return ops_report("journal verify", &err);
    }
    if (!ops_journal_survey(wish.dir, &visitor, &survey, &why, &err)) {
        return fail_survey("journal verify", &wish, why, &err);
    }
    bool has_rows = damages.losses + damages.notes > 0;
    if ((wish.output != OPS_OUTPUT_TABLE || has_rows) &&
        !ops_table_print(&damages.table, wish.output, stdout, &err)) {
        return ops_report("journal verify", &err);
    }
    fprintf(
        stderr, "%" PRIu64 " event%s in %" PRIu64 " segment%s proven by checksums; %s\n",
        survey.events, ops_plural(survey.events), survey.segments, ops_plural(survey.segments),
        damages.losses == 0
            ? "nothing is damaged or missing"
            : "what is listed is damaged or missing; the publisher replays everything that is proven");
    return damages.losses == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void damages_done(struct damages *damages)
{
    ops_table_done(&damages->table);
}

static void note_damage(void *arg, const struct ops_journal_damage *damage)
{
    struct damages *damages = arg;
    char numbers[4][24];
    const uint64_t values[] = { damage->offset, damage->bytes, damage->events, damage->first };
    for (size_t i = 0; i < SL_COUNT(values); i++) {
        snprintf(numbers[i], sizeof numbers[i], "%" PRIu64, values[i]);
    }
    bool has_place = damage->what != SL_JOURNAL_TELL_GAP;
    const char *cells[] = {
        damage->segment,
        sl_journal_tell_name(damage->what),
        has_place ? numbers[0] : NULL,
        has_place ? numbers[1] : NULL,
        damage->events > 0 ? numbers[2] : NULL,
        damage->first > 0 ? numbers[3] : NULL,
    };
    ops_table_add(&damages->table, cells);
    bool is_note = sl_journal_tell_weight(damage->what) == SL_JOURNAL_WEIGHT_NOTE;
    damages->notes += is_note ? 1 : 0;
    damages->losses += is_note ? 0 : 1;
}
