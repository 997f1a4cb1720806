#include "ops/manual.h"

#include <string.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "shared/conf.h"
#include "shared/scope.h"

/* Only what a reader of the page needs of a row. */
#define SL_CONF(field, TYPE, ...) row_##field,
enum {
#include "ops/config.def"
    KEYS
};
#undef SL_CONF
#define SL_CONF(field, TYPE, ...) [row_##field] = { __VA_ARGS__ },
static const struct sl_conf_key keys[KEYS] = {
#include "ops/config.def"
};
#undef SL_CONF

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

static void write_lines(const char *text, FILE *out);
static void write_text(const char *text, FILE *out);

int ops_manual(int argc, char **argv)
{
    struct sl_err err = { 0 };
    int first = 0;
    if (!ops_flags_read(NULL, 0, argc, argv, 0, 0, &first, &err)) {
        return ops_report("man", &err);
    }
    ops_manual_write(stdout);
    return EX_OK;
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
    fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < KEYS; i++) {
        fprintf(out, ".It Ev %s\n", keys[i].env);
        write_text(keys[i].help, out);
    }
    fprintf(out, ".El\n%s", tail);
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
