#include "shared/http/http_render.h"

#include "shared/scope.h"
#include "shared/span.h"
#include "tests/support/claims.h"

CLAIM(http_render__head_of_a_plain_answer)
{
    char bytes[SL_HTTP_ANSWER_HEAD_BYTES_MAX];
    struct sl_http_answer_head head = { .status = 200,
                                        .content_type = "application/json",
                                        .body_bytes = 4711,
                                        .date = "Sun, 06 Nov 1994 08:49:37 GMT" };
    size_t used = sl_http_render_head(&head, bytes);
    CU_ASSERT(sl_span_is(sl_span_make(bytes, used), "HTTP/1.1 200 OK\r\n"
                                                    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                                    "Content-Type: application/json\r\n"
                                                    "Content-Length: 4711\r\n\r\n"));
}

CLAIM(http_render__retry_allow_and_close_are_said)
{
    char bytes[SL_HTTP_ANSWER_HEAD_BYTES_MAX];
    struct sl_http_answer_head head = { .status = 405,
                                        .content_type = "text/plain",
                                        .retry_after_s = 30,
                                        .allow = "GET, POST",
                                        .date = "-",
                                        .connection = SL_HTTP_CLOSE };
    size_t used = sl_http_render_head(&head, bytes);
    CU_ASSERT(sl_span_is(sl_span_make(bytes, used),
                         "HTTP/1.1 405 Method Not Allowed\r\nDate: -\r\n"
                         "Content-Type: text/plain\r\nContent-Length: 0\r\n"
                         "Retry-After: 30\r\nAllow: GET, POST\r\nConnection: close\r\n\r\n"));
}

CLAIM(http_render__no_content_has_neither_type_nor_length)
{
    char bytes[SL_HTTP_ANSWER_HEAD_BYTES_MAX];
    struct sl_http_answer_head head = {
        .status = 204, .content_type = "text/plain", .date = "-", .connection = SL_HTTP_KEEP_ALIVE
    };
    size_t used = sl_http_render_head(&head, bytes);
    CU_ASSERT(sl_span_is(sl_span_make(bytes, used), "HTTP/1.1 204 No Content\r\nDate: -\r\n"
                                                    "Connection: keep-alive\r\n\r\n"));
}

CLAIM(http_render__dates_are_imf_fixdate)
{
    static const struct {
        int64_t wall_s;
        const char *text;
    } cases[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
        { 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 4102444799, "Thu, 31 Dec 2099 23:59:59 GMT" },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        char text[SL_HTTP_DATE_BYTES];
        sl_http_date(cases[i].wall_s, text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
    }
}
