#include "ops/command_table.h"

#include <string.h>

#include "ops/breaker.h"
#include "ops/completion.h"
#include "ops/dead/dead.h"
#include "ops/dev/dev.h"
#include "ops/doctor/doctor.h"
#include "ops/doctor/doctor_broker.h"
#include "ops/doctor/preflight.h"
#include "ops/event/event.h"
#include "ops/flags.h"
#include "ops/gameday/gameday.h"
#include "ops/health.h"
#include "ops/ingest.h"
#include "ops/journal/journal.h"
#include "ops/journal/journal_replay.h"
#include "ops/log_level.h"
#include "ops/manual.h"
#include "ops/migrate/migrate.h"
#include "ops/outage/audit.h"
#include "ops/queue/queue.h"
#include "ops/replay/replay.h"
#include "ops/requeue/requeue.h"
#include "ops/signature/sign.h"
#include "ops/snapshot/snapshot.h"
#include "ops/stripe/doctor_stripe.h"
#include "ops/stripe/reconcile.h"
#include "ops/top/top.h"
#include "ops/topology/topology.h"
#include "ops/trigger/trigger.h"
#include "shared/scope.h"

static const struct ops_command commands[] = {
    { .name = "dev",
      .purpose = "the whole product on this machine, without a container",
      .usage = ops_dev_usage,
      .example = "sluice dev --demo",
      .run = ops_dev },
    { .name = "trigger",
      .purpose = "send signed sample events to the publisher",
      .usage =
          "  WHAT              an event type; `signup` (a customer's first ten events); `all` (every type:\n"
          "                    every third customer lives the whole story, the others sign up)\n"
          "  --count N         so many events in total (1; for signup and all: one story)\n"
          "  --rate N          at most so many a second (0: as fast as they are answered)\n"
          "  --concurrency N   at most so many requests at once (16)\n"
          "  --url URL         publisher, or the whole webhook URL; default: SLUICE_PUBLISHER_URL, PORT,\n"
          "                    SLUICE_HTTP_LISTEN, the local stack, http://127.0.0.1:8080\n"
          "  --secret-file F   signing secret; default: STRIPE_WEBHOOK_SECRET, the local stack\n"
          "  --timeout D       longest wait for one answer (10s)\n"
          "  --duplicate       send every event twice, as senders do after a slow answer\n"
          "  --stale           sign an hour in the past; every event must be refused\n"
          "  --bad-signature   sign with another secret; every event must be refused\n"
          "  --print           print the events instead of sending them, one after the other\n"
          "  --list            the words WHAT can be\n" OPS_USAGE_OUTPUT
          "Exit status: 0 all answered as expected, 3 not all, 69 nothing answers there.\n",
      .example = "sluice trigger invoice.paid\n"
                 "sluice trigger signup --count 1000 --concurrency 32\n"
                 "sluice trigger all --url http://127.0.0.1:8080 -o json",
      .run = ops_trigger },
    { .name = "sign",
      .purpose = "sign a body the way a source does",
      .usage =
          "  [FILE]            the body; - or nothing: standard input\n"
          "  --source NAME     a source of SLUICE_SOURCES, or stripe (default), standard-webhooks, github,\n"
          "                    shopify\n"
          "  --id ID           the message's id, where the scheme signs one\n"
          "  --secret-file F   signing secret; default: the source's variable (STRIPE_WEBHOOK_SECRET), the\n"
          "                    local stack\n"
          "  --at SECONDS      sign as of then (Unix time; default: now)\n" OPS_USAGE_OUTPUT,
      .example =
          "sluice sign body.json\n"
          "sluice sign body.json --source github\n"
          "curl -H \"Stripe-Signature: $(sluice sign body.json)\" --data-binary @body.json URL",
      .run = ops_sign },
    { .name = "verify",
      .purpose = "judge a signature, and say why it fails",
      .usage =
          "  [FILE]            the body as received; - or nothing: standard input\n"
          "  --source NAME     a source of SLUICE_SOURCES, or stripe (default), standard-webhooks, github,\n"
          "                    shopify\n"
          "  --header VALUE    what the signature's header said (Stripe-Signature, …)\n"
          "  --timestamp VALUE what the timestamp's header said, where the scheme has one\n"
          "  --id VALUE        what the id's header said, where the scheme has one\n"
          "  --secret-file F   signing secrets, comma separated; default: the source's variable\n"
          "                    (STRIPE_WEBHOOK_SECRET), the local stack\n"
          "  --now SECONDS     judge the age as of then (Unix time; default: now)\n"
          "  --tolerance D     greatest age, and lead (300s)\n"
          "  --explain         also show what was compared\n" OPS_USAGE_OUTPUT
          "Exit status: 0 valid, 1 not valid.\n",
      .example = "sluice verify body.json --header 't=1790000000,v1=5257a8…'\n"
                 "sluice verify body.json --header \"$HEADER\" --explain",
      .run = ops_verify },
    { .name = "migrate up",
      .purpose = "bring the database to the schema of this program",
      .usage =
          "  --database-url U  default: DATABASE_URL, the local stack; a password belongs in the\n"
          "                    environment or in ~/.pgpass, not here\n"
          "  --wait D          for another migration that is at work\n"
          "  --timeout D       longest time one migration may take\n"
          "  --dry-run         the same as migrate status\n" OPS_USAGE_ROWS
          "Exit status: 0, also when there was nothing to do; 2 --dry-run, and something is pending; 78 when an applied migration was edited.\n",
      .example = "sluice migrate up",
      .run = ops_migrate_up },
    { .name = "migrate status",
      .purpose = "how far the database is; changes nothing",
      .usage = "  --database-url U  default: DATABASE_URL, the local stack\n" OPS_USAGE_ROWS
               "Exit status: 0 up to date, 2 something is pending, 78 drift.\n",
      .example = "sluice migrate status",
      .run = ops_migrate_status },
    { .name = "topology apply",
      .purpose = "create the exchanges, queues and bindings that are missing",
      .usage =
          "  --wait D          keep trying to reach the broker for so long (0s: one attempt a host)\n"
          "  --all             also list what was there already\n"
          "  --dry-run         the same as topology diff\n" OPS_USAGE_ROWS
          "Reads AMQP_URL, RABBITMQ_API_URL (optional) and SLUICE_SUBSYSTEMS. Never deletes or changes.\n"
          "Exit status: 0 everything is there, 2 --dry-run has found work, 3 something exists but differs.\n",
      .example = "sluice topology apply",
      .run = ops_topology_apply },
    { .name = "topology diff",
      .purpose = "what apply would create, and what differs; changes nothing",
      .usage =
          "  --wait D          keep trying to reach the broker for so long (0s: one attempt a host)\n"
          "  --all             also list what is as it should be\n" OPS_USAGE_ROWS
          "Bindings can be compared only through RABBITMQ_API_URL.\n"
          "Exit status: 0 nothing to do, 2 apply has work, or something differs.\n",
      .example = "sluice topology diff\nsluice topology diff -o json",
      .run = ops_topology_diff },
    { .name = "event show",
      .purpose = "one event's whole story: received, tried, written, given up, replayed",
      .usage = ops_event_show_usage,
      .example = "sluice event show evt_1Q…",
      .run = ops_event_show },
    { .name = "event find",
      .purpose = "which events there were, by what they are about",
      .usage = ops_event_find_usage,
      .example = "sluice event find --object cus_1Q…\n"
                 "sluice event find --type 'invoice.*' --verdict stale --since 2h -o csv",
      .run = ops_event_find },
    { .name = "audit outage",
      .purpose = "what an outage dropped, gave up, journaled or made late, the most severe first",
      .usage = ops_audit_outage_usage,
      .example = "sluice audit outage --from 2h\n"
                 "sluice audit outage --from 2026-01-31T14:00:00Z --to 2026-01-31T15:00:00Z -o csv",
      .run = ops_audit_outage },
    { .name = "snapshot",
      .purpose = "one document of how everything is, without secrets, to look at later",
      .usage = ops_snapshot_usage,
      .example = "sluice snapshot --since 60m --out incident.json",
      .run = ops_snapshot },
    { .name = "dead list",
      .purpose = "the dead letters that match, newest first",
      .usage = ops_dead_list_usage,
      .example = "sluice dead list\nsluice dead list --type 'invoice.*' --since 2h -o csv",
      .run = ops_dead_list },
    { .name = "dead groups",
      .purpose = "dead letters by cause: how many, since when, samples",
      .usage = ops_dead_groups_usage,
      .example = "sluice dead groups\nsluice dead groups --subsystem billing --since 1d",
      .run = ops_dead_groups },
    { .name = "dead show",
      .purpose = "one dead letter: why, its history, what to do",
      .usage = ops_dead_show_usage,
      .example = "sluice dead show 4711\nsluice dead show evt_1Q… --payload",
      .run = ops_dead_show },
    { .name = "dead replay",
      .purpose = "send dead letters to their subsystem again, after the cause is fixed",
      .usage = ops_dead_replay_usage,
      .example =
          "sluice dead replay --fingerprint 1f0c…\n"
          "sluice dead replay --fingerprint 1f0c… --rehearse 20\n"
          "sluice dead replay --fingerprint 1f0c… --limit 500 --rate 50/s --yes --reason 'constraint dropped'\n"
          "sluice dead replay 4711 --yes --reason 'constraint dropped'",
      .run = ops_dead_replay },
    { .name = "replay list",
      .purpose = "replay runs, the newest first: how far each is, who made it and why",
      .usage = ops_replay_list_usage,
      .example = "sluice replay list",
      .run = ops_replay_list },
    { .name = "replay show",
      .purpose = "one run: what became of its letters, and who did what",
      .usage = ops_replay_show_usage,
      .example = "sluice replay show 20260131-140000-1a2b3c",
      .run = ops_replay_show },
    { .name = "replay pause",
      .purpose = "publish no more of a run's letters for now",
      .usage = ops_replay_pause_usage,
      .example = "sluice replay pause 20260131-140000-1a2b3c --reason 'the database is slow'",
      .run = ops_replay_pause },
    { .name = "replay resume",
      .purpose = "go on with a run that was paused, cut off, or only planned",
      .usage = ops_replay_resume_usage,
      .example = "sluice replay resume 20260131-140000-1a2b3c\n"
                 "sluice replay resume 20260131-140000-1a2b3c --yes",
      .run = ops_replay_resume },
    { .name = "replay abort",
      .purpose = "end a run; what is not published is open again",
      .usage = ops_replay_abort_usage,
      .example = "sluice replay abort 20260131-140000-1a2b3c --reason 'wrong letters'",
      .run = ops_replay_abort },
    { .name = "replay verify",
      .purpose = "has anybody changed what the audit says was done?",
      .usage = ops_replay_verify_usage,
      .example = "sluice replay verify\nsluice replay verify -o json",
      .run = ops_replay_verify },
    { .name = "dead park",
      .purpose = "set an event, or all of a type, aside when it is next met",
      .usage = ops_dead_park_usage,
      .example =
          "sluice dead park --event evt_1Q… --reason 'stops everybody'\n"
          "sluice dead park --type customer.updated --subsystem billing --reason 'bad release' --for 1h",
      .run = ops_dead_park },
    { .name = "dead unpark",
      .purpose = "do not set it aside any more",
      .usage = ops_dead_unpark_usage,
      .example = "sluice dead unpark --event evt_1Q…\n"
                 "sluice dead unpark --type customer.updated --subsystem billing",
      .run = ops_dead_unpark },
    { .name = "dead discard",
      .purpose = "give dead letters up, with a reason; `dead restore` undoes it",
      .usage = ops_dead_discard_usage,
      .example = "sluice dead discard 4711 --reason 'test event of the old account' --yes",
      .run = ops_dead_discard },
    { .name = "dead restore",
      .purpose = "open discarded dead letters again",
      .usage = ops_dead_restore_usage,
      .example = "sluice dead restore 4711 --yes",
      .run = ops_dead_restore },
    { .name = "dead export",
      .purpose = "dead letters as one JSON object a line, bytes included",
      .usage = ops_dead_export_usage,
      .example = "sluice dead export --status all >letters.ndjson\n"
                 "sluice dead export --fingerprint 1f0c… --out poison.ndjson",
      .run = ops_dead_export },
    { .name = "queue list",
      .purpose =
          "what waits, is in hand and is delayed, and for how long; who consumes; what is set",
      .usage = ops_queue_list_usage,
      .example = "sluice queue list\nsluice queue list --sample 2s -o json",
      .run = ops_queue_list },
    { .name = "queue watch",
      .purpose = "the list again and again, with rates in and out and what was given up meanwhile",
      .usage = ops_queue_watch_usage,
      .example = "sluice queue watch\nsluice queue watch --every 5s -o ndjson",
      .run = ops_queue_watch },
    { .name = "top",
      .purpose = "one screen for the night on call: publisher, broker, database, every subsystem",
      .usage = ops_top_usage,
      .example = "sluice top\nsluice top --once\nsluice top --every 5s -o ndjson",
      .run = ops_top },
    { .name = "queue diagnose",
      .purpose = "why a queue grows: one of six causes, with the evidence and the next move",
      .usage = ops_queue_diagnose_usage,
      .example = "sluice queue diagnose\nsluice queue diagnose billing --sample 10s",
      .run = ops_queue_diagnose },
    { .name = "queue drain",
      .purpose = "wait until a subsystem has nothing left to do, and say when that will be",
      .usage = ops_queue_drain_usage,
      .example = "sluice queue drain billing --timeout 15m",
      .run = ops_queue_drain },
    { .name = "queue purge",
      .purpose = "take what waits out of a queue, into a file from which it can go back",
      .usage = ops_queue_purge_usage,
      .example = "sluice queue purge billing\n"
                 "sluice queue purge billing --yes --reason 'events of the wrong account'",
      .run = ops_queue_purge },
    { .name = "queue restore",
      .purpose = "publish what was purged to its subsystem again",
      .usage = ops_queue_restore_usage,
      .example = "sluice queue restore sluice.billing-20260131T140000Z.ndjson\n"
                 "sluice queue restore sluice.billing-20260131T140000Z.ndjson --yes --rate 200",
      .run = ops_queue_restore },
    { .name = "requeue",
      .purpose = "publish a subsystem's events again, from the tables they come from",
      .usage = ops_requeue_usage,
      .example =
          "sluice requeue transcode --from 6h\n"
          "sluice requeue transcode --from 2026-01-31T14:00:00Z --to 2026-01-31T15:00:00Z --yes",
      .run = ops_requeue },
    { .name = "scale advise",
      .purpose = "how many workers a backlog needs, and whether the database has room for them",
      .usage = ops_scale_advise_usage,
      .example = "sluice scale advise billing\nsluice scale advise --within 5m --budget 60",
      .run = ops_scale_advise_command },
    { .name = "queue pause",
      .purpose = "stop taking events of a subsystem; they wait in its queue",
      .usage = ops_queue_pause_usage,
      .example = "sluice queue pause billing --for 30m --reason 'table is being rebuilt'\n"
                 "sluice queue pause --non-critical",
      .run = ops_queue_pause },
    { .name = "queue resume",
      .purpose = "take events again",
      .usage = ops_queue_resume_usage,
      .example = "sluice queue resume billing\nsluice queue resume --all",
      .run = ops_queue_resume },
    { .name = "breaker list",
      .purpose = "event types that are not tried for now, and until when",
      .usage = ops_breaker_list_usage,
      .example = "sluice breaker list",
      .run = ops_breaker_list },
    { .name = "breaker trip",
      .purpose =
          "hold an event type back, or with --database everything; events wait in the broker, unspent",
      .usage = ops_breaker_trip_usage,
      .example =
          "sluice breaker trip billing invoice.paid --for 30m --reason 'column is being added'\n"
          "sluice breaker trip --database --for 1h --reason 'restore is being checked'",
      .run = ops_breaker_trip },
    { .name = "breaker close",
      .purpose = "try an event type again, when the cause is mended",
      .usage = ops_breaker_close_usage,
      .example = "sluice breaker close billing invoice.paid\nsluice breaker close --database",
      .run = ops_breaker_close },
    { .name = "queue set",
      .purpose = "change how a subsystem works while it works; shown until it is reset",
      .usage = ops_queue_set_usage,
      .example = "sluice queue set billing batch=50 retries=off --for 1h\n"
                 "sluice queue set billing --reset\nsluice queue set",
      .run = ops_queue_set },
    { .name = "reconcile stripe",
      .purpose = "what Stripe sent against what was applied; publish only what is missing",
      .usage = ops_reconcile_usage,
      .example = "sluice reconcile stripe --since 6h\nsluice reconcile stripe --since 6h --yes",
      .run = ops_reconcile },
    { .name = "doctor",
      .purpose = "every check there is, each with a verdict and the exact fix",
      .usage = ops_doctor_usage,
      .example =
          "sluice doctor\nsluice doctor --only postgres,queue --all\n"
          "sluice doctor --after-deploy --expect-version 1.4.0 --log /var/log/sluice/publisher.log",
      .run = ops_doctor },
    { .name = "preflight",
      .purpose = "two environments side by side before a deployment; no value is printed",
      .usage = ops_preflight_usage,
      .example = "sluice preflight staging.env prod.env\n"
                 "sluice preflight staging.env prod.env --gate && ./deploy\n"
                 "sluice preflight staging.env prod.env --confirm DEPLOY-PROD",
      .run = ops_preflight },
    { .name = "doctor broker",
      .purpose = "the first layer that fails on the way to a confirmed publish, and the alarms",
      .usage = ops_doctor_broker_usage,
      .example = "sluice doctor broker",
      .run = ops_doctor_broker },
    { .name = "doctor stripe",
      .purpose = "does Stripe send here, and everything that billing applies?",
      .usage = ops_doctor_stripe_usage,
      .example = "sluice doctor stripe\nsluice doctor stripe --url https://webhooks.example.com",
      .run = ops_doctor_stripe },
    { .name = "gameday list",
      .purpose = "the outages that can be rehearsed, and whether they can be here",
      .usage = ops_gameday_list_usage,
      .example = "sluice gameday list",
      .run = ops_gameday_list },
    { .name = "gameday run",
      .purpose = "rehearse an outage under load, and prove with a ledger that nothing was lost",
      .usage = ops_gameday_run_usage,
      .example = "sluice gameday run broker-stop\n"
                 "sluice gameday run broker-stop --for 2m --yes --report broker-stop.md",
      .run = ops_gameday_run },
    { .name = "ingest pause",
      .purpose = "keep webhooks out for a while: 503, and the senders come again",
      .usage = ops_ingest_pause_usage,
      .example = "sluice ingest pause --for 30m\nsluice ingest pause --source stripe --answer 429",
      .run = ops_ingest_pause },
    { .name = "ingest resume",
      .purpose = "let webhooks in again",
      .usage = ops_ingest_resume_usage,
      .example = "sluice ingest resume",
      .run = ops_ingest_resume },
    { .name = "ingest status",
      .purpose = "who is paused, until when, and how the publisher is",
      .usage = ops_ingest_status_usage,
      .example = "sluice ingest status\nsluice ingest status -o json",
      .run = ops_ingest_status },
    { .name = "journal status",
      .purpose = "what the publisher keeps for a broker that is away; changes nothing",
      .usage = ops_journal_status_usage,
      .example = "sluice journal status\nsluice journal status -o json",
      .run = ops_journal_status },
    { .name = "journal list",
      .purpose = "the events that wait in the journal, without their bodies",
      .usage = ops_journal_list_usage,
      .example = "sluice journal list --limit 20\nsluice journal list --poison",
      .run = ops_journal_list },
    { .name = "journal replay",
      .purpose = "publish what the journal holds now; without --yes only the plan",
      .usage = ops_journal_replay_usage,
      .example = "sluice journal replay\nsluice journal replay --yes --rate 200",
      .run = ops_journal_replay },
    { .name = "journal verify",
      .purpose = "prove every record of the journal, and name what is damaged or missing",
      .usage = ops_journal_verify_usage,
      .example = "sluice journal verify",
      .run = ops_journal_verify },
    { .name = "log show",
      .purpose = "the log levels of the running publisher",
      .usage = ops_log_show_usage,
      .example = "sluice log show",
      .run = ops_log_show },
    { .name = "log set",
      .purpose = "change them without a restart",
      .usage = ops_log_set_usage,
      .example = "sluice log set --level debug\nsluice log set --degraded error",
      .run = ops_log_set },
    { .name = "health",
      .purpose = "do the daemons answer, and can they take work",
      .usage =
          "  [publisher|consumer]  only this one\n"
          "  --url URL         where that one answers; default: SLUICE_PUBLISHER_URL or\n"
          "                    SLUICE_CONSUMER_URL, the listen addresses, the local stack, the defaults\n"
          "  --live            a process that answers is enough; it need not be ready\n"
          "  --timeout D       longest wait for an answer (3s)\n" OPS_USAGE_ROWS
          "HEALTH `degraded`: it takes work and keeps it, but broker or database is away: sluice doctor.\n"
          "Exit status: 0 all asked can take work, 1 not.\n",
      .example = "sluice health\nsluice health publisher --live",
      .run = ops_health },
    { .name = "completion",
      .purpose = "a script with which the shell completes these commands",
      .usage = "  [bash|zsh|fish]   for this shell\n",
      .example = "sluice completion bash >/etc/bash_completion.d/sluice\n"
                 "sluice completion zsh >\"${fpath[1]}/_sluice\"\n"
                 "sluice completion fish >~/.config/fish/completions/sluice.fish",
      .run = ops_completion },
    { .name = "man",
      .purpose = "the manual page, made from the same tables as this help",
      .usage =
          "  [publisher|consumer]  the page of a daemon, with every key of its environment; default: sluice(1)\n",
      .example = "sluice man | man -l -\nsluice man publisher | man -l -",
      .run = ops_manual },
};

_Static_assert(SL_COUNT(commands) <= OPS_COMMANDS_MAX, "make room for more commands");

const struct ops_command *ops_commands_find(const char *name)
{
    for (size_t i = 0; i < SL_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

const struct ops_command *ops_commands_at(size_t i)
{
    return i < SL_COUNT(commands) ? &commands[i] : NULL;
}

bool ops_commands_is_noun(const char *word)
{
    size_t bytes = strlen(word);
    for (size_t i = 0; i < SL_COUNT(commands); i++) {
        if (strncmp(commands[i].name, word, bytes) == 0 && commands[i].name[bytes] == ' ') {
            return true;
        }
    }
    return false;
}
