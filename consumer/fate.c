#include "consumer/fate.h"

#include <string.h>

#include "shared/event/delay_route.h"

#define UNIQUE_VIOLATION    "23505"
#define UNIQUE_TRIES_MAX    2
#define PROGRAM_LIMIT_CLASS "54"
#define DOUBLINGS_MAX       30 /* more pass any longest delay */
#define LENGTHENING_DIVISOR 4  /* at most a quarter is added */
#define MS_PER_S            1000

static const char *class_of(const struct con_try *failed);
static int64_t wait_s(const struct con_try *failed, const struct con_fate_policy *policy,
                      uint64_t random);

struct con_fate con_fate_decide(const struct con_try *failed, const struct con_fate_policy *policy,
                                uint64_t random)
{
    struct con_fate fate = { .error_class = class_of(failed) };
    if (strcmp(fate.error_class, "item") == 0 && failed->attempt < policy->attempts) {
        fate.wait_s = wait_s(failed, policy, random);
    }
    return fate;
}

static const char *class_of(const struct con_try *failed)
{
    if (failed->code == SL_E_EVENT_PARKED) {
        return CON_CLASS_PARKED;
    }
    if (failed->code == SL_E_EVENT_VERSION) {
        return "version";
    }
    if (!failed->has_event) {
        return "decode";
    }
    bool is_spent_unique =
        strcmp(failed->sqlstate, UNIQUE_VIOLATION) == 0 && failed->attempt >= UNIQUE_TRIES_MAX;
    bool is_too_large = strncmp(failed->sqlstate, PROGRAM_LIMIT_CLASS, 2) == 0;
    struct sl_err err = { .code = failed->code };
    bool may_pass = failed->code == SL_E_PG_ITEM || sl_err_fault(&err) == SL_FAULT_TRANSIENT;
    return may_pass && !is_spent_unique && !is_too_large ? "item" : "permanent";
}

static int64_t wait_s(const struct con_try *failed, const struct con_fate_policy *policy,
                      uint64_t random)
{
    int64_t longest_ms = SL_DELAY_S_MAX * MS_PER_S;
    int64_t doublings = failed->attempt - 1 < DOUBLINGS_MAX ? failed->attempt - 1 : DOUBLINGS_MAX;
    int64_t wait_ms = policy->backoff_ms < 1 ? 1 : policy->backoff_ms;
    for (int64_t i = 0; i < doublings && wait_ms < longest_ms; i++) {
        wait_ms *= 2;
    }
    if (policy->backoff_max_ms > 0 && wait_ms > policy->backoff_max_ms) {
        wait_ms = policy->backoff_max_ms;
    }
    if (wait_ms < longest_ms) {
        uint64_t choices = (uint64_t)(wait_ms / LENGTHENING_DIVISOR) + 1;
        wait_ms += (int64_t)(random % choices);
    }
    int64_t seconds = (wait_ms + MS_PER_S - 1) / MS_PER_S;
    seconds = seconds < failed->retry_after_s ? failed->retry_after_s : seconds;
    return seconds < SL_DELAY_S_MAX ? seconds : SL_DELAY_S_MAX;
}
