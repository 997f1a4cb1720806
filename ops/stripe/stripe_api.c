#include "ops/stripe/stripe_api.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shared/json/json_write.h"
#include "shared/stripe/stripe_client.h"

#define ANSWER_BYTES_MAX (32u * 1024u * 1024u)
#define ARENA_BYTES_MAX  (192u * 1024u * 1024u)
#define NODES_MAX        1000000u
#define SCOPE_BYTES_MAX  64u
#define DEPTH_MAX        5u /* list, data, event, data, object: what lies below stays as received */

struct ops_stripe_api {
    struct sl_loop *loop;
    struct sl_stripe_client *client;
    struct sl_json_parser *parser;
    struct sl_arena arena;
    const struct sl_json *root;
    int status;
    int64_t date_s;
    int64_t elapsed_us;
    bool is_live;
    struct sl_err why;
};

static void on_answer(const struct sl_stripe_answer *answer, void *arg);
static bool refuse(const struct ops_stripe_api *api, const char *path, struct sl_err *err);
static struct sl_span scope_of(struct sl_span said);
static const char *advice(int status);

struct ops_stripe_api *ops_stripe_api_new(const struct ops_address *address, int64_t rate,
                                          struct sl_err *err)
{
    const struct ops_settings *settings = &address->settings;
    const char *key = settings->stripe_restricted_key != NULL ? settings->stripe_restricted_key
                                                              : settings->stripe_api_key;
    if (key == NULL) {
        sl_fail(err, SL_E_CONFIG,
                "no key for Stripe's API: set STRIPE_RESTRICTED_KEY (it needs to read events), or "
                "STRIPE_API_KEY, or the _FILE of either");
        return NULL;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    SL_AUTO(ops_stripe_api_free) struct ops_stripe_api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a client of Stripe");
        return NULL;
    }
    api->is_live = strstr(key, "_live_") != NULL;
    sl_arena_init(&api->arena, ARENA_BYTES_MAX);
    api->parser = sl_json_parser_new(ANSWER_BYTES_MAX);
    api->loop = sl_loop_new(err);
    if (api->parser == NULL || api->loop == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a client of Stripe");
        return NULL;
    }
    api->client = sl_stripe_client_new(
        &(struct sl_stripe_client_opts){
            .loop = api->loop,
            .base = settings->stripe_api_base,
            .key = key,
            .rate = rate,
        },
        err);
    return api->client == NULL ? NULL : SL_TAKE(api);
}

void ops_stripe_api_free(struct ops_stripe_api *api)
{
    if (api == NULL) {
        return;
    }
    sl_stripe_client_free(api->client);
    sl_loop_free(api->loop);
    sl_json_parser_free(api->parser);
    sl_arena_done(&api->arena);
    free(api);
}

bool ops_stripe_api_get(struct ops_stripe_api *api, const char *path, struct sl_span query,
                        const char *account, const struct sl_json **out_root, struct sl_err *err)
{
    const struct sl_stripe_call call = {
        .method = "GET", .path = path, .form = query, .account = account
    };
    api->root = NULL;
    api->status = 0;
    api->why = (struct sl_err){ 0 };
    sl_arena_reset(&api->arena);
    if (!sl_stripe_client_call(api->client, &call, on_answer, api, err) ||
        !sl_loop_run(api->loop, err)) {
        return false;
    }
    if (api->status == 0) {
        return sl_fail(err, api->why.code, "Stripe does not answer: %s", api->why.text);
    }
    if (api->status < 200 || api->status > 299) {
        return refuse(api, path, err);
    }
    if (api->root == NULL) {
        return sl_fail(err, api->why.code, "Stripe's answer to %s cannot be read: %s", path,
                       api->why.text);
    }
    *out_root = api->root;
    return true;
}

static void on_answer(const struct sl_stripe_answer *answer, void *arg)
{
    struct ops_stripe_api *api = arg;
    api->status = answer->status;
    api->date_s = answer->date_s;
    api->elapsed_us = answer->elapsed_us;
    if (answer->status == 0) {
        api->why = *answer->err;
    } else {
        api->root =
            sl_json_parse(api->parser, &api->arena, answer->body, DEPTH_MAX, NODES_MAX, &api->why);
    }
    sl_loop_stop(api->loop);
}

static bool refuse(const struct ops_stripe_api *api, const char *path, struct sl_err *err)
{
    SL_DONE(sl_arena_done) struct sl_arena arena;
    sl_arena_init(&arena, sizeof err->text * 8);
    struct sl_span said = sl_json_text(sl_json_at(api->root, "error.message"), &arena, true, NULL);
    struct sl_span scope = scope_of(said);
    if (scope.bytes > 0) {
        return sl_fail(err, SL_E_STRIPE_REFUSED,
                       "Stripe answers %d to %s: the key lacks the permission %.*s; give it to the "
                       "restricted key in Stripe's dashboard, under Developers, API keys",
                       api->status, path, SL_SPAN_ARGS(scope));
    }
    return sl_fail(err, SL_E_STRIPE_REFUSED, "Stripe answers %d to %s: %.*s%s", api->status, path,
                   (int)(said.bytes > 100 ? 100 : said.bytes), said.data == NULL ? "" : said.data,
                   advice(api->status));
}

/* "… Having the 'rak_webhook_read' permission would allow this request to continue." */
static struct sl_span scope_of(struct sl_span said)
{
    static const char before[] = "Having the '";
    const char *found =
        said.data == NULL ? NULL : memmem(said.data, said.bytes, before, strlen(before));
    if (found == NULL) {
        return (struct sl_span){ 0 };
    }
    found += strlen(before);
    size_t left = said.bytes - (size_t)(found - said.data);
    size_t bytes = 0;
    while (bytes < left && bytes < SCOPE_BYTES_MAX && found[bytes] != '\'') {
        bytes++;
    }
    return sl_span_make(found, bytes);
}

int ops_stripe_api_status(const struct ops_stripe_api *api)
{
    return api->status;
}

void ops_stripe_api_heard(const struct ops_stripe_api *api, int64_t *out_date_s,
                          int64_t *out_elapsed_us)
{
    *out_date_s = api->date_s;
    *out_elapsed_us = api->elapsed_us;
}

bool ops_stripe_api_is_live(const struct ops_stripe_api *api)
{
    return api->is_live;
}

bool ops_stripe_api_gone(struct ops_stripe_api *api, const char *kind, const char *id,
                         const struct sl_json **out_root, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, 4096);
    struct sl_json_writer json = sl_json_writer_make(&text);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "id", sl_span_of(id));
    sl_json_put_text(&json, "object", sl_span_of(kind));
    sl_json_put_bool(&json, "deleted", true);
    sl_json_object_end(&json);
    sl_arena_reset(&api->arena);
    *out_root =
        sl_json_parse(api->parser, &api->arena, sl_buf_span(&text), DEPTH_MAX, NODES_MAX, err);
    return *out_root != NULL;
}

static const char *advice(int status)
{
    switch (status) {
    case 401:
        return "; check the key, and that it is of the right mode";
    case 403:
        return "; give the restricted key this permission in Stripe's dashboard";
    case 429:
        return "; others use up the rate of this account, try later";
    default:
        return "";
    }
}
