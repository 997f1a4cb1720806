/*
 * stall_sync - a disk that stops answering: preloaded, it holds every fdatasync for as long as the file named by STALL_SYNC exists.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fd)
{
    static int (*real)(int);
    const char *gate = getenv("STALL_SYNC");
    const struct timespec pause = { .tv_nsec = 5000000 };
    while (gate != NULL && access(gate, F_OK) == 0) {
        nanosleep(&pause, NULL);
    }
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    }
    return real(fd);
}
