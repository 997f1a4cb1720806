#include "shared/http/http_render.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/scope.h"

#define STATUS_NO_CONTENT   204
#define STATUS_NOT_MODIFIED 304

struct writer {
    char *out;
    size_t used_bytes;
};

static void put(struct writer *writer, const char *text);
static void put_number(struct writer *writer, size_t number);

size_t sl_http_render_head(const struct sl_http_answer_head *head,
                           char out_bytes[SL_HTTP_ANSWER_HEAD_BYTES_MAX])
{
    struct writer writer = { .out = out_bytes };
    put(&writer, "HTTP/1.1 ");
    put_number(&writer, (size_t)head->status);
    put(&writer, " ");
    put(&writer, sl_http_status_text(head->status));
    put(&writer, "\r\nDate: ");
    put(&writer, head->date);
    if (head->status != STATUS_NO_CONTENT && head->status != STATUS_NOT_MODIFIED) {
        put(&writer, "\r\nContent-Type: ");
        put(&writer, head->content_type);
        put(&writer, "\r\nContent-Length: ");
        put_number(&writer, head->body_bytes);
    }
    if (head->retry_after_s > 0) {
        put(&writer, "\r\nRetry-After: ");
        put_number(&writer, head->retry_after_s);
    }
    if (head->allow != NULL) {
        put(&writer, "\r\nAllow: ");
        put(&writer, head->allow);
    }
    if (head->authenticate != NULL) {
        put(&writer, "\r\nWWW-Authenticate: ");
        put(&writer, head->authenticate);
    }
    if (head->etag != NULL) {
        put(&writer, "\r\nETag: ");
        put(&writer, head->etag);
    }
    if (head->connection != SL_HTTP_UNSAID) {
        put(&writer, "\r\nConnection: ");
        put(&writer, head->connection == SL_HTTP_CLOSE ? "close" : "keep-alive");
    }
    put(&writer, "\r\n\r\n");
    return writer.used_bytes;
}

static void put(struct writer *writer, const char *text)
{
    size_t bytes = strlen(text);
    SL_ASSERT(bytes <= SL_HTTP_ANSWER_HEAD_BYTES_MAX - writer->used_bytes);
    memcpy(writer->out + writer->used_bytes, text, bytes);
    writer->used_bytes += bytes;
}

static void put_number(struct writer *writer, size_t number)
{
    char digits[24];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(writer, first);
}

const char *sl_http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 207, "Multi-Status" },
        { 302, "Found" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 402, "Payment Required" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 411, "Length Required" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 422, "Unprocessable Content" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Unknown";
}

void sl_http_date(int64_t wall_s, char out_text[SL_HTTP_DATE_BYTES])
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)wall_s;
    struct tm parts = { 0 };
    gmtime_r(&seconds, &parts);
    snprintf(out_text, SL_HTTP_DATE_BYTES, "%s, %02d %s %04d %02d:%02d:%02d GMT",
             days[parts.tm_wday], parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900,
             parts.tm_hour, parts.tm_min, parts.tm_sec);
}
