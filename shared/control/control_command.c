#include "shared/control/control_command.h"

#include <inttypes.h>
#include <string.h>

#define DEPTH_MAX       3u
#define NODES_MAX       64u
#define ARENA_BYTES_MAX (1024u * 1024u)

static const struct sl_control_command *find(const struct sl_control_desk *desk,
                                             struct sl_span name);
static bool run(struct sl_control_desk *desk, struct sl_span line, unsigned uid, struct sl_buf *out,
                struct sl_err *err);
static bool check_members(const struct sl_control_command *command, const struct sl_json *request,
                          struct sl_err *err);
static void write_failure(const struct sl_err *err, struct sl_buf *out);

bool sl_control_desk_init(struct sl_control_desk *desk, const struct sl_control_command *commands,
                          size_t count, void *arg, struct sl_err *err)
{
    *desk = (struct sl_control_desk){ .commands = commands, .command_count = count, .arg = arg };
    desk->parser = sl_json_parser_new(SL_CONTROL_LINE_BYTES_MAX);
    sl_arena_init(&desk->arena, ARENA_BYTES_MAX);
    return desk->parser != NULL || sl_fail(err, SL_E_MEMORY, "no memory for the control socket");
}

void sl_control_desk_done(struct sl_control_desk *desk)
{
    sl_json_parser_free(desk->parser);
    sl_arena_done(&desk->arena);
    *desk = (struct sl_control_desk){ 0 };
}

void sl_control_desk_answer(struct sl_control_desk *desk, struct sl_span line, unsigned uid,
                            struct sl_buf *out)
{
    SL_ASSERT(out->bytes_max >= SL_CONTROL_LINE_BYTES_MAX);
    struct sl_err err = { 0 };
    sl_buf_reset(out);
    bool has_run = run(desk, line, uid, out, &err);
    if (has_run && !sl_buf_ok(out)) {
        has_run = sl_fail(&err, SL_E_LIMIT, "it was done, but the answer does not fit");
    }
    if (!has_run) {
        write_failure(&err, out);
    }
    sl_arena_reset(&desk->arena);
}

static bool run(struct sl_control_desk *desk, struct sl_span line, unsigned uid, struct sl_buf *out,
                struct sl_err *err)
{
    const struct sl_json *request =
        sl_json_parse(desk->parser, &desk->arena, line, DEPTH_MAX, NODES_MAX, err);
    if (request == NULL) {
        return sl_err_wrap(err, "the request is not understood");
    }
    struct sl_span name = sl_json_text(sl_json_get(request, "command"), &desk->arena, true, NULL);
    if (name.data == NULL) {
        return sl_fail(err, SL_E_USAGE, "a request is an object with a \"command\"");
    }
    const struct sl_control_command *command = find(desk, name);
    if (command == NULL) {
        return sl_fail(err, SL_E_USAGE, "there is no command \"%.*s\" here",
                       name.bytes > 40 ? 40 : (int)name.bytes, name.data);
    }
    struct sl_json_writer json = sl_json_writer_make(out);
    const struct sl_control_call call = {
        .request = request, .arena = &desk->arena, .answer = &json, .uid = uid
    };
    sl_json_object_begin(&json);
    sl_json_put_bool(&json, "ok", true);
    if (!check_members(command, request, err) || !command->run(desk->arg, &call, err)) {
        return false;
    }
    sl_json_object_end(&json);
    sl_buf_append_char(out, '\n');
    return true;
}

static const struct sl_control_command *find(const struct sl_control_desk *desk,
                                             struct sl_span name)
{
    for (size_t i = 0; i < desk->command_count; i++) {
        if (sl_span_is(name, desk->commands[i].name)) {
            return &desk->commands[i];
        }
    }
    return NULL;
}

static bool check_members(const struct sl_control_command *command, const struct sl_json *request,
                          struct sl_err *err)
{
    for (const struct sl_json *member = request->first; member != NULL; member = member->next) {
        bool is_known = sl_span_is(member->key, "command");
        for (const char *const *name = command->members; name != NULL && *name != NULL; name++) {
            is_known = is_known || sl_span_is(member->key, *name);
        }
        if (!is_known) {
            return sl_fail(err, SL_E_USAGE, "%s has no \"%.*s\"", command->name,
                           member->key.bytes > 40 ? 40 : (int)member->key.bytes, member->key.data);
        }
    }
    return true;
}

static void write_failure(const struct sl_err *err, struct sl_buf *out)
{
    sl_buf_reset(out);
    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    sl_json_put_bool(&json, "ok", false);
    sl_json_put_text(&json, "code", sl_span_of(sl_code_name(err->code)));
    sl_json_put_text(&json, "error", sl_span_of(err->text));
    sl_json_object_end(&json);
    sl_buf_append_char(out, '\n');
}

bool sl_control_text(const struct sl_control_call *call, const char *name, struct sl_span *out_text,
                     struct sl_err *err)
{
    const struct sl_json *value = sl_json_get(call->request, name);
    struct sl_span text = { NULL, 0 };
    if (!sl_json_is_null(value)) {
        text = sl_json_text(value, call->arena, true, NULL);
        if (text.data == NULL) {
            return sl_fail(err, SL_E_USAGE, "\"%s\" is no text", name);
        }
    }
    *out_text = text;
    return true;
}

bool sl_control_int(const struct sl_control_call *call, const char *name, int64_t min, int64_t max,
                    int64_t *out_number, struct sl_err *err)
{
    const struct sl_json *value = sl_json_get(call->request, name);
    int64_t number = 0;
    if (sl_json_is_null(value)) {
        return true;
    }
    if (!sl_json_int(value, &number) || number < min || number > max) {
        return sl_fail(err, SL_E_USAGE, "\"%s\" is no whole number from %" PRId64 " to %" PRId64,
                       name, min, max);
    }
    *out_number = number;
    return true;
}
