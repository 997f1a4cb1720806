/*
 * options - the consumer's command line.
 *
 * Decides only: sluice-consumer [--check | --help | --version] [SUBSYSTEM…].
 * Threads: no state.
 */
#ifndef CONSUMER_OPTIONS_H
#define CONSUMER_OPTIONS_H

#include "shared/subsystem/subsystems.h"

enum con_mode {
    CON_MODE_RUN,
    CON_MODE_CHECK, /* read the configuration, say what is wrong, exit */
    CON_MODE_HELP,
    CON_MODE_VERSION,
};

struct con_options {
    enum con_mode mode;
    const char *names[SL_SUBSYSTEMS_MAX]; /* borrowed from argv; none: every enabled subsystem */
    size_t name_count;
};

/* SL_E_USAGE for an unknown flag, a name given twice or too many of them. */
bool con_options_parse(int argc, char *const *argv, struct con_options *out,
                       struct sl_err *err) SL_MUST;

#endif
