/*
 * rehearsal - what would become of some of the chosen letters: a consumer applies a copy of each in a transaction that is rolled back, and says how it went.
 *
 * Nothing stays: no letter changes, no run is made, the answers are taken out of sluice_rehearsal again. Of each cause one letter is tried before any has two.
 * Letters that cannot be tried (of no subsystem, or of class crash, which would end a consumer) are left out and counted; those of a handler http are answered
 * `untried` by the consumer, which calls nobody.
 * Law: schemas/replay.md, "Rehearsal".
 * Threads: one.
 */
#ifndef OPS_REHEARSAL_H
#define OPS_REHEARSAL_H

#include "ops/address.h"
#include "ops/dead/dead_filter.h"
#include "ops/pg_session.h"

#define OPS_REHEARSAL_LETTERS_MAX 100

struct ops_rehearsal_wish {
    const struct ops_dead_filter *filter;
    int64_t limit;      /* the letters that a run would take */
    int64_t letters;    /* of these, so many are tried, up to OPS_REHEARSAL_LETTERS_MAX */
    const char *target; /* as of a run; may be NULL */
    int64_t wait_ms;    /* for the answers */
    enum ops_output output;
};

/* Rows to stdout. *out_status: 0 none would fail, 3 some would, 75 not all answered or could be tried. */
bool ops_rehearse(struct ops_pg_session *session, const struct ops_address *address,
                  const struct ops_rehearsal_wish *wish, int *out_status,
                  struct sl_err *err) SL_MUST;

#endif
