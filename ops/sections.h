/*
 * sections - the subsystems as the commands see them: the file SLUICE_SUBSYSTEMS names, or the shipped default.
 *
 * Threads: no state.
 */
#ifndef OPS_SECTIONS_H
#define OPS_SECTIONS_H

#include "ops/address.h"
#include "shared/subsystem/subsystems.h"

/* Release with sl_subsystems_done, also after a failure. SL_E_CONFIG names every mistake in the file. */
bool ops_sections_load(const struct ops_address *address, struct sl_subsystems *out_subsystems,
                       struct sl_err *err) SL_MUST;

/* The section of that name; NULL with SL_E_USAGE and the nearest name. */
const struct sl_subsystem *ops_section(const struct sl_subsystems *subsystems, const char *name,
                                       struct sl_err *err) SL_MUST;

/*
 * For a command that found nothing of a subsystem: false with SL_E_USAGE and the nearest name when there is no such section either. NULL, `unrouted`,
 * and any name while the file cannot be read, are true.
 */
bool ops_section_meant(const char *name, struct sl_err *err) SL_MUST;

#endif
