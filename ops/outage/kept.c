#include "ops/outage/kept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/journal/journal.h"
#include "ops/journal/journal_survey.h"
#include "shared/event/envelope.h"
#include "shared/json/json.h"
#include "shared/rfc3339.h"

#define LINE_BYTES_MAX  65536u
#define ARENA_BYTES_MAX (8u * LINE_BYTES_MAX)
#define NODES_MAX       64u
#define NS_PER_US       1000
#define US_PER_S        1000000

struct visit {
    void (*visit)(void *arg, const struct ops_kept_event *event);
    void *arg;
    struct ops_kept_found *found;
    bool is_poison;
};

static bool on_event(void *arg, const char *segment, const struct sl_journal_record *record,
                     bool is_resolved);
static bool read_journal(const char *dir, struct visit *visit, struct sl_err *err);
static bool read_drops(const char *dir, struct visit *visit, struct sl_err *err);
static bool read_drop_file(int dir_fd, const char *name, struct visit *visit, struct sl_err *err);
static void read_line(struct sl_span line, struct sl_json_parser *parser, struct visit *visit);
static void close_dir(DIR **dir);
static void close_file(FILE **file);
static void free_text(char **text);

bool ops_kept_visit(const char *flag, void (*visit)(void *arg, const struct ops_kept_event *event),
                    void *arg, struct ops_kept_found *out_found, struct sl_err *err)
{
    char dir[OPS_JOURNAL_PATH_BYTES];
    struct visit told = { .visit = visit, .arg = arg, .found = out_found };
    *out_found = (struct ops_kept_found){ 0 };
    if (!ops_journal_dir(flag, dir, err) || !read_journal(dir, &told, err)) {
        return false;
    }
    char *slash = strrchr(dir, '/'); /* the drop log lies beside the journal's folder */
    SL_ASSERT(slash != NULL);
    *slash = '\0';
    return read_drops(dir, &told, err);
}

const char *ops_kept_name(enum ops_kept state)
{
    static const char *const names[] = { [OPS_KEPT_WAITING] = "journaled",
                                         [OPS_KEPT_PUBLISHED] = "journaled and published",
                                         [OPS_KEPT_ASIDE] = "set aside",
                                         [OPS_KEPT_DROPPED] = "dropped" };
    return names[state];
}

static bool read_journal(const char *dir, struct visit *visit, struct sl_err *err)
{
    const struct ops_journal_visitor visitor = { .arg = visit, .on_event = on_event };
    struct ops_journal_survey survey = { 0 };
    int why = 0;
    if (!ops_journal_survey(dir, &visitor, &survey, &why, err)) {
        return why == ENOENT;
    }
    visit->found->has_journal = true;
    visit->is_poison = true;
    return survey.poisoned == 0 || ops_journal_survey_poison(dir, &visitor, err);
}

static bool on_event(void *arg, const char *segment, const struct sl_journal_record *record,
                     bool is_resolved)
{
    struct visit *visit = arg;
    struct sl_envelope envelope = { 0 };
    struct sl_err unread = { 0 };
    (void)segment;
    struct ops_kept_event event = { .state = visit->is_poison ? OPS_KEPT_ASIDE
                                             : is_resolved    ? OPS_KEPT_PUBLISHED
                                                              : OPS_KEPT_WAITING,
                                    .received_us = (int64_t)(record->received_ns / NS_PER_US) };
    if (sl_envelope_decode(record->payload, &envelope, &unread)) {
        event.id = envelope.id;
        event.type = envelope.type;
        event.source = envelope.source;
        event.object = envelope.object;
    }
    visit->visit(visit->arg, &event);
    return true;
}

/* drops.jsonl, and those that were full: drops-01.jsonl … */
static bool read_drops(const char *dir, struct visit *visit, struct sl_err *err)
{
    SL_DONE(close_dir) DIR *folder = opendir(dir);
    if (folder == NULL) {
        return errno == ENOENT ||
               sl_fail(err, SL_E_IO, "cannot read %.200s: %s", dir, strerror(errno));
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct sl_span name = sl_span_of(entry->d_name);
        bool is_ours = sl_span_starts_with(name, "drops") && name.bytes > 6 &&
                       strcmp(entry->d_name + name.bytes - 6, ".jsonl") == 0;
        if (is_ours && !read_drop_file(dirfd(folder), entry->d_name, visit, err)) {
            return false;
        }
    }
    return true;
}

static bool read_drop_file(int dir_fd, const char *name, struct visit *visit, struct sl_err *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    SL_DONE(close_file) FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    SL_DONE(free_text) char *line = NULL;
    size_t room = 0;
    if (file == NULL) {
        return sl_fail(err, SL_E_IO, "cannot read %.100s: %s", name, strerror(errno));
    }
    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(LINE_BYTES_MAX);
    if (parser == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory to read the drop log");
    }
    visit->found->has_drops = true;
    for (ssize_t bytes = getline(&line, &room, file); bytes >= 0;
         bytes = getline(&line, &room, file)) {
        struct sl_span text = sl_span_trim(sl_span_make(line, (size_t)bytes));
        if (text.bytes > 0) {
            read_line(text, parser, visit);
        }
    }
    return true;
}

static void read_line(struct sl_span line, struct sl_json_parser *parser, struct visit *visit)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    struct sl_err why = { 0 };
    int64_t at_s = 0;
    sl_arena_init(&arena, ARENA_BYTES_MAX);
    const struct sl_json *root = line.bytes >= LINE_BYTES_MAX
                                     ? NULL
                                     : sl_json_parse(parser, &arena, line, 1, NODES_MAX, &why);
    struct sl_span at = sl_json_text(sl_json_get(root, "at"), &arena, true, NULL);
    if (at.data == NULL || !sl_rfc3339_parse(at, &at_s)) {
        visit->found->strange++;
        return;
    }
    const struct ops_kept_event event = {
        .state = OPS_KEPT_DROPPED,
        .id = sl_json_text(sl_json_get(root, "id"), &arena, true, NULL),
        .type = sl_json_text(sl_json_get(root, "type"), &arena, true, NULL),
        .source = sl_json_text(sl_json_get(root, "source"), &arena, true, NULL),
        .reason = sl_json_text(sl_json_get(root, "reason"), &arena, true, NULL),
        .received_us = at_s * US_PER_S,
    };
    visit->visit(visit->arg, &event);
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

static void close_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file);
    }
}

static void free_text(char **text)
{
    free(*text);
}
