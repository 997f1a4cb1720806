#include "publisher/stores.h"

#include <limits.h>
#include <stdio.h>

#define JOURNAL_NAME "journal" /* below the state folder */
/* Room that the journal leaves to others on its file system. */
#define FREE_FLOOR_BYTES (256u * 1024u * 1024u)
/* What an envelope and a record put around a body, at most. */
#define AROUND_BYTES 4096u

static void open_journal(struct pub_stores *stores, const struct pub_stores_opts *opts);
static void on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *err);
static void on_replay_ready(void *arg);
static void on_finding(void *arg, const struct sl_journal_finding *finding);

void pub_stores_open(struct pub_stores *stores, const struct pub_stores_opts *opts)
{
    struct sl_err why = { 0 };
    *stores = (struct pub_stores){ .opts = *opts };
    if (!pub_drops_open(&stores->drops, opts->state_dir, &why)) {
        sl_log_err(opts->log, SL_WARN, "drops.unavailable",
                   "the drop log cannot be written; policies that drop refuse instead", &why,
                   sl_str("state_dir", opts->state_dir));
    }
    open_journal(stores, opts);
}

static void open_journal(struct pub_stores *stores, const struct pub_stores_opts *opts)
{
    struct sl_err why = { 0 };
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s/%s", opts->state_dir, JOURNAL_NAME);
    stores->journal = sl_journal_open(
        &(struct sl_journal_opts){
            .dir = dir,
            .quota_bytes = (uint64_t)opts->journal_bytes_max,
            .free_floor_bytes = FREE_FLOOR_BYTES,
            .queue_records_max = opts->waiting_max,
            .queue_bytes_max = opts->bodies_bytes_max + opts->waiting_max * AROUND_BYTES,
            .allow_volatile = opts->allow_volatile,
            .loop = opts->loop,
            .sync_seconds = sl_metrics_series(opts->metrics, SL_M_JOURNAL_SYNC_SECONDS, NULL, NULL),
            .arg = stores,
            .on_appended = on_appended,
            .on_replay_ready = on_replay_ready,
            .on_finding = on_finding,
        },
        &why);
    if (stores->journal == NULL) {
        bool is_volatile = why.code == SL_E_JOURNAL_VOLATILE;
        sl_log_err(
            opts->log, SL_WARN, "journal.unavailable",
            is_volatile
                ? "the journal is off, its policy refuses (503) while the broker is away: SLUICE_STATE_DIR does not survive "
                  "a restart; SLUICE_JOURNAL_ALLOW_VOLATILE=true accepts that"
                : "the journal is off, its policy refuses (503) while the broker is away",
            &why, sl_str("state_dir", opts->state_dir));
        return;
    }
    struct sl_journal_stats stats = { 0 };
    sl_journal_read_stats(stores->journal, &stats);
    stores->is_durable = stats.is_durable;
    sl_info(opts->log, "journal.opened", "events are kept here while the broker is away",
            sl_str("dir", dir), sl_bool("durable", stats.is_durable),
            sl_int("pending", (int64_t)stats.pending));
}

static void on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *err)
{
    const struct pub_stores *stores = arg;
    stores->opts.on_appended(stores->opts.arg, cookie, ok, err);
}

static void on_replay_ready(void *arg)
{
    const struct pub_stores *stores = arg;
    stores->opts.on_replay_ready(stores->opts.arg);
}

static void on_finding(void *arg, const struct sl_journal_finding *finding)
{
    static const enum sl_level levels[] = {
        [SL_JOURNAL_WEIGHT_NOTE] = SL_INFO,
        [SL_JOURNAL_WEIGHT_WARN] = SL_WARN,
        [SL_JOURNAL_WEIGHT_PAGE] = SL_ERROR,
    };
    const struct pub_stores *stores = arg;
    sl_loss(stores->opts.log, levels[sl_journal_tell_weight(finding->what)], "journal.finding",
            sl_journal_tell_sentence(finding->what),
            sl_str("finding", sl_journal_tell_name(finding->what)), sl_str("place", finding->place),
            sl_int("from", (int64_t)finding->from), sl_int("to", (int64_t)finding->to),
            sl_int("errno", finding->os_error));
}

void pub_stores_close(struct pub_stores *stores)
{
    sl_journal_close(stores->journal);
    stores->journal = NULL;
    pub_drops_close(&stores->drops);
}

bool pub_stores_can_journal(const struct pub_stores *stores)
{
    return stores->journal != NULL && sl_journal_state(stores->journal) == SL_JOURNAL_OK;
}

bool pub_stores_can_drop(struct pub_stores *stores)
{
    return pub_drops_can_write(&stores->drops);
}
