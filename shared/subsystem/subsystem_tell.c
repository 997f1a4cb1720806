#include "shared/subsystem/subsystem_values.h"

static void tell_keys(const struct sl_subsystem *subsystem, bool said, struct sl_buf *out);
static bool has_meaning(const struct sl_subsystem *subsystem, enum sl_subsystem_says key);

void sl_subsystem_tell(const struct sl_subsystem *subsystem, struct sl_buf *out)
{
    sl_buf_printf(out, "[%s]\n", subsystem->name);
    tell_keys(subsystem, true, out);
    for (size_t i = 0; i < subsystem->rule_count; i++) {
        const struct sl_subsystem_rule *rule = &subsystem->rules[i];
        sl_buf_printf(out, "errors.%s = %s%s%s\n", rule->code, sl_rule_verdict_name(rule->verdict),
                      rule->resolution[0] == '\0' ? "" : ": ", rule->resolution);
    }
    sl_buf_append_text(out, "# by default\n");
    tell_keys(subsystem, false, out);
}

static void tell_keys(const struct sl_subsystem *subsystem, bool said, struct sl_buf *out)
{
    for (unsigned i = 0; i < SL_SUBSYSTEM_KEYS; i++) {
        enum sl_subsystem_says key = (enum sl_subsystem_says)i;
        if (sl_subsystem_says(subsystem, key) == said && has_meaning(subsystem, key)) {
            sl_buf_printf(out, "%s = ", sl_value_keys[i].name);
            sl_value_tell(&sl_value_keys[i], subsystem, out);
            sl_buf_append_char(out, '\n');
        }
    }
}

/* A default that the section's handler has no use for, or that is no value, is left out. */
static bool has_meaning(const struct sl_subsystem *subsystem, enum sl_subsystem_says key)
{
    const struct sl_value_key *row = &sl_value_keys[key];
    bool posts = subsystem->handler == SL_HANDLER_HTTP || subsystem->on_dead.kind == SL_CALL_HTTP ||
                 subsystem->on_trip.kind == SL_CALL_HTTP;
    if (sl_subsystem_says(subsystem, key)) {
        return true;
    }
    bool is_empty = (row->fallback != NULL && row->fallback[0] == '\0') ||
                    key == SL_SUBSYSTEM_SAYS_secret || key == SL_SUBSYSTEM_SAYS_bearer;
    return !is_empty && (row->handlers >> subsystem->handler & 1u) != 0 &&
           (posts || key != SL_SUBSYSTEM_SAYS_timeout_ms);
}
