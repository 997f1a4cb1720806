/*
 * subsystem_rules - what a whole section must hold: defaults for what it does not say, and contradictions between what it does.
 *
 * Decides only.
 * Threads: no state.
 */
#ifndef SHARED_SUBSYSTEM_RULES_H
#define SHARED_SUBSYSTEM_RULES_H

#include "shared/subsystem/subsystem_values.h"

struct sl_section {
    struct sl_value_place place; /* line: of the section's heading */
    struct sl_subsystem *subsystem;
    size_t lines[SL_SUBSYSTEM_KEYS]; /* of each key that is there, right or wrong; 0: not there */
    size_t rules_line;               /* the first errors.CODE; 0: none */
};

/* What the fallbacks of the keys say; before the section is read. */
void sl_section_defaults(const struct sl_section *section);
/* At the end of the section: the defaults that depend on other keys, then what is missing or contradicts. */
void sl_section_close(const struct sl_section *section);

#endif
