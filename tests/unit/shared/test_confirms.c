#include "shared/amqp/confirms.h"

#include <stdlib.h>

#include "tests/support/claims.h"

#define COOKIES 4096

struct trace {
    int count;
    uint64_t cookies[64];
    enum sl_publish_outcome outcomes[64];
    struct sl_confirms *publish_again; /* from inside the visitor */
};

static void note(void *arg, uint64_t cookie, enum sl_publish_outcome outcome)
{
    struct trace *trace = arg;
    if (trace->count < 64) {
        trace->cookies[trace->count] = cookie;
        trace->outcomes[trace->count] = outcome;
    }
    trace->count++;
    if (trace->publish_again != NULL) {
        sl_confirms_add(trace->publish_again, cookie, cookie + 100, 1000);
    }
}

static struct sl_confirms *window(size_t publishes_max)
{
    struct sl_err err = { 0 };
    struct sl_confirms *confirms = sl_confirms_new(publishes_max, &err);
    CU_ASSERT_FATAL(confirms != NULL);
    return confirms;
}

/* Cookies 1..count with key = cookie and deadline 10 * cookie. */
static void add(struct sl_confirms *confirms, int count)
{
    for (int i = 1; i <= count; i++) {
        sl_confirms_add(confirms, (uint64_t)i, (uint64_t)i, 10 * i);
    }
}

static bool answer(struct sl_confirms *confirms, struct trace *trace, uint64_t tag, bool multiple,
                   bool taken)
{
    struct sl_err err = { 0 };
    bool answered = sl_confirms_answer(confirms, tag, multiple, taken, note, trace, &err);
    CU_ASSERT(answered || err.code == SL_E_AMQP_PROTOCOL);
    return answered;
}

CLAIM(confirms__answers_may_come_out_of_order_and_many_at_once)
{
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(8);
    struct trace trace = { 0 };
    add(confirms, 6);
    CU_ASSERT(answer(confirms, &trace, 3, false, true));
    CU_ASSERT(answer(confirms, &trace, 4, true, true));
    CU_ASSERT(answer(confirms, &trace, 6, false, false));
    CU_ASSERT(answer(confirms, &trace, 0, true, true) == false); /* 6, the newest, is answered */
    CU_ASSERT(answer(confirms, &trace, 5, true, true));
    static const uint64_t cookies[] = { 3, 1, 2, 4, 6, 5 };
    CU_ASSERT_EQUAL_FATAL(trace.count, 6);
    for (int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(trace.cookies[i], cookies[i]);
        CU_ASSERT_EQUAL(trace.outcomes[i],
                        cookies[i] == 6 ? SL_PUBLISH_NACKED : SL_PUBLISH_CONFIRMED);
    }
    CU_ASSERT_EQUAL(sl_confirms_count(confirms), 0);
}

CLAIM(confirms__zero_with_multiple_answers_all)
{
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(8);
    struct trace trace = { 0 };
    add(confirms, 5);
    CU_ASSERT(answer(confirms, &trace, 0, true, false));
    CU_ASSERT_EQUAL(trace.count, 5);
    CU_ASSERT_EQUAL(trace.outcomes[4], SL_PUBLISH_NACKED);
}

CLAIM(confirms__a_tag_that_is_not_outstanding_is_a_protocol_error)
{
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(8);
    struct trace trace = { 0 };
    CU_ASSERT(!answer(confirms, &trace, 0, false, true));
    CU_ASSERT(!answer(confirms, &trace, 1, false, true));
    CU_ASSERT(!answer(confirms, &trace, 0, true, true));
    add(confirms, 2);
    CU_ASSERT(!answer(confirms, &trace, 0, false, true));
    CU_ASSERT(!answer(confirms, &trace, 3, false, true));
    CU_ASSERT(!answer(confirms, &trace, 3, true, true));
    CU_ASSERT(!answer(confirms, &trace, UINT64_MAX, true, true));
    CU_ASSERT(answer(confirms, &trace, 1, false, true));
    CU_ASSERT(!answer(confirms, &trace, 1, false, true));
    CU_ASSERT(!answer(confirms, &trace, 1, true, false));
    CU_ASSERT_EQUAL(trace.count, 1);
}

CLAIM(confirms__a_returned_message_is_never_confirmed)
{
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(8);
    struct sl_err err = { 0 };
    struct trace trace = { 0 };
    add(confirms, 3);
    CU_ASSERT(sl_confirms_return(confirms, 2, &err));
    CU_ASSERT(!sl_confirms_return(confirms, 99, &err));
    CU_ASSERT(err.code == SL_E_AMQP_PROTOCOL);
    CU_ASSERT(answer(confirms, &trace, 3, true, true));
    CU_ASSERT_EQUAL(trace.outcomes[0], SL_PUBLISH_CONFIRMED);
    CU_ASSERT_EQUAL(trace.outcomes[1], SL_PUBLISH_RETURNED);
    CU_ASSERT_EQUAL(trace.outcomes[2], SL_PUBLISH_CONFIRMED);
    CU_ASSERT(!sl_confirms_return(confirms, 2, &err)); /* its ack has come: too late */
}

CLAIM(confirms__twins_that_a_return_cannot_tell_apart_all_count_as_returned)
{
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(8);
    struct sl_err err = { 0 };
    struct trace trace = { 0 };
    struct sl_span exchange = SL_SPAN_LITERAL("x");
    struct sl_span route = SL_SPAN_LITERAL("a.b");
    uint64_t twin = sl_confirms_key(exchange, route, SL_SPAN_LITERAL("evt_1"));
    uint64_t other = sl_confirms_key(exchange, SL_SPAN_LITERAL("a"), SL_SPAN_LITERAL(".bevt_1"));
    CU_ASSERT(twin != other);
    sl_confirms_add(confirms, twin, 1, 1);
    sl_confirms_add(confirms, other, 2, 1);
    sl_confirms_add(confirms, twin, 3, 1);
    CU_ASSERT(sl_confirms_return(confirms, twin, &err));
    CU_ASSERT(answer(confirms, &trace, 3, true, true));
    CU_ASSERT_EQUAL(trace.outcomes[0], SL_PUBLISH_RETURNED);
    CU_ASSERT_EQUAL(trace.outcomes[1], SL_PUBLISH_CONFIRMED);
    CU_ASSERT_EQUAL(trace.outcomes[2], SL_PUBLISH_RETURNED);
}

CLAIM(confirms__a_missed_deadline_settles_once_and_holds_its_place_until_the_answer)
{
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(3);
    struct sl_err err = { 0 };
    struct trace trace = { 0 };
    add(confirms, 3); /* deadlines 10, 20, 30 */
    CU_ASSERT(sl_confirms_return(confirms, 2, &err));
    CU_ASSERT_EQUAL(sl_confirms_next_deadline_ms(confirms), 10);
    sl_confirms_expire(confirms, 9, note, &trace);
    CU_ASSERT_EQUAL(trace.count, 0);
    sl_confirms_expire(confirms, 20, note, &trace);
    CU_ASSERT_EQUAL(trace.count, 2);
    CU_ASSERT_EQUAL(trace.outcomes[0], SL_PUBLISH_TIMEOUT);
    CU_ASSERT_EQUAL(trace.outcomes[1], SL_PUBLISH_RETURNED);
    CU_ASSERT_EQUAL(sl_confirms_count(confirms), 1);
    CU_ASSERT_EQUAL(sl_confirms_next_deadline_ms(confirms), 30);
    CU_ASSERT_EQUAL(sl_confirms_oldest_deadline_ms(confirms), 10);
    CU_ASSERT(!sl_confirms_has_room(confirms));
    CU_ASSERT(answer(confirms, &trace, 1, false, true)); /* late: said already */
    CU_ASSERT_EQUAL(trace.count, 2);
    CU_ASSERT(sl_confirms_has_room(confirms));
    CU_ASSERT_EQUAL(sl_confirms_oldest_deadline_ms(confirms), 20);
    sl_confirms_reset(confirms, note, &trace);
    CU_ASSERT_EQUAL(trace.count, 3);
    CU_ASSERT_EQUAL(trace.outcomes[2], SL_PUBLISH_LOST);
    CU_ASSERT_EQUAL(sl_confirms_next_deadline_ms(confirms), -1);
    CU_ASSERT_EQUAL(sl_confirms_oldest_deadline_ms(confirms), -1);
}

CLAIM(confirms__a_new_channel_counts_from_one_again)
{
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(8);
    struct trace trace = { 0 };
    add(confirms, 5);
    sl_confirms_reset(confirms, note, &trace);
    CU_ASSERT_EQUAL(trace.count, 5);
    CU_ASSERT(!answer(confirms, &trace, 5, false, true)); /* of the old channel */
    add(confirms, 1);
    CU_ASSERT(answer(confirms, &trace, 1, false, true));
    CU_ASSERT_EQUAL(trace.count, 6);
    CU_ASSERT_EQUAL(trace.outcomes[5], SL_PUBLISH_CONFIRMED);
}

CLAIM(confirms__the_visitor_may_publish_again)
{
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(4);
    struct trace trace = { .publish_again = confirms };
    add(confirms, 4);
    CU_ASSERT(answer(confirms, &trace, 4, true, true));
    CU_ASSERT_EQUAL(trace.count, 4);
    CU_ASSERT_EQUAL(sl_confirms_count(confirms), 4);
    CU_ASSERT(!sl_confirms_has_room(confirms));
}

/* ---- random steps against the plainest model there is: an array by tag ---- */

struct model {
    struct {
        bool is_out, is_returned, is_settled;
        uint64_t key;
        int64_t deadline_ms;
    } publishes[COOKIES];      /* index: tag - 1; cookie: tag */
    int expected[COOKIES + 1]; /* outcome that must have been told, or -1 */
    int told[COOKIES + 1];
    uint64_t next_tag;
    size_t out_count;
    uint64_t cookie_base;
};

static void tell(void *arg, uint64_t cookie, enum sl_publish_outcome outcome)
{
    struct model *model = arg;
    uint64_t index = cookie - model->cookie_base;
    CU_ASSERT_FATAL(index < COOKIES);
    CU_ASSERT(model->told[index] == -1);
    model->told[index] = (int)outcome;
}

static void expect(struct model *model, uint64_t tag, int outcome)
{
    if (!model->publishes[tag - 1].is_settled) {
        model->expected[tag] =
            model->publishes[tag - 1].is_returned ? SL_PUBLISH_RETURNED : outcome;
    }
}

static uint64_t roll(uint64_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 7;
    *rng ^= *rng << 17;
    return *rng;
}

static void model_reset(struct model *model)
{
    uint64_t base = model->cookie_base + COOKIES;
    *model = (struct model){ .next_tag = 1, .cookie_base = base };
    memset(model->expected, -1, sizeof model->expected);
    memset(model->told, -1, sizeof model->told);
}

static void model_answer(struct model *model, struct sl_confirms *confirms, uint64_t tag,
                         bool multiple, bool taken)
{
    struct sl_err err = { 0 };
    uint64_t last = multiple && tag == 0 ? model->next_tag - 1 : tag;
    bool is_known = last >= 1 && last < model->next_tag && model->publishes[last - 1].is_out;
    for (uint64_t at = multiple ? 1 : last; is_known && at <= last; at++) {
        if (model->publishes[at - 1].is_out) {
            expect(model, at, taken ? SL_PUBLISH_CONFIRMED : SL_PUBLISH_NACKED);
            model->publishes[at - 1].is_out = false;
            model->out_count--;
        }
    }
    CU_ASSERT(sl_confirms_answer(confirms, tag, multiple, taken, tell, model, &err) == is_known);
}

CLAIM(confirms__random_steps_agree_with_a_plain_model)
{
    static struct model model;
    const size_t room = 37;
    SL_AUTO(sl_confirms_free) struct sl_confirms *confirms = window(room);
    uint64_t rng = 88172645463325252u;
    int64_t now_ms = 0;
    model_reset(&model);
    for (int step = 0; step < 300000; step++) {
        uint64_t dice = roll(&rng) % 100;
        uint64_t tag = model.next_tag > 40 ? model.next_tag - 40 + roll(&rng) % 42
                                           : roll(&rng) % (model.next_tag + 2);
        now_ms += (int64_t)(roll(&rng) % 3);
        struct sl_err err = { 0 };
        CU_ASSERT_FATAL(sl_confirms_has_room(confirms) == (model.out_count < room));
        if (dice < 50 && model.out_count < room && model.next_tag < COOKIES) {
            uint64_t key = roll(&rng) % 50;
            model.publishes[model.next_tag - 1].is_out = true;
            model.publishes[model.next_tag - 1].key = key;
            model.publishes[model.next_tag - 1].deadline_ms = now_ms + 50;
            sl_confirms_add(confirms, key, model.cookie_base + model.next_tag, now_ms + 50);
            model.next_tag++;
            model.out_count++;
        } else if (dice < 80) {
            model_answer(&model, confirms, tag, roll(&rng) % 8 == 0, roll(&rng) % 10 != 0);
        } else if (dice < 90) {
            uint64_t key = roll(&rng) % 50;
            bool is_known = false;
            for (uint64_t i = 0; i + 1 < model.next_tag; i++) {
                if (model.publishes[i].is_out && model.publishes[i].key == key) {
                    model.publishes[i].is_returned = true;
                    is_known = true;
                }
            }
            CU_ASSERT(sl_confirms_return(confirms, key, &err) == is_known);
        } else if (dice < 99) {
            for (uint64_t at = 1; at < model.next_tag; at++) {
                if (model.publishes[at - 1].is_out &&
                    model.publishes[at - 1].deadline_ms <= now_ms) {
                    expect(&model, at, SL_PUBLISH_TIMEOUT);
                    model.publishes[at - 1].is_settled = true;
                }
            }
            sl_confirms_expire(confirms, now_ms, tell, &model);
        } else if (model.next_tag >= COOKIES || roll(&rng) % 10 == 0) {
            for (uint64_t at = 1; at < model.next_tag; at++) {
                if (model.publishes[at - 1].is_out) {
                    expect(&model, at, SL_PUBLISH_LOST);
                }
            }
            sl_confirms_reset(confirms, tell, &model);
            CU_ASSERT(memcmp(model.told, model.expected, sizeof model.told) == 0);
            model_reset(&model);
        }
        if (step % 64 == 0) {
            CU_ASSERT(memcmp(model.told, model.expected, sizeof model.told) == 0);
        }
    }
}
