/*
 * flags - a command's flags as a table, read with getopt_long.
 *
 * A wrong flag gets one precise sentence: unknown (with the nearest known one), without its value, with a value it cannot have,
 * or out of range. Flags and arguments may be mixed; "--" ends the flags; "--flag value" and "--flag=value" are the same.
 * Refuses: abbreviated flags (a flag added later would break scripts), secrets as flags (a command has no such row).
 * Threads: uses getopt's globals; one.
 */
#ifndef OPS_FLAGS_H
#define OPS_FLAGS_H

#include <stdint.h>

#include "shared/err.h"

enum ops_flag_kind {
    OPS_FLAG_SWITCH,   /* bool: true when given */
    OPS_FLAG_TEXT,     /* const char *, borrowed from argv, not empty */
    OPS_FLAG_COUNT,    /* int64_t, a decimal number in [min, max] */
    OPS_FLAG_DURATION, /* int64_t milliseconds, written with a unit, in [min, max] */
    OPS_FLAG_UNDO,     /* bool: false when given, wherever it stands: -n beside -y */
    OPS_FLAG_OUTPUT, /* enum ops_output: table | json, and with max OPS_OUTPUT_CSV also ndjson | csv */
};

enum ops_output { OPS_OUTPUT_TABLE, OPS_OUTPUT_JSON, OPS_OUTPUT_NDJSON, OPS_OUTPUT_CSV };

struct ops_flag {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum ops_flag_kind kind;
    void *out; /* untouched when the flag is not given */
    int64_t min;
    int64_t max;
};

/* Both spellings of "for machines": -o/--output table|json and --json. `output` is an enum ops_output. */
#define OPS_FLAGS_OUTPUT(output)                                                                   \
    { .name = "output", .letter = 'o', .kind = OPS_FLAG_OUTPUT, .out = &(output) },                \
    {                                                                                              \
        .name = "json", .kind = OPS_FLAG_OUTPUT, .out = &(output)                                  \
    }

/* The same for a command whose answer is rows: -o table|json|ndjson|csv. */
#define OPS_FLAGS_ROWS(output)                                                                     \
    { .name = "output",                                                                            \
      .letter = 'o',                                                                               \
      .kind = OPS_FLAG_OUTPUT,                                                                     \
      .out = &(output),                                                                            \
      .max = OPS_OUTPUT_CSV },                                                                     \
    {                                                                                              \
        .name = "json", .kind = OPS_FLAG_OUTPUT, .out = &(output)                                  \
    }

/* What a command that changes something only when it is told to has: -y/--yes, and -n/--dry-run, which wins. `meant` is a bool. */
#define OPS_FLAGS_MEANT(meant)                                                                     \
    { .name = "yes", .letter = 'y', .kind = OPS_FLAG_SWITCH, .out = &(meant) },                    \
    {                                                                                              \
        .name = "dry-run", .letter = 'n', .kind = OPS_FLAG_UNDO, .out = &(meant)                   \
    }

/* The same for a command that acts at once. `dry` is a bool, true when given. */
#define OPS_FLAG_DRY_RUN(dry)                                                                      \
    {                                                                                              \
        .name = "dry-run", .letter = 'n', .kind = OPS_FLAG_SWITCH, .out = &(dry)                   \
    }

/* Their lines in a usage text. */
#define OPS_USAGE_YES                                                                              \
    "  --yes             do it; without it the plan is shown and nothing happens\n"                \
    "  --dry-run         the plan only, also beside --yes\n"
#define OPS_USAGE_DRY_RUN "  --dry-run         only say what would be done\n"
#define OPS_USAGE_OUTPUT  "  -o table|json     for people (default) or for programs\n"
#define OPS_USAGE_ROWS    "  -o table|json|ndjson|csv  for people (default) or for programs\n"

#define OPS_FLAGS_MAX 32u

/*
 * Reads argv[1…]. The arguments that are no flags are moved to the end of argv; *out_first is the index of the first of them
 * (argc when there are none), of which there must be between words_min and words_max. SL_E_USAGE otherwise.
 */
bool ops_flags_read(const struct ops_flag *flags, size_t count, int argc, char **argv,
                    int words_min, int words_max, int *out_first, struct sl_err *err) SL_MUST;

#endif
