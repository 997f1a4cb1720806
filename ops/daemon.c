#include "ops/daemon.h"

#include "ops/address.h"
#include "shared/control/control_client.h"
#include "shared/control/control_command.h"
#include "shared/control/control_path.h"

#define NODES_MAX       4096u
#define DEPTH_MAX       8u
#define ARENA_BYTES_MAX (2u * 1024u * 1024u)

static bool read_answer(struct ops_daemon *daemon, struct sl_err *err);

bool ops_daemon_ask(struct ops_daemon *daemon, const struct ops_daemon_where *where,
                    struct sl_span request, struct sl_err *err)
{
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    char path[SL_CONTROL_PATH_BYTES];
    *daemon = (struct ops_daemon){ .root = NULL };
    sl_buf_init(&daemon->answer, SL_CONTROL_LINE_BYTES_MAX);
    sl_arena_init(&daemon->arena, ARENA_BYTES_MAX);
    return ops_address_open(&address, err) &&
           sl_control_path(ops_address_state_dir(&address, where->state_dir), where->program, path,
                           err) &&
           sl_control_ask(path, request, where->timeout_ms, &daemon->answer, err) &&
           read_answer(daemon, err);
}

static bool read_answer(struct ops_daemon *daemon, struct sl_err *err)
{
    daemon->parser = sl_json_parser_new(SL_CONTROL_LINE_BYTES_MAX);
    if (daemon->parser == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the answer");
    }
    daemon->root = sl_json_parse(daemon->parser, &daemon->arena, sl_buf_span(&daemon->answer),
                                 DEPTH_MAX, NODES_MAX, err);
    if (daemon->root == NULL) {
        return sl_err_wrap(err, "the daemon's answer");
    }
    if (sl_json_true(sl_json_get(daemon->root, "ok"))) {
        return true;
    }
    const char *code = ops_daemon_text(daemon, sl_json_get(daemon->root, "code"));
    bool is_usage = strcmp(code, sl_code_name(SL_E_USAGE)) == 0;
    return sl_fail(err, is_usage ? SL_E_USAGE : SL_E_CONTROL, "%s",
                   ops_daemon_text(daemon, sl_json_get(daemon->root, "error")));
}

void ops_daemon_done(struct ops_daemon *daemon)
{
    sl_json_parser_free(daemon->parser);
    sl_arena_done(&daemon->arena);
    sl_buf_done(&daemon->answer);
    *daemon = (struct ops_daemon){ .root = NULL };
}

const char *ops_daemon_text(struct ops_daemon *daemon, const struct sl_json *value)
{
    if (sl_json_is_null(value)) {
        return "";
    }
    struct sl_span text = value->type == SL_JSON_STRING
                              ? sl_json_text(value, &daemon->arena, true, NULL)
                              : value->raw;
    text = sl_arena_copy(&daemon->arena, text);
    return text.data == NULL ? "" : text.data;
}
