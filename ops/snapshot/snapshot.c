#include "ops/snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/api.h"
#include "ops/commands.h"
#include "ops/daemon.h"
#include "ops/fetch.h"
#include "ops/journal/journal.h"
#include "ops/journal/journal_survey.h"
#include "ops/publisher_page.h"
#include "ops/queue/queue_look.h"
#include "ops/snapshot/redact.h"
#include "shared/clock.h"
#include "shared/digest.h"
#include "shared/file.h"
#include "shared/json/json_write.h"

#define SINCE_MS_DEFAULT (INT64_C(60) * 60 * 1000)
#define SINCE_MS_MAX     (INT64_C(35) * 24 * 3600 * 1000)
#define BUNDLE_BYTES_MAX (64u * 1024u * 1024u)
#define PAGE_BYTES_MAX   (4u * 1024u * 1024u)
#define FETCH_MS         3000
#define NUMBER_BYTES     24u
#define EX_PARTIAL       3
#define OVERVIEW_DEPTH   2u /* its own members are enough */
#define OVERVIEW_NODES   4096u
#define US_PER_MS        1000

/* $1: milliseconds back. No body and no error text is read. */
static const char database_sql[] =
    "WITH t AS (SELECT now() - $1::text::bigint * interval '1 millisecond' AS since)"
    " SELECT jsonb_build_object("
    " 'server', version(),"
    " 'migrations', (SELECT jsonb_agg(to_jsonb(m) - 'sha256') FROM (SELECT * FROM sluice_migration ORDER BY 1 DESC LIMIT 3) m),"
    " 'applied', (SELECT jsonb_agg(to_jsonb(a)) FROM (SELECT i.subsystem, i.type, i.verdict, count(*) AS events,"
    "   max(i.applied_at - i.received_at) AS slowest, (array_agg(i.event_id ORDER BY i.received_at DESC))[1:3] AS samples"
    "   FROM sluice_inbox i, t WHERE i.received_at >= t.since GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 500) a),"
    " 'failed_tries', (SELECT jsonb_agg(to_jsonb(a)) FROM (SELECT a.subsystem, a.type, a.class, a.code, count(*) AS tries,"
    "   count(DISTINCT a.event_id) AS events, max(a.at) AS last, (array_agg(a.event_id ORDER BY a.at DESC))[1:3] AS samples"
    "   FROM sluice_attempt a, t WHERE a.at >= t.since GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 500) a),"
    " 'dead_letters', (SELECT jsonb_agg(to_jsonb(d)) FROM (SELECT d.subsystem, d.type, d.status, d.reason, d.error_class, d.error_code,"
    "   d.fingerprint, count(*) AS letters, count(*) FILTER (WHERE d.created_at >= t.since) AS of_the_window, min(d.created_at) AS first,"
    "   max(d.created_at) AS last, (array_agg(d.id ORDER BY d.id DESC))[1:3] AS samples"
    "   FROM sluice_dead_letter d, t WHERE d.status IN ('open', 'replaying') OR d.updated_at >= t.since"
    "   GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 8 DESC LIMIT 500) d),"
    " 'orders', (SELECT jsonb_agg(to_jsonb(o)) FROM sluice_control o),"
    " 'consumers', (SELECT jsonb_agg(to_jsonb(c)) FROM sluice_consumer c WHERE c.seen_at > now() - interval '15 seconds'),"
    " 'sessions', (SELECT jsonb_agg(to_jsonb(s)) FROM (SELECT application_name, state, wait_event_type, wait_event, count(*) AS sessions,"
    "   max(clock_timestamp() - xact_start) AS longest FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1, 2, 3, 4) s))";

const char ops_snapshot_usage[] =
    "  --since D         events, tries and letters of so long (60m)\n"
    "  --out F           into this file, which must not exist; without it to standard output\n"
    "  --state-dir DIR   where this machine's publisher keeps its journal; default: SLUICE_STATE_DIR, the local\n"
    "                    stack, /var/lib/sluice\n"
    "One JSON document: depths and ages of queues, counts by type with sample ids, tries and letters by code,\n"
    "breakers, orders, consumers, sessions, journal, metrics and versions of both programs, of the broker and of\n"
    "Postgres, digest of the subsystems file. No body, no error text, no secret. What\n"
    "cannot be read says why in its place. Exit status: 0 all of it was read, 3 not all,\n"
    "73 the file could not be made.\n";

struct snapshot {
    const char *out_file;
    const char *state_dir;
    int64_t since_ms;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_queue_eyes eyes;
    struct sl_buf text;
    struct sl_json_writer json;
    bool is_partial;
};

static void snapshot_done(struct snapshot *snapshot);
static bool read_wish(struct snapshot *snapshot, int argc, char **argv, struct sl_err *err);
static void put_all(struct snapshot *snapshot);
static void put_queues(struct snapshot *snapshot);
static void put_database(struct snapshot *snapshot);
static void put_journal(struct snapshot *snapshot);
static void put_publisher(struct snapshot *snapshot);
static void put_publisher_metrics(struct snapshot *snapshot);
static void put_consumer(struct snapshot *snapshot);
static void put_files(struct snapshot *snapshot);
static void put_broker(struct snapshot *snapshot);
static void put_failure(struct snapshot *snapshot, const char *key, const struct sl_err *err);
static void put_number(struct snapshot *snapshot, const char *key, int64_t number);
static void wipe(struct snapshot *snapshot);
static bool write_out(const struct snapshot *snapshot, struct sl_err *err);

int ops_snapshot(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(snapshot_done) struct snapshot snapshot = { .since_ms = SINCE_MS_DEFAULT };
    if (!read_wish(&snapshot, argc, argv, &err)) {
        return ops_report("snapshot", &err);
    }
    put_all(&snapshot);
    wipe(&snapshot);
    if (!write_out(&snapshot, &err)) {
        return ops_report("snapshot", &err);
    }
    return snapshot.is_partial ? EX_PARTIAL : EX_OK;
}

static void snapshot_done(struct snapshot *snapshot)
{
    sl_buf_done(&snapshot->text);
    ops_queue_eyes_done(&snapshot->eyes);
    sl_subsystems_done(&snapshot->subsystems);
    ops_address_done(&snapshot->address);
}

static bool read_wish(struct snapshot *snapshot, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "since",
          .kind = OPS_FLAG_DURATION,
          .out = &snapshot->since_ms,
          .min = 1000,
          .max = SINCE_MS_MAX },
        { .name = "out", .kind = OPS_FLAG_TEXT, .out = (void *)&snapshot->out_file },
        { .name = "state-dir", .kind = OPS_FLAG_TEXT, .out = (void *)&snapshot->state_dir },
    };
    int first = 0;
    sl_buf_init(&snapshot->text, BUNDLE_BYTES_MAX);
    snapshot->json = sl_json_writer_make(&snapshot->text);
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err) &&
           ops_address_open(&snapshot->address, err) &&
           ops_sections_load(&snapshot->address, &snapshot->subsystems, err);
}

static void put_all(struct snapshot *snapshot)
{
    struct sl_json_writer *json = &snapshot->json;
    char now[SL_RFC3339_BYTES];
    char since[SL_RFC3339_BYTES];
    int64_t now_us = sl_clock_wall_us();
    sl_clock_rfc3339(now_us, now);
    sl_clock_rfc3339(now_us - snapshot->since_ms * US_PER_MS, since);
    sl_json_object_begin(json);
    sl_json_put_text(json, "taken_at", sl_span_of(now));
    sl_json_put_text(json, "since", sl_span_of(since));
    sl_json_put_text(json, "sluice", sl_span_of(SLUICE_VERSION));
    put_queues(snapshot);
    put_database(snapshot);
    put_journal(snapshot);
    put_publisher(snapshot);
    put_publisher_metrics(snapshot);
    put_consumer(snapshot);
    put_files(snapshot);
    sl_json_object_end(json);
    sl_buf_append_char(&snapshot->text, '\n');
}

static void put_queues(struct snapshot *snapshot)
{
    struct sl_json_writer *json = &snapshot->json;
    struct ops_queue_look look;
    ops_queue_look(&snapshot->eyes, &snapshot->address, &snapshot->subsystems, NULL, &look);
    sl_json_put_object(json, "queues");
    put_number(snapshot, "delayed_of_all", look.delayed_all);
    put_number(snapshot, "unrouted", look.unrouted);
    for (size_t i = 0; i < look.count; i++) {
        const struct ops_queue_facts *facts = &look.items[i];
        sl_json_put_object(json, facts->subsystem->name);
        put_number(snapshot, "waiting", facts->waiting);
        put_number(snapshot, "replays", facts->replays);
        put_number(snapshot, "unacked", facts->unacked);
        put_number(snapshot, "delayed", facts->delayed);
        put_number(snapshot, "consumers", facts->consumers);
        put_number(snapshot, "parked", facts->parked);
        put_number(snapshot, "letters", facts->letters);
        put_number(snapshot, "oldest_s", facts->oldest_s);
        put_number(snapshot, "settled", facts->settled);
        put_number(snapshot, "idle_s", facts->idle_s);
        put_number(snapshot, "in_milli", facts->in_milli);
        put_number(snapshot, "out_milli", facts->out_milli);
        sl_json_put_text(json, "settings", sl_span_of(facts->note));
        sl_json_put_text(json, "severity",
                         sl_span_of(sl_subsystem_severity_name(facts->subsystem->severity)));
        sl_json_put_text(json, "owner", sl_span_of(facts->subsystem->owner));
        sl_json_put_text(json, "impact", sl_span_of(facts->subsystem->impact));
        sl_json_object_end(json);
    }
    sl_json_object_end(json);
    if (look.broker_err.code != SL_E_NONE) {
        put_failure(snapshot, "broker_away", &look.broker_err);
    }
}

static void put_database(struct snapshot *snapshot)
{
    struct sl_err err = { 0 };
    char since[NUMBER_BYTES];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    snprintf(since, sizeof since, "%" PRId64, snapshot->since_ms);
    const struct sl_pg_param param = ops_pg_param(since);
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice snapshot", true, &err);
    if (session == NULL || !ops_pg_query(session, database_sql, &param, 1, &rows, &err)) {
        put_failure(snapshot, "database_away", &err);
        return;
    }
    sl_json_put_raw(&snapshot->json, "database", ops_pg_cell(&rows, 0, 0));
}

static void put_journal(struct snapshot *snapshot)
{
    struct sl_json_writer *json = &snapshot->json;
    struct ops_journal_survey survey = { 0 };
    struct sl_err err = { 0 };
    char dir[OPS_JOURNAL_PATH_BYTES];
    char oldest[SL_RFC3339_BYTES] = "";
    int why = 0;
    if (!ops_journal_dir(snapshot->state_dir, dir, &err)) {
        put_failure(snapshot, "journal_away", &err);
        return;
    }
    if (!ops_journal_survey(dir, &(struct ops_journal_visitor){ 0 }, &survey, &why, &err)) {
        if (why == ENOENT) {
            sl_json_put_null(json, "journal"); /* none on this machine */
        } else {
            put_failure(snapshot, "journal_away", &err);
        }
        return;
    }
    if (survey.oldest_ns != 0) {
        sl_clock_rfc3339((int64_t)(survey.oldest_ns / 1000), oldest);
    }
    sl_json_put_object(json, "journal");
    sl_json_put_int(json, "waiting", (int64_t)(survey.events - survey.resolved));
    sl_json_put_int(json, "published", (int64_t)survey.resolved);
    sl_json_put_int(json, "poisoned", (int64_t)survey.poisoned);
    sl_json_put_int(json, "set_aside", (int64_t)survey.set_aside);
    sl_json_put_int(json, "bytes", (int64_t)survey.bytes);
    sl_json_put_text(json, "oldest", sl_span_of(oldest));
    sl_json_object_end(json);
}

static void put_publisher(struct snapshot *snapshot)
{
    struct sl_err err = { 0 };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    const struct ops_daemon_where where = { .program = OPS_PUBLISHER,
                                            .state_dir = snapshot->state_dir,
                                            .timeout_ms = FETCH_MS };
    if (ops_daemon_ask(&daemon, &where, SL_SPAN_LITERAL("{\"command\":\"status\"}"), &err)) {
        sl_json_put_raw(&snapshot->json, "publisher", daemon.root->raw);
    } else {
        put_failure(snapshot, "publisher_away", &err);
    }
}

/* Metrics as a text, which hold neither names of customers nor secrets. */
static void put_publisher_metrics(struct snapshot *snapshot)
{
    struct sl_err err = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf page = { 0 };
    sl_buf_init(&page, PAGE_BYTES_MAX);
    if (ops_publisher_page(snapshot->state_dir, FETCH_MS, &page, &err)) {
        sl_json_put_text(&snapshot->json, "publisher_metrics", sl_buf_span(&page));
    } else {
        put_failure(snapshot, "publisher_metrics_away", &err);
    }
}

static void put_consumer(struct snapshot *snapshot)
{
    struct sl_err err = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf page = { 0 };
    char url[OPS_URL_BYTES];
    char metrics[OPS_URL_BYTES + 16];
    int status = 0;
    sl_buf_init(&page, PAGE_BYTES_MAX);
    if (ops_address_consumer(&snapshot->address, NULL, url, &err)) {
        snprintf(metrics, sizeof metrics, "%s/metrics", url);
        const struct ops_fetch fetch = { .url = metrics, .timeout_ms = FETCH_MS };
        if (ops_fetch(&fetch, &status, &page, &err)) {
            sl_json_put_text(&snapshot->json, "consumer_metrics", sl_buf_span(&page));
            return;
        }
    }
    put_failure(snapshot, "consumer_away", &err);
}

/* By which two machines are seen to have the same, or not, without showing it: it may name inner hosts. */
static void put_files(struct snapshot *snapshot)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    uint8_t hash[SL_SHA256_BYTES];
    char hex[SL_SHA256_HEX_BYTES];
    const char *path = snapshot->address.settings.subsystems;
    sl_buf_init(&text, PAGE_BYTES_MAX);
    sl_json_put_object(&snapshot->json, "subsystems_file");
    sl_json_put_text(&snapshot->json, "path", sl_span_of(path)); /* null: the shipped one */
    bool is_read = path != NULL && sl_file_read(path, &text) && sl_sha256(sl_buf_span(&text), hash);
    if (is_read) {
        sl_hex_encode(hash, sizeof hash, hex);
    }
    sl_json_put_text(&snapshot->json, "sha256", is_read ? sl_span_of(hex) : (struct sl_span){ 0 });
    sl_json_object_end(&snapshot->json);
    put_broker(snapshot);
}

static void put_broker(struct snapshot *snapshot)
{
    struct sl_json_writer *json = &snapshot->json;
    const char *api_url = ops_address_api(&snapshot->address);
    struct sl_err err = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_json_put_object(json, "broker");
    unsigned version =
        snapshot->eyes.broker == NULL ? 0 : ops_broker_version(snapshot->eyes.broker);
    char text[NUMBER_BYTES] = "";
    snprintf(text, sizeof text, "%u.%u", version / 1000, version % 1000);
    sl_json_put_text(json, "version", version == 0 ? (struct sl_span){ 0 } : sl_span_of(text));
    sl_buf_init(&body, PAGE_BYTES_MAX);
    sl_arena_init(&arena, PAGE_BYTES_MAX);
    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(PAGE_BYTES_MAX);
    const struct sl_json *root =
        api_url == NULL || snapshot->eyes.broker == NULL || parser == NULL ||
                !ops_api_get_all(api_url, ops_broker_url(snapshot->eyes.broker), "overview", &body,
                                 &err)
            ? NULL
            : sl_json_parse(parser, &arena, sl_buf_span(&body), OVERVIEW_DEPTH, OVERVIEW_NODES,
                            &err);
    static const char *const keys[] = { "rabbitmq_version", "erlang_version", "cluster_name" };
    for (size_t i = 0; i < SL_COUNT(keys); i++) {
        sl_json_put_text(json, keys[i],
                         sl_json_text(sl_json_get(root, keys[i]), &arena, true, NULL));
    }
    sl_json_object_end(json);
}

static void put_failure(struct snapshot *snapshot, const char *key, const struct sl_err *err)
{
    snapshot->is_partial = true;
    sl_json_put_text(&snapshot->json, key, sl_span_of(err->text));
    fprintf(stderr, "sluice snapshot: %s\n", err->text);
}

static void put_number(struct snapshot *snapshot, const char *key, int64_t number)
{
    if (number == OPS_UNKNOWN) {
        sl_json_put_null(&snapshot->json, key);
    } else {
        sl_json_put_int(&snapshot->json, key, number);
    }
}

/* Nothing here should hold a secret; an operator's --reason, or a strange server's words, might. */
static void wipe(struct snapshot *snapshot)
{
    static const char *const names[] = {
        "AMQP_URL",
        "RABBITMQ_API_URL",
        "DATABASE_URL",
        "STRIPE_API_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_RESTRICTED_KEY",
        "SENTRY_DSN",
        "SENTRY_DSN_QUEUE",
        "SLUICE_ORIGIN_SECRET",
        "QUEUE_SERVICE_TOKEN_CONSOLE",
        "QUEUE_SERVICE_TOKEN_RAPTOR",
        "QUEUE_SERVICE_TOKEN_CRON",
        "QUEUE_TO_RAPTOR_INTERNAL_TOKEN",
    };
    size_t wiped = 0;
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        const char *value = ops_stack_setting(&snapshot->address.stack, names[i]);
        wiped += value == NULL ? 0 : ops_redact_setting(&snapshot->text, value);
    }
    const char *const settings[] = { snapshot->address.settings.amqp_url,
                                     snapshot->address.settings.api_url,
                                     snapshot->address.settings.stripe_api_key,
                                     snapshot->address.settings.stripe_restricted_key };
    for (size_t i = 0; i < SL_COUNT(settings); i++) {
        wiped += settings[i] == NULL ? 0 : ops_redact_setting(&snapshot->text, settings[i]);
    }
    SL_AUTO(ops_pg_address_free) char *database = ops_pg_address(NULL, &(struct sl_err){ 0 });
    wiped += database == NULL ? 0 : ops_redact_setting(&snapshot->text, database);
    if (wiped > 0) {
        fprintf(stderr, "%zu places that held a secret were wiped\n", wiped);
    }
}

static bool write_out(const struct snapshot *snapshot, struct sl_err *err)
{
    if (!sl_buf_ok(&snapshot->text)) {
        return sl_fail(err, SL_E_LIMIT, "the snapshot does not fit into %u MiB",
                       BUNDLE_BYTES_MAX >> 20);
    }
    int fd = STDOUT_FILENO;
    if (snapshot->out_file != NULL) {
        fd = open(snapshot->out_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) {
            return sl_fail(err, SL_E_CREATE, "cannot make %.200s: %s", snapshot->out_file,
                           strerror(errno));
        }
    }
    size_t done = 0;
    while (done < snapshot->text.used_bytes) {
        ssize_t written = write(fd, snapshot->text.data + done, snapshot->text.used_bytes - done);
        if (written < 0 && errno != EINTR) {
            sl_fail(err, SL_E_IO, "cannot write the snapshot: %s", strerror(errno));
            break;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    bool is_whole = done == snapshot->text.used_bytes;
    if (snapshot->out_file != NULL) {
        is_whole = close(fd) == 0 && is_whole;
        fprintf(stderr, "%zu bytes in %s\n", done, snapshot->out_file);
    }
    return is_whole;
}
