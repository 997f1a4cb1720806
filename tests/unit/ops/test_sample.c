#include "ops/trigger/sample.h"

#include <stdio.h>

#include "shared/json/json.h"
#include "shared/units.h"
#include "tests/support/claims.h"

#define STORY_S 1790000000

static const char *const billing_types[] = {
#define BILLING_TYPE(type_, ...) type_,
#include "consumer/billing/billing_types.def"
#undef BILLING_TYPE
};

static void write_step(struct sl_buf *out, uint64_t number, uint64_t customer, size_t step)
{
    struct sl_err err = { 0 };
    SL_AUTO(ops_sample_book_free) struct ops_sample_book *book = ops_sample_book_new(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(book);
    struct ops_sample sample = {
        .run = "Ab3dEf7h", .number = number, .customer = customer, .step = step, .story_s = STORY_S
    };
    sl_buf_reset(out);
    CU_ASSERT_TRUE_FATAL(ops_sample_write(book, &sample, out, &err));
}

/* The text behind `"key": ` at its first place, up to a comma or the line's end. */
static struct sl_span value_of(const struct sl_buf *event, const char *key)
{
    char needle[64];
    snprintf(needle, sizeof needle, "\"%s\": ", key);
    const char *at = strstr(event->data, needle);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at += strlen(needle);
    return sl_span_make(at, strcspn(at, ",\n"));
}

static size_t step_of(const char *type)
{
    size_t first = 0;
    size_t count = 0;
    CU_ASSERT_TRUE_FATAL(ops_sample_find(type, &first, &count));
    return first;
}

CLAIM(sample__knows_every_type_that_billing_applies)
{
    for (size_t i = 0; i < SL_COUNT(billing_types); i++) {
        size_t first = 0;
        size_t count = 0;
        bool known = ops_sample_find(billing_types[i], &first, &count);
        if (!known) {
            fprintf(stderr, "no sample of %s\n", billing_types[i]);
        }
        CU_ASSERT_TRUE(known);
        CU_ASSERT_EQUAL(count, 1);
    }
}

CLAIM(sample__every_step_names_its_type_and_fills_every_place)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OPS_SAMPLE_BYTES_MAX);
    for (size_t step = 0; step < ops_sample_step_count(); step++) {
        write_step(&out, step + 1, 7, step);
        char type[128];
        snprintf(type, sizeof type, "\"type\": \"%s\"\n}", ops_sample_step_type(step));
        CU_ASSERT_PTR_NOT_NULL(strstr(out.data, type));
        CU_ASSERT_PTR_NULL(strstr(out.data, "{{"));
        CU_ASSERT_PTR_NULL(strstr(out.data, ": ,"));
        CU_ASSERT_PTR_NULL(strstr(out.data, "\"\""));
        CU_ASSERT_TRUE(out.used_bytes > 800 && out.used_bytes < 6000);
    }
}

CLAIM(sample__ids_of_two_events_differ_and_created_grows_with_the_story)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OPS_SAMPLE_BYTES_MAX);
    int64_t before = 0;
    char id_before[64] = "";
    for (size_t step = 0; step < ops_sample_step_count(); step++) {
        write_step(&out, step + 1, 7, step);
        int64_t created = 0;
        CU_ASSERT_TRUE(sl_units_decimal(value_of(&out, "created"), 12, &created));
        CU_ASSERT_TRUE(created > before);
        before = created;
        char id[64];
        snprintf(id, sizeof id, "%.*s", SL_SPAN_ARGS(value_of(&out, "id")));
        CU_ASSERT_STRING_NOT_EQUAL(id, id_before);
        memcpy(id_before, id, sizeof id);
    }
}

CLAIM(sample__one_customer_is_the_same_in_every_event)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OPS_SAMPLE_BYTES_MAX);
    write_step(&out, 1, 42, step_of("customer.created"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\"id\": \"cus_Ab3dEf7h000042\""));
    write_step(&out, 2, 42, step_of("customer.subscription.created"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\"customer\": \"cus_Ab3dEf7h000042\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\"id\": \"sub_1SAb3dEf7h000042\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\"status\": \"trialing\""));
    write_step(&out, 3, 42, step_of("invoice.paid"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\"customer\": \"cus_Ab3dEf7h000042\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\"subscription\": \"sub_1SAb3dEf7h000042\""));
    CU_ASSERT_TRUE(sl_span_is(value_of(&out, "amount_remaining"), "0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\"status\": \"paid\""));
    CU_ASSERT_PTR_NULL(strstr(out.data, "\"paid_at\": null"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\"voided_at\": null"));
}

CLAIM(sample__a_draft_is_not_yet_finalized)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OPS_SAMPLE_BYTES_MAX);
    write_step(&out, 1, 1, step_of("invoice.created"));
    CU_ASSERT_TRUE(sl_span_is(value_of(&out, "finalized_at"), "null"));
    CU_ASSERT_TRUE(sl_span_is(value_of(&out, "number"), "null"));
    CU_ASSERT_TRUE(sl_span_is(value_of(&out, "amount_paid"), "0"));
}

CLAIM(sample__words_are_listed_once_each)
{
    size_t words = 0;
    while (ops_sample_word(NULL, words) != NULL) {
        size_t first = 0;
        size_t count = 0;
        CU_ASSERT_TRUE(ops_sample_find(ops_sample_word(NULL, words), &first, &count));
        CU_ASSERT_TRUE(first + count <= ops_sample_step_count());
        words++;
    }
    CU_ASSERT_EQUAL(words, 2 + SL_COUNT(billing_types));
    size_t none = 0;
    CU_ASSERT_FALSE(ops_sample_find("invoice.pay", &none, &none));
}

CLAIM(sample__a_run_over_everything_seats_each_customer_in_order)
{
    size_t first = 0;
    size_t count = 0;
    CU_ASSERT_TRUE_FATAL(ops_sample_find("all", &first, &count));
    struct ops_sample_seat before = { 0 };
    for (uint64_t i = 0; i < 200; i++) {
        struct ops_sample_seat seat = { 0 };
        ops_sample_seat(first, count, i, &seat);
        bool is_next_step = seat.customer == before.customer && seat.step == before.step + 1;
        bool is_next_customer = seat.customer == before.customer + 1 && seat.step == 0 &&
                                before.step == before.last_step;
        CU_ASSERT_TRUE(is_next_step || is_next_customer);
        CU_ASSERT_TRUE(seat.step <= seat.last_step);
        CU_ASSERT_EQUAL(seat.last_step + 1, seat.customer % 3 == 1 ? count : 10);
        before = seat;
    }
}

CLAIM(sample__one_type_means_one_customer_per_event)
{
    size_t first = 0;
    size_t count = 0;
    CU_ASSERT_TRUE_FATAL(ops_sample_find("invoice.paid", &first, &count));
    struct ops_sample_seat seat = { 0 };
    ops_sample_seat(first, count, 41, &seat);
    CU_ASSERT_EQUAL(seat.customer, 42);
    CU_ASSERT_STRING_EQUAL(ops_sample_step_type(seat.step), "invoice.paid");
}

CLAIM(sample__every_event_is_json_that_says_the_same_inside_and_outside)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    struct sl_json_parser *parser = sl_json_parser_new(OPS_SAMPLE_BYTES_MAX);
    CU_ASSERT_PTR_NOT_NULL_FATAL(parser);
    sl_buf_init(&out, OPS_SAMPLE_BYTES_MAX);
    sl_arena_init(&arena, 1u << 20);
    for (size_t step = 0; step < ops_sample_step_count(); step++) {
        struct sl_err err = { 0 };
        write_step(&out, step + 1, 3, step);
        sl_arena_reset(&arena);
        const struct sl_json *root =
            sl_json_parse(parser, &arena, sl_buf_span(&out), 16, 4096, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(root);
        const struct sl_json *object = sl_json_at(root, "data.object");
        CU_ASSERT_PTR_NOT_NULL_FATAL(object);
        struct sl_span type = sl_json_text(sl_json_get(root, "type"), &arena, true, NULL);
        CU_ASSERT_TRUE(sl_span_is(type, ops_sample_step_type(step)));
        CU_ASSERT_EQUAL(sl_json_get(object, "id")->type, SL_JSON_STRING);
        struct sl_span customer = sl_json_text(sl_json_get(object, "customer"), &arena, true, NULL);
        CU_ASSERT_TRUE(customer.data == NULL || sl_span_is(customer, "cus_Ab3dEf7h000003"));
        const struct sl_json *previous = sl_json_at(root, "data.previous_attributes");
        CU_ASSERT_TRUE(previous == NULL || previous->type == SL_JSON_OBJECT);
        CU_ASSERT_EQUAL(strstr(ops_sample_step_type(step), ".updated") != NULL, previous != NULL);
    }
    sl_json_parser_free(parser);
}
