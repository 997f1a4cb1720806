#include "ops/queue/purge_target.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "sluice."
#define REPLAY ".replay"

static bool refuse(const char *rest, struct sl_err *err);
static bool ends_with(const char *text, const char *end);

bool ops_purge_target(const struct sl_subsystems *subsystems, const char *word,
                      struct ops_purge_target *out_target, struct sl_err *err)
{
    struct ops_purge_target target = { .is_replay = ends_with(word, REPLAY) };
    bool is_whole = strncmp(word, PREFIX, strlen(PREFIX)) == 0;
    const char *rest = is_whole ? word + strlen(PREFIX) : word;
    char name[OPS_PURGE_QUEUE_BYTES];
    if (strlen(word) >= OPS_PURGE_QUEUE_BYTES - strlen(PREFIX)) {
        return sl_fail(err, SL_E_USAGE, "no queue has so long a name");
    }
    if (!refuse(rest, err)) {
        return false;
    }
    snprintf(name, sizeof name, "%s", rest);
    if (target.is_replay) {
        name[strlen(name) - strlen(REPLAY)] = '\0';
    }
    target.subsystem = ops_section(subsystems, name, err);
    if (target.subsystem == NULL) {
        return false;
    }
    snprintf(target.queue, sizeof target.queue, PREFIX "%s", rest);
    *out_target = target;
    return true;
}

static bool refuse(const char *rest, struct sl_err *err)
{
    if (strncmp(rest, "delay.", strlen("delay.")) == 0) {
        return sl_fail(
            err, SL_E_USAGE,
            "sluice.%.60s holds events of every subsystem that wait for their time: pause "
            "the one you mean (sluice queue pause NAME), let them come due, and purge its "
            "own queue",
            rest);
    }
    if (strstr(rest, ".first.") != NULL) {
        return sl_fail(
            err, SL_E_USAGE,
            "what waits in sluice.%.80s comes to its subsystem's queue by itself: pause the "
            "subsystem, and purge its own queue when they are there",
            rest);
    }
    if (strcmp(rest, "unrouted") == 0 || ends_with(rest, ".parked")) {
        return sl_fail(err, SL_E_USAGE,
                       "sluice.%.80s holds dead letters on their way to the table, which a running "
                       "consumer writes: give them up there (sluice dead discard), where "
                       "`sluice dead restore` undoes it",
                       rest);
    }
    return true;
}

void ops_purge_phrase(const struct ops_purge_target *target,
                      char out_phrase[OPS_PURGE_PHRASE_BYTES])
{
    snprintf(out_phrase, OPS_PURGE_PHRASE_BYTES, "PURGE %s", target->queue);
}

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text);
    return bytes > strlen(end) && strcmp(text + bytes - strlen(end), end) == 0;
}
