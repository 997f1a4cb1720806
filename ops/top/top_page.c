#include "ops/top/top_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"

#define MILLI      1000
#define CELL_BYTES OPS_TOP_STATE_BYTES
#define LINE_BYTES 1024u
#define HEAD_LINES 6u /* title, publisher, journal, broker, database, titles of the columns */

enum column {
    SUBSYSTEM,
    WAITING,
    UNACKED,
    DELAYED,
    OLDEST,
    IN,
    OUT,
    P95,
    CONSUMERS,
    LETTERS,
    STATE,
    COLUMNS,
};

static const char *const titles[COLUMNS] = { "SUBSYSTEM", "WAITING", "UNACKED", "DELAYED",
                                             "OLDEST",    "IN/S",    "OUT/S",   "P95",
                                             "CONSUMERS", "DEAD",    "STATE" };
/* What goes first when a terminal is narrow. */
static const enum column dispensable[] = { P95, UNACKED, CONSUMERS, DELAYED, IN, LETTERS, OLDEST };

struct row {
    enum ops_top_level level;
    char cells[COLUMNS][CELL_BYTES];
};

struct page {
    const struct ops_top_look *look;
    const struct ops_top_paper *paper;
    struct sl_buf *out;
    struct row rows[SL_SUBSYSTEMS_MAX]; /* the gravest first */
    size_t width[COLUMNS];
    bool is_left_out[COLUMNS];
};

static size_t shown_of(size_t count, size_t rows);
static void put_head(struct page *page);
static void put_answers(struct page *page);
static void put_journal(struct page *page);
static void put_broker(struct page *page);
static void put_database(struct page *page);
static void fill_rows(struct page *page);
static void fill_row(const struct ops_top_item *item, struct row *row);
static void fit(struct page *page);
static size_t width_of(const struct page *page);
static void put_row(struct page *page, const char *const *cells, enum ops_top_level level);
static void put_line(struct page *page, const char *text, enum ops_top_level level);
static void put_number(int64_t number, char out[CELL_BYTES]);
static void put_rate(int64_t milli, char out[CELL_BYTES]);
static void put_age(int64_t seconds, char out[CELL_BYTES]);
static void put_ms(int64_t ms, char out[CELL_BYTES]);

void ops_top_page(const struct ops_top_look *look, const struct ops_top_paper *paper,
                  struct sl_buf *out)
{
    static struct page page; /* its rows: too large for the stack */
    page = (struct page){ .look = look, .paper = paper, .out = out };
    put_head(&page);
    put_answers(&page);
    put_journal(&page);
    put_broker(&page);
    put_database(&page);
    fill_rows(&page);
    fit(&page);
    put_row(&page, titles, OPS_TOP_FINE);
    size_t count = look->queues.count;
    size_t shown = shown_of(count, paper->rows);
    for (size_t i = 0; i < shown; i++) {
        const char *cells[COLUMNS];
        for (size_t c = 0; c < COLUMNS; c++) {
            cells[c] = page.rows[i].cells[c];
        }
        put_row(&page, cells, page.rows[i].level);
    }
    if (shown < count) {
        char line[LINE_BYTES];
        snprintf(line, sizeof line, "and %zu more", count - shown);
        put_line(&page, line, OPS_TOP_FINE);
    }
}

/* A page is at most one line lower than its terminal, so that it never scrolls; a line says how many are not shown. */
static size_t shown_of(size_t count, size_t rows)
{
    size_t room = rows > HEAD_LINES + 2 ? rows - HEAD_LINES - 1 : 1;
    return rows == 0 || count <= room ? count : room > 1 ? room - 1 : 1;
}

static void put_head(struct page *page)
{
    char at[SL_RFC3339_BYTES];
    char line[LINE_BYTES];
    sl_clock_rfc3339(page->look->at_us, at);
    at[19] = 'Z'; /* a person needs no microseconds */
    at[20] = '\0';
    snprintf(line, sizeof line, "sluice top  %s  %s", at, page->paper->hint);
    put_line(page, line, OPS_TOP_FINE);
}

static void put_answers(struct page *page)
{
    const struct ops_top_publisher *publisher = &page->look->publisher;
    const struct ops_top_answers *rates = &page->look->answers_milli;
    char line[LINE_BYTES];
    char state[OPS_TOP_STATE_BYTES];
    char texts[5][CELL_BYTES];
    enum ops_top_level level = ops_top_judge_publisher(publisher, state);
    if (publisher->err.code != SL_E_NONE) {
        snprintf(line, sizeof line, "publisher  does not tell: %s", state);
        put_line(page, line, level);
        return;
    }
    put_rate(rates->confirmed, texts[0]);
    put_rate(rates->kept, texts[1]);
    put_rate(rates->refused, texts[2]);
    put_rate(rates->rejected, texts[3]);
    put_number(publisher->inflight, texts[4]);
    if (rates->refused > 0) {
        level = OPS_TOP_TROUBLE;
    } else if (rates->kept > 0 && level == OPS_TOP_FINE) {
        level = OPS_TOP_ODD;
    }
    snprintf(line, sizeof line, "publisher  200 %s/s  202 %s/s  503 %s/s  4xx %s/s  in hand %s%s%s",
             texts[0], texts[1], texts[2], texts[3], texts[4], state[0] == '\0' ? "" : "  ", state);
    put_line(page, line, level);
}

/* Of its own, since it is what one looks at while the broker is away. */
static void put_journal(struct page *page)
{
    const struct ops_top_publisher *publisher = &page->look->publisher;
    char line[LINE_BYTES];
    char texts[2][CELL_BYTES];
    bool has_some = publisher->journal_events > 0;
    put_number(publisher->journal_events, texts[0]);
    put_age(publisher->journal_oldest_s, texts[1]);
    int used = snprintf(line, sizeof line, "journal    %s waiting%s%s", texts[0],
                        has_some ? ", oldest " : "", has_some ? texts[1] : "");
    if (publisher->journal_quota_bytes > 0 && used > 0) {
        snprintf(line + used, sizeof line - (size_t)used, ", full to %" PRId64 "%%",
                 publisher->journal_bytes * 100 / publisher->journal_quota_bytes);
    }
    put_line(page, line, has_some ? OPS_TOP_ODD : OPS_TOP_FINE);
}

static void put_broker(struct page *page)
{
    const struct ops_queue_look *queues = &page->look->queues;
    char line[LINE_BYTES];
    char texts[2][CELL_BYTES];
    if (queues->broker_err.code != SL_E_NONE) {
        snprintf(line, sizeof line, "broker     does not tell: %.200s", queues->broker_err.text);
        put_line(page, line, OPS_TOP_TROUBLE);
        return;
    }
    put_number(queues->delayed_all, texts[0]);
    put_number(queues->unrouted, texts[1]);
    snprintf(line, sizeof line, "broker     %s delayed, %s unrouted", texts[0], texts[1]);
    put_line(page, line, queues->unrouted > 0 ? OPS_TOP_ODD : OPS_TOP_FINE);
}

static void put_database(struct page *page)
{
    const struct ops_top_database *database = &page->look->database;
    char line[LINE_BYTES];
    char state[OPS_TOP_STATE_BYTES];
    char texts[3][CELL_BYTES];
    enum ops_top_level level = ops_top_judge_database(database, state);
    if (database->err.code != SL_E_NONE) {
        snprintf(line, sizeof line, "database   does not tell: %s", state);
        put_line(page, line, level);
        return;
    }
    put_number(database->sessions, texts[0]);
    put_number(database->sessions_max, texts[1]);
    put_ms(database->longest_ms == OPS_UNKNOWN ? 0 : database->longest_ms, texts[2]);
    snprintf(line, sizeof line, "database   %s of %s sessions, longest transaction %s%s%s",
             texts[0], texts[1], texts[2], state[0] == '\0' ? "" : "  ", state);
    put_line(page, line, level);
}

/* Rows ------------------------------------------------------------------------------------------ */

static void fill_rows(struct page *page)
{
    const struct ops_top_look *look = page->look;
    size_t used = 0;
    for (int level = OPS_TOP_TROUBLE; level >= OPS_TOP_FINE; level--) {
        for (size_t i = 0; i < look->queues.count; i++) {
            struct row *row = &page->rows[used];
            row->level = ops_top_judge(&look->items[i], row->cells[STATE]);
            if (row->level == (enum ops_top_level)level) {
                fill_row(&look->items[i], row);
                used++;
            }
        }
    }
}

static void fill_row(const struct ops_top_item *item, struct row *row)
{
    const struct ops_queue_facts *facts = item->facts;
    char letters[CELL_BYTES];
    snprintf(row->cells[SUBSYSTEM], CELL_BYTES, "%s", facts->subsystem->name);
    put_number(facts->waiting, row->cells[WAITING]);
    put_number(facts->unacked, row->cells[UNACKED]);
    put_number(facts->delayed, row->cells[DELAYED]);
    put_age(facts->oldest_s, row->cells[OLDEST]);
    put_rate(item->flow.in_milli != OPS_UNKNOWN ? item->flow.in_milli : facts->in_milli,
             row->cells[IN]);
    put_rate(item->flow.out_milli != OPS_UNKNOWN ? item->flow.out_milli : facts->out_milli,
             row->cells[OUT]);
    put_ms(item->p95_ms, row->cells[P95]);
    put_number(facts->consumers, row->cells[CONSUMERS]);
    put_number(facts->letters, letters);
    snprintf(row->cells[LETTERS], CELL_BYTES, "%.40s", letters);
}

/* Leaves columns out until a line fits, the state cut to forty characters at the least. */
static void fit(struct page *page)
{
    for (size_t c = 0; c < COLUMNS; c++) {
        page->width[c] = strlen(titles[c]);
        for (size_t i = 0; i < page->look->queues.count; i++) {
            size_t bytes = strlen(page->rows[i].cells[c]);
            page->width[c] = bytes > page->width[c] ? bytes : page->width[c];
        }
    }
    for (size_t i = 0; i < SL_COUNT(dispensable) && page->paper->columns > 0 &&
                       width_of(page) > page->paper->columns;
         i++) {
        page->is_left_out[dispensable[i]] = true;
    }
}

static size_t width_of(const struct page *page)
{
    size_t width = 0;
    for (size_t c = 0; c < STATE; c++) {
        width += page->is_left_out[c] ? 0 : page->width[c] + 2;
    }
    return width + (page->width[STATE] < 40 ? page->width[STATE] : 40);
}

static void put_row(struct page *page, const char *const *cells, enum ops_top_level level)
{
    char line[LINE_BYTES];
    size_t used = 0;
    for (size_t c = 0; c < COLUMNS; c++) {
        bool is_text = c == SUBSYSTEM || c == STATE;
        int width = c == STATE ? 0 : (int)page->width[c];
        if (!page->is_left_out[c] && used < sizeof line) {
            int bytes = snprintf(line + used, sizeof line - used, is_text ? "%-*s%s" : "%*s%s",
                                 width, cells[c], c == STATE ? "" : "  ");
            used += bytes < 0 ? 0 : (size_t)bytes;
        }
    }
    put_line(page, line, level);
}

static void put_line(struct page *page, const char *text, enum ops_top_level level)
{
    static const char *const colours[] = {
        [OPS_TOP_FINE] = "", [OPS_TOP_ODD] = "\033[33m", [OPS_TOP_TROUBLE] = "\033[31m"
    };
    bool has_colour = page->paper->has_colour && level != OPS_TOP_FINE;
    size_t bytes = strlen(text);
    while (bytes > 0 && text[bytes - 1] == ' ') {
        bytes--;
    }
    if (page->paper->columns > 0 && bytes > page->paper->columns) {
        bytes = page->paper->columns;
    }
    sl_buf_append_text(page->out, has_colour ? colours[level] : "");
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        sl_buf_append_char(page->out, byte < 0x20 || byte > 0x7e ? '?' : text[i]);
    }
    sl_buf_append_text(page->out, has_colour ? "\033[0m\n" : "\n");
}

/* Cells ----------------------------------------------------------------------------------------- */

static void put_number(int64_t number, char out[CELL_BYTES])
{
    if (number == OPS_UNKNOWN) {
        snprintf(out, CELL_BYTES, "unknown");
    } else {
        snprintf(out, CELL_BYTES, "%" PRId64, number);
    }
}

static void put_rate(int64_t milli, char out[CELL_BYTES])
{
    if (milli == OPS_UNKNOWN) {
        put_number(milli, out);
    } else {
        snprintf(out, CELL_BYTES, "%" PRId64 ".%" PRId64, milli / MILLI, milli % MILLI / 100);
    }
}

static void put_age(int64_t seconds, char out[CELL_BYTES])
{
    char text[OPS_TOP_TEXT_BYTES];
    if (seconds == OPS_UNKNOWN) {
        put_number(seconds, out);
        return;
    }
    ops_top_span(seconds, text);
    snprintf(out, CELL_BYTES, "%s", text);
}

static void put_ms(int64_t ms, char out[CELL_BYTES])
{
    if (ms == OPS_UNKNOWN) {
        put_number(ms, out);
    } else if (ms == INT64_MAX) {
        snprintf(out, CELL_BYTES, ">10s");
    } else if (ms < MILLI) {
        snprintf(out, CELL_BYTES, "%" PRId64 "ms", ms);
    } else {
        snprintf(out, CELL_BYTES, "%" PRId64 ".%" PRId64 "s", ms / MILLI, ms % MILLI / 100);
    }
}
