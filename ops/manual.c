#include "ops/manual.h"

#include <string.h>
#include <sysexits.h>

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

static const char head[] =
    ".Dd $Mdocdate$\n"
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
    "starts a private stack, sends signed sample events, prepares the database and the broker for\n"
    "the programs sluice-publisher and sluice-consumer, and says how they are.\n"
    "Data goes to the standard output, everything else to the standard error.\n"
    ".Sh COMMANDS\n";
static const char tail[] =
    ".Sh EXIT STATUS\n"
    "0 when all is well, 1 when a check found a problem, 2 when there is work to do, 3 when only a\n"
    "part succeeded; above 63 as in\n"
    ".In sysexits.h :\n"
    "64 a wrong flag, 69 a server cannot be reached, 78 something has to be configured.\n"
    "Each command says which of them it uses.\n";

#define DAEMON_HEAD(NAME, PROGRAM, PURPOSE, TEXT)                                                       \
    ".Dd $Mdocdate$\n.Dt " NAME " 8\n.Os\n.Sh NAME\n.Nm " PROGRAM "\n.Nd " PURPOSE "\n"                 \
    ".Sh SYNOPSIS\n.Nm\n.Op Fl \\-help | Fl \\-version\n.Sh DESCRIPTION\n.Nm\n" TEXT                    \
    "It is configured by its environment alone.\nA mistake stops the start, with all mistakes in one\n" \
    "message; of a key that holds a secret,\n.Ev NAME_FILE\nnames a file that holds it.\n"
static const struct daemon_page pages[] = {
    { "publisher",
      DAEMON_HEAD(
          "SLUICE-PUBLISHER", "sluice-publisher", "webhooks in, confirmed messages out",
          "takes signed webhooks over HTTP and publishes each as a durable, confirmed message to\n"
          "RabbitMQ; while the broker is away it keeps them in a journal and publishes them later.\n"),
      publisher_keys, SL_COUNT(publisher_keys) },
    { "consumer",
      DAEMON_HEAD(
          "SLUICE-CONSUMER", "sluice-consumer", "messages in, committed rows out",
          "applies the events of each subsystem's queue to Postgres or an HTTP target, once each, with\n"
          "retries, delays and dead letters.\n"),
      consumer_keys, SL_COUNT(consumer_keys) },
};
static const char daemon_tail[] =
    ".Sh EXIT STATUS\n"
    "0 after SIGTERM or SIGINT, when everything in hand was finished; above 63 as in\n"
    ".In sysexits.h :\n"
    "78 something has to be configured.\n"
    ".Sh SEE ALSO\n.Xr sluice 1\n";

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
    } else if (!ops_manual_write_daemon(argv[first], stdout)) {
        sl_fail(&err, SL_E_USAGE, "'%.40s' is none of publisher, consumer", argv[first]);
        return ops_report("man", &err);
    }
    return EX_OK;
}

bool ops_manual_write_daemon(const char *name, FILE *out)
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
