#include "shared/sandbox/sandbox.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "shared/sandbox/landlock.h"
#include "shared/sandbox/seccomp.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZERS true
#else
#define HAS_SANITIZERS false
#endif

#define MISTAKES_BYTES_MAX (32u * 1024u)

static void give_up(struct sl_sandbox *sandbox, const struct sl_sandbox_paths *paths);
static bool give_up_core(void);
static void note(struct sl_sandbox *sandbox, const char *why);
static void name(struct sl_buf *out, const char *text);

void sl_sandbox_look(struct sl_sandbox_paths *out_paths, char *const *environment)
{
    SL_DONE(sl_buf_done)
    struct sl_buf told; /* mistakes are the configuration's, which has told them */
    sl_buf_init(&told, MISTAKES_BYTES_MAX);
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_conf_source_init(&source, environment, &told);
    sl_sandbox_paths_init(out_paths, &source);
}

bool sl_sandbox_enter(enum sl_sandbox_mode mode, const struct sl_sandbox_paths *paths,
                      struct sl_sandbox *out_sandbox, struct sl_err *err)
{
    struct sl_sandbox sandbox = { .landlock_abi = 0 };
    if (mode == SL_SANDBOX_OFF) {
        note(&sandbox, "switched off");
    } else if (HAS_SANITIZERS) {
        note(&sandbox, "this build has sanitizers");
    } else {
        give_up(&sandbox, paths);
    }
    if (mode == SL_SANDBOX_REQUIRE && sandbox.missing[0] != '\0') {
        return sl_fail(err, SL_E_CONFIG, "SLUICE_SANDBOX is require, but %s", sandbox.missing);
    }
    *out_sandbox = sandbox;
    return true;
}

/* In this order: the filters need no-new-privileges, and Landlock's calls are not on seccomp's list. */
static void give_up(struct sl_sandbox *sandbox, const struct sl_sandbox_paths *paths)
{
    const char *why = NULL;
    sandbox->has_no_core = give_up_core();
    note(sandbox, sandbox->has_no_core ? NULL : "cores could not be switched off");
    sandbox->has_no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    note(sandbox, sandbox->has_no_new_privileges ? NULL : "privileges could not be fixed");
    if (paths->is_overfull) {
        note(sandbox, "there are more files to allow than fit");
    } else {
        sandbox->landlock_abi = sl_landlock_enter(paths, &why);
        note(sandbox, sandbox->landlock_abi == 0 ? why : NULL);
    }
    sandbox->has_seccomp = sl_seccomp_enter(&why);
    note(sandbox, sandbox->has_seccomp ? NULL : why);
}

static bool give_up_core(void)
{
    const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
}

static void note(struct sl_sandbox *sandbox, const char *why)
{
    size_t used = strlen(sandbox->missing);
    if (why != NULL) {
        snprintf(sandbox->missing + used, sizeof sandbox->missing - used, "%s%s",
                 used == 0 ? "" : "; ", why);
    }
}

void sl_sandbox_describe(const struct sl_sandbox *sandbox, struct sl_buf *out)
{
    char landlock[32];
    snprintf(landlock, sizeof landlock, "landlock %d", sandbox->landlock_abi);
    name(out, sandbox->has_no_new_privileges ? "no new privileges" : NULL);
    name(out, sandbox->has_no_core ? "no core" : NULL);
    name(out, sandbox->landlock_abi > 0 ? landlock : NULL);
    name(out, sandbox->has_seccomp ? "seccomp" : NULL);
    if (out->used_bytes == 0) {
        (void)sl_buf_append_text(out, "none");
    }
}

static void name(struct sl_buf *out, const char *text)
{
    if (text != NULL) {
        (void)sl_buf_printf(out, "%s%s", out->used_bytes == 0 ? "" : ", ", text);
    }
}
