/*
 * stack - where the local stack of this user lives, and what it says about itself.
 *
 * `sluice dev` keeps one directory; in it are a lock that is held while the supervisor lives and a file of NAME=value lines, named
 * like the environment variables they stand for (AMQP_URL, DATABASE_URL, STRIPE_WEBHOOK_SECRET, SLUICE_HTTP_LISTEN, …). Every other
 * command finds them here, so that flag > environment > local stack needs no copying of addresses.
 * The directory: SLUICE_DEV_DIR; else for root /var/lib/sluice-dev, since Postgres runs as another user and /root is closed to it;
 * else $XDG_STATE_HOME/sluice/dev, by default ~/.local/state/sluice/dev. A stack elsewhere leaves its directory in "<the default>.current".
 * Refuses: believing a file that the living supervisor did not write itself (STACK_PID), that belongs to somebody else, or that
 * others may write.
 * Threads: no shared state.
 */
#ifndef OPS_STACK_H
#define OPS_STACK_H

#include <limits.h>
#include <sys/types.h>

#include "shared/buf.h"

#define OPS_STACK_NAMES_MAX 64u
#define OPS_STACK_BYTES_MAX 16384u

struct ops_stack {
    char dir[PATH_MAX]; /* "" when no stack was found */
    char *text;         /* owned; cut into names and values */
    struct {
        const char *name;
        const char *value;
    } entries[OPS_STACK_NAMES_MAX];
    size_t count;
};

/* The running stack of this user; empty when there is none. Release with ops_stack_done. */
void ops_stack_open(struct ops_stack *out_stack);
/* The same for the stack in `dir`. */
void ops_stack_open_at(struct ops_stack *out_stack, const char *dir);
/* The addresses a stack in `dir` left behind, running or not; empty when there are none. */
void ops_stack_load(struct ops_stack *out_stack, const char *dir);
/* Accepts zeroed storage. */
void ops_stack_done(struct ops_stack *stack);

/* Value of a name in the stack; NULL when it has none. Borrowed until done. */
const char *ops_stack_get(const struct ops_stack *stack, const char *name);
/* Value in the environment, else in the stack; NULL when neither has one. An empty variable counts as unset. */
const char *ops_stack_setting(const struct ops_stack *stack, const char *name);
/* The same for one name, as a copy to free(); NULL when there is none. */
char *ops_stack_lookup(const char *name);

/* "<dir>/<name>" without trailing slashes; an empty name yields the directory. */
bool ops_stack_path(char out_path[PATH_MAX], const char *dir, const char *name,
                    struct sl_err *err) SL_MUST;
/* Where the stack of this user is kept. */
bool ops_stack_dir(char out_dir[PATH_MAX], struct sl_err *err) SL_MUST;
/* The directory of this user's running stack, wherever it is; false when none runs. */
bool ops_stack_find(char out_dir[PATH_MAX]);
/* True while a supervisor holds the lock of `dir`; out_pid is 0 when it has not said its number yet. */
bool ops_stack_is_running(const char *dir, pid_t *out_pid);
/* Takes the lock for the life of the process: a descriptor, -1 on failure. `dir` exists. */
int ops_stack_lock(const char *dir, struct sl_err *err) SL_MUST;
/* Makes a directory and its parents, as mkdir -p does; an existing one is left as it is. */
bool ops_stack_make_dir(const char *path, mode_t mode, struct sl_err *err) SL_MUST;
/* Replaces the addresses in one step, readable by this user only. */
bool ops_stack_save(const char *dir, struct sl_span lines, struct sl_err *err) SL_MUST;
/* Makes `dir` the stack that later commands find, when they would not look there anyway. */
bool ops_stack_point_to(const char *dir, struct sl_err *err) SL_MUST;

#endif
