#include "shared/health.h"

#include "shared/clock.h"
#include "shared/json/json_write.h"

#define HEALTH_BYTES_MAX  4096u
#define METRICS_BYTES_MAX (1024u * 1024u)

static void write_body(const struct sl_health *health, int64_t wall_us, struct sl_buf *out);
static void answer_health(const struct sl_health *health, struct sl_http_request *request);
static void answer_livez(const struct sl_health *health, struct sl_http_request *request);
static void answer_readyz(const struct sl_health *health, struct sl_http_request *request);
static void answer_metrics(const struct sl_health *health, struct sl_http_request *request);
static void put_paused(struct sl_json_writer *json, struct sl_span names);
static void reply_json(struct sl_http_request *request, int status, const char *text);

static const struct {
    const char *path;
    void (*answer)(const struct sl_health *health, struct sl_http_request *request);
} routes[] = {
    { "/health", answer_health },
    { "/livez", answer_livez },
    { "/readyz", answer_readyz },
    { "/metrics", answer_metrics },
};

bool sl_health_answer(const struct sl_health *health, struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    for (size_t i = 0; i < SL_COUNT(routes); i++) {
        if (!sl_span_is(head->path, routes[i].path)) {
            continue;
        }
        if (routes[i].answer == answer_metrics && health->metrics == NULL) {
            return false;
        }
        if (!sl_span_is(head->method, "GET") && !sl_span_is(head->method, "HEAD")) {
            sl_http_reply(request,
                          &(struct sl_http_reply){ .status = 405,
                                                   .allow = "GET, HEAD",
                                                   .body = SL_SPAN_LITERAL("{\"error\":\"method "
                                                                           "not allowed\"}\n") });
            return true;
        }
        routes[i].answer(health, request);
        return true;
    }
    return false;
}

void sl_health_on_request(struct sl_http_request *request, void *health)
{
    if (!sl_health_answer(health, request)) {
        reply_json(request, 404, "{\"error\":\"not found\"}\n");
    }
}

/* The body of /health. */
static void write_body(const struct sl_health *health, int64_t wall_us, struct sl_buf *out)
{
    struct sl_health_state state = { 0 };
    health->look(health->arg, &state);

    char now[SL_RFC3339_BYTES];
    sl_clock_rfc3339(wall_us, now);

    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "service", sl_span_of(health->service));
    sl_json_put_text(&json, "status", sl_span_of(state.is_degraded ? "degraded" : "ok"));
    sl_json_put_text(&json, "timestamp", sl_span_of(now));
    sl_json_put_text(&json, "version", sl_span_of(health->version));
    if (state.paused != NULL && *state.paused != '\0') {
        put_paused(&json, sl_span_of(state.paused));
    }
    sl_json_object_end(&json);
    (void)sl_buf_append_char(out, '\n');
}

static void put_paused(struct sl_json_writer *json, struct sl_span names)
{
    struct sl_span name = { 0 };
    sl_json_put_array(json, "paused");
    while (sl_span_split(&names, ',', &name)) {
        sl_json_put_text(json, NULL, name);
    }
    sl_json_array_end(json);
}

static void answer_health(const struct sl_health *health, struct sl_http_request *request)
{
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, HEALTH_BYTES_MAX);
    write_body(health, sl_clock_wall_us(), &body);
    if (!sl_buf_ok(&body)) {
        reply_json(request, 503, "{\"error\":\"out of memory\"}\n");
        return;
    }
    sl_http_reply(request, &(struct sl_http_reply){ .status = 200, .body = sl_buf_span(&body) });
}

static void answer_livez(const struct sl_health *health, struct sl_http_request *request)
{
    (void)health;
    reply_json(request, 200, "{\"live\":true}\n");
}

static void answer_readyz(const struct sl_health *health, struct sl_http_request *request)
{
    struct sl_health_state state = { 0 };
    health->look(health->arg, &state);
    if (state.waiting == NULL) {
        reply_json(request, 200, "{\"ready\":true}\n");
        return;
    }

    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, HEALTH_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&body);
    sl_json_object_begin(&json);
    sl_json_put_bool(&json, "ready", false);
    sl_json_put_text(&json, "reason", sl_span_of(state.waiting));
    sl_json_object_end(&json);
    (void)sl_buf_append_char(&body, '\n');
    sl_http_reply(request, &(struct sl_http_reply){
                               .status = 503, .body = sl_buf_span(&body), .retry_after_s = 1 });
}

static void answer_metrics(const struct sl_health *health, struct sl_http_request *request)
{
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, METRICS_BYTES_MAX);
    sl_metrics_render(health->metrics, &body);
    if (!sl_buf_ok(&body)) {
        reply_json(request, 503, "{\"error\":\"metrics do not fit\"}\n");
        return;
    }
    sl_http_reply(request, &(struct sl_http_reply){ .status = 200,
                                                    .content_type =
                                                        "text/plain; version=0.0.4; charset=utf-8",
                                                    .body = sl_buf_span(&body) });
}

static void reply_json(struct sl_http_request *request, int status, const char *text)
{
    sl_http_reply(request, &(struct sl_http_reply){ .status = status, .body = sl_span_of(text) });
}
