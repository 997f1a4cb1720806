#include "ops/commands.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ops/breaker.h"
#include "ops/completion.h"
#include "ops/dead/dead.h"
#include "ops/dev/dev.h"
#include "ops/doctor/doctor_broker.h"
#include "ops/event/event.h"
#include "ops/health.h"
#include "ops/ingest.h"
#include "ops/journal/journal.h"
#include "ops/journal/journal_replay.h"
#include "ops/log_level.h"
#include "ops/manual.h"
#include "ops/migrate/migrate.h"
#include "ops/queue/queue.h"
#include "ops/signature/sign.h"
#include "ops/stripe/doctor_stripe.h"
#include "ops/stripe/reconcile.h"
#include "ops/topology/topology.h"
#include "ops/trigger/trigger.h"
#include "shared/nearest.h"
#include "shared/scope.h"

#define NAME_BYTES 64u
#define NAME_WIDTH 16

#define OUTPUT_USAGE "  -o table|json     for people (default) or for programs\n"

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
          "  --list            the words WHAT can be\n" OUTPUT_USAGE
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
          "  --at SECONDS      sign as of then (Unix time; default: now)\n" OUTPUT_USAGE,
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
          "  --explain         also show what was compared\n" OUTPUT_USAGE
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
          "  --timeout D       longest time one migration may take\n" OUTPUT_USAGE
          "Exit status: 0, also when there was nothing to do; 78 when an applied migration was edited.\n",
      .example = "sluice migrate up",
      .run = ops_migrate_up },
    { .name = "migrate status",
      .purpose = "how far the database is; changes nothing",
      .usage = "  --database-url U  default: DATABASE_URL, the local stack\n" OUTPUT_USAGE
               "Exit status: 0 up to date, 2 something is pending, 78 drift.\n",
      .example = "sluice migrate status",
      .run = ops_migrate_status },
    { .name = "topology apply",
      .purpose = "create the exchanges, queues and bindings that are missing",
      .usage =
          "  --wait D          keep trying to reach the broker for so long (0s: one attempt a host)\n"
          "  --all             also list what was there already\n" OUTPUT_USAGE
          "Reads AMQP_URL, RABBITMQ_API_URL (optional) and SLUICE_SUBSYSTEMS. Never deletes or changes.\n"
          "Exit status: 0 everything is there, 3 something exists but differs.\n",
      .example = "sluice topology apply",
      .run = ops_topology_apply },
    { .name = "topology diff",
      .purpose = "what apply would create, and what differs; changes nothing",
      .usage =
          "  --wait D          keep trying to reach the broker for so long (0s: one attempt a host)\n"
          "  --all             also list what is as it should be\n" OUTPUT_USAGE
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
      .example = "sluice dead replay --fingerprint 1f0c…\n"
                 "sluice dead replay --fingerprint 1f0c… --limit 500 --rate 50/s --yes\n"
                 "sluice dead replay 4711 --yes --reason 'constraint dropped'",
      .run = ops_dead_replay },
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
    { .name = "queue drain",
      .purpose = "wait until a subsystem has nothing left to do, and say when that will be",
      .usage = ops_queue_drain_usage,
      .example = "sluice queue drain billing --timeout 15m",
      .run = ops_queue_drain },
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
      .purpose = "hold an event type back; its events wait in the broker, unspent",
      .usage = ops_breaker_trip_usage,
      .example =
          "sluice breaker trip billing invoice.paid --for 30m --reason 'column is being added'",
      .run = ops_breaker_trip },
    { .name = "breaker close",
      .purpose = "try an event type again, when the cause is mended",
      .usage = ops_breaker_close_usage,
      .example = "sluice breaker close billing invoice.paid",
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
          "  --timeout D       longest wait for an answer (3s)\n" OUTPUT_USAGE
          "Exit status: 0 all asked are well, 1 not.\n",
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

static const char *const examples[] = {
    "sluice dev                       a private broker, database and both daemons, until Ctrl-C",
    "sluice trigger signup            ten signed events of a new customer, to what runs here",
    "sluice topology diff             what the broker lacks, and what is different there",
    "sluice verify body.json --header \"$H\"   why a signature is refused",
};

/* The first words of all commands. */
struct nouns {
    char words[SL_COUNT(commands)][NAME_BYTES];
};

static bool wants_help(int argc, char **argv);
static const struct ops_command *match(int argc, char **argv, int *out_words);
static bool is_noun(const char *word);
static int unknown(int argc, char **argv);
static const char *next_name(const void *arg, size_t i);
static const char *next_noun(const void *arg, size_t i);
static void print_overview(FILE *stream);
static void print_noun(const char *noun, FILE *stream);
static void print_command(const struct ops_command *command);

int ops_commands_run(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return EX_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("sluice %s\n", SLUICE_VERSION);
        return EX_OK;
    }
    bool is_help = strcmp(argv[1], "help") == 0;
    if ((is_help && argc == 2) || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview(stdout);
        return EX_OK;
    }
    argc -= is_help ? 2 : 1;
    argv += is_help ? 2 : 1;
    int words = 0;
    const struct ops_command *command = match(argc, argv, &words);
    if (command == NULL && is_noun(argv[0]) && (argc == 1 || wants_help(argc, argv))) {
        bool was_asked = is_help || argc > 1;
        print_noun(argv[0], was_asked ? stdout : stderr);
        return was_asked ? EX_OK : EX_USAGE;
    }
    if (command == NULL) {
        return unknown(argc, argv);
    }
    if (is_help || wants_help(argc - words, argv + words)) {
        print_command(command);
        return EX_OK;
    }
    return command->run(argc - words + 1, argv + words - 1);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

/* The command with the most words that the arguments start with. */
static const struct ops_command *match(int argc, char **argv, int *out_words)
{
    for (int words = argc < 2 ? argc : 2; words > 0; words--) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s%s%s", argv[0], words == 2 ? " " : "",
                 words == 2 ? argv[1] : "");
        const struct ops_command *command = ops_commands_find(name);
        if (command != NULL) {
            *out_words = words;
            return command;
        }
    }
    return NULL;
}

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

static bool is_noun(const char *word)
{
    size_t bytes = strlen(word);
    for (size_t i = 0; i < SL_COUNT(commands); i++) {
        if (strncmp(commands[i].name, word, bytes) == 0 && commands[i].name[bytes] == ' ') {
            return true;
        }
    }
    return false;
}

static int unknown(int argc, char **argv)
{
    char typed[NAME_BYTES];
    struct nouns nouns;
    for (size_t i = 0; i < SL_COUNT(commands); i++) {
        snprintf(nouns.words[i], NAME_BYTES, "%.*s", (int)strcspn(commands[i].name, " "),
                 commands[i].name);
    }
    bool has_verb = argc > 1 && argv[1][0] != '-';
    snprintf(typed, sizeof typed, "%s%s%s", argv[0], has_verb ? " " : "", has_verb ? argv[1] : "");
    const char *nearest = sl_nearest_of(sl_span_of(typed), next_name, NULL);
    if (nearest == NULL) {
        nearest = sl_nearest_of(sl_span_of(argv[0]), next_noun, &nouns);
    }
    fprintf(stderr, "sluice: there is no command '%s'%s%s%s\n", is_noun(argv[0]) ? typed : argv[0],
            nearest == NULL ? "" : "; did you mean '", nearest == NULL ? "" : nearest,
            nearest == NULL ? "; see: sluice help" : "'?");
    return EX_USAGE;
}

static const char *next_name(const void *arg, size_t i)
{
    (void)arg;
    return i < SL_COUNT(commands) ? commands[i].name : NULL;
}

static const char *next_noun(const void *arg, size_t i)
{
    const struct nouns *nouns = arg;
    return i < SL_COUNT(commands) ? nouns->words[i] : NULL;
}

static void print_overview(FILE *stream)
{
    fprintf(stream,
            "sluice - webhooks in, a durable queue, rows out: the operator's hands\n\nTry:\n");
    for (size_t i = 0; i < SL_COUNT(examples); i++) {
        fprintf(stream, "  %s\n", examples[i]);
    }
    fprintf(stream, "\nCommands:\n");
    for (size_t i = 0; i < SL_COUNT(commands); i++) {
        fprintf(stream, "  %-*s %s\n", NAME_WIDTH, commands[i].name, commands[i].purpose);
    }
    fprintf(stream, "\nsluice help COMMAND shows its flags; sluice --version the version.\n");
}

static void print_noun(const char *noun, FILE *stream)
{
    size_t bytes = strlen(noun);
    for (size_t i = 0; i < SL_COUNT(commands); i++) {
        if (strncmp(commands[i].name, noun, bytes) == 0 && commands[i].name[bytes] == ' ') {
            fprintf(stream, "  sluice %-*s %s\n", NAME_WIDTH, commands[i].name,
                    commands[i].purpose);
        }
    }
}

static void print_command(const struct ops_command *command)
{
    printf("sluice %s - %s\n\n", command->name, command->purpose);
    for (const char *line = command->example; *line != '\0';) {
        size_t bytes = strcspn(line, "\n");
        printf("  %.*s\n", (int)bytes, line);
        line += bytes + (line[bytes] == '\n' ? 1 : 0);
    }
    if (*command->usage != '\0') {
        printf("\n%s", command->usage);
    }
}

int ops_report(const char *command, const struct sl_err *err)
{
    fprintf(stderr, "sluice %s: %s\n", command, err->text);
    if (err->code == SL_E_USAGE) {
        fprintf(stderr, "See: sluice help %s\n", command);
    }
    return sl_err_exit_status(err);
}
