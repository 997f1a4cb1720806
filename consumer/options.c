#include "consumer/options.h"

#include "shared/nearest.h"

static const char *const flags[] = { "--check", "--help", "--version" };
static const enum con_mode flag_modes[] = { CON_MODE_CHECK, CON_MODE_HELP, CON_MODE_VERSION };
_Static_assert(SL_COUNT(flags) == SL_COUNT(flag_modes), "one mode per flag");

static bool parse_flag(const char *flag, struct con_options *out, struct sl_err *err);
static bool add_name(const char *name, struct con_options *out, struct sl_err *err);

bool con_options_parse(int argc, char *const *argv, struct con_options *out, struct sl_err *err)
{
    struct con_options options = { 0 };
    for (int i = 1; i < argc; i++) {
        bool is_right = argv[i][0] == '-' ? parse_flag(argv[i], &options, err)
                                          : add_name(argv[i], &options, err);
        if (!is_right) {
            return false;
        }
    }
    *out = options;
    return true;
}

static bool parse_flag(const char *flag, struct con_options *out, struct sl_err *err)
{
    const char *name = strcmp(flag, "-h") == 0 ? "--help" : flag;
    for (size_t i = 0; i < SL_COUNT(flags); i++) {
        if (strcmp(name, flags[i]) != 0) {
            continue;
        }
        if (out->mode != CON_MODE_RUN) {
            return sl_fail(err, SL_E_USAGE, "%s and another flag contradict each other", flag);
        }
        out->mode = flag_modes[i];
        return true;
    }
    const char *nearest = sl_nearest(sl_span_of(flag), flags, SL_COUNT(flags));
    return sl_fail(err, SL_E_USAGE, "there is no flag \"%s\"; %s%s", flag,
                   nearest == NULL ? "see --help" : "did you mean ",
                   nearest == NULL ? "" : nearest);
}

static bool add_name(const char *name, struct con_options *out, struct sl_err *err)
{
    for (size_t i = 0; i < out->name_count; i++) {
        if (strcmp(out->names[i], name) == 0) {
            return sl_fail(err, SL_E_USAGE, "subsystem \"%s\" is named twice", name);
        }
    }
    if (out->name_count == SL_SUBSYSTEMS_MAX) {
        return sl_fail(err, SL_E_USAGE, "more than %u subsystems", SL_SUBSYSTEMS_MAX);
    }
    out->names[out->name_count++] = name;
    return true;
}
