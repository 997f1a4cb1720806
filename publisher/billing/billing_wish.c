#include "publisher/billing/billing_wish.h"

#include <stdarg.h>
#include <stdio.h>

#include "publisher/billing/billing_form.h"
#include "shared/http/form.h"

#define PARTS_MAX 3u
#define NODES_MAX 4096u

static size_t split(struct sl_span path, struct sl_span parts[PARTS_MAX]);
static int find_deed(const struct pub_billing_asked *asked, struct pub_billing_wish *out,
                     struct sl_span *out_id);
static int read_account(struct sl_span query, struct pub_billing_wish *out);
static int read_body(const struct pub_billing_asked *asked, struct pub_billing_wish *out);
static int put_path(struct sl_span kind, struct sl_span id, struct pub_billing_wish *out);
static int refuse(struct pub_billing_wish *out, int status, const char *fmt, ...) SL_PRINTF(3, 4);

bool pub_billing_wish_is_for(struct sl_span method, struct sl_span path)
{
    struct sl_span parts[PARTS_MAX];
    size_t count = split(path, parts);
    bool is_posted = sl_span_is(method, "POST") || sl_span_is(method, "PATCH");
    return count == 3 ||
           (is_posted && (count == 2 || (count == 1 && sl_span_is(parts[0], "customers"))));
}

const char *pub_billing_allow(struct sl_span path)
{
    struct sl_span parts[PARTS_MAX] = { { 0 } };
    size_t count = split(path, parts);
    bool is_customer = sl_span_is(parts[0], "customers");
    return !is_customer ? "GET" : count == 1 ? "GET, POST" : "GET, PATCH";
}

/* "customers/cus_1/sync" into its parts; 0 when there are more. */
static size_t split(struct sl_span path, struct sl_span parts[PARTS_MAX])
{
    size_t prefix = strlen(PUB_BILLING_PREFIX);
    struct sl_span rest = sl_span_make(path.data + prefix, path.bytes - prefix);
    size_t count = 0;
    struct sl_span part = { 0 };
    while (sl_span_split(&rest, '/', &part)) {
        if (count == PARTS_MAX) {
            return 0;
        }
        parts[count++] = part;
    }
    return count;
}

int pub_billing_wish_read(const struct pub_billing_asked *asked, struct pub_billing_wish *out)
{
    *out = (struct pub_billing_wish){ 0 };
    sl_buf_init(&out->form, PUB_BILLING_WISH_BYTES_MAX * 3);
    struct sl_span parts[PARTS_MAX];
    struct sl_span id = { 0 };
    if (asked->body.bytes > PUB_BILLING_WISH_BYTES_MAX) {
        return refuse(out, 413, "at most %u bytes of parameters", PUB_BILLING_WISH_BYTES_MAX);
    }
    int status = find_deed(asked, out, &id);
    status = status != 0 ? status : read_account(asked->query, out);
    status = status != 0 ? status : read_body(asked, out);
    return status != 0 || split(asked->path, parts) == 0 ? status : put_path(parts[0], id, out);
}

static int find_deed(const struct pub_billing_asked *asked, struct pub_billing_wish *out,
                     struct sl_span *out_id)
{
    struct sl_span parts[PARTS_MAX] = { { 0 } };
    size_t count = split(asked->path, parts);
    bool is_customer = sl_span_is(parts[0], "customers");
    bool is_subscription = sl_span_is(parts[0], "subscriptions");
    bool is_kind = is_customer || is_subscription || sl_span_is(parts[0], "invoices");
    *out_id = count > 1 ? parts[1] : (struct sl_span){ 0 };
    out->method = "POST";
    if (!is_kind || count == 0) {
        return refuse(out, 404, "there are customers, subscriptions and invoices");
    }
    if (count == 1) {
        out->deed = PUB_BILLING_CREATE;
        out->name = "create";
        out->allow = "GET, POST";
    } else if (count == 2 && is_customer) {
        out->deed = PUB_BILLING_UPDATE;
        out->name = "update";
        out->allow = "GET, PATCH";
    } else if (count == 3 && sl_span_is(parts[2], "sync")) {
        out->deed = PUB_BILLING_SYNC;
        out->name = "sync";
        out->method = "GET";
        out->allow = "POST";
    } else if (count == 3 && is_subscription && sl_span_is(parts[2], "cancel")) {
        out->deed = PUB_BILLING_CANCEL;
        out->name = "cancel";
        out->method = "DELETE";
        out->allow = "POST";
    } else if (count == 3) {
        return refuse(out, 404, "an object can be synced, a subscription also canceled");
    } else {
        out->allow = "GET";
        return refuse(out, 405, "customers can be changed; these are read");
    }
    const char *method = out->deed == PUB_BILLING_UPDATE ? "PATCH" : "POST";
    return sl_span_is(asked->method, method) ? 0 : refuse(out, 405, "this takes %s", out->allow);
}

static int read_account(struct sl_span query, struct pub_billing_wish *out)
{
    struct sl_span name = { 0 };
    struct sl_span value = { 0 };
    char key[32];
    while (sl_form_next(&query, &name, &value)) {
        if (!sl_form_decode(name, key, sizeof key) || strcmp(key, "account") != 0) {
            return refuse(out, 400, "only account can be said in the query");
        }
        if (!sl_form_decode(value, out->account, sizeof out->account)) {
            return refuse(out, 400, "account: at most %u bytes", SL_EVENT_ID_BYTES_MAX);
        }
    }
    for (const char *at = out->account; *at != '\0'; at++) {
        if (*at <= ' ' || *at >= 0x7f) {
            return refuse(out, 400, "account: visible ASCII characters");
        }
    }
    return 0;
}

static int read_body(const struct pub_billing_asked *asked, struct pub_billing_wish *out)
{
    struct sl_err unread = { 0 };
    if (asked->body.bytes == 0) {
        return out->deed == PUB_BILLING_UPDATE ? refuse(out, 400, "nothing is to be changed") : 0;
    }
    const struct sl_json *root = sl_json_parse(asked->parser, asked->arena, asked->body,
                                               PUB_BILLING_FORM_DEPTH, NODES_MAX, &unread);
    if (root == NULL || root->type != SL_JSON_OBJECT) {
        return refuse(out, 400, "the body is a JSON object of Stripe's parameters");
    }
    if (out->deed == PUB_BILLING_SYNC && root->child_count > 0) {
        return refuse(out, 400, "a sync takes no parameters");
    }
    const char *skip = NULL;
    if (out->deed == PUB_BILLING_CANCEL) {
        skip = "at_period_end";
        const struct sl_json *later = sl_json_get(root, skip);
        if (!sl_json_is_null(later) && later->type != SL_JSON_BOOL) {
            return refuse(out, 400, "at_period_end is true or false");
        }
        if (sl_json_true(later)) {
            out->method = "POST";
            sl_form_put(&out->form, "cancel_at_period_end", SL_SPAN_LITERAL("true"));
        }
    }
    const char *why = pub_billing_form(root, skip, asked->arena, &out->form);
    return why == NULL ? 0 : refuse(out, 400, "%s", why);
}

static int put_path(struct sl_span kind, struct sl_span id, struct pub_billing_wish *out)
{
    SL_DONE(sl_buf_done) struct sl_buf path = { 0 };
    char plain[SL_EVENT_ID_BYTES_MAX + 1];
    sl_buf_init(&path, sizeof out->path - 1);
    sl_buf_printf(&path, "/v1/%.*s", SL_SPAN_ARGS(kind));
    if (out->deed != PUB_BILLING_CREATE) {
        bool is_id = sl_form_decode(id, plain, sizeof plain) && plain[0] != '\0';
        for (const char *at = plain; is_id && *at != '\0'; at++) {
            is_id = *at > ' ' && *at < 0x7f && *at != '/' && *at != '.';
        }
        if (!is_id) {
            return refuse(out, 404, "that is no id");
        }
        sl_buf_append_char(&path, '/');
        sl_form_escape(&path, sl_span_of(plain));
    }
    if (!sl_buf_ok(&path)) {
        return refuse(out, 404, "that is no id");
    }
    snprintf(out->path, sizeof out->path, "%s", sl_buf_span(&path).data);
    return 0;
}

static int refuse(struct pub_billing_wish *out, int status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(out->why, sizeof out->why, fmt, args);
    va_end(args);
    return status;
}

void pub_billing_wish_done(struct pub_billing_wish *wish)
{
    sl_buf_done(&wish->form);
}
