#include "consumer/handlers/http_verdict.h"

#include <stdio.h>

#include "consumer/text.h"

#define REPLY_DEPTH     1u
#define REPLY_NODES_MAX 256u
#define RETRY_AFTER_MAX (12 * 86400) /* longest wait in the broker */

enum class { DONE, ITEM, PERMANENT, HALT };
static const struct status {
    int first;
    int last;
    enum class class;
    bool is_of_target;
    const char *meaning;
} statuses[] = {
#define CON_HTTP_STATUS(first, last, class, of_target, meaning)                                    \
    { first, last, class, of_target, meaning },
#include "consumer/handlers/http_status.def"
#undef CON_HTTP_STATUS
};

/* What the target says about its own answer. */
struct reply {
    struct sl_span code;
    struct sl_span message;
    const struct sl_json *retry;
};

static void no_answer(const struct sl_http_answer *answer, const char *where,
                      struct con_http_verdict *out);
static struct reply read_reply(const struct sl_http_answer *answer, struct sl_json_parser *parser,
                               struct sl_arena *arena);
static const struct status *find(int status);
static enum sl_rule_verdict verdict_of(const struct status *status);
static bool is_code(struct sl_span code);
static void explain(const struct sl_http_answer *answer, const char *where,
                    const struct reply *reply, const char *meaning, struct con_http_verdict *out);

void con_http_verdict(const struct sl_http_answer *answer, const struct sl_subsystem *subsystem,
                      const char *where, struct sl_json_parser *parser, struct sl_arena *arena,
                      struct con_http_verdict *out)
{
    *out = (struct con_http_verdict){ .verdict = SL_RULE_RETRY };
    if (answer->status == 0) {
        no_answer(answer, where, out);
        return;
    }
    const struct status *status = find(answer->status);
    out->is_reached = true;
    out->is_of_target = status->is_of_target;
    out->verdict = verdict_of(status);
    if (out->verdict == SL_RULE_DONE) {
        return;
    }
    int64_t asked_s =
        answer->retry_after_s < RETRY_AFTER_MAX ? answer->retry_after_s : RETRY_AFTER_MAX;
    out->retry_after_s = asked_s > 0 ? asked_s : 0;
    struct reply reply = read_reply(answer, parser, arena);
    const char *meaning = status->meaning;
    const struct sl_subsystem_rule *rule =
        reply.code.data == NULL ? NULL : sl_subsystem_rule_find(subsystem, reply.code);
    if (rule != NULL) {
        out->verdict = rule->verdict;
        out->is_of_target = rule->verdict == SL_RULE_SYSTEMIC || rule->verdict == SL_RULE_HALT;
        meaning = "as the section says of this code";
    } else if (reply.retry != NULL) {
        out->verdict = sl_json_true(reply.retry) ? SL_RULE_RETRY : SL_RULE_PERMANENT;
        out->is_of_target = false;
        meaning = sl_json_true(reply.retry) ? "the target asks for another try"
                                            : "the target wants no other try";
    }
    explain(answer, where, &reply, meaning, out);
}

/* Nothing came back, and the event may have been handled all the same: that is what its idempotency key is for. */
static void no_answer(const struct sl_http_answer *answer, const char *where,
                      struct con_http_verdict *out)
{
    enum sl_code code = answer->err->code;
    out->is_of_target = true;
    out->is_reached = answer->was_sent; /* it may choke on this event alone */
    if (code == SL_E_HTTP_MALFORMED) {
        out->verdict = SL_RULE_HALT;
    }
    snprintf(out->code, sizeof out->code, "%s", sl_code_name(code));
    sl_fail(&out->err, out->verdict == SL_RULE_HALT ? SL_E_TARGET_HALT : SL_E_TARGET_ITEM,
            "POST %s: %s", where, answer->err->text);
}

static const struct status *find(int status)
{
    size_t i = 0;
    while (status < statuses[i].first || status > statuses[i].last) {
        i++;
        SL_ASSERT(i < SL_COUNT(statuses));
    }
    return &statuses[i];
}

static enum sl_rule_verdict verdict_of(const struct status *status)
{
    switch (status->class) {
    case DONE:
        return SL_RULE_DONE;
    case ITEM:
        return SL_RULE_RETRY;
    case PERMANENT:
        return SL_RULE_PERMANENT;
    case HALT:
        return SL_RULE_HALT;
    }
    return SL_RULE_HALT;
}

static struct reply read_reply(const struct sl_http_answer *answer, struct sl_json_parser *parser,
                               struct sl_arena *arena)
{
    struct reply reply = { .retry = NULL };
    const struct sl_json *json =
        sl_json_parse(parser, arena, answer->body, REPLY_DEPTH, REPLY_NODES_MAX, NULL);
    if (json == NULL || json->type != SL_JSON_OBJECT) {
        return reply;
    }
    struct sl_span code = sl_json_text(sl_json_get(json, "code"), arena, true, NULL);
    const struct sl_json *retry = sl_json_get(json, "retry");
    reply.code = is_code(code) ? code : reply.code;
    reply.message = sl_json_text(sl_json_get(json, "message"), arena, true, NULL);
    reply.retry = retry != NULL && retry->type == SL_JSON_BOOL ? retry : NULL;
    return reply;
}

/* What may stand in a header, a log line and the subsystems file. */
static bool is_code(struct sl_span code)
{
    for (size_t i = 0; i < code.bytes; i++) {
        char c = code.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return code.bytes > 0 && code.bytes < CON_HTTP_CODE_BYTES;
}

static void explain(const struct sl_http_answer *answer, const char *where,
                    const struct reply *reply, const char *meaning, struct con_http_verdict *out)
{
    static const enum sl_code codes[] = {
        [SL_RULE_DONE] = SL_E_NONE,
        [SL_RULE_RETRY] = SL_E_TARGET_ITEM,
        [SL_RULE_PERMANENT] = SL_E_TARGET_PERMANENT,
        [SL_RULE_SYSTEMIC] = SL_E_TARGET_SYSTEMIC,
        [SL_RULE_HALT] = SL_E_TARGET_HALT,
    };
    if (reply->code.data != NULL) {
        snprintf(out->code, sizeof out->code, "%.*s", SL_SPAN_ARGS(reply->code));
    } else {
        snprintf(out->code, sizeof out->code, "http.%d", answer->status);
    }
    struct sl_span message = con_text_cut(reply->message, CON_HTTP_MESSAGE_BYTES);
    bool has_message = message.data != NULL && message.bytes > 0;
    sl_fail(&out->err, codes[out->verdict], "POST %s: %d %s, %s%s%.*s", where, answer->status,
            out->code, meaning, has_message ? ": " : "", has_message ? (int)message.bytes : 0,
            has_message ? message.data : "");
}
