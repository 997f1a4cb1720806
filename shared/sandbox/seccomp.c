#include "shared/sandbox/seccomp.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* For names of threads, and, in newer C libraries, of memory. */
#define PR_SET_VMA_NAME 0x53564d41

/* Plain permission, whatever the arguments. */
static const int allowed[] = {
    /* bytes */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(fcntl),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(pipe2),
    SCMP_SYS(sendfile),
    /* files */
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(getcwd),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fadvise64),
    SCMP_SYS(flock),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rmdir),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(umask),
    /* sockets; socket itself is below */
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(connect),
    SCMP_SYS(shutdown),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    /* waiting */
    SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(signalfd4),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(restart_syscall),
    /* threads, signals, memory */
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(membarrier),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    SCMP_SYS(mincore),
    /* who, when, how much */
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getgroups),
    SCMP_SYS(getrandom),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(time),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
};

/*
 * Neither our code nor a library of ours ever makes these: whoever does is not us. Calls that a library may try for a reason of its own (keyctl for
 * Kerberos, memfd_create in a name service) are not here; they fail.
 */
static const int fatal[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(bpf),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
};

static const unsigned long ioctls[] = { FIONREAD, FIONBIO, TCGETS, TIOCGWINSZ };
static const unsigned long families[] = { AF_UNIX, AF_INET, AF_INET6 };
static const unsigned long prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_VMA_NAME };

static int add_rules(scmp_filter_ctx filter);
static int add_values(scmp_filter_ctx filter, int call, unsigned argument,
                      const unsigned long *values, size_t count);
static int add_memory(scmp_filter_ctx filter, int call);

bool sl_seccomp_enter(const char **out_why)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    bool is_loaded = filter != NULL && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
                     seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
                     add_rules(filter) == 0 && seccomp_load(filter) == 0;
    if (!is_loaded) {
        *out_why = "the kernel has no seccomp filters";
    }
    seccomp_release(filter);
    return is_loaded;
}

static int add_rules(scmp_filter_ctx filter)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < SL_COUNT(allowed); i++) {
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    }
    for (size_t i = 0; failed == 0 && i < SL_COUNT(fatal); i++) {
        failed = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, fatal[i], 0);
    }
    if (failed != 0) {
        return failed;
    }
    const struct scmp_arg_cmp is_thread =
        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
    const struct scmp_arg_cmp is_ours = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
    const struct scmp_arg_cmp is_self = SCMP_A0(SCMP_CMP_EQ, 0);
    const struct scmp_arg_cmp is_route_netlink[] = { SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
                                                     SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE) };
    /* clone3 hides its flags in memory; told that there is none, the C library uses clone. */
    failed |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &is_thread);
    failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    failed |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &is_ours);
    failed |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, &is_self);
    failed |= add_values(filter, SCMP_SYS(socket), 0, families, SL_COUNT(families));
    /* Resolvers ask the kernel which addresses there are (getifaddrs), and libevent complains on stderr when they cannot. */
    failed |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, is_route_netlink);
    failed |= add_values(filter, SCMP_SYS(socketpair), 0, families, 1);
    failed |= add_values(filter, SCMP_SYS(ioctl), 1, ioctls, SL_COUNT(ioctls));
    failed |= add_values(filter, SCMP_SYS(prctl), 0, prctls, SL_COUNT(prctls));
    failed |= add_memory(filter, SCMP_SYS(mmap));
    failed |= add_memory(filter, SCMP_SYS(mprotect));
    return failed;
}

static int add_values(scmp_filter_ctx filter, int call, unsigned argument,
                      const unsigned long *values, size_t count)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < count; i++) {
        const struct scmp_arg_cmp is_value = { .arg = argument,
                                               .op = SCMP_CMP_EQ,
                                               .datum_a = values[i] };
        failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &is_value);
    }
    return failed;
}

/* Not writable and executable at once. */
static int add_memory(scmp_filter_ctx filter, int call)
{
    const struct scmp_arg_cmp is_not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp is_not_writable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE, 0);
    int failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &is_not_executable);
    return failed != 0 ? failed
                       : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &is_not_writable);
}
