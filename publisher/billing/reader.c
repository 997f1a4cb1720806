#include "publisher/billing/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/embed.h"

#define LOCK_MS        1000
#define STATEMENTS_MAX 16u
#define SQL_SUFFIX     ".sql"

extern const struct sl_embedded embedded_publisher_sql[];
extern const size_t embedded_publisher_sql_count;

struct link {
    struct pub_reader *reader;
    struct sl_pg_link *pg;
    struct pub_read *read; /* running; NULL: free */
};
TAILQ_HEAD(line, pub_read);

struct pub_reader {
    struct pub_reader_opts opts;
    struct sl_pg_statement statements[STATEMENTS_MAX];
    char names[STATEMENTS_MAX][64];
    struct link links[PUB_READER_LINKS_MAX];
    char label[PUB_READER_LABEL_BYTES];
    struct line line;
    size_t line_count;
    struct sl_timer *line_timer; /* the first of the line has waited long enough */
    size_t up_count;
    struct sl_series *up;
};

static void name_statements(struct pub_reader *reader);
static bool open_links(struct pub_reader *reader, struct sl_err *err);
static struct link *free_link(struct pub_reader *reader);
static bool start(struct link *link, struct pub_read *read, struct sl_err *err);
static void on_done(struct sl_pg_link *pg, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg);
static void serve_line(struct pub_reader *reader);
static struct pub_read *leave_line(struct pub_reader *reader);
static void on_line_timer(void *arg);
static size_t count_up(const struct pub_reader *reader);
static void on_up(struct sl_pg_link *pg, void *arg);
static void on_down(struct sl_pg_link *pg, const struct sl_err *why, int64_t wait_ms, void *arg);

struct pub_reader *pub_reader_new(const struct pub_reader_opts *opts, struct sl_err *err)
{
    SL_ASSERT(opts->links >= 1 && opts->links <= PUB_READER_LINKS_MAX);
    SL_AUTO(pub_reader_free) struct pub_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the read API");
        return NULL;
    }
    reader->opts = *opts;
    snprintf(reader->label, sizeof reader->label, "%s", opts->label);
    reader->opts.label = reader->label;
    TAILQ_INIT(&reader->line);
    reader->line_timer = sl_timer_new(opts->loop, on_line_timer, reader);
    reader->up = sl_metrics_series(opts->metrics, SL_M_PG_UP, reader->label, NULL);
    sl_series_set(reader->up, 0);
    name_statements(reader);
    if (reader->line_timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the read API");
        return NULL;
    }
    return open_links(reader, err) ? SL_TAKE(reader) : NULL;
}

/* The file customer_list.sql is the statement "customer_list". */
static void name_statements(struct pub_reader *reader)
{
    SL_ASSERT(embedded_publisher_sql_count <= STATEMENTS_MAX);
    for (size_t i = 0; i < embedded_publisher_sql_count; i++) {
        const struct sl_embedded *file = &embedded_publisher_sql[i];
        size_t bytes = strlen(file->name) - strlen(SQL_SUFFIX);
        SL_ASSERT(bytes < sizeof reader->names[i]);
        memcpy(reader->names[i], file->name, bytes);
        reader->statements[i] =
            (struct sl_pg_statement){ .name = reader->names[i], .sql = file->data };
    }
}

static bool open_links(struct pub_reader *reader, struct sl_err *err)
{
    for (size_t i = 0; i < reader->opts.links; i++) {
        struct link *link = &reader->links[i];
        link->reader = reader;
        link->pg = sl_pg_link_new(
            &(struct sl_pg_link_opts){
                .loop = reader->opts.loop,
                .conninfo = reader->opts.database_url,
                .application_name = reader->opts.application_name,
                .statements = reader->statements,
                .statement_count = embedded_publisher_sql_count,
                .script_ms = PUB_READER_READ_MS,
                .statement_ms = PUB_READER_READ_MS,
                .lock_ms = LOCK_MS,
                .read_only = true,
                .arg = link,
                .on_up = on_up,
                .on_down = on_down,
            },
            err);
        if (link->pg == NULL) {
            return false;
        }
    }
    return true;
}

void pub_reader_free(struct pub_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    struct sl_err why = { 0 };
    (void)sl_fail(&why, SL_E_PG_UNREACHABLE, "the program ends");
    for (size_t i = 0; i < reader->opts.links; i++) {
        struct link *link = &reader->links[i];
        sl_pg_link_free(link->pg);
        if (link->read != NULL) {
            link->read->on_done(link->read, NULL, &why);
        }
    }
    while (reader->line_count > 0) {
        struct pub_read *read = leave_line(reader);
        read->on_done(read, NULL, &why);
    }
    sl_timer_free(reader->line_timer);
    free(reader);
}

bool pub_reader_run(struct pub_reader *reader, struct pub_read *read, struct sl_err *err)
{
    struct link *link = free_link(reader);
    if (link != NULL) {
        return start(link, read, err);
    }
    if (reader->up_count == 0) {
        return sl_fail(err, SL_E_PG_UNREACHABLE, "the database is away");
    }
    if (reader->line_count == PUB_READER_LINE_MAX) {
        return sl_fail(err, SL_E_LIMIT, "%u reads wait already", PUB_READER_LINE_MAX);
    }
    read->until_ms = sl_clock_mono_ms() + PUB_READER_READ_MS;
    TAILQ_INSERT_TAIL(&reader->line, read, in_line);
    if (reader->line_count++ == 0) {
        sl_timer_arm(reader->line_timer, PUB_READER_READ_MS);
    }
    return true;
}

static struct link *free_link(struct pub_reader *reader)
{
    for (size_t i = 0; i < reader->opts.links; i++) {
        struct link *link = &reader->links[i];
        if (link->read == NULL && sl_pg_link_is_up(link->pg) && !sl_pg_link_is_busy(link->pg)) {
            return link;
        }
    }
    return NULL;
}

static bool start(struct link *link, struct pub_read *read, struct sl_err *err)
{
    if (!sl_pg_run(link->pg, read->steps, read->step_count, on_done, link, err)) {
        return false;
    }
    link->read = read;
    return true;
}

static void on_done(struct sl_pg_link *pg, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg)
{
    (void)pg;
    (void)count;
    struct link *link = arg;
    struct pub_read *read = link->read;
    link->read = NULL;
    read->on_done(read, error == NULL ? results : NULL, error == NULL ? NULL : &error->err);
    serve_line(link->reader);
}

static void serve_line(struct pub_reader *reader)
{
    struct link *link = NULL;
    while (reader->line_count > 0 && (link = free_link(reader)) != NULL) {
        struct pub_read *read = leave_line(reader);
        struct sl_err why = { 0 };
        if (!start(link, read, &why)) {
            read->on_done(read, NULL, &why);
        }
    }
}

static struct pub_read *leave_line(struct pub_reader *reader)
{
    struct pub_read *first = TAILQ_FIRST(&reader->line);
    TAILQ_REMOVE(&reader->line, first, in_line);
    reader->line_count--;
    struct pub_read *next = TAILQ_FIRST(&reader->line);
    if (next == NULL) {
        sl_timer_disarm(reader->line_timer);
    } else {
        int64_t left_ms = next->until_ms - sl_clock_mono_ms();
        sl_timer_arm(reader->line_timer, left_ms > 0 ? left_ms : 0);
    }
    return first;
}

static void on_line_timer(void *arg)
{
    struct pub_reader *reader = arg;
    struct sl_err why = { 0 };
    (void)sl_fail(&why, SL_E_DEADLINE, "no connection became free within %d ms",
                  PUB_READER_READ_MS);
    while (reader->line_count > 0 && TAILQ_FIRST(&reader->line)->until_ms <= sl_clock_mono_ms()) {
        struct pub_read *read = leave_line(reader);
        read->on_done(read, NULL, &why);
    }
}

static void on_up(struct sl_pg_link *pg, void *arg)
{
    (void)pg;
    struct pub_reader *reader = ((struct link *)arg)->reader;
    bool was_up = reader->up_count > 0;
    reader->up_count = count_up(reader);
    if (!was_up) {
        sl_series_set(reader->up, 1);
        sl_info(reader->opts.log, "postgres.connected", "the read API can read",
                sl_str("link", reader->label));
    }
    serve_line(reader);
}

static size_t count_up(const struct pub_reader *reader)
{
    size_t count = 0;
    for (size_t i = 0; i < reader->opts.links; i++) {
        const struct sl_pg_link *pg = reader->links[i].pg;
        count += pg != NULL && sl_pg_link_is_up(pg) ? 1 : 0;
    }
    return count;
}

/* Also after a failed attempt, when it was not up; only the last one to go is said. */
static void on_down(struct sl_pg_link *pg, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)pg;
    struct pub_reader *reader = ((struct link *)arg)->reader;
    bool was_up = reader->up_count > 0;
    reader->up_count = count_up(reader);
    sl_series_add(sl_metrics_series(reader->opts.metrics, SL_M_PG_RECONNECTS, reader->label,
                                    sl_code_name(why->code)),
                  1);
    if (was_up && reader->up_count == 0) {
        sl_series_set(reader->up, 0);
        sl_log_err(reader->opts.log, SL_WARN, "postgres.lost",
                   "the read API answers 503 until it is back; webhooks go on", why,
                   sl_str("link", reader->label), sl_int("wait_ms", wait_ms));
    }
}
