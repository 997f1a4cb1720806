#include "ops/dev/dev_home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/embed.h"

#define NAME_ROOM     64 /* for the longest name below the directory */
#define OPEN_DIR_MAX  16 /* descriptors nftw may hold */
#define LOG_BYTES_MAX (8 * 1024 * 1024)

extern const struct sl_embedded embedded_dev_scripts[];
extern const size_t embedded_dev_scripts_count;

/* Everything a stack's directory ever holds; folders are made at start, the rest appears. */
static const struct {
    const char *name;
    mode_t mode; /* 0: not a folder, or made by somebody else */
} entries[] = {
    /* Open to all, as Postgres runs its script under another user when the supervisor is root. */
    { "scripts", 0755 }, { "logs", 0700 },     { "run", 0700 },        { "hold", 0700 },
    { "data", 0700 },    { "rabbitmq", 0700 }, { "postgres", 0 },      { "status", 0 },
    { "status.new", 0 }, { "stack.env", 0 },   { "stack.env.new", 0 }, { "lock", 0 },
};

static bool is_ours_or_empty(const char *dir, struct sl_err *err);
static bool make_folders(const struct dev_home *home, struct sl_err *err);
static bool write_scripts(const struct dev_home *home, struct sl_err *err);
static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place);

bool dev_home_find(struct dev_home *out_home, struct sl_err *err)
{
    struct dev_home home = { 0 };
    if (!ops_stack_dir(home.dir, err)) {
        return false;
    }
    if (strlen(home.dir) + NAME_ROOM >= PATH_MAX) {
        return sl_fail(err, SL_E_LIMIT, "path of the state directory is too long");
    }
    ssize_t bytes = readlink("/proc/self/exe", home.programs, sizeof home.programs - 1);
    if (bytes <= 0) {
        return sl_fail(err, SL_E_IO, "/proc/self/exe: %s", strerror(errno));
    }
    home.programs[bytes] = '\0';
    *strrchr(home.programs, '/') = '\0';
    *out_home = home;
    return true;
}

int dev_home_claim(const struct dev_home *home, struct sl_err *err)
{
    if (!ops_stack_make_dir(home->dir, 0755, err) || !is_ours_or_empty(home->dir, err)) {
        return -1;
    }
    int lock = ops_stack_lock(home->dir, err);
    if (lock >= 0 && (!make_folders(home, err) || !write_scripts(home, err))) {
        close(lock);
        return -1;
    }
    return lock;
}

/* A mistyped SLUICE_DEV_DIR must not spread a stack over somebody's home. */
static bool is_ours_or_empty(const char *dir, struct sl_err *err)
{
    DIR *listing = opendir(dir);
    if (listing == NULL) {
        return sl_fail(err, SL_E_IO, "%s: %s", dir, strerror(errno));
    }
    char stranger[NAME_MAX + 1] = "";
    const struct dirent *entry = NULL;
    while (stranger[0] == '\0' && (entry = readdir(listing)) != NULL) {
        bool is_known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        for (size_t i = 0; i < SL_COUNT(entries) && !is_known; i++) {
            is_known = strcmp(entry->d_name, entries[i].name) == 0;
        }
        if (!is_known) {
            (void)snprintf(stranger, sizeof stranger, "%s", entry->d_name);
        }
    }
    closedir(listing);
    if (stranger[0] != '\0') {
        return sl_fail(err, SL_E_CONFIG, "%s holds other things (%.80s): choose an empty directory",
                       dir, stranger);
    }
    return true;
}

static bool make_folders(const struct dev_home *home, struct sl_err *err)
{
    for (size_t i = 0; i < SL_COUNT(entries); i++) {
        char path[PATH_MAX];
        dev_home_path(home, path, "%s", entries[i].name);
        if (entries[i].mode == 0) {
            continue;
        }
        if (!ops_stack_make_dir(path, entries[i].mode, err)) {
            return false;
        }
        if (chmod(path, entries[i].mode) != 0) {
            return sl_fail(err, SL_E_IO, "%s: %s", path, strerror(errno));
        }
    }
    return true;
}

static bool write_scripts(const struct dev_home *home, struct sl_err *err)
{
    for (size_t i = 0; i < embedded_dev_scripts_count; i++) {
        char path[PATH_MAX];
        struct sl_span script = sl_embedded_span(&embedded_dev_scripts[i]);
        dev_home_path(home, path, "scripts/%s", embedded_dev_scripts[i].name);
        (void)unlink(path);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        bool is_written = fd >= 0 && fchmod(fd, 0755) == 0 &&
                          write(fd, script.data, script.bytes) == (ssize_t)script.bytes;
        if (fd >= 0 && close(fd) != 0) {
            is_written = false;
        }
        if (!is_written) {
            return sl_fail(err, SL_E_IO, "%s: %s", path, strerror(errno));
        }
    }
    return true;
}

bool dev_home_remove(const struct dev_home *home, struct sl_err *err)
{
    for (size_t i = 0; i < SL_COUNT(entries); i++) {
        char path[PATH_MAX];
        dev_home_path(home, path, "%s", entries[i].name);
        if (nftw(path, remove_one, OPEN_DIR_MAX, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
            return sl_fail(err, SL_E_IO, "cannot remove %s: %s", path, strerror(errno));
        }
    }
    if (rmdir(home->dir) != 0 && errno != ENOENT && errno != ENOTEMPTY) {
        return sl_fail(err, SL_E_IO, "cannot remove %s: %s", home->dir, strerror(errno));
    }
    return true;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

void dev_home_path(const struct dev_home *home, char out_path[PATH_MAX], const char *fmt, ...)
{
    va_list args;
    size_t used = strlen(home->dir);
    memcpy(out_path, home->dir, used);
    out_path[used++] = '/';
    va_start(args, fmt);
    int bytes = vsnprintf(out_path + used, PATH_MAX - used, fmt, args);
    va_end(args);
    SL_ASSERT(bytes > 0 && (size_t)bytes < PATH_MAX - used);
}

void dev_log_path(const struct dev_home *home, const char *name, char out_path[PATH_MAX])
{
    struct stat about;
    char old[PATH_MAX];
    dev_home_path(home, out_path, "logs/%s.log", name);
    if (stat(out_path, &about) == 0 && about.st_size > LOG_BYTES_MAX) {
        dev_home_path(home, old, "logs/%s.log.old", name);
        (void)rename(out_path, old);
    }
}
