/*
 * The path of a call: sl_http_client_call takes an easy handle, fills it and gives it to curl's multi handle; curl tells us which
 * sockets and which timeout it waits for (on_curl_socket, on_curl_timer), we tell it what happened (act), and read what has ended
 * (settle_ended). Our own deadline ends what is not over in time, wherever it waits: curl's would not count while it queues for a connection.
 * Should curl's multi handle fail as a whole, every call on it fails and a new handle takes its place.
 */
#include "shared/http/http_client.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "shared/buf.h"
#include "shared/clock.h"

/* Idle handles kept for reuse, each some 6 KiB. */
#define SPARE_MAX 16u

struct call {
    struct sl_http_client *client;
    CURL *easy;
    struct curl_slist *fields;
    char *body;           /* copy; NULL: none */
    struct sl_buf answer; /* body of the answer */
    char error[CURL_ERROR_SIZE];
    int64_t started_us;
    void (*on_answer)(const struct sl_http_answer *answer, void *arg);
    void *arg;
    TAILQ_ENTRY(call) in_list; /* running, oldest first, or spare */
};
TAILQ_HEAD(call_list, call);

struct sl_http_client {
    struct sl_http_client_opts opts;
    CURLM *multi; /* NULL when a new one could not be had; calls are refused */
    struct sl_timer *curl_timer;
    struct sl_timer *deadline_timer; /* armed for the oldest running call */
    struct call_list running;
    struct call_list spare;
    size_t running_count;
    size_t spare_count;
};

static CURLM *new_multi(struct sl_http_client *client);
static void end_multi(struct sl_http_client *client);
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch);
static int on_curl_timer(CURLM *multi, long wait_ms, void *arg);
static void on_readiness(evutil_socket_t fd, short what, void *arg);
static void on_curl_timeout(void *arg);
static void on_deadline(void *arg);
static void arm_deadline(struct sl_http_client *client);
static void act(struct sl_http_client *client, curl_socket_t fd, int what);
static void settle_ended(struct sl_http_client *client);
static void settle(struct call *call, CURLcode result);
static void fail(struct call *call, enum sl_code code, const char *text);
static void finish(struct call *call, const struct sl_http_answer *answer);
static enum sl_code code_of(const struct call *call, CURLcode result);
static bool is_clean(const struct sl_http_call *what);
static bool has_control_bytes(const char *text);
static struct call *take_call(struct sl_http_client *client);
static void recycle_call(struct call *call);
static void free_call(struct call *call);
static bool fill(struct call *call, const struct sl_http_call *what);
static bool fill_fields(struct call *call, const struct sl_http_call *what);
static bool append_field(struct call *call, const char *field);
static bool fill_method(struct call *call, const struct sl_http_call *what);
static size_t on_body(char *data, size_t size, size_t count, void *arg);

struct sl_http_client *sl_http_client_new(const struct sl_http_client_opts *opts,
                                          struct sl_err *err)
{
    SL_ASSERT(opts->transfers_max > 0 && opts->connections_max > 0);
    SL_ASSERT(opts->connect_ms > 0 && opts->total_ms > 0 && opts->answer_bytes_max > 0);
    struct sl_http_client *client = calloc(1, sizeof *client);
    if (client == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(client);
        sl_fail(err, SL_E_MEMORY, "cannot start the HTTP client");
        return NULL;
    }
    client->opts = *opts;
    TAILQ_INIT(&client->running);
    TAILQ_INIT(&client->spare);
    client->curl_timer = sl_timer_new(opts->loop, on_curl_timeout, client);
    client->deadline_timer = sl_timer_new(opts->loop, on_deadline, client);
    client->multi = new_multi(client);
    if (client->curl_timer == NULL || client->deadline_timer == NULL || client->multi == NULL) {
        sl_http_client_free(client);
        sl_fail(err, SL_E_MEMORY, "no memory for the HTTP client");
        return NULL;
    }
    return client;
}

static CURLM *new_multi(struct sl_http_client *client)
{
    CURLM *multi = curl_multi_init();
    if (multi != NULL) {
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client);
        curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)client->opts.connections_max);
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)client->opts.transfers_max);
    }
    return multi;
}

/* curl wants to know about readiness of a socket, or no longer. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
    (void)easy;
    struct sl_http_client *client = arg;
    struct event *event = watch;
    if (event != NULL) {
        event_free(event);
        curl_multi_assign(client->multi, fd, NULL);
    }
    if (what == CURL_POLL_REMOVE) {
        return 0;
    }
    short readiness = EV_PERSIST;
    readiness |= (what & CURL_POLL_IN) != 0 ? EV_READ : 0;
    readiness |= (what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0;
    event = event_new(sl_loop_base(client->opts.loop), fd, readiness, on_readiness, client);
    if (event == NULL || event_add(event, NULL) != 0) {
        if (event != NULL) {
            event_free(event);
        }
        return -1; /* curl fails the transfer */
    }
    curl_multi_assign(client->multi, fd, event);
    return 0;
}

static int on_curl_timer(CURLM *multi, long wait_ms, void *arg)
{
    (void)multi;
    struct sl_http_client *client = arg;
    if (wait_ms < 0) {
        sl_timer_disarm(client->curl_timer);
    } else {
        sl_timer_arm(client->curl_timer, wait_ms);
    }
    return 0;
}

static void on_readiness(evutil_socket_t fd, short what, void *arg)
{
    int action = (what & EV_READ) != 0 ? CURL_CSELECT_IN : 0;
    action |= (what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0;
    act(arg, fd, action);
}

static void on_curl_timeout(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void act(struct sl_http_client *client, curl_socket_t fd, int what)
{
    int running = 0;
    if (curl_multi_socket_action(client->multi, fd, what, &running) == CURLM_OK) {
        settle_ended(client);
        return;
    }
    struct call_list lost = TAILQ_HEAD_INITIALIZER(lost);
    TAILQ_CONCAT(&lost, &client->running, in_list);
    for (struct call *call = TAILQ_FIRST(&lost); call != NULL; call = TAILQ_NEXT(call, in_list)) {
        curl_multi_remove_handle(client->multi, call->easy);
    }
    end_multi(client);
    client->multi = new_multi(client);
    while (!TAILQ_EMPTY(&lost)) {
        struct call *call = TAILQ_FIRST(&lost);
        TAILQ_REMOVE(&lost, call, in_list);
        TAILQ_INSERT_HEAD(&client->running, call, in_list);
        fail(call, SL_E_HTTP_UNREACHABLE, "the HTTP client had to start anew");
    }
}

static void end_multi(struct sl_http_client *client)
{
    curl_multi_cleanup(client->multi); /* calls on_curl_socket, which frees what it watches */
    client->multi = NULL;
    sl_timer_disarm(client->curl_timer);
}

/* What has ended is told by messages, never by the count of what runs. */
static void settle_ended(struct sl_http_client *client)
{
    int queued = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(client->multi, &queued)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode result = message->data.result;
        char *private = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        curl_multi_remove_handle(client->multi, message->easy_handle); /* frees the message */
        settle((struct call *)(void *)private, result);
    }
}

static void settle(struct call *call, CURLcode result)
{
    if (result != CURLE_OK) {
        fail(call, code_of(call, result),
             call->error[0] != '\0' ? call->error : curl_easy_strerror(result));
        return;
    }
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    struct sl_http_answer answer = { .status = (int)status,
                                     .body = sl_buf_span(&call->answer),
                                     .retry_after_s = retry_after_s > 0 ? retry_after_s : 0,
                                     .fields = call->easy };
    struct sl_span date = sl_http_answer_field(&answer, "Date");
    time_t date_s = date.data == NULL ? -1 : curl_getdate(date.data, NULL);
    answer.date_s = date_s > 0 ? date_s : 0;
    finish(call, &answer);
}

struct sl_span sl_http_answer_field(const struct sl_http_answer *answer, const char *name)
{
    struct curl_header *field = NULL;
    CURLHcode found = CURLHE_MISSING;
    size_t count = 1;
    for (size_t i = 0; answer->fields != NULL && i < count; i++) {
        found = curl_easy_header(answer->fields, name, i, CURLH_HEADER, -1, &field);
        count = found == CURLHE_OK ? field->amount : 0;
    }
    return found == CURLHE_OK ? sl_span_of(field->value) : (struct sl_span){ 0 };
}

static enum sl_code code_of(const struct call *call, CURLcode result)
{
    if (result == CURLE_WRITE_ERROR && !sl_buf_ok(&call->answer)) {
        return SL_E_LIMIT;
    }
    if (result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY) {
        return SL_E_NET_RESOLVE;
    }
    if (result == CURLE_OPERATION_TIMEDOUT) {
        return SL_E_DEADLINE;
    }
    if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL) {
        return SL_E_HTTP_MALFORMED;
    }
    return result == CURLE_OUT_OF_MEMORY ? SL_E_MEMORY : SL_E_HTTP_UNREACHABLE;
}

static void fail(struct call *call, enum sl_code code, const char *text)
{
    struct sl_err err = { 0 };
    if (code == SL_E_LIMIT) {
        sl_fail(&err, code, "the answer has more than %zu bytes",
                call->client->opts.answer_bytes_max);
    } else {
        sl_fail(&err, code, "%s", text);
    }
    struct sl_http_answer answer = { .body = sl_span_make("", 0), .err = &err };
    finish(call, &answer);
}

/* The call no longer counts as running when its owner hears of it, so that a next one can be started from there. */
static void finish(struct call *call, const struct sl_http_answer *answer)
{
    struct sl_http_client *client = call->client;
    TAILQ_REMOVE(&client->running, call, in_list);
    client->running_count--;
    arm_deadline(client);
    struct sl_http_answer timed = *answer;
    long sent_bytes = 0;
    curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    timed.was_sent = sent_bytes > 0;
    timed.elapsed_us = sl_clock_mono_us() - call->started_us;
    call->on_answer(&timed, call->arg);
    recycle_call(call);
}

/* All calls have the same time, so the oldest is due first. */
static void arm_deadline(struct sl_http_client *client)
{
    const struct call *oldest = TAILQ_FIRST(&client->running);
    if (oldest == NULL) {
        sl_timer_disarm(client->deadline_timer);
    } else if (!sl_timer_is_armed(client->deadline_timer)) {
        int64_t spent_ms = (sl_clock_mono_us() - oldest->started_us) / 1000;
        int64_t left_ms = client->opts.total_ms - spent_ms;
        sl_timer_arm(client->deadline_timer, left_ms > 0 ? left_ms : 0);
    }
}

static void on_deadline(void *arg)
{
    struct sl_http_client *client = arg;
    struct call *oldest = NULL;
    while ((oldest = TAILQ_FIRST(&client->running)) != NULL &&
           sl_clock_mono_us() - oldest->started_us >= client->opts.total_ms * 1000) {
        curl_multi_remove_handle(client->multi, oldest->easy);
        fail(oldest, SL_E_DEADLINE, "no complete answer in time");
    }
    arm_deadline(client);
}

void sl_http_client_free(struct sl_http_client *client)
{
    if (client == NULL) {
        return;
    }
    struct call *call = NULL;
    while ((call = TAILQ_FIRST(&client->running)) != NULL) {
        TAILQ_REMOVE(&client->running, call, in_list);
        curl_multi_remove_handle(client->multi, call->easy);
        free_call(call);
    }
    while ((call = TAILQ_FIRST(&client->spare)) != NULL) {
        TAILQ_REMOVE(&client->spare, call, in_list);
        free_call(call);
    }
    if (client->multi != NULL && client->curl_timer != NULL) {
        end_multi(client);
    }
    sl_timer_free(client->curl_timer);
    sl_timer_free(client->deadline_timer);
    free(client);
    curl_global_cleanup();
}

bool sl_http_client_call(struct sl_http_client *client, const struct sl_http_call *what,
                         void (*on_answer)(const struct sl_http_answer *answer, void *arg),
                         void *arg, struct sl_err *err)
{
    if (client->running_count >= client->opts.transfers_max) {
        return sl_fail(err, SL_E_LIMIT, "%zu HTTP calls are running", client->running_count);
    }
    if (!is_clean(what)) {
        return sl_fail(err, SL_E_HTTP_MALFORMED, "control byte in URL or header");
    }
    struct call *call = client->multi == NULL ? NULL : take_call(client);
    if (call == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for an HTTP call");
    }
    call->on_answer = on_answer;
    call->arg = arg;
    call->started_us = sl_clock_mono_us();
    if (!fill(call, what) || curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
        recycle_call(call);
        return sl_fail(err, SL_E_MEMORY, "cannot start an HTTP call");
    }
    TAILQ_INSERT_TAIL(&client->running, call, in_list);
    client->running_count++;
    arm_deadline(client);
    return true;
}

/* Values may come from events: nothing may end a line early. */
static bool is_clean(const struct sl_http_call *what)
{
    for (const char *const *field = what->fields; field != NULL && *field != NULL; field++) {
        if (has_control_bytes(*field)) {
            return false;
        }
    }
    return !has_control_bytes(what->url) && !has_control_bytes(what->method);
}

static bool has_control_bytes(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

static struct call *take_call(struct sl_http_client *client)
{
    struct call *call = TAILQ_FIRST(&client->spare);
    if (call != NULL) {
        TAILQ_REMOVE(&client->spare, call, in_list);
        client->spare_count--;
        return call;
    }
    call = calloc(1, sizeof *call);
    CURL *easy = curl_easy_init();
    if (call == NULL || easy == NULL) {
        free(call);
        curl_easy_cleanup(easy);
        return NULL;
    }
    call->client = client;
    call->easy = easy;
    return call;
}

static void recycle_call(struct call *call)
{
    struct sl_http_client *client = call->client;
    if (client->spare_count >= SPARE_MAX) {
        free_call(call);
        return;
    }
    curl_easy_reset(
        call->easy); /* forgets everything of the last call; the connection stays with the multi handle */
    curl_slist_free_all(call->fields);
    free(call->body);
    sl_buf_done(&call->answer);
    *call = (struct call){ .client = client, .easy = call->easy };
    TAILQ_INSERT_HEAD(&client->spare, call, in_list);
    client->spare_count++;
}

static void free_call(struct call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->fields);
    free(call->body);
    sl_buf_done(&call->answer);
    free(call);
}

static bool fill(struct call *call, const struct sl_http_call *what)
{
    CURL *easy = call->easy;
    const struct sl_http_client_opts *opts = &call->client->opts;
    sl_buf_init(&call->answer, opts->answer_bytes_max);
    call->error[0] = '\0';
    bool is_filled = curl_easy_setopt(easy, CURLOPT_URL, what->url) == CURLE_OK;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, (void *)call);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Without it, giving up a name that resolves slowly waits for the resolver's thread, and the loop with it. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)opts->connect_ms);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    if (what->user != NULL) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        is_filled = is_filled && curl_easy_setopt(easy, CURLOPT_USERNAME, what->user) == CURLE_OK;
        is_filled =
            is_filled && curl_easy_setopt(easy, CURLOPT_PASSWORD,
                                          what->password == NULL ? "" : what->password) == CURLE_OK;
    }
    return is_filled && fill_method(call, what) && fill_fields(call, what);
}

static bool fill_method(struct call *call, const struct sl_http_call *what)
{
    CURL *easy = call->easy;
    bool has_body = what->body.data != NULL;
    if (has_body) {
        call->body = malloc(what->body.bytes == 0 ? 1 : what->body.bytes);
        if (call->body == NULL) {
            return false;
        }
        memcpy(call->body, what->body.data, what->body.bytes);
    }
    if (has_body || strcmp(what->method, "POST") == 0 || strcmp(what->method, "PUT") == 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)what->body.bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, has_body ? call->body : "");
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, what->method) == CURLE_OK;
}

/* Content-Type is what the caller says, or none; curl's own would be a form's. No waiting for "100 Continue". */
static bool fill_fields(struct call *call, const struct sl_http_call *what)
{
    bool has_type = false;
    bool is_filled = append_field(call, "Expect:");
    for (const char *const *field = what->fields; field != NULL && *field != NULL; field++) {
        has_type = has_type || strncasecmp(*field, "Content-Type:", 13) == 0;
        is_filled = is_filled && append_field(call, *field);
    }
    if (!has_type) {
        is_filled = is_filled && append_field(call, "Content-Type:");
    }
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->fields);
    return is_filled;
}

static bool append_field(struct call *call, const char *field)
{
    struct curl_slist *longer = curl_slist_append(call->fields, field);
    if (longer == NULL) {
        return false;
    }
    call->fields = longer;
    return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct call *call = arg;
    size_t bytes = size * count; /* size is always 1 */
    const struct sl_http_client_opts *opts = &call->client->opts;
    size_t room = opts->answer_bytes_max - call->answer.used_bytes;
    size_t kept = opts->cuts_answers && bytes > room ? room : bytes;
    return sl_buf_append(&call->answer, data, kept) ? bytes : 0;
}

size_t sl_http_client_running(const struct sl_http_client *client)
{
    return client->running_count;
}
