#include "shared/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM_BYTES 256u

static bool grow(struct sl_buf *buf, size_t more_bytes);

void sl_buf_init(struct sl_buf *buf, size_t bytes_max)
{
    SL_ASSERT(bytes_max > 0);
    *buf = (struct sl_buf){ .bytes_max = bytes_max };
}

void sl_buf_done(struct sl_buf *buf)
{
    free(buf->data);
    *buf = (struct sl_buf){ 0 };
}

void sl_buf_reset(struct sl_buf *buf)
{
    buf->used_bytes = 0;
    buf->failed = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

bool sl_buf_append(struct sl_buf *buf, const void *data, size_t bytes)
{
    if (!grow(buf, bytes)) {
        return false;
    }
    if (bytes > 0) {
        memcpy(buf->data + buf->used_bytes, data, bytes);
        buf->used_bytes += bytes;
        buf->data[buf->used_bytes] = '\0';
    }
    return true;
}

static bool grow(struct sl_buf *buf, size_t more_bytes)
{
    if (buf->failed || more_bytes > buf->bytes_max - buf->used_bytes) {
        buf->failed = true;
        return false;
    }
    size_t needed = buf->used_bytes + more_bytes;
    if (buf->data != NULL && needed <= buf->room_bytes) {
        return true;
    }
    size_t room = buf->room_bytes == 0 ? FIRST_ROOM_BYTES : buf->room_bytes;
    while (room < needed) {
        room = room > buf->bytes_max / 2 ? buf->bytes_max : room * 2;
    }
    char *data = realloc(buf->data, room + 1);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    if (buf->data == NULL) {
        data[0] = '\0';
    }
    buf->data = data;
    buf->room_bytes = room;
    return true;
}

bool sl_buf_append_span(struct sl_buf *buf, struct sl_span span)
{
    return sl_buf_append(buf, span.data, span.bytes);
}

bool sl_buf_append_text(struct sl_buf *buf, const char *text)
{
    return sl_buf_append(buf, text, strlen(text));
}

bool sl_buf_append_char(struct sl_buf *buf, char byte)
{
    return sl_buf_append(buf, &byte, 1);
}

bool sl_buf_printf(struct sl_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    bool printed = bytes >= 0 && grow(buf, (size_t)bytes);
    if (printed) {
        vsnprintf(buf->data + buf->used_bytes, (size_t)bytes + 1, fmt, again);
        buf->used_bytes += (size_t)bytes;
    } else {
        buf->failed = true;
    }
    va_end(again);
    return printed;
}

char *sl_buf_reserve(struct sl_buf *buf, size_t bytes)
{
    return grow(buf, bytes) ? buf->data + buf->used_bytes : NULL;
}

void sl_buf_commit(struct sl_buf *buf, size_t bytes)
{
    SL_ASSERT(buf->data != NULL);
    SL_ASSERT(bytes <= buf->room_bytes - buf->used_bytes);
    buf->used_bytes += bytes;
    buf->data[buf->used_bytes] = '\0';
}
