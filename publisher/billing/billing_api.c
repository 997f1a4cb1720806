#include "publisher/billing/billing_api.h"

#include <stdio.h>
#include <stdlib.h>

#include "publisher/problem.h"
#include "shared/digest.h"
#include "shared/json/json_write.h"

#define ROUTE          "billing"
#define NOBODY         "none"
#define BODY_BYTES_MAX (16u * 1024u * 1024u)
#define ETAG_BYTES     (2 * SL_SHA256_BYTES + 3) /* with its quotes */
#define STEPS_MAX      2u

/* One request that waits for the database. */
struct asked {
    struct pub_billing_api *api;
    struct sl_http_request *request;
    struct pub_billing_query query;
    struct sl_pg_param params[PUB_BILLING_PARAMS_MAX];
    struct sl_pg_param cursor_params[3];
    struct sl_pg_step steps[STEPS_MAX]; /* the page or object; then whether the cursor exists */
    struct pub_read read;
};

static const char *admit(const struct pub_billing_api *api, const struct sl_http_head *head,
                         enum pub_caller *out_caller, int *out_status);
static void ask(struct asked *asked);
static void on_read(struct pub_read *read, struct sl_pg_result *const *results,
                    const struct sl_err *error);
static void answer_object(struct asked *asked, const struct sl_pg_result *result);
static void answer_page(struct asked *asked, const struct sl_pg_result *page);
static void put_page(const struct asked *asked, const struct sl_pg_result *page,
                     struct sl_buf *out);
static void answer_body(struct asked *asked, struct sl_span body);
static void refuse(struct sl_http_request *request, int status, const char *detail);

void pub_billing_api_take(struct pub_billing_api *api, struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    enum pub_caller caller = PUB_CALLERS;
    int status = 0;
    const char *why = admit(api, head, &caller, &status);
    const char *name = caller == PUB_CALLERS ? NOBODY : pub_caller_name(caller);
    sl_series_add(sl_metrics_series(api->metrics, SL_M_API_CALLS, ROUTE, name), 1);
    if (why != NULL) {
        refuse(request, status, why);
        return;
    }
    if (pub_billing_wish_is_for(head->method, head->path)) {
        pub_billing_writes_take(api->writes, caller, request);
        return;
    }
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL) {
        refuse(request, 503, "no memory");
        return;
    }
    asked->api = api;
    asked->request = request;
    status = pub_billing_query_read(head->path, head->query, &asked->query);
    if (status != 0) {
        refuse(request, status, asked->query.why);
        free(asked);
        return;
    }
    ask(asked);
}

/* NULL: come in. Who asks is settled before what is asked. */
static const char *admit(const struct pub_billing_api *api, const struct sl_http_head *head,
                         enum pub_caller *out_caller, int *out_status)
{
    enum pub_caller caller = PUB_CALLER_CONSOLE;
    bool is_write = pub_billing_wish_is_for(head->method, head->path);
    *out_status = 401;
    if (!pub_tokens_find(api->tokens, sl_http_field(head, "Authorization"), &caller)) {
        return "a bearer token of a known caller is needed";
    }
    *out_caller = caller;
    *out_status = 403;
    if (is_write && (pub_caller_scopes(caller) & PUB_SCOPE_BILLING_WRITE) == 0) {
        return "this token may not change billing";
    }
    if ((pub_caller_scopes(caller) & PUB_SCOPE_BILLING_READ) == 0) {
        return "this token may not read billing";
    }
    if (is_write) {
        return NULL;
    }
    *out_status = 405;
    if (!sl_span_is(head->method, "GET")) {
        return "billing is read with GET";
    }
    *out_status = 503;
    return api->reader == NULL ? "DATABASE_URL is not configured" : NULL;
}

static void ask(struct asked *asked)
{
    const struct pub_billing_query *query = &asked->query;
    struct sl_err err = { 0 };
    pub_billing_query_params(query, asked->params);
    asked->steps[0] = (struct sl_pg_step){ .name = query->statement,
                                           .params = asked->params,
                                           .param_count = query->param_count };
    if (query->has_cursor) {
        asked->steps[1] = (struct sl_pg_step){
            .name = pub_billing_query_cursor(query, asked->cursor_params),
            .params = asked->cursor_params,
            .param_count = SL_COUNT(asked->cursor_params),
        };
    }
    asked->read = (struct pub_read){
        .steps = asked->steps,
        .step_count = query->has_cursor ? 2 : 1,
        .arg = asked,
        .on_done = on_read,
    };
    if (!pub_reader_run(asked->api->reader, &asked->read, &err)) {
        on_read(&asked->read, NULL, &err);
    }
}

static void on_read(struct pub_read *read, struct sl_pg_result *const *results,
                    const struct sl_err *error)
{
    struct asked *asked = read->arg;
    const struct pub_billing_query *query = &asked->query;
    if (error != NULL) {
        refuse(asked->request, 503, "the database cannot answer now");
    } else if (!query->is_list) {
        answer_object(asked, results[0]);
    } else if (query->has_cursor && sl_pg_rows(results[1]) == 0) {
        refuse(asked->request, 400, "the page begins behind an object that is not there");
    } else {
        answer_page(asked, results[0]);
    }
    free(asked);
}

static void answer_object(struct asked *asked, const struct sl_pg_result *result)
{
    if (sl_pg_rows(result) == 0) {
        char detail[64];
        snprintf(detail, sizeof detail, "there is no such %s", asked->query.kind);
        refuse(asked->request, 404, detail);
        return;
    }
    answer_body(asked, sl_pg_value(result, 0, 0));
}

static void answer_page(struct asked *asked, const struct sl_pg_result *page)
{
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, BODY_BYTES_MAX);
    put_page(asked, page, &body);
    if (sl_buf_ok(&body)) {
        answer_body(asked, sl_buf_span(&body));
    } else {
        refuse(asked->request, 503, "the page is too large; ask for fewer with limit");
    }
}

/* The row too many says that there are more, and is left out. */
static void put_page(const struct asked *asked, const struct sl_pg_result *page, struct sl_buf *out)
{
    size_t rows = sl_pg_rows(page);
    bool has_more = rows > (size_t)asked->query.limit;
    size_t first = has_more && asked->query.is_back ? 1 : 0;
    size_t end = has_more && !asked->query.is_back ? rows - 1 : rows;
    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "object", SL_SPAN_LITERAL("list"));
    sl_json_put_text(&json, "url", sl_http_request_head(asked->request)->path);
    sl_json_put_bool(&json, "has_more", has_more);
    sl_json_key(&json, SL_SPAN_LITERAL("data"));
    sl_json_array_begin(&json);
    for (size_t row = first; row < end; row++) {
        sl_json_put_raw(&json, NULL, sl_pg_value(page, row, 0));
    }
    sl_json_array_end(&json);
    sl_json_object_end(&json);
}

static void answer_body(struct asked *asked, struct sl_span body)
{
    uint8_t hash[SL_SHA256_BYTES];
    char etag[ETAG_BYTES] = "";
    if (sl_sha256(body, hash)) {
        char hex[2 * SL_SHA256_BYTES + 1];
        sl_hex_encode(hash, sizeof hash, hex);
        snprintf(etag, sizeof etag, "\"%s\"", hex);
    }
    struct sl_span known = sl_http_field(sl_http_request_head(asked->request), "If-None-Match");
    bool is_known = etag[0] != '\0' && sl_span_is(known, etag);
    int status = is_known ? 304 : 200;
    sl_http_reply(asked->request, &(struct sl_http_reply){
                                      .status = status,
                                      .etag = etag[0] == '\0' ? NULL : etag,
                                      .body = is_known ? (struct sl_span){ 0 } : body,
                                  });
}

static void refuse(struct sl_http_request *request, int status, const char *detail)
{
    struct sl_span path = sl_http_request_head(request)->path;
    pub_problem_reply(request, status, detail, status == 405 ? pub_billing_allow(path) : NULL);
}
