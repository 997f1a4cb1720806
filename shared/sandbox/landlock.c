#include "shared/sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library has no wrappers, and its kernel headers may be older than the kernel: numbers and bits as in the kernel's ABI, which never change. */
#define CREATE_RULESET 444
#define ADD_RULE       445
#define RESTRICT_SELF  446
#define ASK_VERSION    1u
#define PATH_BENEATH   1

enum access {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    REMOVE_DIR = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_DIR = 1 << 7,
    MAKE_REG = 1 << 8,
    MAKE_SOCK = 1 << 9,
    ALL_OF_ABI_1 = (1 << 13) - 1,
    REFER = 1 << 13,     /* ABI 2 */
    TRUNCATE = 1 << 14,  /* ABI 3 */
    IOCTL_DEV = 1 << 15, /* ABI 5 */
};
#define SCOPE_SIGNAL 2u /* ABI 6 */

#define READ (READ_FILE | READ_DIR)
#define WRITE                                                                                      \
    (READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | REFER |      \
     TRUNCATE)
/* What can be allowed for something that is no folder. */
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

static uint64_t rights_of(int abi);
static bool allow(int ruleset_fd, const struct sl_sandbox_path *path, uint64_t handled);

int sl_landlock_enter(const struct sl_sandbox_paths *paths, const char **out_why)
{
    int abi = (int)syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    if (abi <= 0) {
        *out_why = "the kernel has no Landlock";
        return 0;
    }
    const struct ruleset ruleset = { .files = rights_of(abi),
                                     .scoped = abi >= 6 ? SCOPE_SIGNAL : 0 };
    size_t bytes = abi >= 6 ? sizeof ruleset : sizeof ruleset.files;
    int fd = (int)syscall(CREATE_RULESET, &ruleset, bytes, 0);
    bool is_complete = fd >= 0;
    for (size_t i = 0; is_complete && i < paths->count; i++) {
        is_complete = allow(fd, &paths->items[i], ruleset.files);
    }
    if (!is_complete || syscall(RESTRICT_SELF, fd, 0) != 0) {
        *out_why = "Landlock refused the list of files";
        abi = 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return abi;
}

static uint64_t rights_of(int abi)
{
    uint64_t rights = ALL_OF_ABI_1;
    rights |= abi >= 2 ? REFER : 0;
    rights |= abi >= 3 ? TRUNCATE : 0;
    rights |= abi >= 5 ? IOCTL_DEV : 0;
    return rights;
}

static bool allow(int ruleset_fd, const struct sl_sandbox_path *path, uint64_t handled)
{
    int fd = open(path->text, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return true; /* what is not there cannot be opened */
    }
    struct stat about = { 0 };
    struct path_rule rule = { .allowed = path->is_writable ? WRITE : READ, .parent_fd = fd };
    bool is_known = fstat(fd, &about) == 0;
    if (!S_ISDIR(about.st_mode)) {
        rule.allowed &= OF_FILES;
    }
    rule.allowed &= handled;
    bool is_added = is_known && syscall(ADD_RULE, ruleset_fd, PATH_BENEATH, &rule, 0) == 0;
    close(fd);
    return is_added;
}
