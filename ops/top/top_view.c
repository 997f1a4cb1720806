#include "ops/top/top_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WAITING_ODD      10
#define WAITING_TROUBLE  50
#define OLDEST_ODD_S     30
#define OLDEST_TROUBLE_S 60
#define LETTERS_TROUBLE  20
#define SESSIONS_TROUBLE 90 /* percent */
#define LONGEST_ODD_MS   30000
#define PERCENT          100
#define MILLI            1000
#define QUANTILE         95

struct verdict {
    enum ops_top_level level;
    char *text;
    size_t used;
};

static void say(struct verdict *verdict, enum ops_top_level level, const char *fmt, ...)
    SL_PRINTF(3, 4);
static void judge_queue(const struct ops_top_item *item, struct verdict *verdict);
static void judge_age(const struct ops_queue_facts *facts, struct verdict *verdict);

enum ops_top_level ops_top_judge(const struct ops_top_item *item,
                                 char out_state[OPS_TOP_STATE_BYTES])
{
    const struct ops_queue_facts *facts = item->facts;
    struct verdict verdict = { .text = out_state };
    out_state[0] = '\0';
    if (facts->is_missing) {
        say(&verdict, OPS_TOP_TROUBLE, "no queue: sluice topology apply");
        return verdict.level;
    }
    judge_queue(item, &verdict);
    if (item->breakers > 0) {
        say(&verdict, OPS_TOP_TROUBLE, "breaker %s", item->breaker);
    }
    if (item->breakers > 1) {
        say(&verdict, OPS_TOP_TROUBLE, "and %" PRId64 " more", item->breakers - 1);
    }
    if (item->new_letters > 0) {
        say(&verdict, item->new_letters > LETTERS_TROUBLE ? OPS_TOP_TROUBLE : OPS_TOP_ODD,
            "%" PRId64 " new letters", item->new_letters);
    }
    if (facts->parked > 0) {
        say(&verdict, OPS_TOP_ODD, "%" PRId64 " parked", facts->parked);
    }
    if (facts->note[0] != '\0') {
        say(&verdict, OPS_TOP_ODD, "%s", facts->note);
    }
    return verdict.level;
}

static void judge_queue(const struct ops_top_item *item, struct verdict *verdict)
{
    const struct ops_queue_facts *facts = item->facts;
    bool is_paused = strncmp(facts->note, "paused", strlen("paused")) == 0 ||
                     strstr(facts->note, ", paused") != NULL;
    if (is_paused) {
        return; /* on purpose; the note says it */
    }
    if (ops_queue_is_stuck(facts, OPS_STUCK_S)) {
        say(verdict, OPS_TOP_TROUBLE, "stuck %" PRId64 "m", facts->idle_s / 60);
    }
    if (facts->consumers == 0 && facts->waiting > 0) {
        say(verdict, OPS_TOP_TROUBLE, "nobody consumes");
    } else if (facts->consumers == 0) {
        say(verdict, OPS_TOP_ODD, "nobody consumes");
    }
    if (facts->waiting > WAITING_TROUBLE) {
        say(verdict, OPS_TOP_TROUBLE, "backlog");
    } else if (facts->waiting > WAITING_ODD) {
        say(verdict, OPS_TOP_ODD, "backlog");
    }
    if (facts->subsystem->class != SL_CLASS_BACKFILL) {
        judge_age(facts, verdict);
    }
}

static void judge_age(const struct ops_queue_facts *facts, struct verdict *verdict)
{
    char age[OPS_TOP_TEXT_BYTES];
    if (facts->oldest_s > OLDEST_ODD_S) {
        ops_top_span(facts->oldest_s, age);
        say(verdict, facts->oldest_s > OLDEST_TROUBLE_S ? OPS_TOP_TROUBLE : OPS_TOP_ODD, "%s late",
            age);
    }
}

enum ops_top_level ops_top_judge_publisher(const struct ops_top_publisher *publisher,
                                           char out_state[OPS_TOP_STATE_BYTES])
{
    struct verdict verdict = { .text = out_state };
    out_state[0] = '\0';
    if (publisher->err.code != SL_E_NONE) {
        say(&verdict, OPS_TOP_ODD, "%s", publisher->err.text);
        return verdict.level;
    }
    if (strcmp(publisher->broker, "up") != 0) {
        say(&verdict, OPS_TOP_TROUBLE, "broker %s", publisher->broker);
    }
    if (strcmp(publisher->journal, "ok") != 0 && publisher->journal[0] != '\0') {
        say(&verdict, OPS_TOP_TROUBLE, "journal %s", publisher->journal);
    }
    if (publisher->is_draining) {
        say(&verdict, OPS_TOP_ODD, "stopping");
    }
    if (publisher->pauses > 0) {
        say(&verdict, OPS_TOP_ODD, "ingest paused");
    }
    if (publisher->journal_events > 0) {
        say(&verdict, OPS_TOP_ODD, "%" PRId64 " events in the journal", publisher->journal_events);
    }
    return verdict.level;
}

enum ops_top_level ops_top_judge_database(const struct ops_top_database *database,
                                          char out_state[OPS_TOP_STATE_BYTES])
{
    struct verdict verdict = { .text = out_state };
    out_state[0] = '\0';
    if (database->err.code != SL_E_NONE) {
        say(&verdict, OPS_TOP_TROUBLE, "%s", database->err.text);
        return verdict.level;
    }
    if (database->breaker[0] != '\0') {
        say(&verdict, OPS_TOP_TROUBLE, "breaker open: %s", database->breaker);
    }
    if (database->sessions_max > 0 &&
        database->sessions * PERCENT >= database->sessions_max * SESSIONS_TROUBLE) {
        say(&verdict, OPS_TOP_TROUBLE, "hardly a session is left");
    }
    if (database->longest_ms > LONGEST_ODD_MS) {
        say(&verdict, OPS_TOP_ODD, "a transaction of %" PRId64 " s", database->longest_ms / MILLI);
    }
    return verdict.level;
}

static void say(struct verdict *verdict, enum ops_top_level level, const char *fmt, ...)
{
    va_list args;
    size_t room = OPS_TOP_STATE_BYTES - verdict->used;
    if (verdict->used > 0 && room > 2) {
        verdict->used += (size_t)snprintf(verdict->text + verdict->used, room, ", ");
        room = OPS_TOP_STATE_BYTES - verdict->used;
    }
    va_start(args, fmt);
    int bytes = vsnprintf(verdict->text + verdict->used, room, fmt, args);
    va_end(args);
    verdict->used += bytes < 0 ? 0 : (size_t)bytes < room ? (size_t)bytes : room - 1;
    verdict->level = level > verdict->level ? level : verdict->level;
}

int64_t ops_top_p95_ms(const struct ops_top_buckets *then, const struct ops_top_buckets *now)
{
    if (now->count == 0 || then->count != now->count) {
        return OPS_UNKNOWN;
    }
    int64_t all = now->seen[now->count - 1] - then->seen[now->count - 1];
    for (size_t i = 0; i < now->count && all > 0; i++) {
        int64_t below = now->seen[i] - then->seen[i];
        if (below * PERCENT >= all * QUANTILE) {
            return now->bound_us[i] == INT64_MAX ? INT64_MAX : now->bound_us[i] / MILLI;
        }
    }
    return OPS_UNKNOWN;
}

int64_t ops_top_rate_milli(int64_t then, int64_t now, int64_t took_ms)
{
    bool is_known = then != OPS_UNKNOWN && now != OPS_UNKNOWN && now >= then && took_ms > 0;
    return is_known ? (now - then) * MILLI * MILLI / took_ms : OPS_UNKNOWN;
}

void ops_top_span(int64_t seconds, char out_text[OPS_TOP_TEXT_BYTES])
{
    static const struct {
        int64_t s;
        char unit;
    } units[] = { { 2 * 86400, 'd' }, { 2 * 3600, 'h' }, { 2 * 60, 'm' } };
    for (size_t i = 0; i < SL_COUNT(units); i++) {
        if (seconds >= units[i].s) {
            snprintf(out_text, OPS_TOP_TEXT_BYTES, "%" PRId64 "%c", seconds / (units[i].s / 2),
                     units[i].unit);
            return;
        }
    }
    snprintf(out_text, OPS_TOP_TEXT_BYTES, "%" PRId64 "s", seconds);
}
