#include "ops/completion.h"

#include <string.h>
#include <sysexits.h>

#include "ops/command_table.h"
#include "ops/commands.h"
#include "ops/completion_names.h"
#include "ops/flags.h"
#include "ops/usage.h"
#include "shared/scope.h"

/*
 * Both bash and zsh: walks as far into the commands as the words before the cursor lead, then says what can follow: $found (words),
 * $files, and $names, which the program itself is asked for. Called with the words between the program and the cursor.
 */
static const char walk_head[] = "_sluice_follow() {\n"
                                "    local at='' next word before=''\n"
                                "    found='' files='' names=''\n"
                                "    for word; do\n"
                                "        before=$word\n"
                                "        next=${at:+$at }$word\n"
                                "        case $next in\n"
                                "        ";
static const char walk_middle[] = ") at=$next ;;\n"
                                  "        esac\n"
                                  "    done\n"
                                  "    case \"$at $before\" in\n";
static const char walk_end[] = "    esac\n"
                               "}\n";
static const char bash_end[] =
    "_sluice() {\n"
    "    local found files names\n"
    "    _sluice_follow \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
    "    if [ -n \"$names\" ]; then\n"
    "        found=\"$found $(command \"${COMP_WORDS[0]}\" completion --names \"$names\" 2>/dev/null)\"\n"
    "    fi\n"
    "    COMPREPLY=($(compgen -W \"$found\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
    "    if [ -n \"$files\" ]; then\n"
    "        COMPREPLY+=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
    "    fi\n"
    "}\n"
    "complete -o filenames -F _sluice sluice\n";
static const char zsh_end[] =
    "_sluice() {\n"
    "    local found files names\n"
    "    _sluice_follow \"${(@)words[2,CURRENT-1]}\"\n"
    "    if [[ -n $names ]]; then\n"
    "        found=\"$found $(command $words[1] completion --names $names 2>/dev/null)\"\n"
    "    fi\n"
    "    compadd -- ${=found}\n"
    "    if [[ -n $files ]]; then _files; fi\n"
    "}\n"
    "if [[ $funcstack[1] = _sluice ]]; then _sluice; else compdef "
    "_sluice sluice; fi\n";
static const char fish_head[] =
    "function __sluice_at\n"
    "    set -l at\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        set -l next (string join ' ' -- $at $word)\n"
    "        if contains -- $next $__sluice_commands\n"
    "            set at $next\n"
    "        end\n"
    "    end\n"
    "    test \"$at\" = \"$argv[1]\"\n"
    "end\n"
    "complete -c sluice -f\n"
    "complete -c sluice -n \"__sluice_at ''\" -l version -d 'the version'\n"
    "complete -c sluice -n \"__sluice_at ''\" -a help -d 'examples and flags of a command'\n";

static void write_walk(FILE *out);
static void write_values(const struct ops_command *command, FILE *out);
static void write_follow(const struct ops_command *command, FILE *out);
static void write_nouns(FILE *out);
static void write_verbs(struct sl_span noun, FILE *out);
static void put_verbs(struct sl_span noun, FILE *out);
static void write_fish(FILE *out);
static void write_fish_items(const struct ops_command *command, FILE *out);
static bool next_noun(size_t *i, struct sl_span *out_noun);
static bool is_command(struct sl_span noun);
static bool means_file(struct sl_span value);
static void put_words(struct sl_span words, FILE *out);
static void put_quoted(const char *text, FILE *out);

int ops_completion(int argc, char **argv)
{
    struct sl_err err = { 0 };
    const char *names = NULL; /* asked by the scripts alone, so in no help */
    const struct ops_flag flags[] = {
        { .name = "names", .kind = OPS_FLAG_TEXT, .out = (void *)&names },
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, &err)) {
        return ops_report("completion", &err);
    }
    if (names != NULL) {
        ops_completion_names_print(names);
        return EX_OK;
    }
    if (first == argc) {
        (void)sl_fail(&err, SL_E_USAGE, "for which shell? bash, zsh or fish");
        return ops_report("completion", &err);
    }
    if (!ops_completion_write(argv[first], stdout)) {
        (void)sl_fail(&err, SL_E_USAGE, "'%.40s' is none of bash, zsh, fish", argv[first]);
        return ops_report("completion", &err);
    }
    return EX_OK;
}

bool ops_completion_write(const char *shell, FILE *out)
{
    if (strcmp(shell, "fish") == 0) {
        write_fish(out);
        return true;
    }
    bool is_bash = strcmp(shell, "bash") == 0;
    if (!is_bash && strcmp(shell, "zsh") != 0) {
        return false;
    }
    fputs(is_bash
              ? "# bash completion for sluice: source it, or put it where bash-completion looks\n"
              : "#compdef sluice\n",
          out);
    write_walk(out);
    fputs(is_bash ? bash_end : zsh_end, out);
    return true;
}

static void write_walk(FILE *out)
{
    const struct ops_command *command = NULL;
    struct sl_span noun = { 0 };

    fputs(walk_head, out);
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        fprintf(out, "%s'%s'", i == 0 ? "" : " | ", command->name);
    }
    for (size_t i = 0; next_noun(&i, &noun);) {
        if (!is_command(noun)) {
            fprintf(out, " | %.*s", SL_SPAN_ARGS(noun));
        }
    }
    fputs(walk_middle, out);
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        write_values(command, out);
    }
    fputs("    *) case $at in\n        '') found='help --help --version", out);
    write_nouns(out);
    fputs("' ;;\n", out);
    for (size_t i = 0; next_noun(&i, &noun);) {
        if (!is_command(noun)) {
            write_verbs(noun, out);
        }
    }
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        write_follow(command, out);
    }
    fputs("        esac ;;\n", out);
    fputs(walk_end, out);
}

/* What stands behind a flag that takes something. */
static void write_values(const struct ops_command *command, FILE *out)
{
    struct sl_span rest = sl_span_of(command->usage);
    struct ops_usage_item item = { 0 };
    while (ops_usage_next(&rest, &item)) {
        if (item.kind != OPS_USAGE_FLAG || item.value.bytes == 0) {
            continue;
        }
        fprintf(out, "    '%s %.*s') ", command->name, SL_SPAN_ARGS(item.text));
        const char *names = ops_completion_names_of(command->name, &item);
        if (ops_usage_is_choice(item.value)) {
            fputs("found='", out);
            put_words(item.value, out);
            fputs("' ;;\n", out);
        } else if (names != NULL) {
            fprintf(out, "names=%s ;;\n", names);
        } else {
            fputs(means_file(item.value) ? "files=yes ;;\n" : ";;\n", out);
        }
    }
}

static void write_follow(const struct ops_command *command, FILE *out)
{
    struct sl_span rest = sl_span_of(command->usage);
    struct ops_usage_item item = { 0 };
    bool has_file = false;
    const char *names = NULL;
    fprintf(out, "        '%s') found='--help", command->name);
    put_verbs(sl_span_of(command->name), out); /* of a command that is a noun too */
    while (ops_usage_next(&rest, &item)) {
        has_file = has_file || item.kind == OPS_USAGE_FILE;
        if (item.kind == OPS_USAGE_OTHER && names == NULL) {
            names = ops_completion_names_of(command->name, &item);
        }
        if (item.kind == OPS_USAGE_FLAG || item.kind == OPS_USAGE_WORD) {
            putc(' ', out);
            put_words(item.text, out);
        }
    }
    fprintf(out, "'%s%s%s ;;\n", has_file ? " files=yes" : "",
            names == NULL ? "" : " names=", names == NULL ? "" : names);
}

static void write_nouns(FILE *out)
{
    struct sl_span noun = { 0 };
    for (size_t i = 0; next_noun(&i, &noun);) {
        fprintf(out, " %.*s", SL_SPAN_ARGS(noun));
    }
}

static void write_verbs(struct sl_span noun, FILE *out)
{
    fprintf(out, "        %.*s) found='--help", SL_SPAN_ARGS(noun));
    put_verbs(noun, out);
    fputs("' ;;\n", out);
}

static void put_verbs(struct sl_span noun, FILE *out)
{
    const struct ops_command *command = NULL;
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        struct sl_span verb = sl_span_of(command->name);
        struct sl_span first = { 0 };
        if (sl_span_split(&verb, ' ', &first) && sl_span_eq(first, noun) && verb.bytes > 0) {
            fprintf(out, " %.*s", SL_SPAN_ARGS(verb));
        }
    }
}

static void write_fish(FILE *out)
{
    const struct ops_command *command = NULL;
    struct sl_span noun = { 0 };

    fputs("# fish completion for sluice: ~/.config/fish/completions/sluice.fish\n"
          "set -g __sluice_commands",
          out);
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        fprintf(out, " '%s'", command->name);
    }
    for (size_t i = 0; next_noun(&i, &noun);) {
        if (!is_command(noun)) {
            fprintf(out, " %.*s", SL_SPAN_ARGS(noun));
        }
    }
    fprintf(out, "\n%s", fish_head);
    for (size_t i = 0; next_noun(&i, &noun);) {
        if (!is_command(noun)) {
            fprintf(out, "complete -c sluice -n \"__sluice_at ''\" -a %.*s\n", SL_SPAN_ARGS(noun));
        }
    }
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        struct sl_span verb = sl_span_of(command->name);
        struct sl_span first = { 0 };
        (void)sl_span_split(&verb, ' ', &first);
        bool has_verb = verb.bytes > 0;
        fprintf(out, "complete -c sluice -n \"__sluice_at '%.*s'\" -a %.*s -d ",
                has_verb ? (int)first.bytes : 0, first.data, SL_SPAN_ARGS(has_verb ? verb : first));
        put_quoted(command->purpose, out);
        putc('\n', out);
        write_fish_items(command, out);
    }
}

static void write_fish_items(const struct ops_command *command, FILE *out)
{
    struct sl_span rest = sl_span_of(command->usage);
    struct ops_usage_item item = { 0 };
    while (ops_usage_next(&rest, &item)) {
        const char *names = ops_completion_names_of(command->name, &item);
        if (item.kind == OPS_USAGE_OTHER && names == NULL) {
            continue;
        }
        fprintf(out, "complete -c sluice -n \"__sluice_at '%s'\"", command->name);
        if (item.kind == OPS_USAGE_OTHER) {
            fprintf(out, " -a '(sluice completion --names %s 2>/dev/null)'\n", names);
            continue;
        }
        if (item.kind == OPS_USAGE_FILE) {
            fputs(" -F\n", out);
            continue;
        }
        if (item.kind == OPS_USAGE_WORD) {
            fputs(" -a '", out);
            put_words(item.text, out);
            fputs("'\n", out);
            continue;
        }
        bool is_long = sl_span_starts_with(item.text, "--");
        size_t dashes = is_long ? 2 : 1;
        fprintf(out, " -%c %.*s", is_long ? 'l' : 's', (int)(item.text.bytes - dashes),
                item.text.data + dashes);
        if (ops_usage_is_choice(item.value)) {
            fputs(" -x -a '", out);
            put_words(item.value, out);
            putc('\'', out);
        } else if (names != NULL) {
            fprintf(out, " -x -a '(sluice completion --names %s 2>/dev/null)'", names);
        } else if (item.value.bytes > 0) {
            fputs(means_file(item.value) ? " -r -F" : " -x", out);
        }
        putc('\n', out);
    }
}

/* The first words of the commands, each once; *i goes behind the command it was found at. */
static bool next_noun(size_t *i, struct sl_span *out_noun)
{
    const struct ops_command *command = NULL;
    while ((command = ops_commands_at((*i)++)) != NULL) {
        struct sl_span rest = sl_span_of(command->name);
        struct sl_span noun = { 0 };
        (void)sl_span_split(&rest, ' ', &noun);
        bool is_known = false;
        for (size_t j = 0; j + 1 < *i && !is_known; j++) {
            struct sl_span earlier = sl_span_of(ops_commands_at(j)->name);
            struct sl_span word = { 0 };
            is_known = sl_span_split(&earlier, ' ', &word) && sl_span_eq(word, noun);
        }
        if (!is_known) {
            *out_noun = noun;
            return true;
        }
    }
    return false;
}

static bool is_command(struct sl_span noun)
{
    const struct ops_command *command = NULL;
    for (size_t i = 0; (command = ops_commands_at(i)) != NULL; i++) {
        if (sl_span_is(noun, command->name)) {
            return true;
        }
    }
    return false;
}

/* Help calls a file F. */
static bool means_file(struct sl_span value)
{
    return sl_span_is(value, "F");
}

static void put_words(struct sl_span words, FILE *out)
{
    for (size_t i = 0; i < words.bytes; i++) {
        putc(words.data[i] == '|' ? ' ' : words.data[i], out);
    }
}

static void put_quoted(const char *text, FILE *out)
{
    putc('\'', out);
    for (; *text != '\0'; text++) {
        fputs(*text == '\'' ? "'\\''" : (char[]){ *text, '\0' }, out);
    }
    putc('\'', out);
}
