/*
 * gameday_commands - the shell commands that begin and end each fault.
 *
 * From the file SLUICE_GAMEDAY: sections [staging] and [prod], in them `<scenario>.begin` and `<scenario>.end`. Without a file, and for staging only: those of
 * the running local stack (`sluice dev`). They run with /bin/sh and see SLUICE, the path of this program.
 * Threads: one owner.
 */
#ifndef OPS_GAMEDAY_COMMANDS_H
#define OPS_GAMEDAY_COMMANDS_H

#include "ops/address.h"
#include "ops/gameday/gameday_guard.h"
#include "ops/gameday/gameday_scenario.h"

struct ops_gameday_command {
    const char *begin; /* NULL: there is none */
    const char *end;
};

struct ops_gameday_commands {
    struct ops_gameday_command items[OPS_GAMEDAY_COUNT]; /* borrow from text, or constant */
    const char *origin; /* the file, or "the local stack"; NULL: there are none */
    char *text;         /* owned */
};

/* Every mistake in the file is in the one error, SL_E_CONFIG. Release with ops_gameday_commands_done, also after a failure. */
bool ops_gameday_commands_open(struct ops_gameday_commands *commands,
                               const struct ops_address *address,
                               enum ops_gameday_inventory inventory, struct sl_err *err) SL_MUST;
/* Reads a file's text, which is changed and has to outlive the commands. For the function above, and its tests. */
bool ops_gameday_commands_read(struct ops_gameday_commands *commands, char *text, const char *file,
                               enum ops_gameday_inventory inventory, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void ops_gameday_commands_done(struct ops_gameday_commands *commands);

/* SL_E_CONFIG names the key that is missing, and where. */
bool ops_gameday_commands_suffice(const struct ops_gameday_commands *commands,
                                  const struct ops_gameday_scenario *scenario,
                                  enum ops_gameday_inventory inventory, struct sl_err *err) SL_MUST;

#endif
