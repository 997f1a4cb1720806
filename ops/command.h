/*
 * command - the operator's commands as a static tree: name, purpose, usage, run.
 *
 * Grammar: sluice <noun> [verb] [ARG…] [flags]. A command returns an exit status (sysexits; 1 = a check found problems, 3 = partial success).
 * Data goes to stdout, talk to stderr.
 * Threads: one.
 */
#ifndef OPS_COMMAND_H
#define OPS_COMMAND_H

struct ops_command {
    const char *name;    /* "migrate up": words separated by one space */
    const char *purpose; /* one line */
    const char *usage;   /* flags and arguments, one per line, aligned; "" when there are none */
    const char *example; /* a line to copy */
    /* argv[0] is the last word of the command's name; the rest are its own arguments. */
    int (*run)(int argc, char **argv);
};

#endif
