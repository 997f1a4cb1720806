#include "shared/control/control_command.h"

#include <stdio.h>

#include "tests/support/claims.h"

static bool greet(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    (void)arg;
    struct sl_span name = { NULL, 0 };
    int64_t times = 1;
    if (!sl_control_text(call, "name", &name, err) ||
        !sl_control_int(call, "times", 1, 9, &times, err)) {
        return false;
    }
    sl_json_put_text(call->answer, "hello", name);
    sl_json_put_int(call->answer, "times", times);
    sl_json_put_int(call->answer, "uid", call->uid);
    return true;
}

static bool fail_late(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    (void)arg;
    sl_json_put_text(call->answer, "half", SL_SPAN_LITERAL("written"));
    return sl_fail(err, SL_E_CONFIG, "no \"way\"");
}

static bool flood(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    (void)arg;
    (void)err;
    for (unsigned i = 0; i < 20000; i++) {
        sl_json_put_text(call->answer, "key", SL_SPAN_LITERAL("value"));
    }
    return true;
}

static const char *const greet_members[] = { "name", "times", NULL };
static const struct sl_control_command commands[] = {
    { "greet", greet_members, greet },
    { "fail-late", NULL, fail_late },
    { "flood", NULL, flood },
};

CLAIM(control_command__each_line_has_one_answer)
{
    static const struct {
        const char *line;
        const char *answer;
    } rows[] = {
        { "{\"command\":\"greet\",\"name\":\"a\\nb\",\"times\":3}",
          "{\"ok\":true,\"hello\":\"a\\nb\",\"times\":3,\"uid\":7}\n" },
        { " { \"command\" : \"greet\" } ", "{\"ok\":true,\"hello\":null,\"times\":1,\"uid\":7}\n" },
        { "{\"command\":\"greet\",\"name\":null}",
          "{\"ok\":true,\"hello\":null,\"times\":1,\"uid\":7}\n" },
        { "{\"command\":\"greet\",\"nmae\":\"x\"}",
          "{\"ok\":false,\"code\":\"cli.usage\",\"error\":\"greet has no \\\"nmae\\\"\"}\n" },
        { "{\"command\":\"greet\",\"name\":5}",
          "{\"ok\":false,\"code\":\"cli.usage\",\"error\":\"\\\"name\\\" is no text\"}\n" },
        { "{\"command\":\"greet\",\"times\":10}",
          "{\"ok\":false,\"code\":\"cli.usage\",\"error\":\"\\\"times\\\" is no whole number from 1 "
          "to 9\"}\n" },
        { "{\"command\":\"greet\",\"times\":\"3\"}",
          "{\"ok\":false,\"code\":\"cli.usage\",\"error\":\"\\\"times\\\" is no whole number from 1 "
          "to 9\"}\n" },
        { "{\"command\":\"gree\"}", "{\"ok\":false,\"code\":\"cli.usage\",\"error\":\"there is no "
                                    "command \\\"gree\\\" here\"}\n" },
        { "{\"command\":7}", "{\"ok\":false,\"code\":\"cli.usage\",\"error\":\"a request is an "
                             "object with a \\\"command\\\"\"}\n" },
        { "[]", "{\"ok\":false,\"code\":\"cli.usage\",\"error\":\"a request is an object with a "
                "\\\"command\\\"\"}\n" },
        { "{\"command\":\"fail-late\"}",
          "{\"ok\":false,\"code\":\"config.invalid\",\"error\":\"no \\\"way\\\"\"}\n" },
        { "{\"command\":\"flood\"}", "{\"ok\":false,\"code\":\"input.limit\",\"error\":\"it was "
                                     "done, but the answer does not fit\"}\n" },
    };
    struct sl_control_desk desk = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(sl_control_desk_init(&desk, commands, SL_COUNT(commands), NULL, &err));
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, SL_CONTROL_LINE_BYTES_MAX);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        sl_control_desk_answer(&desk, sl_span_of(rows[i].line), 7, &out);
        CU_ASSERT_STRING_EQUAL(out.data, rows[i].answer);
    }
    sl_control_desk_done(&desk);
}

CLAIM(control_command__what_is_no_request_gets_an_answer_too)
{
    static const char *const lines[] = { "",
                                         "{",
                                         "nonsense",
                                         "{\"command\":\"greet\"} trailing",
                                         "{\"command\":\"greet\",\"name\":\"\xff\"}",
                                         "{\"command\":\"greet\",\"name\":{\"a\":{\"b\":1}}}" };
    struct sl_control_desk desk = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(sl_control_desk_init(&desk, commands, SL_COUNT(commands), NULL, &err));
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, SL_CONTROL_LINE_BYTES_MAX);
    for (size_t i = 0; i < SL_COUNT(lines); i++) {
        sl_control_desk_answer(&desk, sl_span_of(lines[i]), 0, &out);
        CU_ASSERT(sl_span_starts_with(sl_buf_span(&out), "{\"ok\":false,"));
    }
    sl_control_desk_done(&desk);
}
