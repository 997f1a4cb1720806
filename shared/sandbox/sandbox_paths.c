#include "shared/sandbox/sandbox_paths.h"

#include <stdio.h>

/* Folders: libraries that are loaded late (name services, OpenSSL's modules), resolver, certificates, what /metrics reads about the process. */
static const char *const always[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/etc",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/proc/self",
    "/sys/devices/system/cpu",
};
/* Devices that libraries write to. */
static const char *const devices[] = { "/dev/null" };
static const char *const random_devices[] = { "/dev/urandom", "/dev/random" };

/* Variables whose value is a file that is read later again; beside all that end in _FILE. */
static const char *const file_names[] = {
    "SLUICE_CONFIG",   "SLUICE_SUBSYSTEMS", "SLUICE_SOURCES",
    "SLUICE_TLS_CERT", "SLUICE_TLS_KEY",    "SLUICE_TLS_CLIENT_CA",
    "SLUICE_AMQP_CA",  "SLUICE_AMQP_CERT",  "SLUICE_AMQP_KEY",
    "OPENSSL_CONF",    "PGPASSFILE",        "PGSERVICEFILE",
    "PGSSLROOTCERT",   "PGSSLCERT",         "PGSSLKEY",
    "PGSSLCRL",
};
static const char *const folder_names[] = { "SSL_CERT_DIR", "CREDENTIALS_DIRECTORY" };
static const char file_suffix[] = "_FILE";
/* Of a Postgres connection string. */
static const char *const postgres_files[] = { "sslrootcert", "sslcert",  "sslkey",
                                              "sslcrl",      "passfile", "servicefile" };

static void add_named(struct sl_sandbox_paths *paths, struct sl_span name, struct sl_span value);
static bool is_one_of(struct sl_span name, const char *const *names, size_t count);
static bool ends_with(struct sl_span text, const char *end);

void sl_sandbox_paths_init(struct sl_sandbox_paths *paths, const struct sl_conf_source *source)
{
    *paths = (struct sl_sandbox_paths){ .count = 0 };
    for (size_t i = 0; i < SL_COUNT(always); i++) {
        sl_sandbox_paths_add(paths, sl_span_of(always[i]), false);
    }
    for (size_t i = 0; i < SL_COUNT(random_devices); i++) {
        sl_sandbox_paths_add(paths, sl_span_of(random_devices[i]), false);
    }
    for (size_t i = 0; i < SL_COUNT(devices); i++) {
        sl_sandbox_paths_add(paths, sl_span_of(devices[i]), true);
    }
    for (size_t i = 0; source->environment[i] != NULL; i++) {
        struct sl_span value = sl_span_of(source->environment[i]);
        struct sl_span name = { 0 };
        if (sl_span_split(&value, '=', &name) && value.data != NULL) {
            add_named(paths, name, value);
        }
    }
    for (size_t i = 0; i < source->entry_count; i++) {
        add_named(paths, sl_span_of(source->entries[i].name), sl_span_of(source->entries[i].value));
    }
}

static void add_named(struct sl_sandbox_paths *paths, struct sl_span name, struct sl_span value)
{
    if (ends_with(name, file_suffix) || is_one_of(name, file_names, SL_COUNT(file_names))) {
        sl_sandbox_paths_add_folder_of(paths, value, false);
    } else if (is_one_of(name, folder_names, SL_COUNT(folder_names))) {
        sl_sandbox_paths_add(paths, value, false);
    } else if (sl_span_is(name, "HOME")) {
        char own[SL_SANDBOX_PATH_BYTES];
        int bytes = snprintf(own, sizeof own, "%.*s/.postgresql", SL_SPAN_ARGS(value));
        if (bytes > 0 && (size_t)bytes < sizeof own) {
            sl_sandbox_paths_add(paths, sl_span_of(own), false);
        }
    }
}

static bool is_one_of(struct sl_span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sl_span_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool ends_with(struct sl_span text, const char *end)
{
    size_t bytes = strlen(end);
    return text.bytes >= bytes && memcmp(text.data + text.bytes - bytes, end, bytes) == 0;
}

void sl_sandbox_paths_add(struct sl_sandbox_paths *paths, struct sl_span path, bool is_writable)
{
    if (path.data == NULL || path.bytes == 0 || path.data[0] != '/') {
        return;
    }
    if (paths->count == SL_SANDBOX_PATHS_MAX || path.bytes >= SL_SANDBOX_PATH_BYTES) {
        paths->is_overfull = true;
        return;
    }
    for (size_t i = 0; i < paths->count; i++) {
        if (sl_span_is(path, paths->items[i].text)) {
            paths->items[i].is_writable = paths->items[i].is_writable || is_writable;
            return;
        }
    }
    struct sl_sandbox_path *item = &paths->items[paths->count++];
    memcpy(item->text, path.data, path.bytes);
    item->text[path.bytes] = '\0';
    item->is_writable = is_writable;
}

void sl_sandbox_paths_add_folder_of(struct sl_sandbox_paths *paths, struct sl_span file,
                                    bool is_writable)
{
    while (file.bytes > 1 && file.data[file.bytes - 1] != '/') {
        file.bytes--;
    }
    if (file.bytes > 1) {
        file.bytes--; /* the slash itself */
    }
    sl_sandbox_paths_add(paths, file, is_writable);
}

/* Both forms: postgres://…?sslrootcert=/path&… (perhaps percent-encoded) and "sslrootcert=/path …". */
void sl_sandbox_paths_add_postgres(struct sl_sandbox_paths *paths, const char *url)
{
    for (size_t i = 0; url != NULL && i < SL_COUNT(postgres_files); i++) {
        const char *found = strstr(url, postgres_files[i]);
        size_t name = strlen(postgres_files[i]);
        if (found == NULL || found[name] != '=') {
            continue;
        }
        char path[SL_SANDBOX_PATH_BYTES];
        size_t used = 0;
        for (const char *at = found + name + 1; *at != '\0' && strchr("& '", *at) == NULL; at++) {
            bool is_slash = at[0] == '%' && at[1] == '2' && (at[2] | 0x20) == 'f';
            if (used + 1 == sizeof path) {
                paths->is_overfull = true;
                return;
            }
            path[used++] = is_slash ? '/' : *at;
            at += is_slash ? 2 : 0;
        }
        sl_sandbox_paths_add_folder_of(paths, sl_span_make(path, used), false);
    }
}
