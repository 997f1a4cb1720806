#include "ops/commands.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/command_table.h"
#include "ops/flags.h"
#include "ops/help.h"
#include "shared/nearest.h"
#include "shared/scope.h"

#define LIST_BYTES       256u
#define COMMAND_LINE_MAX 256
#define OTHERS_WORD      "rabbitmqctl" /* what follows is meant for that program */

/* Where a failure is told, when --quiet sent the talk away; NULL: to stderr. The one thing that all commands share. */
static FILE *failures;

/* The first words of all commands. */
struct nouns {
    char words[OPS_COMMANDS_MAX][OPS_COMMAND_NAME_BYTES];
};

/* What stands before the command's words. */
struct front {
    char **flags;
    int count;
    bool is_help; /* the word `help` */
};

static int run(int argc, char **argv);
static int take_common(int argc, char **argv);
static void be_quiet(void);
static FILE *complaints(void);
static void ask_nobody(void);
static int take_flags_in_front(int argc, char **argv, char **out_flags);
static bool is_flag(const char *word);
static int run_command(int argc, char **argv, const struct front *front);
static bool wants_help(int argc, char **argv);
static const struct ops_command *match(int argc, char **argv, int *out_words);
static int unknown(int argc, char **argv);
static void tell_verbs(const char *noun, const char *verb);
static const char *next_name(const void *arg, size_t i);
static const char *next_noun(const void *arg, size_t i);

int ops_commands_run(int argc, char **argv)
{
    int status = run(take_common(argc, argv), argv);
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    if (status != EX_IOERR) {
        fputs("sluice: standard output could not be written\n", complaints());
    }
    return status < EX__BASE ? EX_IOERR : status;
}

/* Flags that mean the same in every command are taken out; returns how many words are left. */
static int take_common(int argc, char **argv)
{
    int kept = 0;
    bool is_over = false;
    for (int i = 0; i < argc; i++) {
        is_over = is_over || strcmp(argv[i], "--") == 0 || strcmp(argv[i], OTHERS_WORD) == 0;
        if (!is_over && (strcmp(argv[i], "-q") == 0 || strcmp(argv[i], "--quiet") == 0)) {
            be_quiet();
        } else if (!is_over && strcmp(argv[i], "--no-input") == 0) {
            ask_nobody();
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    return kept;
}

static void be_quiet(void)
{
    if (failures != NULL) {
        return;
    }
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int nowhere = kept < 0 ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0) {
        failures = fdopen(kept, "w");
    }
    if (failures != NULL) {
        setvbuf(failures, NULL, _IONBF, 0);
    } else if (kept >= 0) {
        (void)close(kept);
    }
    if (nowhere >= 0) {
        (void)close(nowhere);
    }
}

static FILE *complaints(void)
{
    return failures == NULL ? stderr : failures;
}

/* Who asks looks first whether a terminal is there. */
static void ask_nobody(void)
{
    int nothing = isatty(STDIN_FILENO) == 1 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
        (void)close(nothing);
    }
}

static int run(int argc, char **argv)
{
    char *flags[OPS_FLAGS_MAX];
    if (argc < 2) {
        ops_help_overview(stderr);
        return EX_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("sluice %s\n", SLUICE_VERSION);
        return EX_OK;
    }
    bool is_help = strcmp(argv[1], "help") == 0;
    if ((is_help && argc == 2) || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        ops_help_overview(stdout);
        return EX_OK;
    }
    int flag_count = is_help ? 0 : take_flags_in_front(argc - 1, argv + 1, flags);
    argc -= flag_count;
    if (argc < 2) {
        ops_help_overview(stderr);
        return EX_USAGE;
    }
    int skipped = is_help ? 2 : 1;
    const struct front front = { .flags = flags, .count = flag_count, .is_help = is_help };
    return run_command(argc - skipped, argv + skipped, &front);
}

/* The flags before the first word, and what they take; the words move to the front. Only -o and --output take something here. */
static int take_flags_in_front(int argc, char **argv, char **out_flags)
{
    int count = 0;
    while (count < argc && count + 1 < (int)OPS_FLAGS_MAX && is_flag(argv[count])) {
        bool is_valued = strcmp(argv[count], "-o") == 0 || strcmp(argv[count], "--output") == 0;
        count += is_valued && count + 1 < argc ? 2 : 1;
    }
    memcpy(out_flags, argv, (size_t)count * sizeof *argv);
    memmove(argv, argv + count, (size_t)(argc - count + 1) * sizeof *argv); /* the NULL too */
    return count;
}

static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static int run_command(int argc, char **argv, const struct front *front)
{
    int words = 0;
    char *all[COMMAND_LINE_MAX + 1];
    const struct ops_command *command = match(argc, argv, &words);
    bool is_help = front->is_help || wants_help(front->count, front->flags) ||
                   wants_help(argc - words, argv + words);
    if (command == NULL && ops_commands_is_noun(argv[0]) && (argc == 1 || is_help)) {
        ops_help_noun(argv[0], is_help ? stdout : stderr);
        return is_help ? EX_OK : EX_USAGE;
    }
    bool has_other_verb = command != NULL && words == 1 && argc > 1 && !is_flag(argv[1]) &&
                          ops_commands_is_noun(argv[0]);
    if (command == NULL || has_other_verb) {
        return unknown(argc, argv);
    }
    if (is_help) {
        ops_help_command(command);
        return EX_OK;
    }
    if (front->count == 0) {
        return command->run(argc - words + 1, argv + words - 1);
    }
    if (argc - words + 1 + front->count > COMMAND_LINE_MAX) {
        fprintf(complaints(), "sluice: more than %d words\n", COMMAND_LINE_MAX);
        return EX_USAGE;
    }
    int count = 0;
    all[count++] = argv[words - 1];
    for (int i = 0; i < front->count; i++) {
        all[count++] = front->flags[i];
    }
    for (int i = words; i < argc; i++) {
        all[count++] = argv[i];
    }
    all[count] = NULL;
    return command->run(count, all);
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
        char name[OPS_COMMAND_NAME_BYTES];
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

static int unknown(int argc, char **argv)
{
    const struct ops_command *command = NULL;
    struct nouns nouns;
    if (ops_commands_is_noun(argv[0])) {
        tell_verbs(argv[0], argc > 1 ? argv[1] : "");
        return EX_USAGE;
    }
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        snprintf(nouns.words[i], OPS_COMMAND_NAME_BYTES, "%.*s", (int)strcspn(command->name, " "),
                 command->name);
    }
    const char *nearest = sl_nearest_of(sl_span_of(argv[0]), next_noun, &nouns);
    if (nearest == NULL) {
        fprintf(complaints(), "sluice: there is no command '%.60s'; see: sluice help\n", argv[0]);
        return EX_USAGE;
    }
    char typed[OPS_COMMAND_NAME_BYTES];
    snprintf(typed, sizeof typed, "%s %.40s", nearest,
             argc > 1 && !is_flag(argv[1]) ? argv[1] : "");
    const char *whole = sl_nearest_of(sl_span_of(typed), next_name, NULL);
    bool is_whole = ops_commands_find(nearest) != NULL;
    fprintf(complaints(), "sluice: there is no command '%.60s'; did you mean '%s'?%s%s\n", argv[0],
            whole != NULL && argc > 1 && !is_whole ? whole : nearest,
            is_whole || (whole != NULL && argc > 1) ? "" : " See: sluice help ",
            is_whole || (whole != NULL && argc > 1) ? "" : nearest);
    return EX_USAGE;
}

/* The noun is right; the verb is not. */
static void tell_verbs(const char *noun, const char *verb)
{
    const struct ops_command *command = NULL;
    char typed[OPS_COMMAND_NAME_BYTES];
    char verbs[LIST_BYTES] = "";
    size_t bytes = strlen(noun);
    size_t used = 0;
    snprintf(typed, sizeof typed, "%s %.40s", noun, verb);
    const char *nearest = sl_nearest_of(sl_span_of(typed), next_name, NULL);
    bool is_of_noun =
        nearest != NULL && strncmp(nearest, noun, bytes) == 0 && nearest[bytes] == ' ';
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL && used < sizeof verbs; i++) {
        const char *name = command->name;
        if (strncmp(name, noun, bytes) == 0 && name[bytes] == ' ') {
            used += (size_t)snprintf(verbs + used, sizeof verbs - used, "%s%s",
                                     used == 0 ? "" : ", ", name + bytes + 1);
        }
    }
    fprintf(complaints(), "sluice: there is no command '%s'; ", typed);
    if (is_of_noun) {
        fprintf(complaints(), "did you mean '%s'?\n", nearest);
    } else {
        fprintf(complaints(), "behind '%s' stand: %s\n", noun, verbs);
    }
}

static const char *next_name(const void *arg, size_t i)
{
    (void)arg;
    const struct ops_command *command = ops_commands_at(i);
    return command != NULL ? command->name : NULL;
}

static const char *next_noun(const void *arg, size_t i)
{
    const struct nouns *nouns = arg;
    return ops_commands_at(i) != NULL ? nouns->words[i] : NULL;
}

int ops_report(const char *command, const struct sl_err *err)
{
    static const struct {
        enum sl_code code;
        const char *command;
    } remedies[] = { { SL_E_PG_UNREACHABLE, "sluice doctor --only postgres" },
                     { SL_E_AMQP_UNREACHABLE, "sluice doctor broker" },
                     { SL_E_AMQP_REFUSED, "sluice doctor broker" },
                     { SL_E_AMQP_TLS, "sluice doctor broker" },
                     { SL_E_CONTROL, "sluice health" } };
    FILE *stream = complaints();
    fprintf(stream, "sluice %s: %s\n", command, err->text);
    if (err->code == SL_E_USAGE) {
        fprintf(stream, "See: sluice help %s\n", command);
    }
    for (size_t i = 0; i < SL_COUNT(remedies); i++) {
        if (err->code == remedies[i].code) {
            fprintf(stream, "See: %s, runbooks/%s\n", remedies[i].command, sl_code_page(err->code));
        }
    }
    return sl_err_exit_status(err);
}
