#include "publisher/drops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/json/json_write.h"

#define CURRENT_NAME   "drops.jsonl"
#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define OLD_FILES_MAX  16
#define LINE_BYTES_MAX 4096u

static bool open_current(struct pub_drops *drops, struct sl_err *err);
static bool write_line(struct pub_drops *drops, const struct pub_drop *drop, struct sl_err *err);
static bool set_aside(struct pub_drops *drops, struct sl_err *err);
static void render(struct pub_drops *drops, const struct pub_drop *drop);

bool pub_drops_open(struct pub_drops *drops, const char *state_dir, struct sl_err *err)
{
    *drops = (struct pub_drops){
        .lock = PTHREAD_MUTEX_INITIALIZER, .dir = -1, .file = -1, .bytes_max = FILE_BYTES_MAX
    };
    sl_buf_init(&drops->line, LINE_BYTES_MAX);
    drops->dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (drops->dir < 0) {
        sl_buf_done(&drops->line);
        return sl_fail(err, SL_E_IO, "cannot open %s: %s", state_dir, strerror(errno));
    }
    if (!open_current(drops, err)) {
        pub_drops_close(drops);
        return false;
    }
    return true;
}

static bool open_current(struct pub_drops *drops, struct sl_err *err)
{
    drops->file = openat(drops->dir, CURRENT_NAME,
                         O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat about = { 0 };
    if (drops->file < 0 || fstat(drops->file, &about) != 0) {
        return sl_fail(err, SL_E_IO, "cannot open the drop log %s: %s", CURRENT_NAME,
                       strerror(errno));
    }
    drops->bytes = about.st_size;
    drops->is_torn =
        about.st_size > 0; /* an earlier run may have been cut off; an empty line harms nobody */
    return true;
}

void pub_drops_close(struct pub_drops *drops)
{
    if (drops->file >= 0 && drops->dir >= 0) {
        close(drops->file);
    }
    if (drops->dir >= 0) {
        close(drops->dir);
    }
    sl_buf_done(&drops->line);
    *drops = (struct pub_drops){ .lock = PTHREAD_MUTEX_INITIALIZER, .dir = -1, .file = -1 };
}

bool pub_drops_can_write(struct pub_drops *drops)
{
    pthread_mutex_lock(&drops->lock);
    bool is_open = drops->dir >= 0 && drops->file >= 0;
    pthread_mutex_unlock(&drops->lock);
    return is_open;
}

bool pub_drops_write(struct pub_drops *drops, const struct pub_drop *drop, struct sl_err *err)
{
    pthread_mutex_lock(&drops->lock);
    bool is_written = write_line(drops, drop, err);
    pthread_mutex_unlock(&drops->lock);
    return is_written;
}

static bool write_line(struct pub_drops *drops, const struct pub_drop *drop, struct sl_err *err)
{
    if (drops->dir < 0 || drops->file < 0) {
        return sl_fail(err, SL_E_IO, "the drop log is not open");
    }
    if (drops->bytes >= drops->bytes_max && !set_aside(drops, err)) {
        return false;
    }
    render(drops, drop);
    if (!sl_buf_ok(&drops->line)) {
        return sl_fail(err, SL_E_LIMIT, "a line of the drop log is longer than %u bytes",
                       LINE_BYTES_MAX);
    }
    ssize_t written = write(drops->file, drops->line.data, drops->line.used_bytes);
    drops->bytes += written > 0 ? written : 0;
    drops->is_torn = written > 0 && (size_t)written < drops->line.used_bytes;
    if (written < 0 || drops->is_torn) {
        return sl_fail(err, SL_E_IO, "cannot write the drop log: %s",
                       written < 0 ? strerror(errno) : "short write");
    }
    return true;
}

static void render(struct pub_drops *drops, const struct pub_drop *drop)
{
    char at[SL_RFC3339_BYTES];
    sl_clock_rfc3339(drop->at_us, at);
    sl_buf_reset(&drops->line);
    if (drops->is_torn) {
        sl_buf_append_char(&drops->line, '\n');
    }
    struct sl_json_writer json = sl_json_writer_make(&drops->line);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "at", sl_span_of(at));
    sl_json_put_text(&json, "id", drop->id);
    sl_json_put_text(&json, "type", drop->type);
    sl_json_put_text(&json, "source", drop->source);
    sl_json_put_int(&json, "body_bytes", (int64_t)drop->body_bytes);
    sl_json_put_text(&json, "body_sha256", sl_span_of(drop->body_sha256));
    sl_json_put_text(&json, "reason", sl_span_of(drop->reason));
    sl_json_object_end(&json);
    sl_buf_append_char(&drops->line, '\n');
}

/* drops.jsonl becomes the first free of drops-01.jsonl … */
static bool set_aside(struct pub_drops *drops, struct sl_err *err)
{
    for (int number = 1; number <= OLD_FILES_MAX; number++) {
        char name[32];
        snprintf(name, sizeof name, "drops-%02d.jsonl", number);
        if (linkat(drops->dir, CURRENT_NAME, drops->dir, name, 0) == 0) {
            unlinkat(drops->dir, CURRENT_NAME, 0);
            close(drops->file);
            drops->file = -1;
            return open_current(drops, err);
        }
        if (errno != EEXIST) {
            return sl_fail(err, SL_E_IO, "cannot set the full drop log aside: %s", strerror(errno));
        }
    }
    return sl_fail(err, SL_E_LIMIT,
                   "the drop log is full: %d files wait to be looked at and removed",
                   OLD_FILES_MAX);
}
