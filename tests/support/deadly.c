/*
 * deadly - an event that kills the process that sends it to the database: preloaded beside a consumer, it ends the process with SIGKILL when a parameter
 * of a prepared statement holds the word of the environment variable DEADLY. A test tool.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

typedef int send_fn(void *conn, const char *name, int count, const char *const *values,
                    const int *lengths, const int *formats, int result_format);

int PQsendQueryPrepared(void *conn, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int result_format);

int PQsendQueryPrepared(void *conn, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int result_format)
{
    static send_fn *next;
    const char *word = getenv("DEADLY");
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "PQsendQueryPrepared");
    }
    for (int i = 0; word != NULL && strcmp(name, "claim") == 0 && i < count; i++) {
        if (values[i] != NULL && formats[i] == 1 &&
            memmem(values[i], (size_t)lengths[i], word, strlen(word)) != NULL) {
            raise(SIGKILL);
        }
    }
    return next(conn, name, count, values, lengths, formats, result_format);
}
