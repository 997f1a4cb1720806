#include "ops/manual.h"

#include <string.h>
#include <sysexits.h>

#include "ops/command_table.h"
#include "ops/commands.h"
#include "ops/flags.h"
#include "shared/config/conf.h"
#include "shared/scope.h"

/* Only what a reader of the page needs of a row. The tables are data: no code of the two daemons comes along. */
#define SL_CONF(field, TYPE, ...) { __VA_ARGS__ },
static const struct sl_conf_key keys[] = {
#include "ops/config.def"
};
static const struct sl_conf_key publisher_keys[] = {
#include "publisher/config.def"
};
static const struct sl_conf_key consumer_keys[] = {
#include "consumer/config.def"
};
#undef SL_CONF

/* A page about one of the daemons. */
struct daemon_page {
    const char *name; /* as sluice man takes it */
    const char *head;
    const struct sl_conf_key *keys;
    size_t key_count;
};

#define PAGE_DATE "November 26, 2026" /* when the words below were last changed */

static const char head[] =
    ".Dd " PAGE_DATE "\n"
    ".Dt SLUICE 1\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm sluice\n"
    ".Nd webhooks in, a durable queue, rows out: the operator's hands\n"
    ".Sh SYNOPSIS\n"
    ".Nm\n"
    ".Ar command\n"
    ".Op Ar argument ...\n"
    ".Nm\n"
    ".Cm help\n"
    ".Op Ar command\n"
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "is what people do around the programs\n"
    ".Xr sluice-publisher 8\n"
    "and\n"
    ".Xr sluice-consumer 8 :\n"
    "see what waits, what was given up and why; pause, drain, replay, requeue and reconcile; prepare and\n"
    "check database, broker and configuration; rehearse outages; and run all of it on one machine.\n"
    ".Pp\n"
    "Data goes to the standard output, everything else to the standard error.\n"
    "A command that reads changes nothing.\n"
    "One that moves or deletes shows its plan first and acts with\n"
    ".Fl y ;\n"
    "one that only switches something that can be switched back acts at once.\n"
    "Every one of them takes\n"
    ".Fl n .\n"
    ".Pp\n"
    "Flags that mean the same everywhere, before or behind the command's words:\n"
    ".Bl -tag -width Ds\n"
    ".It Fl h , Fl \\-help\n"
    "Examples and flags of the command.\n"
    ".It Fl o Ar table | json | ndjson | csv , Fl \\-output , Fl \\-json\n"
    "A table for people, or one of three forms for programs, where the answer is rows; table or json where it is one\n"
    "document.\n"
    "In JSON numbers are numbers, and what is not known is null; in CSV it is empty.\n"
    ".It Fl n , Fl \\-dry\\-run\n"
    "Say what would be done, and do nothing; wins over\n"
    ".Fl y .\n"
    ".It Fl y , Fl \\-yes\n"
    "Do what the plan says.\n"
    ".It Fl q , Fl \\-quiet\n"
    "Nothing on the standard error but what went wrong.\n"
    ".It Fl \\-no\\-input\n"
    "Never ask: what needs a typed phrase is refused.\n"
    ".It Fl \\-version\n"
    "The version.\n"
    ".El\n"
    ".Pp\n"
    "Durations have a unit (500ms, 30s, 5m, 2h, 7d); times are RFC 3339 in UTC, or how long ago (2h).\n"
    ".Sh COMMANDS\n";
static const char tail[] =
    ".Pp\n"
    "Nothing is coloured, whatever the terminal, so there is nothing for\n"
    ".Ev NO_COLOR\n"
    "to switch off, and no\n"
    ".Fl \\-color .\n"
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa /var/lib/sluice\n"
    "Control sockets and journal of the daemons, unless\n"
    ".Ev SLUICE_STATE_DIR\n"
    "names another folder.\n"
    ".It Pa ~/.local/state/sluice\n"
    "The private stack of\n"
    ".Cm sluice dev ,\n"
    "below\n"
    ".Ev XDG_STATE_HOME ;\n"
    ".Ev SLUICE_DEV_DIR\n"
    "names another folder.\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    "Each command's text says which of them it uses, and when.\n"
    "The same number means the same everywhere:\n"
    ".Pp\n"
    ".Bl -tag -width Ds -compact\n"
    ".It 0\n"
    "All is well, or all was done.\n"
    ".It 1\n"
    "A check found a problem;\n"
    ".Cm health\n"
    "knows only 0 and 1.\n"
    ".It 2\n"
    "A plan has work, and nothing was changed.\n"
    ".It 3\n"
    "Only a part succeeded.\n"
    ".It 4\n"
    "Only\n"
    ".Cm reconcile stripe :\n"
    "what is missing is about to be forgotten by Stripe.\n"
    ".It 64\n"
    "Mistyped: a command, a flag, a value, a name.\n"
    ".It 65\n"
    "Bad data: what was read can never pass.\n"
    ".It 66\n"
    "What was named is not there: a file, a dead letter, a run, an event.\n"
    ".It 69\n"
    "A server or a daemon cannot be reached, or refuses.\n"
    ".It 70\n"
    "A fault of the program itself.\n"
    ".It 73\n"
    "A file cannot be made, or is there already.\n"
    ".It 74\n"
    "Reading or writing failed, also of the standard output.\n"
    ".It 75\n"
    "Not yet: not all followed, or not within the time; to be tried again.\n"
    ".It 77\n"
    "Not permitted; of\n"
    ".Cm preflight :\n"
    "the phrase was not typed.\n"
    ".It 78\n"
    "Something has to be configured.\n"
    ".It 130\n"
    "Stopped by Ctrl\\-C.\n"
    ".El\n"
    ".Sh SIGNALS\n"
    "SIGINT and SIGTERM end a command; one that is in the middle of a change ends where it can go on later,\n"
    "and says how.\n"
    ".Sh SEE ALSO\n"
    ".Xr sluice\\-consumer 8 ,\n"
    ".Xr sluice\\-publisher 8\n";

#define DAEMON_HEAD(NAME, PROGRAM, PURPOSE, SYNOPSIS, TEXT)                                        \
    ".Dd " PAGE_DATE "\n.Dt " NAME " 8\n.Os\n.Sh NAME\n.Nm " PROGRAM "\n.Nd " PURPOSE "\n"         \
    ".Sh SYNOPSIS\n" SYNOPSIS ".Nm\n.Fl \\-help | Fl \\-version\n.Sh DESCRIPTION\n.Nm\n" TEXT      \
    "It is configured by its environment.\nA mistake stops the start, with all mistakes in one\n"  \
    "message; of a key that holds a secret,\n.Ev NAME_FILE\nnames a file that holds it.\n"
static const struct daemon_page pages[] = {
    { "publisher",
      DAEMON_HEAD(
          "SLUICE-PUBLISHER", "sluice-publisher", "webhooks in, confirmed messages out",
          ".Nm\n.Op Fl \\-loops Ar N\n",
          "takes signed webhooks over HTTP and publishes each as a durable, confirmed message to\n"
          "RabbitMQ; while the broker is away it keeps them in a journal and publishes them later.\n"
          ".Pp\n.Fl \\-loops\nsays the same as\n.Ev SLUICE_LOOPS ,\nand wins.\n.Pp\n"),
      publisher_keys, SL_COUNT(publisher_keys) },
    { "consumer",
      DAEMON_HEAD(
          "SLUICE-CONSUMER", "sluice-consumer", "messages in, committed rows out",
          ".Nm\n.Op Ar subsystem ...\n.Nm\n.Fl \\-check\n",
          "applies the events of each subsystem's queue to Postgres or an HTTP target, once each, with\n"
          "retries, delays and dead letters.\n"
          "It works for the subsystems that are named, else for every enabled one.\n"
          ".Pp\n.Fl \\-check\nsays what is wrong with the configuration and ends with 78, or shows every value\n"
          "that holds and ends with 0.\n.Pp\n"),
      consumer_keys, SL_COUNT(consumer_keys) },
};
static const char daemon_tail[] =
    ".Sh SIGNALS\n"
    ".Bl -tag -width Ds\n"
    ".It SIGTERM , SIGINT\n"
    "Takes nothing new, finishes what is in hand, ends with status 0; a second one ends it at once.\n"
    ".It SIGHUP\n"
    "Reads the configuration, the files it names and the secrets again.\n"
    "A mistake in them is logged, and what was in force stays.\n"
    ".El\n"
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa /var/lib/sluice\n"
    "Control socket and state, unless\n"
    ".Ev SLUICE_STATE_DIR\n"
    "names another folder.\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    "0 after SIGTERM or SIGINT, when everything in hand was finished; above 63 as in\n"
    ".In sysexits.h :\n"
    "78 something has to be configured.\n"
    ".Sh SEE ALSO\n.Xr sluice 1\n";

static bool write_daemon(const char *name, FILE *out);
static void write_keys(const struct sl_conf_key *from, size_t count, FILE *out);
static void write_lines(const char *text, FILE *out);
static void write_text(const char *text, FILE *out);

int ops_manual(int argc, char **argv)
{
    struct sl_err err = { 0 };
    int first = 0;
    if (!ops_flags_read(NULL, 0, argc, argv, 0, 1, &first, &err)) {
        return ops_report("man", &err);
    }
    if (first == argc) {
        ops_manual_write(stdout);
    } else if (!write_daemon(argv[first], stdout)) {
        sl_fail(&err, SL_E_USAGE, "'%.40s' is none of publisher, consumer", argv[first]);
        return ops_report("man", &err);
    }
    return EX_OK;
}

/* name: "publisher" or "consumer". False: another, and nothing was written. */
static bool write_daemon(const char *name, FILE *out)
{
    for (size_t i = 0; i < SL_COUNT(pages); i++) {
        if (strcmp(name, pages[i].name) == 0) {
            fprintf(out, ".\\\" sluice %s\n%s", SLUICE_VERSION, pages[i].head);
            write_keys(pages[i].keys, pages[i].key_count, out);
            fputs(daemon_tail, out);
            return true;
        }
    }
    return false;
}

void ops_manual_write(FILE *out)
{
    const struct ops_command *command = NULL;
    fprintf(out, ".\\\" sluice %s\n%s", SLUICE_VERSION, head);
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        fprintf(out, ".Ss %s\n", command->name);
        write_text(command->purpose, out);
        fputs(".Bd -literal -offset 2n\n", out);
        write_lines(command->example, out);
        fputs(".Ed\n", out);
        if (*command->usage != '\0') {
            fputs(".Bd -literal\n", out);
            write_lines(command->usage, out);
            fputs(".Ed\n", out);
        }
    }
    write_keys(keys, SL_COUNT(keys), out);
    fputs(tail, out);
}

static void write_keys(const struct sl_conf_key *from, size_t count, FILE *out)
{
    fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < count; i++) {
        char fallback[128] = "";
        if (from[i].fallback != NULL) {
            snprintf(fallback, sizeof fallback, "Default: %s", from[i].fallback);
        }
        fprintf(out, ".It Ev %s\n", from[i].env);
        write_text(from[i].help, out);
        if (fallback[0] != '\0') {
            fputs(".br\n", out);
            write_text(fallback, out);
        }
    }
    fputs(".El\n", out);
}

/* Line by line, so that none begins with what roff takes for a request. */
static void write_lines(const char *text, FILE *out)
{
    char line[256];
    while (*text != '\0') {
        size_t bytes = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)bytes, text);
        write_text(line, out);
        text += bytes + (text[bytes] == '\n' ? 1 : 0);
    }
}

static void write_text(const char *text, FILE *out)
{
    if (*text == '.' || *text == '\'') {
        fputs("\\&", out);
    }
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '\\':
            fputs("\\e", out);
            break;
        case '\'':
            fputs("\\(aq", out);
            break;
        case '-':
            fputs("\\-", out);
            break;
        case '`':
            fputs("\\(ga", out);
            break;
        case '~':
            fputs("\\(ti", out);
            break;
        case '^':
            fputs("\\(ha", out);
            break;
        default:
            putc(*text, out);
        }
    }
    putc('\n', out);
}
