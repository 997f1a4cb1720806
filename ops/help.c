#include "ops/help.h"

#include <string.h>

#include "ops/command_table.h"
#include "shared/scope.h"
#include "shared/span.h"

#define NAME_WIDTH 17

static const char *const examples[] = {
    "sluice dev                       a private broker, database and both daemons, until Ctrl-C",
    "sluice trigger signup            ten signed events of a new customer, to what runs here",
    "sluice doctor                    every check there is, each with the exact fix",
    "sluice queue list                what waits, what is in hand, who consumes",
    "sluice queue diagnose            why a queue grows, and the next move",
    "sluice dead groups               what was given up, by cause",
    "sluice event show evt_1Q…        one event's whole story",
    "sluice verify body.json --header \"$H\"   why a signature is refused",
};

/* The overview: what the nouns are for, in the order of a life with it. */
static const struct {
    const char *title;
    const char *nouns;
} groups[] = {
    { "On your own machine", "dev trigger sign verify" },
    { "Before and after a deployment", "migrate topology preflight doctor health" },
    { "See what happens", "top event audit snapshot" },
    { "Queues and breakers", "queue scale breaker" },
    { "Dead letters, and events once more", "dead replay requeue reconcile" },
    { "The receiver and its journal", "ingest journal log" },
    { "Rehearse an outage", "gameday" },
    { "This tool", "completion man" },
};

static const char everywhere[] =
    "\nEverywhere, also before the command:\n"
    "  -h, --help        examples and flags of a command\n"
    "  -o FORMAT         table for people; json, ndjson or csv for programs\n"
    "  -n, --dry-run     what a command that changes something would do\n"
    "  -y, --yes         do what the plan says\n"
    "  -q, --quiet       nothing on standard error but what went wrong\n"
    "  --no-input        never ask: what needs a typed phrase is refused\n";

static void print_commands_of(struct sl_span noun, FILE *stream);

void ops_help_overview(FILE *stream)
{
    fprintf(stream,
            "sluice - webhooks in, a durable queue, rows out: the operator's hands\n\nTry:\n");
    for (size_t i = 0; i < SL_COUNT(examples); i++) {
        fprintf(stream, "  %s\n", examples[i]);
    }
    fprintf(stream, "\nCommands:\n");
    for (size_t g = 0; g < SL_COUNT(groups); g++) {
        fprintf(stream, "\n%s\n", groups[g].title);
        struct sl_span nouns = sl_span_of(groups[g].nouns);
        struct sl_span noun = { 0 };
        while (sl_span_split(&nouns, ' ', &noun)) {
            print_commands_of(noun, stream);
        }
    }
    fputs(everywhere, stream);
    fprintf(stream, "\nsluice help COMMAND shows its flags; sluice --version the version.\n");
}

static void print_commands_of(struct sl_span noun, FILE *stream)
{
    const struct ops_command *command = NULL;
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        struct sl_span rest = sl_span_of(command->name);
        struct sl_span first = { 0 };
        (void)sl_span_split(&rest, ' ', &first);
        if (sl_span_eq(first, noun)) {
            fprintf(stream, "  %-*s %s\n", NAME_WIDTH, command->name, command->purpose);
        }
    }
}

void ops_help_noun(const char *noun, FILE *stream)
{
    const struct ops_command *command = NULL;
    size_t bytes = strlen(noun);
    fputs("Try:\n", stream);
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        if (strncmp(command->name, noun, bytes) == 0 && command->name[bytes] == ' ') {
            fprintf(stream, "  %.*s\n", (int)strcspn(command->example, "\n"), command->example);
        }
    }
    fputs("\nCommands:\n", stream);
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        if (strncmp(command->name, noun, bytes) == 0 && command->name[bytes] == ' ') {
            fprintf(stream, "  sluice %-*s %s\n", NAME_WIDTH, command->name, command->purpose);
        }
    }
}

void ops_help_command(const struct ops_command *command)
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
