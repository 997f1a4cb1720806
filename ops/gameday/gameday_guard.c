#include "ops/gameday/gameday_guard.h"

#include <inttypes.h>
#include <string.h>

#define OR_SKIP "; or, having looked at the backups yourself, SKIP_BACKUP_FRESHNESS=1"

static enum ops_gameday_next guard_backup(const struct ops_gameday_facts *facts,
                                          struct sl_err *err);
static enum ops_gameday_next refuse(struct sl_err *err, const char *text);

enum ops_gameday_next ops_gameday_guard(const struct ops_gameday_facts *facts, struct sl_err *err)
{
    enum ops_gameday_inventory inventory = OPS_GAMEDAY_STAGING;
    if (!ops_gameday_inventory_of(facts->inventory, &inventory, err)) {
        return OPS_GAMEDAY_REFUSE;
    }
    if (inventory == OPS_GAMEDAY_STAGING) {
        return OPS_GAMEDAY_GO;
    }
    if (!ops_gameday_is_set(facts->confirm_prod)) {
        return refuse(err, "INVENTORY is prod; a game day there needs CONFIRM_PROD=1 as well");
    }
    if (!facts->has_terminal) {
        return refuse(err, "a game day in prod is held by a person: stdin has to be a terminal");
    }
    if (!ops_gameday_is_set(facts->skip_backup)) {
        enum ops_gameday_next next = guard_backup(facts, err);
        if (next != OPS_GAMEDAY_GO) {
            return next;
        }
    }
    if (facts->phrase == NULL) {
        return OPS_GAMEDAY_ASK_PHRASE;
    }
    return strcmp(facts->phrase, OPS_GAMEDAY_PHRASE) == 0
               ? OPS_GAMEDAY_GO
               : refuse(err, "that is not the phrase; nothing was done");
}

static enum ops_gameday_next guard_backup(const struct ops_gameday_facts *facts, struct sl_err *err)
{
    switch (facts->backup) {
    case OPS_GAMEDAY_BACKUP_UNASKED:
        return OPS_GAMEDAY_ASK_BACKUP;
    case OPS_GAMEDAY_BACKUP_NO_TOOL:
        return refuse(err, "pgbackrest is not on this machine, so nobody knows how old the last "
                           "backup is: start from the machine that makes the backups" OR_SKIP);
    case OPS_GAMEDAY_BACKUP_UNREADABLE:
        return refuse(err,
                      "`pgbackrest info --output=json` gave no answer that can be read: run it "
                      "by hand and mend what it says" OR_SKIP);
    case OPS_GAMEDAY_BACKUP_NONE:
        return refuse(err, "`pgbackrest info` knows a database without a good backup, or none at "
                           "all: make one, pgbackrest --stanza=NAME backup" OR_SKIP);
    case OPS_GAMEDAY_BACKUP_KNOWN:
        break;
    }
    if (facts->backup_age_s < OPS_GAMEDAY_BACKUP_AGE_S) {
        return OPS_GAMEDAY_GO;
    }
    sl_fail(err, SL_E_USAGE,
            "the last backup is %" PRId64 " h old, 24 h is the limit: make one, pgbackrest "
            "--stanza=NAME backup" OR_SKIP,
            facts->backup_age_s / 3600);
    return OPS_GAMEDAY_REFUSE;
}

static enum ops_gameday_next refuse(struct sl_err *err, const char *text)
{
    sl_fail(err, SL_E_USAGE, "%s", text);
    return OPS_GAMEDAY_REFUSE;
}

bool ops_gameday_inventory_of(const char *name, enum ops_gameday_inventory *out, struct sl_err *err)
{
    if (name == NULL || *name == '\0' || strcmp(name, "staging") == 0) {
        *out = OPS_GAMEDAY_STAGING;
        return true;
    }
    if (strcmp(name, "prod") == 0) {
        *out = OPS_GAMEDAY_PROD;
        return true;
    }
    return sl_fail(err, SL_E_USAGE, "INVENTORY is '%.40s'; it is staging or prod, nothing else",
                   name);
}

const char *ops_gameday_inventory_name(enum ops_gameday_inventory inventory)
{
    return inventory == OPS_GAMEDAY_PROD ? "prod" : "staging";
}

bool ops_gameday_is_set(const char *value)
{
    return value != NULL && strcmp(value, "1") == 0;
}
