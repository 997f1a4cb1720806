#include "consumer/billing/refetch_question.h"

#include "consumer/billing/billing_thin.h"
#include "shared/http/form.h"
#include "shared/json/json_write.h"

#define PAGES_MAX       20u /* of a list: 2,000 rows fill an event anyway */
#define PATH_BYTES_MAX  1024u
#define ARENA_BYTES_MAX (16u * 1024u * 1024u)
#define NODES_MAX       65536u
#define DEPTH_MAX       4u /* object, list, data, and the members of its elements */

static bool call(struct con_question *question, const char *path, struct sl_span query,
                 void (*on_answer)(const struct sl_stripe_answer *answer, void *arg));
static void on_object(const struct sl_stripe_answer *answer, void *arg);
static const struct sl_json *read_answer(struct con_question *question,
                                         const struct sl_stripe_answer *answer,
                                         struct sl_arena *arena);
static const struct sl_json *read_gone(struct con_question *question);
static void take_event(struct con_question *question, const struct sl_json *event);
static void ask_page(struct con_question *question);
static void on_page(const struct sl_stripe_answer *answer, void *arg);
static void put_together(struct con_question *question);
static void pass_on(struct con_question *question, const struct sl_json *object);
static void stop(struct con_question *question, const char *outcome);

void con_question_init(struct con_question *question, const struct con_questioner *by)
{
    question->by = by;
    sl_arena_init(&question->arena, ARENA_BYTES_MAX);
    sl_arena_init(&question->page_arena, ARENA_BYTES_MAX);
}

void con_question_done(struct con_question *question)
{
    sl_arena_done(&question->arena);
    sl_arena_done(&question->page_arena);
    sl_stripe_whole_done(&question->whole);
}

void con_question_reset(struct con_question *question)
{
    question->why = (struct sl_err){ 0 };
    question->found = (struct con_billing_wish){ 0 };
    question->pages = 0;
    sl_arena_reset(&question->arena);
}

void con_question_ask(struct con_question *question)
{
    SL_DONE(sl_buf_done) struct sl_buf path = { 0 };
    sl_buf_init(&path, PATH_BYTES_MAX);
    if (strcmp(question->kind, CON_BILLING_WISH_EVENT) == 0) {
        sl_buf_append_text(&path, "/v2/core/events/");
    } else {
        sl_buf_printf(&path, "/v1/%ss/", question->kind);
    }
    sl_form_escape(&path, sl_span_of(question->id));
    if (!sl_buf_ok(&path) ||
        !call(question, sl_buf_span(&path).data, (struct sl_span){ 0 }, on_object)) {
        stop(question, NULL);
    }
}

static bool call(struct con_question *question, const char *path, struct sl_span query,
                 void (*on_answer)(const struct sl_stripe_answer *answer, void *arg))
{
    const struct sl_stripe_call wanted = {
        .method = "GET", .path = path, .form = query, .account = question->account
    };
    return sl_stripe_client_call(question->by->stripe, &wanted, on_answer, question,
                                 &question->why);
}

static void on_object(const struct sl_stripe_answer *answer, void *arg)
{
    struct con_question *question = arg;
    question->date_s = answer->date_s;
    question->elapsed_us = answer->elapsed_us;
    if (answer->status == 404) {
        question->object = question->is_gone ? read_gone(question) : NULL;
        if (question->is_gone && question->object != NULL) {
            pass_on(question, question->object);
        } else {
            stop(question, question->is_gone ? NULL : "unknown");
        }
        return;
    }
    question->object = read_answer(question, answer, &question->arena);
    if (question->object == NULL) {
        stop(question, NULL);
    } else if (strcmp(question->kind, CON_BILLING_WISH_EVENT) == 0) {
        take_event(question, question->object);
    } else if (sl_stripe_whole_begin(&question->whole, question->object, &question->arena)) {
        ask_page(question);
    } else {
        pass_on(question, question->object);
    }
}

/* NULL, with why: Stripe did not answer, refused, or its answer cannot be read. */
static const struct sl_json *read_answer(struct con_question *question,
                                         const struct sl_stripe_answer *answer,
                                         struct sl_arena *arena)
{
    if (answer->status == 0) {
        question->why = *answer->err;
        return NULL;
    }
    const struct sl_json *root = sl_json_parse(question->by->parser, arena, answer->body, DEPTH_MAX,
                                               NODES_MAX, &question->why);
    if (answer->status < 200 || answer->status > 299) {
        struct sl_span said = sl_json_text(sl_json_at(root, "error.message"), arena, true, NULL);
        sl_fail(&question->why, SL_E_STRIPE_REFUSED, "Stripe answers %d: %.*s", answer->status,
                (int)(said.bytes > 100 ? 100 : said.bytes), said.data == NULL ? "" : said.data);
        return NULL;
    }
    return root;
}

/* What Stripe says of an object that it has deleted. */
static const struct sl_json *read_gone(struct con_question *question)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, PATH_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&text);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "id", sl_span_of(question->id));
    sl_json_put_text(&json, "object", sl_span_of(question->kind));
    sl_json_put_bool(&json, "deleted", true);
    sl_json_object_end(&json);
    return sl_json_parse(question->by->parser, &question->arena, sl_buf_span(&text), DEPTH_MAX,
                         NODES_MAX, &question->why);
}

/* The event that was pushed without its data says now which object it is about; that is the next question. */
static void take_event(struct con_question *question, const struct sl_json *event)
{
    const struct sl_envelope envelope = {
        .type = sl_json_text(sl_json_get(event, "type"), &question->arena, true, NULL),
        .account = sl_span_of(question->account),
        .livemode = question->by->livemode,
    };
    bool is_found = con_billing_thin_read(&envelope, event, &question->arena, &question->found) &&
                    strcmp(question->found.kind, CON_BILLING_WISH_EVENT) != 0;
    if (!is_found) {
        question->found.kind = NULL;
    }
    stop(question, is_found ? "event" : "ignored");
}

static void ask_page(struct con_question *question)
{
    SL_DONE(sl_buf_done) struct sl_buf path = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf query = { 0 };
    sl_buf_init(&path, PATH_BYTES_MAX);
    sl_buf_init(&query, PATH_BYTES_MAX);
    sl_stripe_whole_ask(&question->whole, &path, &query);
    if (!sl_buf_ok(&path) || !sl_buf_ok(&query) ||
        !call(question, sl_buf_span(&path).data, sl_buf_span(&query), on_page)) {
        stop(question, NULL);
    }
}

/* A list that no event can hold stays as Stripe showed it: the part that is there, and has_more. */
static void on_page(const struct sl_stripe_answer *answer, void *arg)
{
    struct con_question *question = arg;
    bool has_more = false;
    sl_arena_reset(&question->page_arena);
    const struct sl_json *page = read_answer(question, answer, &question->page_arena);
    if (page == NULL) {
        stop(question, NULL);
    } else if (!sl_stripe_whole_take(&question->whole, page, &question->page_arena, &has_more,
                                     &question->why)) {
        if (question->why.code == SL_E_LIMIT) {
            pass_on(question, question->object);
        } else {
            stop(question, NULL);
        }
    } else if (!has_more) {
        put_together(question);
    } else if (++question->pages < PAGES_MAX) {
        ask_page(question);
    } else {
        pass_on(question, question->object);
    }
}

static void put_together(struct con_question *question)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, SL_EVENT_BODY_BYTES_MAX);
    const struct sl_json *object = question->object;
    if (sl_stripe_whole_write(&question->whole, question->object, &text, &question->why)) {
        object = sl_json_parse(question->by->parser, &question->arena, sl_buf_span(&text),
                               DEPTH_MAX, NODES_MAX, &question->why);
    }
    if (object == NULL) {
        stop(question, NULL);
    } else {
        pass_on(question, object);
    }
}

static void pass_on(struct con_question *question, const struct sl_json *object)
{
    question->by->on_answered(question, object, NULL);
}

static void stop(struct con_question *question, const char *outcome)
{
    question->by->on_answered(question, NULL, outcome);
}
