#include "ops/queue/purge_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME_BYTES 160u

static bool sync_folder(const char *path, struct sl_err *err);

bool ops_purge_file_make(struct ops_purge_file *file, const char *path, const char *queue,
                         struct sl_err *err)
{
    char name[NAME_BYTES];
    char at[32];
    time_t now = time(NULL);
    struct tm utc;
    (void)gmtime_r(&now, &utc);
    (void)strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &utc);
    snprintf(name, sizeof name, "%s-%s.ndjson", queue, at);
    path = path == NULL ? name : path;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    file->stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (file->stream == NULL || realpath(path, file->path) == NULL) {
        return sl_fail(err, SL_E_CREATE, "cannot make the file %.200s: %s", path, strerror(errno));
    }
    return sync_folder(file->path, err);
}

/* Else the file could be gone after a power cut, whatever was synced in it. */
static bool sync_folder(const char *path, struct sl_err *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced ||
           sl_fail(err, SL_E_IO, "the folder of %.200s cannot be synced: %s", path, strerror(why));
}

bool ops_purge_file_write(struct ops_purge_file *file, struct sl_span line, struct sl_err *err)
{
    if (fwrite(line.data, 1, line.bytes, file->stream) != line.bytes) {
        return sl_fail(err, SL_E_IO, "%.200s cannot be written: %s", file->path, strerror(errno));
    }
    file->bytes += (int64_t)line.bytes;
    return true;
}

bool ops_purge_file_sync(struct ops_purge_file *file, struct sl_err *err)
{
    return (fflush(file->stream) == 0 && fdatasync(fileno(file->stream)) == 0) ||
           sl_fail(err, SL_E_IO, "%.200s cannot be written to the disk: %s", file->path,
                   strerror(errno));
}

void ops_purge_file_done(struct ops_purge_file *file)
{
    if (file->stream != NULL) {
        (void)fclose(file->stream); /* what counts was synced */
        file->stream = NULL;
    }
}
