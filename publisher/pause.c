#include "publisher/pause.h"

#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_MAX_S  300
#define RETRY_AFTER_OPEN_S 30

static struct pub_pause *own(struct pub_pauses *pauses, const char *source);
static void end(struct pub_pauses *pauses, size_t index, struct pub_pauses *ended);
static bool is_over(const struct pub_pause *pause, int64_t now_ms);

bool pub_pauses_set(struct pub_pauses *pauses, const char *source, int answer, int64_t for_ms,
                    struct pub_now now, const struct pub_pause **out_pause, struct sl_err *err)
{
    if (answer != 429 && answer != 503) {
        return sl_fail(err, SL_E_USAGE, "a pause answers 429 or 503, not %d", answer);
    }
    if (for_ms < 0 || for_ms > PUB_PAUSE_MS_MAX) {
        return sl_fail(err, SL_E_USAGE, "a pause is for 30 days at most");
    }
    struct pub_pause *pause = own(pauses, source);
    if (pause == NULL && pauses->count == PUB_PAUSES_MAX) {
        return sl_fail(err, SL_E_LIMIT, "%u pauses are in force already", PUB_PAUSES_MAX);
    }
    if (pause == NULL) {
        pause = &pauses->items[pauses->count++];
        *pause = (struct pub_pause){ .since_us = now.wall_us };
        snprintf(pause->source, sizeof pause->source, "%s", source);
    }
    pause->answer = answer;
    pause->until_ms = for_ms == 0 ? PUB_PAUSE_FOR_EVER : now.mono_ms + for_ms;
    *out_pause = pause;
    return true;
}

static struct pub_pause *own(struct pub_pauses *pauses, const char *source)
{
    for (size_t i = 0; i < pauses->count; i++) {
        if (strcmp(pauses->items[i].source, source) == 0) {
            return &pauses->items[i];
        }
    }
    return NULL;
}

bool pub_pauses_resume(struct pub_pauses *pauses, const char *source, struct pub_pauses *out_ended,
                       struct sl_err *err)
{
    const struct pub_pause *pause = own(pauses, source);
    if (source[0] != '\0' && pause == NULL && own(pauses, "") != NULL) {
        return sl_fail(err, SL_E_USAGE, "%s is paused because every source is: resume all of them",
                       source);
    }
    *out_ended = (struct pub_pauses){ .count = 0 };
    for (size_t i = pauses->count; i-- > 0;) {
        if (source[0] == '\0' || &pauses->items[i] == pause) {
            end(pauses, i, out_ended);
        }
    }
    return true;
}

/* Moves one over. */
static void end(struct pub_pauses *pauses, size_t index, struct pub_pauses *ended)
{
    ended->items[ended->count++] = pauses->items[index];
    pauses->count--;
    memmove(&pauses->items[index], &pauses->items[index + 1],
            (pauses->count - index) * sizeof pauses->items[0]);
}

void pub_pauses_expire(struct pub_pauses *pauses, int64_t now_ms, struct pub_pauses *out_ended)
{
    *out_ended = (struct pub_pauses){ .count = 0 };
    for (size_t i = pauses->count; i-- > 0;) {
        if (is_over(&pauses->items[i], now_ms)) {
            end(pauses, i, out_ended);
        }
    }
}

static bool is_over(const struct pub_pause *pause, int64_t now_ms)
{
    return pause->until_ms <= now_ms;
}

int64_t pub_pauses_next_ms(const struct pub_pauses *pauses)
{
    int64_t next_ms = PUB_PAUSE_FOR_EVER;
    for (size_t i = 0; i < pauses->count; i++) {
        if (pauses->items[i].until_ms < next_ms) {
            next_ms = pauses->items[i].until_ms;
        }
    }
    return next_ms;
}

struct pub_pause *pub_pauses_find(struct pub_pauses *pauses, const char *source, int64_t now_ms)
{
    if (pauses->count == 0) {
        return NULL;
    }
    struct pub_pause *of_all = own(pauses, "");
    struct pub_pause *of_source = own(pauses, source);
    if (of_source != NULL && !is_over(of_source, now_ms)) {
        return of_source;
    }
    return of_all != NULL && !is_over(of_all, now_ms) ? of_all : NULL;
}

unsigned pub_pause_retry_after_s(const struct pub_pause *pause, int64_t now_ms)
{
    if (pause->until_ms == PUB_PAUSE_FOR_EVER) {
        return RETRY_AFTER_OPEN_S;
    }
    int64_t left_s = (pause->until_ms - now_ms + 999) / 1000;
    return left_s < 1 ? 1 : left_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (unsigned)left_s;
}
