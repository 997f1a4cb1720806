/*
 * faultalloc - memory runs out on command, for a program that is started with it in LD_PRELOAD. A test tool.
 *
 * The file named by FAULTALLOC holds one 64-bit number in the machine's order, shared with whoever writes it: every so-many-th allocation of the
 * process fails with ENOMEM; 0 or no file: none. Works over AddressSanitizer's allocator when that is there, else over the C library's.
 * Threads: any.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__interceptor_malloc(size_t bytes) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t bytes) __attribute__((weak));
extern void *__interceptor_realloc(void *old, size_t bytes) __attribute__((weak));
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);

static _Atomic(const volatile uint64_t *) period;
static atomic_uint_fast64_t count_of_calls;

__attribute__((constructor)) static void map_the_number(void)
{
    const char *path = getenv("FAULTALLOC");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        void *mapped = mmap(NULL, sizeof(uint64_t), PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (mapped != MAP_FAILED) {
            atomic_store(&period, (const volatile uint64_t *)mapped);
        }
    }
}

static int fails(void)
{
    const volatile uint64_t *number = atomic_load(&period);
    uint64_t every = number == NULL ? 0 : *number;
    if (every == 0 || atomic_fetch_add(&count_of_calls, 1) % every != 0) {
        return 0;
    }
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t bytes)
{
    if (fails()) {
        return NULL;
    }
    return __interceptor_malloc != NULL ? __interceptor_malloc(bytes) : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    if (fails()) {
        return NULL;
    }
    return __interceptor_calloc != NULL ? __interceptor_calloc(count, bytes)
                                        : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    if (fails()) {
        return NULL;
    }
    return __interceptor_realloc != NULL ? __interceptor_realloc(old, bytes)
                                         : __libc_realloc(old, bytes);
}
