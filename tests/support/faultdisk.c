/*
 * faultdisk - a disk that goes wrong on command, for a program that is started with it in LD_PRELOAD. A test tool.
 *
 * The file named by FAULTDISK holds one line, read at every call:
 *     sync-delay MS      each fdatasync takes so much longer, then succeeds
 *     sync-fail          each fdatasync fails with EIO, once and again
 *     sync-end-thread    the thread that calls fdatasync ends, silently
 *     write-fail         each pwrite fails with ENOSPC
 * No such file, or an empty one: the disk is well. Reads, opens and renames are never touched.
 * Threads: any.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_BYTES 64u

/* The command in force, and its number. */
static void look(char out_word[COMMAND_BYTES], long *out_number)
{
    const char *path = getenv("FAULTDISK");
    char line[COMMAND_BYTES] = "";
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    out_word[0] = '\0';
    *out_number = 0;
    if (fd < 0) {
        return;
    }
    if (read(fd, line, sizeof line - 1) > 0) {
        char *rest = NULL;
        const char *word = strtok_r(line, " \n", &rest);
        const char *number = strtok_r(NULL, " \n", &rest);
        snprintf(out_word, COMMAND_BYTES, "%s", word == NULL ? "" : word);
        *out_number = number == NULL ? 0 : strtol(number, NULL, 10);
    }
    close(fd);
}

int fdatasync(int fd)
{
    int (*real)(int fd) = (int (*)(int fd))dlsym(RTLD_NEXT, "fdatasync");
    char word[COMMAND_BYTES];
    long number = 0;
    look(word, &number);
    if (strcmp(word, "sync-end-thread") == 0) {
        (void)syscall(SYS_exit, 0); /* this thread only, and nothing of it is unwound */
    }
    if (strcmp(word, "sync-fail") == 0) {
        errno = EIO;
        return -1;
    }
    if (strcmp(word, "sync-delay") == 0) {
        struct timespec wait = { .tv_sec = number / 1000, .tv_nsec = number % 1000 * 1000000 };
        nanosleep(&wait, NULL);
    }
    return real(fd);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    ssize_t (*real)(int fd, const void *data, size_t bytes, off_t offset) =
        (ssize_t(*)(int fd, const void *data, size_t bytes, off_t offset))dlsym(RTLD_NEXT,
                                                                                "pwrite");
    char word[COMMAND_BYTES];
    long number = 0;
    look(word, &number);
    if (strcmp(word, "write-fail") == 0) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, data, bytes, offset);
}
