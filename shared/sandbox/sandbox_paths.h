/*
 * sandbox_paths - which files a program may open, as a list.
 *
 * What every program needs (libraries, resolver, certificates, /proc/self), what its environment names (<NAME>_FILE, SLUICE_CONFIG, SSL_CERT_FILE, …),
 * and what it adds itself. For a file its folder is listed: a secret is renewed by renaming a new file into place.
 * Decides only: no file is looked at.
 * Threads: no state.
 */
#ifndef SHARED_SANDBOX_PATHS_H
#define SHARED_SANDBOX_PATHS_H

#include "shared/config/conf.h"

#define SL_SANDBOX_PATHS_MAX  64u
#define SL_SANDBOX_PATH_BYTES 256u

struct sl_sandbox_path {
    char text[SL_SANDBOX_PATH_BYTES];
    bool is_writable; /* files and folders below it are made, changed and removed; else read */
};

struct sl_sandbox_paths {
    struct sl_sandbox_path items[SL_SANDBOX_PATHS_MAX];
    size_t count;
    bool is_overfull; /* something did not fit: the list must not be used */
};

/* What every program needs, and what environment and configuration file name. */
void sl_sandbox_paths_init(struct sl_sandbox_paths *paths, const struct sl_conf_source *source);
/* Relative and NULL paths are left out. */
void sl_sandbox_paths_add(struct sl_sandbox_paths *paths, struct sl_span path, bool is_writable);
/* The folder of a file. */
void sl_sandbox_paths_add_folder_of(struct sl_sandbox_paths *paths, struct sl_span file,
                                    bool is_writable);
/* The files that a Postgres connection string names: sslrootcert, sslcert, sslkey, sslcrl, passfile. */
void sl_sandbox_paths_add_postgres(struct sl_sandbox_paths *paths, const char *url);

#endif
