/*
 * reload - SIGHUP: reads the configuration again and puts in force what can change while the program runs.
 *
 * A process does not see its environment change, so what can be new comes from files: <NAME>_FILE values, and names in the file of SLUICE_CONFIG that the
 * environment does not set. In force at once,
 * without dropping a request: LOG_LEVEL and EVENTBUS_DEGRADED_LOG_LEVEL (also back from what an operator set), the signing secrets of every source (from the next
 * complete request on), bearer tokens, the origin secret, AMQP_URL (publisher/broker.h) and the files of SLUICE_AMQP_*, SENTRY_DSN and SENTRY_DSN_QUEUE. Other names that differ are said to need a restart.
 * Law: a configuration with a mistake is rejected as a whole; one log line names all mistakes, and everything stays as it was.
 * Threads: belongs to the loop whose configuration it is.
 */
#ifndef PUBLISHER_RELOAD_H
#define PUBLISHER_RELOAD_H

#include "publisher/lanes.h"
#include "publisher/levels.h"
#include "shared/sentry/sentry.h"

struct pub_reload {
    struct pub_config *config; /* in force; all borrowed */
    char *const *environment;
    struct sl_log *log;
    struct pub_levels *levels;
    struct pub_lanes *lanes;  /* held by whoever runs this */
    struct sl_sentry *sentry; /* NULL: none */
};

void pub_reload_run(struct pub_reload *reload);

/* Names that differ, as "A, B", by what becomes of them. */
struct pub_reload_plan {
    struct sl_buf changed;
    struct sl_buf needs_restart;
    bool has_tokens;                      /* bearer tokens are */
    bool has_origin;                      /* SLUICE_ORIGIN_SECRET is */
    bool has_amqp;                        /* another connection to the broker */
    size_t secret_places[SL_SOURCES_MAX]; /* sources whose secrets are */
    size_t secret_count;
    bool has_sentry; /* one of Sentry's is */
};
/* Decides only. Release with pub_reload_plan_done. */
void pub_reload_compare(const struct pub_config *now, const struct pub_config *fresh,
                        struct pub_reload_plan *out_plan);
/* Accepts zeroed storage. */
void pub_reload_plan_done(struct pub_reload_plan *plan);

#endif
