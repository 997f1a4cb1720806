/*
 * gameday_guard - may this game day be held here?
 *
 * Decides only: what is known in, what to do next out. The caller finds out what is asked for and asks again.
 * Law: INVENTORY is staging unless it says otherwise; anything but staging and prod is refused. prod needs, in this order, CONFIRM_PROD=1, a terminal on
 * stdin, a backup of every stanza younger than a day (SKIP_BACKUP_FRESHNESS=1 leaves that out, and the report says so), and the typed phrase.
 * Refuses: guessing. What could not be found out counts as bad.
 * Threads: no state.
 */
#ifndef OPS_GAMEDAY_GUARD_H
#define OPS_GAMEDAY_GUARD_H

#include <stdint.h>

#include "shared/err.h"

#define OPS_GAMEDAY_PHRASE       "KILL-PROD"
#define OPS_GAMEDAY_BACKUP_AGE_S (INT64_C(24) * 3600)

enum ops_gameday_inventory { OPS_GAMEDAY_STAGING, OPS_GAMEDAY_PROD };

enum ops_gameday_backup {
    OPS_GAMEDAY_BACKUP_UNASKED,
    OPS_GAMEDAY_BACKUP_NO_TOOL,    /* pgbackrest is not here */
    OPS_GAMEDAY_BACKUP_UNREADABLE, /* it failed, or said what is not understood */
    OPS_GAMEDAY_BACKUP_NONE,       /* no stanza, or one without a good backup */
    OPS_GAMEDAY_BACKUP_KNOWN,
};

struct ops_gameday_facts {
    const char *inventory;    /* INVENTORY; NULL or "": unset */
    const char *confirm_prod; /* CONFIRM_PROD; NULL: unset */
    const char *skip_backup;  /* SKIP_BACKUP_FRESHNESS; NULL: unset */
    bool has_terminal;        /* stdin is one */
    enum ops_gameday_backup backup;
    int64_t backup_age_s; /* KNOWN: of the stanza whose newest good backup is the oldest */
    const char *phrase;   /* what was typed; NULL: not asked yet */
};

enum ops_gameday_next {
    OPS_GAMEDAY_GO,
    OPS_GAMEDAY_ASK_BACKUP,
    OPS_GAMEDAY_ASK_PHRASE,
    OPS_GAMEDAY_REFUSE, /* err says why, and what to do */
};

enum ops_gameday_next ops_gameday_guard(const struct ops_gameday_facts *facts, struct sl_err *err);

/* False with SL_E_USAGE for a name that is neither. */
bool ops_gameday_inventory_of(const char *name, enum ops_gameday_inventory *out,
                              struct sl_err *err) SL_MUST;
const char *ops_gameday_inventory_name(enum ops_gameday_inventory inventory);
/* True only for "1". */
bool ops_gameday_is_set(const char *value);

#endif
