#include "ops/gameday/gameday_books.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "ops/journal/journal_survey.h"
#include "ops/queue/queue_look.h"
#include "shared/clock.h"
#include "shared/event/envelope.h"
#include "shared/units.h"

#define LOOK_MS       500
#define TELL_MS       10000
#define DIGITS        10u  /* of an event's number, at the end of its id */
#define SPREAD_S      3600 /* a sample's `created` may lie before the moment it was sent */
#define ID_PREFIX     "evt_1S"
#define COUNT_MAX     UINT8_MAX
#define PATTERN_BYTES 32u
#define EPOCH_BYTES   24u

/* By both times, so that only the partitions and blocks of today are read. */
static const char rows_sql[] =
    "SELECT event_id, count(*) FROM sluice_inbox WHERE subsystem = $1 AND event_id LIKE $2 "
    "AND occurred_at >= to_timestamp($3::float8) AND received_at >= to_timestamp($3::float8) "
    "GROUP BY 1";
static const char letters_sql[] =
    "SELECT event_id, count(*) FROM sluice_dead_letter WHERE subsystem = $1 AND event_id LIKE $2 "
    "AND created_at >= to_timestamp($3::float8) GROUP BY 1";

struct books {
    const struct ops_gameday_books_opts *opts;
    struct ops_gameday_course *course;
    struct ops_gameday_takers *takers;
    struct ops_pg_session *session;
    uint64_t strangers[SL_SUBSYSTEMS_MAX]; /* ids of our runs that nobody sent, by taker */
};

/* One wave in one subsystem. */
struct ledger_page {
    const struct ops_gameday_wave *wave;
    struct ops_gameday_place *places;
    const char *subsystem;
    uint64_t *strangers;
};

static void books_done(struct books *books);
static void enter(struct books *books, struct ops_gameday_answers *answers);
static bool read_all(struct books *books, struct sl_err *err);
static bool read_taker(struct books *books, size_t i, struct sl_err *err);
static bool read_page(const struct books *books, const struct ledger_page *page,
                      struct sl_err *err);
static bool read_rows(const struct books *books, const struct ledger_page *page, const char *sql,
                      bool is_inbox, struct sl_err *err);
static bool number_of(const struct ops_gameday_wave *wave, struct sl_span id, uint64_t *out_index);
static uint64_t unsettled(const struct ops_gameday_takers *takers,
                          const struct ops_gameday_course *course);
static uint64_t unsettled_of(const struct ops_gameday_wave *wave,
                             const struct ops_gameday_place *places);
static void read_journal(struct books *books);
static bool on_journal(void *arg, const char *segment, const struct sl_journal_record *record,
                       bool is_resolved);
static uint64_t in_broker(const struct books *books, const char *subsystem);
static void tell_progress(uint64_t left, int64_t waited_ms, int64_t *told_ms);

bool ops_gameday_books(const struct ops_gameday_books_opts *opts, struct ops_gameday_course *course,
                       struct ops_gameday_takers *takers, struct ops_gameday_answers *answers,
                       int64_t *out_drain_ms, struct sl_err *err)
{
    static const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
    SL_DONE(books_done)
    struct books books = { .opts = opts, .course = course, .takers = takers };
    int64_t started_ms = sl_clock_mono_ms();
    bool is_known = false;
    *out_drain_ms = OPS_GAMEDAY_NEVER;
    int64_t told_ms = -TELL_MS;
    if (!ops_gameday_takers_lay(takers, &course->steady, &course->storm, err)) {
        return false;
    }
    for (;;) {
        bool is_read = read_all(&books, err);
        is_known = is_known || is_read;
        uint64_t left = unsettled(takers, course);
        if (is_read && left == 0) {
            *out_drain_ms = sl_clock_mono_ms() - started_ms;
            break;
        }
        int64_t waited_ms = sl_clock_mono_ms() - started_ms;
        if (waited_ms >= opts->drain_ms || *opts->is_stopped) {
            break;
        }
        tell_progress(left, waited_ms, &told_ms);
        (void)nanosleep(&pause, NULL);
    }
    if (!is_known) {
        return sl_err_wrap(err, "what became of the events is not known");
    }
    read_journal(&books);
    enter(&books, answers);
    return true;
}

static void enter(struct books *books, struct ops_gameday_answers *answers)
{
    const struct ops_gameday_wave *steady = &books->course->steady;
    const struct ops_gameday_wave *storm = &books->course->storm;
    ops_gameday_answers_add(answers, steady->fates, steady->sent);
    ops_gameday_answers_add(answers, storm->fates, storm->sent);
    for (size_t i = 0; i < books->takers->count; i++) {
        struct ops_gameday_taker *taker = &books->takers->items[i];
        struct ops_gameday_ledger *ledger = &taker->ledger;
        ops_gameday_ledger_add(ledger, steady->fates, taker->steady, steady->sent);
        ops_gameday_ledger_add(ledger, storm->fates, taker->storm, storm->sent);
        ledger->unexpected += books->strangers[i];
        ops_gameday_ledger_close(ledger,
                                 ledger->lost > 0 ? in_broker(books, taker->section->name) : 0);
    }
}

static void books_done(struct books *books)
{
    ops_pg_session_free(books->session);
}

/* A person who waits for minutes sees that it goes on, or that it does not. */
static void tell_progress(uint64_t left, int64_t waited_ms, int64_t *told_ms)
{
    if (waited_ms - *told_ms < TELL_MS) {
        return;
    }
    *told_ms = waited_ms;
    fprintf(stderr,
            "           waiting for %" PRIu64
            " events to settle in all subsystems together, since %" PRId64 " s\n",
            left, waited_ms / 1000);
}

/* A session that fails is lost: the next look opens another. */
static bool read_all(struct books *books, struct sl_err *err)
{
    if (books->session == NULL) {
        books->session = ops_pg_session_here("sluice gameday", true, err);
        if (books->session == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < books->takers->count; i++) {
        if (!read_taker(books, i, err)) {
            ops_pg_session_free(books->session);
            books->session = NULL;
            return false;
        }
    }
    return true;
}

static bool read_taker(struct books *books, size_t i, struct sl_err *err)
{
    const struct ops_gameday_taker *taker = &books->takers->items[i];
    struct ledger_page steady = { .wave = &books->course->steady,
                                  .places = taker->steady,
                                  .subsystem = taker->section->name,
                                  .strangers = &books->strangers[i] };
    struct ledger_page storm = steady;
    storm.wave = &books->course->storm;
    storm.places = taker->storm;
    books->strangers[i] = 0;
    return read_page(books, &steady, err) && read_page(books, &storm, err);
}

static bool read_page(const struct books *books, const struct ledger_page *page, struct sl_err *err)
{
    return page->wave->sent == 0 || (read_rows(books, page, rows_sql, true, err) &&
                                     read_rows(books, page, letters_sql, false, err));
}

static bool read_rows(const struct books *books, const struct ledger_page *page, const char *sql,
                      bool is_inbox, struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    char pattern[PATTERN_BYTES];
    char since[EPOCH_BYTES];
    /* A run's name is letters and digits; the underscore of the prefix is no wildcard. */
    snprintf(pattern, sizeof pattern, "evt\\_1S%s%%", page->wave->sample.name);
    snprintf(since, sizeof since, "%" PRId64, books->course->started_us / 1000000 - SPREAD_S);
    struct sl_pg_param params[] = { ops_pg_param(page->subsystem), ops_pg_param(pattern),
                                    ops_pg_param(since) };
    if (!ops_pg_query(books->session, sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.row_count; i++) {
        uint64_t index = 0;
        int64_t count = 0;
        if (!number_of(page->wave, ops_pg_cell(&rows, i, 0), &index) ||
            !sl_units_decimal(ops_pg_cell(&rows, i, 1), 18, &count)) {
            (*page->strangers)++;
            continue;
        }
        uint8_t shown = count > COUNT_MAX ? COUNT_MAX : (uint8_t)count;
        *(is_inbox ? &page->places[index].rows : &page->places[index].letters) = shown;
    }
    return true;
}

/* False when no event of this wave has that id. */
static bool number_of(const struct ops_gameday_wave *wave, struct sl_span id, uint64_t *out_index)
{
    size_t before = sizeof ID_PREFIX - 1 + OPS_SAMPLE_RUN_BYTES;
    uint64_t number = 0;
    if (wave->sent == 0 || id.bytes != before + DIGITS ||
        memcmp(id.data, ID_PREFIX, sizeof ID_PREFIX - 1) != 0 ||
        memcmp(id.data + sizeof ID_PREFIX - 1, wave->sample.name, OPS_SAMPLE_RUN_BYTES) != 0) {
        return false;
    }
    for (size_t i = before; i < id.bytes; i++) {
        if (id.data[i] < '0' || id.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(id.data[i] - '0');
    }
    *out_index = number - 1;
    return number > 0 && number <= wave->sent;
}

static uint64_t unsettled(const struct ops_gameday_takers *takers,
                          const struct ops_gameday_course *course)
{
    uint64_t left = 0;
    for (size_t i = 0; i < takers->count; i++) {
        left += unsettled_of(&course->steady, takers->items[i].steady) +
                unsettled_of(&course->storm, takers->items[i].storm);
    }
    return left;
}

static uint64_t unsettled_of(const struct ops_gameday_wave *wave,
                             const struct ops_gameday_place *places)
{
    uint64_t left = 0;
    for (uint64_t i = 0; i < wave->sent; i++) {
        left += !ops_gameday_is_settled(&wave->fates[i], &places[i]);
    }
    return left;
}

/* A folder that is elsewhere, or closed to us, says nothing. */
static void read_journal(struct books *books)
{
    char dir[PATH_MAX];
    struct ops_journal_survey survey = { 0 };
    struct ops_journal_visitor visitor = { .arg = books, .on_event = on_journal };
    struct sl_err err = { 0 };
    int why = 0;
    if (ops_stack_path(dir, ops_address_state_dir(books->opts->address, NULL), "journal", &err) &&
        !ops_journal_survey(dir, &visitor, &survey, &why, &err) && why != ENOENT) {
        fprintf(stderr, "           the journal was not looked at: %s\n", err.text);
    }
}

static bool on_journal(void *arg, const char *segment, const struct sl_journal_record *record,
                       bool is_resolved)
{
    (void)segment;
    struct books *books = arg;
    struct sl_envelope envelope = { 0 };
    struct sl_err err = { 0 };
    if (is_resolved || !sl_envelope_decode(record->payload, &envelope, &err)) {
        return true;
    }
    struct ops_gameday_wave *waves[] = { &books->course->steady, &books->course->storm };
    for (size_t i = 0; i < SL_COUNT(waves); i++) {
        uint64_t index = 0;
        if (number_of(waves[i], envelope.id, &index)) {
            waves[i]->fates[index].in_journal = true;
        }
    }
    return true;
}

/* How many messages of the subsystem the broker still has; 0 when it cannot be asked. */
static uint64_t in_broker(const struct books *books, const char *subsystem)
{
    SL_DONE(ops_queue_eyes_done) struct ops_queue_eyes eyes = { 0 };
    static struct ops_queue_look found; /* large */
    int64_t sum = 0;
    ops_queue_look(&eyes, books->opts->address, books->opts->subsystems, subsystem, &found);
    if (found.count == 0) {
        return 0;
    }
    /* Delay queues are shared: how many in them are of this subsystem is not known, so all may be. */
    const int64_t parts[] = {
        found.items[0].waiting, found.items[0].unacked, found.items[0].first,
        found.items[0].replays, found.delayed_all,      found.items[0].parked
    };
    for (size_t i = 0; i < SL_COUNT(parts); i++) {
        sum += parts[i] == OPS_UNKNOWN || parts[i] < 0 ? 0 : parts[i];
    }
    return (uint64_t)sum;
}
