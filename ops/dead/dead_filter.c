#include "ops/dead/dead_filter.h"

#include <stdio.h>
#include <string.h>

#include "shared/nearest.h"
#include "shared/units.h"

#define ID_DIGITS_MAX 18u

static bool read_time(const char *flag, const char **time, char out_text[SL_RFC3339_BYTES],
                      int64_t wall_us, struct sl_err *err);
static bool looks_like_a_date(const char *text);
static bool check_class(const char *error_class, struct sl_err *err);
static bool read_status(struct ops_dead_filter *filter, struct sl_err *err);

void ops_dead_filter_flags(struct ops_dead_filter *filter,
                           struct ops_flag out_flags[OPS_DEAD_FILTER_FLAGS])
{
    const struct {
        const char *name;
        const char **out;
    } texts[OPS_DEAD_FILTER_FLAGS] = {
        { "subsystem", &filter->subsystem },
        { "type", &filter->type },
        { "event", &filter->event },
        { "object", &filter->object },
        { "class", &filter->error_class },
        { "code", &filter->error_code },
        { "fingerprint", &filter->fingerprint },
        { "since", &filter->since },
        { "until", &filter->until },
        { "status", &filter->status },
        { "id", &filter->id },
        { "run", &filter->run },
    };
    for (size_t i = 0; i < OPS_DEAD_FILTER_FLAGS; i++) {
        out_flags[i] = (struct ops_flag){ .name = texts[i].name,
                                          .kind = OPS_FLAG_TEXT,
                                          .out = (void *)texts[i].out };
    }
}

bool ops_dead_filter_finish(struct ops_dead_filter *filter, const char *word, int64_t wall_us,
                            struct sl_err *err)
{
    int64_t number = 0;
    if (word != NULL && sl_units_decimal(sl_span_of(word), ID_DIGITS_MAX, &number)) {
        filter->id = word;
    } else if (word != NULL) {
        filter->event = word;
    }
    if (filter->id != NULL && !sl_units_decimal(sl_span_of(filter->id), ID_DIGITS_MAX, &number)) {
        return sl_fail(err, SL_E_USAGE, "--id takes the number of a dead letter, not '%.40s'",
                       filter->id);
    }
    return read_time("since", &filter->since, filter->since_text, wall_us, err) &&
           read_time("until", &filter->until, filter->until_text, wall_us, err) &&
           read_status(filter, err) && check_class(filter->error_class, err);
}

/* A slip finds nothing; a class that is not like any is looked for as it is. */
static bool check_class(const char *error_class, struct sl_err *err)
{
    static const char *const names[] = {
        "item", "permanent", "decode", "version", "crash", "unrouted", "parked by operator"
    };
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        if (error_class == NULL || strcmp(error_class, names[i]) == 0) {
            return true;
        }
    }
    const char *nearest = sl_nearest(sl_span_of(error_class), names, SL_COUNT(names));
    return nearest == NULL ||
           sl_fail(err, SL_E_USAGE, "there is no error class '%.40s'; did you mean %s?",
                   error_class, nearest);
}

static bool read_time(const char *flag, const char **time, char out_text[SL_RFC3339_BYTES],
                      int64_t wall_us, struct sl_err *err)
{
    int64_t ago_ms = 0;
    if (*time == NULL) {
        return true;
    }
    if (sl_units_duration_ms(sl_span_of(*time), &ago_ms)) {
        int64_t then_us = wall_us - ago_ms * 1000;
        sl_clock_rfc3339(then_us > 0 ? then_us : 0, out_text);
        *time = out_text;
        return true;
    }
    return looks_like_a_date(*time) ||
           sl_fail(
               err, SL_E_USAGE,
               "--%s takes a time such as 2026-01-31T14:00:00Z, or how long ago such as 2h, not "
               "'%.40s'",
               flag, *time);
}

/* The rest of it is for Postgres to judge. */
static bool looks_like_a_date(const char *text)
{
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; form[i] != '\0'; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !is_digit : text[i] != form[i]) {
            return false;
        }
    }
    return true;
}

static bool read_status(struct ops_dead_filter *filter, struct sl_err *err)
{
    static const char *const names[] = { "open", "replaying", "replayed", "discarded", "all" };
    if (filter->status == NULL) {
        return true;
    }
    struct sl_span rest = sl_span_of(filter->status);
    struct sl_span item = { 0 };
    while (sl_span_split(&rest, ',', &item)) {
        bool is_known = false;
        for (size_t i = 0; i < SL_COUNT(names) && !is_known; i++) {
            is_known = sl_span_is(item, names[i]);
        }
        if (!is_known) {
            const char *nearest = sl_nearest(item, names, SL_COUNT(names));
            return sl_fail(err, SL_E_USAGE,
                           "--status is one or more of open, replaying, replayed, discarded, or "
                           "all, not '%.*s'%s%s%s",
                           (int)(item.bytes > 40 ? 40 : item.bytes), item.data,
                           nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                           nearest == NULL ? "" : "?");
        }
        if (sl_span_is(item, "all")) {
            filter->status = NULL;
            return true;
        }
    }
    return true;
}

bool ops_dead_filter_is_narrow(const struct ops_dead_filter *filter)
{
    return filter->subsystem != NULL || filter->type != NULL || filter->event != NULL ||
           filter->object != NULL || filter->error_class != NULL || filter->error_code != NULL ||
           filter->fingerprint != NULL || filter->since != NULL || filter->until != NULL ||
           filter->id != NULL || filter->run != NULL;
}

void ops_dead_filter_params(const struct ops_dead_filter *filter,
                            struct sl_pg_param out_params[OPS_DEAD_FILTER_PARAMS])
{
    const char *const texts[OPS_DEAD_FILTER_PARAMS] = {
        filter->subsystem,   filter->type,       filter->event,       filter->object,
        filter->error_class, filter->error_code, filter->fingerprint, filter->since,
        filter->until,       filter->status,     filter->id,          filter->run,
    };
    for (size_t i = 0; i < OPS_DEAD_FILTER_PARAMS; i++) {
        out_params[i] = (struct sl_pg_param){ .value = sl_span_of(texts[i]) };
    }
}
