/* look_daemons - the publisher and the consumer: what they answer over HTTP, and what the publisher of this machine says at its control socket. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/daemon.h"
#include "ops/doctor/patient.h"
#include "ops/fetch.h"
#include "ops/journal/journal.h"
#include "ops/journal/journal_survey.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/control/control_client.h"
#include "shared/control/control_path.h"
#include "shared/rfc3339.h"

#define BODY_BYTES_MAX  65536u
#define ARENA_BYTES_MAX (512u * 1024u)
#define NODES_MAX       4096u
#define DEPTH_MAX       4u
#define TEXT_BYTES      256u
#define URL_ROOM        (OPS_URL_BYTES + 16u)
#define US              1000000

/* One JSON answer. */
struct answer {
    struct sl_buf body;
    struct sl_arena arena;
    struct sl_json_parser *parser;
    const struct sl_json *root; /* NULL: no JSON */
};

/* Where a daemon's checks are. */
struct daemon_checks {
    enum ops_check_id up;
    enum ops_check_id ready;
    enum ops_check_id health;
};

struct survey_watch {
    int64_t end_ms;
    uint64_t losses;
    bool is_cut;
};

static void answer_init(struct answer *answer);
static void answer_done(struct answer *answer);
static void read_answer(struct answer *answer);
static const char *text_of(struct answer *answer, const char *path, char out[TEXT_BYTES]);
static void see_daemon(struct ops_patient *patient, const char *url,
                       const struct daemon_checks *checks);
static bool get(const char *url, const char *path, int *out_status, struct answer *answer,
                struct sl_err *err);
static void see_version(struct ops_patient *patient, const char *version);
static void see_control(struct ops_patient *patient);
static void see_pauses(struct ops_patient *patient, struct answer *answer);
static void see_journal(struct ops_patient *patient, struct answer *answer);
static void see_files(struct ops_patient *patient, int64_t pid);
static void see_survey(struct ops_patient *patient);
static bool watch_event(void *arg, const char *segment, const struct sl_journal_record *record,
                        bool is_resolved);
static void watch_damage(void *arg, const struct ops_journal_damage *damage);

void ops_look_daemons(struct ops_patient *patient)
{
    static const struct daemon_checks publisher = { OPS_CHECK_PUBLISHER_UP,
                                                    OPS_CHECK_PUBLISHER_READY,
                                                    OPS_CHECK_PUBLISHER_HEALTH };
    static const struct daemon_checks consumer = { OPS_CHECK_CONSUMER_UP, OPS_CHECK_CONSUMER_READY,
                                                   OPS_CHECK_CONSUMER_HEALTH };
    char url[OPS_URL_BYTES];
    struct sl_err why = { 0 };
    if (ops_address_publisher(&patient->address, NULL, url, &why)) {
        see_daemon(patient, url, &publisher);
    } else {
        ops_fact_blind(&patient->facts, OPS_CHECK_PUBLISHER_UP, why.text);
    }
    if (ops_address_consumer(&patient->address, NULL, url, &why)) {
        see_daemon(patient, url, &consumer);
    } else {
        ops_fact_blind(&patient->facts, OPS_CHECK_CONSUMER_UP, why.text);
    }
    see_control(patient);
    see_survey(patient);
    ops_facts_skip(&patient->facts, OPS_CHECK_PUBLISHER_UP, OPS_CHECK_PUBLISHER_VERSION,
                   "the publisher does not answer");
    ops_facts_skip(&patient->facts, OPS_CHECK_CONSUMER_UP, OPS_CHECK_CONSUMER_HEALTH,
                   "the consumer does not answer");
}

/* Over HTTP ------------------------------------------------------------------------------------- */

static void see_daemon(struct ops_patient *patient, const char *url,
                       const struct daemon_checks *checks)
{
    SL_DONE(answer_done) struct answer answer;
    char text[TEXT_BYTES];
    char version[TEXT_BYTES];
    struct sl_err why = { 0 };
    int status = 0;
    answer_init(&answer);
    if (!get(url, "/health", &status, &answer, &why) || status != 200) {
        ops_fact_see(&patient->facts, checks->up, 1, url, "%s",
                     status == 0 ? why.text : "does not answer 200 to /health");
        return;
    }
    ops_fact_see(&patient->facts, checks->up, 0, url, " ");
    snprintf(version, sizeof version, "%s", text_of(&answer, "version", text));
    (void)text_of(&answer, "status", text);
    ops_fact_see(&patient->facts, checks->health, strcmp(text, "ok") == 0 ? 0 : 1, "", "it says %s",
                 text);
    if (checks->up == OPS_CHECK_PUBLISHER_UP) {
        see_version(patient, version);
    }
    sl_buf_reset(&answer.body);
    if (!get(url, "/readyz", &status, &answer, &why)) {
        ops_fact_see(&patient->facts, checks->ready, 1, "", "%s", why.text);
        return;
    }
    ops_fact_see(&patient->facts, checks->ready, status == 200 ? 0 : 1, "", "%s",
                 text_of(&answer, "reason", text));
}

static bool get(const char *url, const char *path, int *out_status, struct answer *answer,
                struct sl_err *err)
{
    char full[URL_ROOM];
    snprintf(full, sizeof full, "%s%s", url, path);
    const struct ops_fetch fetch = { .url = full, .timeout_ms = OPS_LOOK_MS };
    if (!ops_fetch(&fetch, out_status, &answer->body, err)) {
        return false;
    }
    read_answer(answer);
    return true;
}

static void see_version(struct ops_patient *patient, const char *version)
{
    bool is_same = strcmp(version, SLUICE_VERSION) == 0;
    ops_fact_see(&patient->facts, OPS_CHECK_PUBLISHER_VERSION, is_same ? 0 : 1, SLUICE_VERSION,
                 "%s", version);
}

/* At the control socket ------------------------------------------------------------------------- */

static void see_control(struct ops_patient *patient)
{
    SL_DONE(answer_done) struct answer answer;
    char path[SL_CONTROL_PATH_BYTES];
    char text[TEXT_BYTES];
    struct sl_err why = { 0 };
    int64_t pid = 0;
    answer_init(&answer);
    bool is_heard = sl_control_path(ops_address_state_dir(&patient->address, NULL), OPS_PUBLISHER,
                                    path, &why) &&
                    sl_control_ask(path, SL_SPAN_LITERAL("{\"command\":\"status\"}"), OPS_LOOK_MS,
                                   &answer.body, &why);
    read_answer(&answer);
    if (!is_heard || answer.root == NULL) {
        static const char absent[] = "no publisher has its control socket on this machine";
        ops_fact_skip(&patient->facts, OPS_CHECK_MACHINE_FILES, absent);
        ops_facts_skip(&patient->facts, OPS_CHECK_PUBLISHER_INGEST, OPS_CHECK_JOURNAL_ROOM, absent);
        return;
    }
    (void)text_of(&answer, "log_level", text);
    ops_fact_see(&patient->facts, OPS_CHECK_PUBLISHER_LOG, strcmp(text, "debug") == 0 ? 1 : 0, "",
                 "%s", text);
    see_pauses(patient, &answer);
    see_journal(patient, &answer);
    (void)sl_json_int(sl_json_get(answer.root, "pid"), &pid);
    see_files(patient, pid);
}

static void see_pauses(struct ops_patient *patient, struct answer *answer)
{
    const struct sl_json *paused = sl_json_get(answer->root, "paused");
    char names[TEXT_BYTES] = "";
    size_t used = 0;
    int64_t count = 0;
    for (const struct sl_json *one = paused == NULL ? NULL : paused->first; one != NULL;
         one = one->next) {
        struct sl_span source =
            sl_json_text(sl_json_get(one, "source"), &answer->arena, true, NULL);
        int bytes = snprintf(names + used, sizeof names - used, "%s%.*s", count == 0 ? "" : ", ",
                             source.data == NULL ? 12 : (int)source.bytes,
                             source.data == NULL ? "every source" : source.data);
        used += bytes > 0 && used + (size_t)bytes < sizeof names ? (size_t)bytes : 0;
        count++;
    }
    ops_fact_see(&patient->facts, OPS_CHECK_PUBLISHER_INGEST, count, "", "%s %s", names,
                 count == 1 ? "is" : "are");
}

static void see_journal(struct ops_patient *patient, struct answer *answer)
{
    const struct sl_json *journal = sl_json_get(answer->root, "journal");
    struct ops_facts *facts = &patient->facts;
    char state[TEXT_BYTES];
    int64_t events = 0;
    int64_t bytes = 0;
    int64_t quota = 0;
    int64_t oldest_s = 0;
    if (sl_json_is_null(journal)) {
        ops_fact_see(facts, OPS_CHECK_JOURNAL_USABLE, 1, "", "there is none");
        ops_facts_skip(facts, OPS_CHECK_JOURNAL_DURABLE, OPS_CHECK_JOURNAL_ROOM,
                       "there is no journal");
        return;
    }
    (void)text_of(answer, "journal.state", state);
    ops_fact_see(facts, OPS_CHECK_JOURNAL_USABLE, strcmp(state, "ok") == 0 ? 0 : 1, "", "%s",
                 state);
    ops_fact_see(facts, OPS_CHECK_JOURNAL_DURABLE,
                 sl_json_true(sl_json_get(journal, "durable")) ? 0 : 1, "", " ");
    (void)sl_json_int(sl_json_get(journal, "events"), &events);
    (void)sl_json_int(sl_json_get(journal, "bytes"), &bytes);
    (void)sl_json_int(sl_json_get(journal, "quota_bytes"), &quota);
    struct sl_span oldest =
        sl_json_text(sl_json_get(journal, "oldest"), &answer->arena, true, NULL);
    bool is_dated = oldest.data != NULL && sl_rfc3339_parse(oldest, &oldest_s);
    ops_fact_see(facts, OPS_CHECK_JOURNAL_OLDEST,
                 events > 0 && is_dated ? sl_clock_wall_us() / US - oldest_s : 0, "",
                 events == 0 ? "nothing waits" : "%" PRId64 " events wait for the broker", events);
    ops_fact_see(facts, OPS_CHECK_JOURNAL_ROOM, quota > 0 ? bytes * 100 / quota : 0, "", " ");
}

/* "Max open files            1024                 524288               files" */
static void see_files(struct ops_patient *patient, int64_t pid)
{
    static const char head[] = "Max open files";
    char path[64];
    char line[TEXT_BYTES];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/limits", pid);
    FILE *limits = fopen(path, "re");
    if (limits == NULL) {
        ops_fact_skip(&patient->facts, OPS_CHECK_MACHINE_FILES,
                      "its limits cannot be read from here");
        return;
    }
    while (fgets(line, sizeof line, limits) != NULL) {
        if (strncmp(line, head, strlen(head)) == 0) {
            ops_fact_see(&patient->facts, OPS_CHECK_MACHINE_FILES,
                         strtoll(line + strlen(head), NULL, 10), "", " ");
        }
    }
    fclose(limits);
}

/* In the journal's folder ----------------------------------------------------------------------- */

static void see_survey(struct ops_patient *patient)
{
    struct survey_watch watch = { .end_ms = sl_clock_mono_ms() + OPS_LOOK_MS };
    const struct ops_journal_visitor visitor = { .arg = &watch,
                                                 .on_event = watch_event,
                                                 .on_damage = watch_damage };
    struct ops_journal_survey survey = { 0 };
    struct sl_err why = { 0 };
    char dir[OPS_JOURNAL_PATH_BYTES];
    int why_not = 0;
    snprintf(dir, sizeof dir, "%s/%s", ops_address_state_dir(&patient->address, NULL),
             OPS_JOURNAL_NAME);
    if (!ops_journal_survey(dir, &visitor, &survey, &why_not, &why)) {
        ops_fact_skip(&patient->facts, OPS_CHECK_JOURNAL_ASIDE, why.text);
        return;
    }
    uint64_t count = survey.poisoned + survey.set_aside + watch.losses;
    ops_fact_see(&patient->facts, OPS_CHECK_JOURNAL_ASIDE, (int64_t)count, "",
                 "%" PRIu64 " events set aside in poison/, %" PRIu64 " copies of damage, %" PRIu64
                 " places damaged or missing%s",
                 survey.poisoned, survey.set_aside, watch.losses,
                 watch.is_cut ? " in the part that could be read in time" : "");
}

static bool watch_event(void *arg, const char *segment, const struct sl_journal_record *record,
                        bool is_resolved)
{
    (void)segment;
    (void)record;
    (void)is_resolved;
    struct survey_watch *watch = arg;
    watch->is_cut = sl_clock_mono_ms() > watch->end_ms;
    return !watch->is_cut;
}

static void watch_damage(void *arg, const struct ops_journal_damage *damage)
{
    struct survey_watch *watch = arg;
    watch->losses += sl_journal_tell_weight(damage->what) == SL_JOURNAL_WEIGHT_NOTE ? 0 : 1;
}

/* JSON ------------------------------------------------------------------------------------------ */

static void answer_init(struct answer *answer)
{
    *answer = (struct answer){ .parser = sl_json_parser_new(BODY_BYTES_MAX) };
    sl_buf_init(&answer->body, BODY_BYTES_MAX);
    sl_arena_init(&answer->arena, ARENA_BYTES_MAX);
}

static void answer_done(struct answer *answer)
{
    sl_json_parser_free(answer->parser);
    sl_arena_done(&answer->arena);
    sl_buf_done(&answer->body);
}

static void read_answer(struct answer *answer)
{
    answer->root = answer->parser == NULL
                       ? NULL
                       : sl_json_parse(answer->parser, &answer->arena, sl_buf_span(&answer->body),
                                       DEPTH_MAX, NODES_MAX, NULL);
}

static const char *text_of(struct answer *answer, const char *path, char out[TEXT_BYTES])
{
    struct sl_span text = sl_json_text(sl_json_at(answer->root, path), &answer->arena, true, NULL);
    snprintf(out, TEXT_BYTES, "%.*s", text.data == NULL ? 0 : (int)text.bytes,
             text.data == NULL ? "" : text.data);
    return out;
}
