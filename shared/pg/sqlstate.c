#include "shared/pg/sqlstate.h"

#include <string.h>

enum session { SESSION_KEEP, SESSION_DROP };

struct row {
    const char *prefix;
    enum sl_code code;
    enum session session;
    const char *meaning;
};

static const struct row rows[] = {
#define SL_SQLSTATE(prefix_, verdict_, session_, meaning_)                                         \
    { .prefix = (prefix_),                                                                         \
      .code = SL_E_PG_##verdict_,                                                                  \
      .session = SESSION_##session_,                                                               \
      .meaning = (meaning_) },
#include "shared/pg/sqlstate.def"
#undef SL_SQLSTATE
};

static const struct row *find(const char *sqlstate);

enum sl_code sl_sqlstate_code(const char *sqlstate)
{
    const struct row *row = find(sqlstate);
    return row == NULL ? SL_E_PG_SYSTEMIC : row->code;
}

static const struct row *find(const char *sqlstate)
{
    const struct row *best = NULL;
    size_t best_bytes = 0;
    if (sqlstate == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        size_t bytes = strlen(rows[i].prefix);
        if (bytes > best_bytes && strncmp(sqlstate, rows[i].prefix, bytes) == 0) {
            best = &rows[i];
            best_bytes = bytes;
        }
    }
    return best;
}

bool sl_sqlstate_drops_session(const char *sqlstate)
{
    const struct row *row = find(sqlstate);
    return row != NULL && row->session == SESSION_DROP;
}

const char *sl_sqlstate_meaning(const char *sqlstate)
{
    const struct row *row = find(sqlstate);
    return row == NULL ? NULL : row->meaning;
}
