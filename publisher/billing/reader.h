/*
 * reader - reads from Postgres for the API: a few read-only connections, and a bounded line before them.
 *
 * A standby will do, and a role that may only read is enough. Each read has one deadline, waiting included; without a connection or with a full line it is refused at once, so that no caller waits
 * for a database that is away, and webhooks never notice.
 * Refuses: SQL that is not among publisher/sql.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_READER_H
#define PUBLISHER_READER_H

#include <sys/queue.h>

#include "shared/log.h"
#include "shared/metrics.h"
#include "shared/pg/pg_link.h"

#define PUB_READER_LINKS_MAX   16u
#define PUB_READER_LABEL_BYTES 16u
#define PUB_READER_LINE_MAX    64u /* reads that wait for a connection */
#define PUB_READER_READ_MS     3000

struct pub_reader;

struct pub_reader_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const char *database_url;
    const char *application_name;
    const char *label; /* of metrics and log lines; copied */
    size_t links;      /* 1 to PUB_READER_LINKS_MAX */
};

/* One read; lives with its owner until on_done. */
struct pub_read {
    const struct sl_pg_step *steps; /* and their parameters: borrowed until on_done */
    size_t step_count;
    void *arg;
    /* error NULL: results[i] is of step i. Otherwise results is NULL. */
    void (*on_done)(struct pub_read *read, struct sl_pg_result *const *results,
                    const struct sl_err *error);
    /* The reader's own. */
    int64_t until_ms;
    TAILQ_ENTRY(pub_read) in_line;
};

struct pub_reader *pub_reader_new(const struct pub_reader_opts *opts, struct sl_err *err) SL_MUST;
/* Every read ends with an error. Accepts NULL. */
void pub_reader_free(struct pub_reader *reader);

/* on_done comes later, once. False: refused, and why. */
bool pub_reader_run(struct pub_reader *reader, struct pub_read *read, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct pub_reader *, pub_reader_free)

#endif
