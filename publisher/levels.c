#include "publisher/levels.h"

static void tell(const struct pub_levels *levels, const char *name, enum sl_level before,
                 enum sl_level after, const char *who);

void pub_levels_set(struct pub_levels *levels, enum sl_level level, const char *who)
{
    enum sl_level before = levels->level;
    levels->level = level;
    sl_log_set_level(levels->log, level);
    tell(levels, "LOG_LEVEL", before, level, who);
}

void pub_levels_set_degraded(struct pub_levels *levels, enum sl_level level, const char *who)
{
    enum sl_level before = (enum sl_level)levels->degraded;
    levels->degraded = (int)level;
    tell(levels, "EVENTBUS_DEGRADED_LOG_LEVEL", before, level, who);
}

/* Not filtered by the level it is about: what is missing in a log must be explained by it. */
static void tell(const struct pub_levels *levels, const char *name, enum sl_level before,
                 enum sl_level after, const char *who)
{
    if (before != after) {
        sl_loss(levels->log, SL_INFO, "log.level_changed", "from here on another level is logged",
                sl_str("name", name), sl_str("from", sl_level_name(before)),
                sl_str("to", sl_level_name(after)), sl_str("by", who));
    }
}
