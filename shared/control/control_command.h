/*
 * control_command - one line of the control protocol: a request that names a command, and the answer to it.
 *
 * Decides only. Law: a request is one JSON object with "command" and that command's members; an answer is {"ok":true,…} or
 * {"ok":false,"code":"<public name of the error>","error":"<sentence>"}. A member that the command does not have is an error: a typing mistake must
 * not pause something else than was meant.
 * Threads: no shared state.
 */
#ifndef SHARED_CONTROL_COMMAND_H
#define SHARED_CONTROL_COMMAND_H

#include "shared/json/json.h"
#include "shared/json/json_write.h"

#define SL_CONTROL_LINE_BYTES_MAX (64u * 1024u) /* of a request, and of an answer */

struct sl_control_call {
    const struct sl_json *request;
    struct sl_arena *arena;        /* for what lives as long as the call */
    struct sl_json_writer *answer; /* inside the answer's object, behind "ok" */
    unsigned uid;                  /* of who asks */
};

struct sl_control_command {
    const char *name;
    const char *const *members; /* besides "command"; NULL-terminated; NULL: none */
    /* Writes the answer's members, or fails; what it wrote is then forgotten. */
    bool (*run)(void *arg, const struct sl_control_call *call, struct sl_err *err);
};

struct sl_control_desk {
    const struct sl_control_command *commands; /* borrowed */
    size_t command_count;
    void *arg;
    struct sl_json_parser *parser; /* owned */
    struct sl_arena arena;
};

bool sl_control_desk_init(struct sl_control_desk *desk, const struct sl_control_command *commands,
                          size_t count, void *arg, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void sl_control_desk_done(struct sl_control_desk *desk);

/* Runs the command of a line and replaces what is in `out` by the answer, with a line end. out->bytes_max >= SL_CONTROL_LINE_BYTES_MAX. */
void sl_control_desk_answer(struct sl_control_desk *desk, struct sl_span line, unsigned uid,
                            struct sl_buf *out);

/* The members of a request. Absent or null: absent. False with SL_E_USAGE when it is of another type. */
bool sl_control_text(const struct sl_control_call *call, const char *name, struct sl_span *out_text,
                     struct sl_err *err) SL_MUST;
/* In [min, max]; absent: *out_number is untouched. */
bool sl_control_int(const struct sl_control_call *call, const char *name, int64_t min, int64_t max,
                    int64_t *out_number, struct sl_err *err) SL_MUST;

#endif
