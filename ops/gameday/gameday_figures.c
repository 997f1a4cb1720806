#include "ops/gameday/gameday_figures.h"

#include <inttypes.h>
#include <string.h>

#include "ops/table.h"

#define COUNT_BYTES 21u
#define ANSWERS     7u
#define LEDGER      9u

struct figure {
    const char *key;
    uint64_t count;
    const char *meaning;
};

static void list_answers(const struct ops_gameday_answers *answers, struct figure out[ANSWERS]);
static void list_ledger(const struct ops_gameday_ledger *ledger, struct figure out[LEDGER]);
static bool tell_ledgers(const struct ops_gameday_takers *takers, struct sl_err *err);
static void write_ledgers(const struct ops_gameday_takers *takers, FILE *page);

void ops_gameday_figures_put(struct sl_json_writer *json, const struct ops_gameday_answers *answers,
                             const struct ops_gameday_takers *takers)
{
    struct figure told[ANSWERS];
    list_answers(answers, told);
    sl_json_put_object(json, "answers");
    for (size_t i = 0; i < ANSWERS; i++) {
        sl_json_put_int(json, told[i].key, (int64_t)told[i].count);
    }
    sl_json_object_end(json);
    struct figure figures[LEDGER];
    sl_json_put_array(json, "ledgers");
    for (size_t i = 0; i < takers->count; i++) {
        sl_json_object_begin(json);
        sl_json_put_text(json, "subsystem", sl_span_of(takers->items[i].section->name));
        list_ledger(&takers->items[i].ledger, figures);
        for (size_t k = 0; k < LEDGER; k++) {
            sl_json_put_int(json, figures[k].key, (int64_t)figures[k].count);
        }
        sl_json_object_end(json);
    }
    sl_json_array_end(json);
}

bool ops_gameday_figures_tell(const struct ops_gameday_answers *answers,
                              const struct ops_gameday_takers *takers, struct sl_err *err)
{
    struct figure told[ANSWERS];
    list_answers(answers, told);
    for (size_t i = 0; i < ANSWERS; i++) {
        printf("%-12s %9" PRIu64 "  %s\n", told[i].key, told[i].count, told[i].meaning);
    }
    putchar('\n');
    return tell_ledgers(takers, err);
}

static bool tell_ledgers(const struct ops_gameday_takers *takers, struct sl_err *err)
{
    static const struct ops_column columns[] = {
        { .title = "LEDGER OF" },
        { .title = "APPLIED", .is_number = true },
        { .title = "DEAD LETTERS", .is_number = true },
        { .title = "RECOVERED", .is_number = true },
        { .title = "LATE", .is_number = true },
        { .title = "JOURNALED", .is_number = true },
        { .title = "WAITING", .is_number = true },
        { .title = "LOST", .is_number = true },
        { .title = "DUPLICATED", .is_number = true },
        { .title = "UNEXPECTED", .is_number = true },
    };
    _Static_assert(SL_COUNT(columns) == LEDGER + 1, "a column for each figure");
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t i = 0; i < takers->count; i++) {
        struct figure figures[LEDGER];
        char counts[LEDGER][COUNT_BYTES];
        const char *cells[LEDGER + 1] = { takers->items[i].section->name };
        list_ledger(&takers->items[i].ledger, figures);
        for (size_t k = 0; k < LEDGER; k++) {
            snprintf(counts[k], COUNT_BYTES, "%" PRIu64, figures[k].count);
            cells[k + 1] = counts[k];
        }
        ops_table_add(&table, cells);
    }
    return ops_table_print(&table, OPS_OUTPUT_TABLE, stdout, err);
}

void ops_gameday_figures_write(const struct ops_gameday_answers *answers,
                               const struct ops_gameday_takers *takers, FILE *page)
{
    struct figure told[ANSWERS];
    list_answers(answers, told);
    fprintf(page, "| answers | events | meaning |\n|---|---:|---|\n");
    for (size_t i = 0; i < ANSWERS; i++) {
        fprintf(page, "| %s | %" PRIu64 " | %s |\n", told[i].key, told[i].count, told[i].meaning);
    }
    write_ledgers(takers, page);
}

static void write_ledgers(const struct ops_gameday_takers *takers, FILE *page)
{
    struct figure figures[LEDGER] = { 0 };
    list_ledger(&(struct ops_gameday_ledger){ 0 }, figures);
    fputs("\n| ledger of |", page);
    for (size_t k = 0; k < LEDGER; k++) {
        fprintf(page, " %s |", figures[k].key);
    }
    fputs("\n|---|", page);
    for (size_t k = 0; k < LEDGER; k++) {
        fputs("---:|", page);
    }
    for (size_t i = 0; i < takers->count; i++) {
        list_ledger(&takers->items[i].ledger, figures);
        fprintf(page, "\n| `%s` |", takers->items[i].section->name);
        for (size_t k = 0; k < LEDGER; k++) {
            fprintf(page, " %" PRIu64 " |", figures[k].count);
        }
    }
    fputs("\n\n", page);
    for (size_t k = 0; k < LEDGER; k++) {
        fprintf(page, "- %s: %s\n", figures[k].key, figures[k].meaning);
    }
    for (size_t i = 0; i < takers->left_out_count; i++) {
        fprintf(page, "%s`%s`%s",
                i == 0 ? "\nLeft out, since they wait longer than the game day did: " : ", ",
                takers->left_out[i]->name, i + 1 == takers->left_out_count ? ".\n" : "");
    }
}

static void list_answers(const struct ops_gameday_answers *answers, struct figure out[ANSWERS])
{
    const struct figure figures[ANSWERS] = {
        { "attempted", answers->attempted, "events sent" },
        { "acknowledged", answers->acknowledged, "answered 200: the broker has it" },
        { "degraded", answers->degraded, "answered 202: the journal has it" },
        { "dropped", answers->dropped, "answered 202 with stored:false, by policy" },
        { "refused", answers->refused, "any other answer: the sender comes again" },
        { "unanswered", answers->unanswered, "no answer: the sender comes again" },
        { "wrong", answers->wrong, "of the refused: 4xx, although it was authentic" },
    };
    memcpy(out, figures, sizeof figures);
}

static void list_ledger(const struct ops_gameday_ledger *ledger, struct figure out[LEDGER])
{
    const struct figure figures[LEDGER] = {
        { "applied", ledger->applied, "in the inbox" },
        { "dead_letters", ledger->letters, "poison set aside, as it should be" },
        { "recovered", ledger->recovered, "answered 202, and arrived" },
        { "late", ledger->late, "refused or unanswered, and there all the same" },
        { "journaled", ledger->journaled, "still in the journal" },
        { "waiting", ledger->waiting, "still in the broker" },
        { "lost", ledger->lost, "answered 2xx, and nowhere" },
        { "duplicated", ledger->duplicated, "applied more than once" },
        { "unexpected", ledger->unexpected, "good ones dead, poison applied, ids nobody sent" },
    };
    memcpy(out, figures, sizeof figures);
}
