#include "ops/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME      "lock"
#define ADDRESSES_NAME "stack.env"

static bool default_dir(char out_dir[PATH_MAX], struct sl_err *err);
static bool pointer_path(char out_path[PATH_MAX], struct sl_err *err);
static bool follow_pointer(char out_dir[PATH_MAX]);
static char *read_own_file(const char *path);
static void cut_lines(struct ops_stack *stack);
static bool replace_file(const char *path, struct sl_span content, struct sl_err *err);

void ops_stack_open(struct ops_stack *out_stack)
{
    struct ops_stack none = { 0 };
    char dir[PATH_MAX];

    *out_stack = none;
    if (ops_stack_find(dir)) {
        ops_stack_open_at(out_stack, dir);
    }
}

void ops_stack_open_at(struct ops_stack *out_stack, const char *dir)
{
    char number[24];
    pid_t pid = 0;
    bool is_running = ops_stack_is_running(dir, &pid);

    ops_stack_load(out_stack, dir);
    (void)snprintf(number, sizeof number, "%d", (int)pid);
    const char *writer = ops_stack_get(out_stack, "STACK_PID");
    if (!is_running || writer == NULL || strcmp(writer, number) != 0) {
        ops_stack_done(
            out_stack); /* a supervisor that is still starting has not replaced the file yet */
    }
}

void ops_stack_load(struct ops_stack *out_stack, const char *dir)
{
    char path[PATH_MAX];
    struct ops_stack stack = { 0 };

    *out_stack = stack;
    if (!ops_stack_path(path, dir, ADDRESSES_NAME, NULL)) {
        return;
    }
    out_stack->text = read_own_file(path);
    if (out_stack->text == NULL) {
        return;
    }
    (void)snprintf(out_stack->dir, sizeof out_stack->dir, "%s", dir);
    cut_lines(out_stack);
}

/* "NAME=value\n", no quoting; what does not look like that is passed over. */
static void cut_lines(struct ops_stack *stack)
{
    char *rest = stack->text;
    char *line = NULL;
    while ((line = strsep(&rest, "\n")) != NULL && stack->count < OPS_STACK_NAMES_MAX) {
        char *value = strchr(line, '=');
        if (value == NULL || value == line) {
            continue;
        }
        *value = '\0';
        stack->entries[stack->count].name = line;
        stack->entries[stack->count].value = value + 1;
        stack->count++;
    }
}

void ops_stack_done(struct ops_stack *stack)
{
    if (stack->text != NULL) {
        explicit_bzero(stack->text, OPS_STACK_BYTES_MAX);
    }
    free(stack->text);
    *stack = (struct ops_stack){ 0 };
}

const char *ops_stack_get(const struct ops_stack *stack, const char *name)
{
    for (size_t i = 0; i < stack->count; i++) {
        if (strcmp(stack->entries[i].name, name) == 0) {
            return stack->entries[i].value;
        }
    }
    return NULL;
}

const char *ops_stack_setting(const struct ops_stack *stack, const char *name)
{
    const char *value = getenv(name);
    if (value != NULL && value[0] != '\0') {
        return value;
    }
    return ops_stack_get(stack, name);
}

char *ops_stack_lookup(const char *name)
{
    SL_DONE(ops_stack_done) struct ops_stack stack = { 0 };
    ops_stack_open(&stack);
    const char *value = ops_stack_setting(&stack, name);
    return value == NULL ? NULL : strdup(value);
}

bool ops_stack_path(char out_path[PATH_MAX], const char *dir, const char *name, struct sl_err *err)
{
    char path[PATH_MAX];
    int bytes = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (bytes < 0 || bytes >= PATH_MAX) {
        return sl_fail(err, SL_E_LIMIT, "path too long below %.80s…", dir);
    }
    while (bytes > 1 && path[bytes - 1] == '/') {
        path[--bytes] = '\0';
    }
    memcpy(out_path, path, (size_t)bytes + 1);
    return true;
}

bool ops_stack_dir(char out_dir[PATH_MAX], struct sl_err *err)
{
    const char *chosen = getenv("SLUICE_DEV_DIR");
    if (chosen == NULL || chosen[0] == '\0') {
        return default_dir(out_dir, err);
    }
    if (chosen[0] == '/') {
        return ops_stack_path(out_dir, chosen, "", err);
    }
    char here[PATH_MAX];
    if (getcwd(here, sizeof here) == NULL) {
        return sl_fail(err, SL_E_IO, "current directory: %s", strerror(errno));
    }
    return ops_stack_path(out_dir, here, chosen, err);
}

bool ops_stack_find(char out_dir[PATH_MAX])
{
    const char *chosen = getenv("SLUICE_DEV_DIR");
    bool is_chosen = chosen != NULL && chosen[0] != '\0';
    char dir[PATH_MAX];
    pid_t pid = 0;
    bool is_found = (!is_chosen && follow_pointer(dir) && ops_stack_is_running(dir, &pid)) ||
                    (ops_stack_dir(dir, NULL) && ops_stack_is_running(dir, &pid));
    if (is_found) {
        memcpy(out_dir, dir, strlen(dir) + 1);
    }
    return is_found;
}

static bool default_dir(char out_dir[PATH_MAX], struct sl_err *err)
{
    if (geteuid() == 0) {
        return ops_stack_path(out_dir, "/var/lib/sluice-dev", "", err);
    }
    const char *state_home = getenv("XDG_STATE_HOME");
    if (state_home != NULL && state_home[0] == '/') {
        return ops_stack_path(out_dir, state_home, "sluice/dev", err);
    }
    const char *home = getenv("HOME");
    if (home == NULL || home[0] != '/') {
        return sl_fail(err, SL_E_CONFIG,
                       "no HOME: set SLUICE_DEV_DIR to the directory of the stack");
    }
    return ops_stack_path(out_dir, home, ".local/state/sluice/dev", err);
}

bool ops_stack_is_running(const char *dir, pid_t *out_pid)
{
    char path[PATH_MAX];
    if (!ops_stack_path(path, dir, LOCK_NAME, NULL)) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
    bool is_held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    char number[24] = "";
    ssize_t got = is_held ? read(fd, number, sizeof number - 1) : 0;
    close(fd);
    if (is_held) {
        *out_pid = got > 0 ? (pid_t)strtol(number, NULL, 10) : 0;
    }
    return is_held;
}

int ops_stack_lock(const char *dir, struct sl_err *err)
{
    char path[PATH_MAX];
    if (!ops_stack_path(path, dir, LOCK_NAME, err)) {
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        (void)sl_fail(err, SL_E_IO, "%s: %s", path, strerror(errno));
        return -1;
    }
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        (void)sl_fail(err, SL_E_USAGE, "a stack is already running in %s", dir);
        close(fd);
        return -1;
    }
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0) {
        (void)sl_fail(err, SL_E_IO, "%s: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

bool ops_stack_make_dir(const char *path, mode_t mode, struct sl_err *err)
{
    char part[PATH_MAX];
    if (!ops_stack_path(part, path, "", err)) {
        return false;
    }
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool is_there = mkdir(part, 0755) == 0 || errno == EEXIST;
        *slash = '/';
        if (!is_there) {
            return sl_fail(err, SL_E_IO, "cannot make %s: %s", path, strerror(errno));
        }
    }
    if (mkdir(part, mode) != 0 && errno != EEXIST) {
        return sl_fail(err, SL_E_IO, "cannot make %s: %s", path, strerror(errno));
    }
    return true;
}

bool ops_stack_save(const char *dir, struct sl_span lines, struct sl_err *err)
{
    char path[PATH_MAX];
    SL_ASSERT(lines.bytes < OPS_STACK_BYTES_MAX);
    return ops_stack_path(path, dir, ADDRESSES_NAME, err) && replace_file(path, lines, err);
}

static bool replace_file(const char *path, struct sl_span content, struct sl_err *err)
{
    char fresh[PATH_MAX];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= PATH_MAX) {
        return sl_fail(err, SL_E_LIMIT, "path too long: %.80s…", path);
    }
    (void)unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return sl_fail(err, SL_E_IO, "%s: %s", fresh, strerror(errno));
    }
    bool is_written = write(fd, content.data, content.bytes) == (ssize_t)content.bytes;
    if (close(fd) != 0 || !is_written || rename(fresh, path) != 0) {
        return sl_fail(err, SL_E_IO, "%s: %s", path, strerror(errno));
    }
    return true;
}

bool ops_stack_point_to(const char *dir, struct sl_err *err)
{
    char usual[PATH_MAX];
    char path[PATH_MAX];
    char line[PATH_MAX + 1];
    if (!default_dir(usual, err) || !pointer_path(path, err)) {
        return false;
    }
    if (strcmp(usual, dir) == 0) {
        (void)unlink(path);
        return true;
    }
    *strrchr(usual, '/') = '\0'; /* its parent; default_dir never yields a name in "/" */
    if (!ops_stack_make_dir(usual, 0755, err)) {
        return false;
    }
    int bytes = snprintf(line, sizeof line, "%s\n", dir);
    return replace_file(path, sl_span_make(line, (size_t)bytes), err);
}

static bool pointer_path(char out_path[PATH_MAX], struct sl_err *err)
{
    char usual[PATH_MAX];
    if (!default_dir(usual, err)) {
        return false;
    }
    if (snprintf(out_path, PATH_MAX, "%s.current", usual) >= PATH_MAX) {
        return sl_fail(err, SL_E_LIMIT, "path too long: %.80s…", usual);
    }
    return true;
}

static bool follow_pointer(char out_dir[PATH_MAX])
{
    char path[PATH_MAX];
    if (!pointer_path(path, NULL)) {
        return false;
    }
    char *text = read_own_file(path);
    if (text == NULL) {
        return false;
    }
    text[strcspn(text, "\n")] = '\0';
    bool is_good = text[0] == '/' && ops_stack_path(out_dir, text, "", NULL);
    free(text);
    return is_good;
}

/* A regular file of this user that nobody else may write; NULL otherwise. The buffer is OPS_STACK_BYTES_MAX large. */
static char *read_own_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return NULL;
    }
    struct stat about;
    char *text = NULL;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == geteuid() &&
        (about.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
        text = calloc(1, OPS_STACK_BYTES_MAX);
    }
    if (text != NULL && read(fd, text, OPS_STACK_BYTES_MAX - 1) < 0) {
        free(text);
        text = NULL;
    }
    close(fd);
    return text;
}
