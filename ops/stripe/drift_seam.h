/*
 * drift_seam - where one page of Stripe's objects ends and the next begins: in a second that both may share.
 *
 * Pages go from the newest object to the oldest, and rows are looked for by the second in which they were created. The ids of a page's oldest second are carried
 * to the next page, so that none of them looks as if Stripe did not list it.
 * Threads: one owner.
 */
#ifndef OPS_STRIPE_DRIFT_SEAM_H
#define OPS_STRIPE_DRIFT_SEAM_H

#include "shared/arena.h"
#include "shared/err.h"
#include "shared/json/json.h"

#define OPS_DRIFT_PAGE_MAX    100u   /* Stripe's own limit */
#define OPS_DRIFT_CARRIED_MAX 10000u /* objects of one second, across pages */

/* Newest first; each has an id and a time. Borrows Stripe's answer. */
struct ops_drift_page {
    const struct sl_json *objects[OPS_DRIFT_PAGE_MAX];
    size_t count;
};

struct ops_drift_seam {
    struct sl_arena texts;
    int64_t second;      /* everything later has been looked for */
    struct sl_span *ids; /* listed in that second by the pages before */
    size_t count;
};

void ops_drift_seam_init(struct ops_drift_seam *seam);
void ops_drift_seam_done(struct ops_drift_seam *seam);
/* No page has been seen; nothing later than second is looked for. */
void ops_drift_seam_begin(struct ops_drift_seam *seam, int64_t second);
/* The page was looked for down to second: the seam moves there. False when more than OPS_DRIFT_CARRIED_MAX were created in it; plural names them. */
bool ops_drift_seam_move(struct ops_drift_seam *seam, const struct ops_drift_page *page,
                         int64_t second, const char *plural, struct sl_err *err) SL_MUST;

/* Borrows from the object. */
struct sl_span ops_drift_id(const struct sl_json *object);

#endif
