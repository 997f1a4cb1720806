/*
 * env_file - a file of NAME=value lines, as deployments keep them, taken as an environment.
 *
 * Takes comments, blank lines, `export`, and one pair of quotes around a value. <NAME>_FILE is followed when the file can be read from here; else the value is
 * known to be somewhere else.
 * Refuses: running any of it; printing a value. Storage is wiped by done.
 * Threads: one owner.
 */
#ifndef OPS_DOCTOR_ENV_FILE_H
#define OPS_DOCTOR_ENV_FILE_H

#include "shared/buf.h"

#define OPS_ENV_ENTRIES_MAX 512u

enum ops_env_state { OPS_ENV_UNSET, OPS_ENV_SET, OPS_ENV_ELSEWHERE };

struct ops_env_entry {
    char *name;
    char *value; /* NULL: elsewhere */
    char *line;  /* "NAME=value"; NULL: elsewhere */
};

struct ops_env_file {
    struct ops_env_entry entries[OPS_ENV_ENTRIES_MAX];
    size_t count;
};

/* SL_E_IO when the file cannot be read, SL_E_USAGE for a line that is none. Zeroed storage; release with ops_env_file_done either way. */
bool ops_env_file_read(const char *path, struct ops_env_file *out, struct sl_err *err) SL_MUST;
/* The same from its text. `path` is for errors. */
bool ops_env_file_parse(struct sl_span text, const char *path, struct ops_env_file *out,
                        struct sl_err *err) SL_MUST;
void ops_env_file_done(struct ops_env_file *file);

/* *out_value is borrowed, NULL unless SET. An empty value counts as unset. */
enum ops_env_state ops_env_file_get(const struct ops_env_file *file, const char *name,
                                    const char **out_value);

/* The lines whose values are known, for who reads an environment; `room` has OPS_ENV_ENTRIES_MAX + 1 places. */
void ops_env_file_lines(const struct ops_env_file *file, char **room);

#endif
