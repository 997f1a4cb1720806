#include "ops/gameday/gameday_backup.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/dev/dev_process.h"
#include "shared/clock.h"
#include "shared/json/json.h"

#define ANSWER_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define ARENA_BYTES_MAX  (16 * ANSWER_BYTES_MAX)
#define NODES_MAX        200000u
#define DEPTH_MAX        6u
#define ASK_MS           30000
#define SHELL_NO_COMMAND 127

static bool newest_of(const struct sl_json *stanza, int64_t *out_stop_s);

enum ops_gameday_backup ops_gameday_backup_read(struct sl_span json, int64_t *out_stop_s)
{
    SL_AUTO(sl_json_parser_free)
    struct sl_json_parser *parser = sl_json_parser_new(ANSWER_BYTES_MAX);
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, ARENA_BYTES_MAX);
    const struct sl_json *root =
        parser == NULL ? NULL : sl_json_parse(parser, &arena, json, DEPTH_MAX, NODES_MAX, NULL);
    if (root == NULL || root->type != SL_JSON_ARRAY) {
        return OPS_GAMEDAY_BACKUP_UNREADABLE;
    }
    int64_t oldest_s = INT64_MAX;
    for (const struct sl_json *stanza = root->first; stanza != NULL; stanza = stanza->next) {
        int64_t stop_s = 0;
        if (!newest_of(stanza, &stop_s)) {
            return OPS_GAMEDAY_BACKUP_NONE;
        }
        oldest_s = stop_s < oldest_s ? stop_s : oldest_s;
    }
    if (root->first == NULL) {
        return OPS_GAMEDAY_BACKUP_NONE;
    }
    *out_stop_s = oldest_s;
    return OPS_GAMEDAY_BACKUP_KNOWN;
}

static bool newest_of(const struct sl_json *stanza, int64_t *out_stop_s)
{
    const struct sl_json *list = sl_json_get(stanza, "backup");
    bool has_one = false;
    for (const struct sl_json *backup = list == NULL ? NULL : list->first; backup != NULL;
         backup = backup->next) {
        int64_t stop_s = 0;
        if (!sl_json_true(sl_json_get(backup, "error")) &&
            sl_json_int(sl_json_at(backup, "timestamp.stop"), &stop_s) &&
            (!has_one || stop_s > *out_stop_s)) {
            *out_stop_s = stop_s;
            has_one = true;
        }
    }
    return has_one;
}

void ops_gameday_backup_ask(struct ops_gameday_facts *facts)
{
    static const char *const argv[] = { "/bin/sh", "-c", "exec pgbackrest info --output=json",
                                        NULL };
    struct dev_spawn spawn = { .argv = argv, .environment = environ, .death_signal = SIGKILL };
    SL_DONE(sl_buf_done) struct sl_buf answer = { 0 };
    struct sl_err err = { 0 };
    int status = -1;
    int64_t stop_s = 0;
    sl_buf_init(&answer, ANSWER_BYTES_MAX);
    if (!dev_process_capture(&spawn, ASK_MS, &answer, &status, &err) || status != 0) {
        facts->backup = WIFEXITED(status) && WEXITSTATUS(status) == SHELL_NO_COMMAND
                            ? OPS_GAMEDAY_BACKUP_NO_TOOL
                            : OPS_GAMEDAY_BACKUP_UNREADABLE;
        return;
    }
    facts->backup = ops_gameday_backup_read(sl_buf_span(&answer), &stop_s);
    facts->backup_age_s = sl_clock_wall_us() / 1000000 - stop_s;
}
