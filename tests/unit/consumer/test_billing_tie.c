#include "consumer/billing/billing_tie.h"

#include "tests/support/claims.h"

#define EVENTS_MAX 8u
#define DEPTH_MAX  12u
#define NODES_MAX  1000u
#define BYTES_MAX  65536u

/* What an event says: object and previous_attributes ("" without one). */
struct said {
    const char *id;
    const char *object;
    const char *before;
};

static struct sl_json_parser *parser;
static struct sl_arena arena;

__attribute__((destructor)) static void done(void)
{
    sl_json_parser_free(parser);
    sl_arena_done(&arena);
}

static const struct sl_json *parse(const char *text)
{
    struct sl_err err;
    return text[0] == '\0'
               ? NULL
               : sl_json_parse(parser, &arena, sl_span_of(text), DEPTH_MAX, NODES_MAX, &err);
}

static size_t read_all(const struct said *said, size_t count, struct con_billing_twin *out)
{
    if (parser == NULL) {
        parser = sl_json_parser_new(BYTES_MAX);
        sl_arena_init(&arena, 1u << 20);
    }
    sl_arena_reset(&arena);
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct con_billing_twin){ .event_id = sl_span_of(said[i].id),
                                            .object = parse(said[i].object),
                                            .before = parse(said[i].before) };
        SL_ASSERT(out[i].object != NULL);
    }
    return count;
}

static void swap(struct con_billing_twin *a, struct con_billing_twin *b)
{
    struct con_billing_twin kept = *a;
    *a = *b;
    *b = kept;
}

/* Asks with every order of the twins; each must hear the same. */
static void ask_in_every_order(struct con_billing_twin *twins, size_t count, size_t fixed,
                               const char *last_id, bool want_sure)
{
    if (fixed + 1 >= count) {
        bool is_sure = !want_sure;
        size_t last = con_billing_tie_last(twins, count, &is_sure);
        CU_ASSERT(sl_span_is(twins[last].event_id, last_id));
        CU_ASSERT_EQUAL(is_sure, want_sure);
        return;
    }
    for (size_t i = fixed; i < count; i++) {
        swap(&twins[fixed], &twins[i]);
        ask_in_every_order(twins, count, fixed + 1, last_id, want_sure);
        swap(&twins[fixed], &twins[i]);
    }
}

static void expect(const struct said *said, size_t count, const char *last_id, bool is_sure)
{
    struct con_billing_twin twins[EVENTS_MAX];
    ask_in_every_order(twins, read_all(said, count, twins), 0, last_id, is_sure);
}

CLAIM(billing_tie__a_chain_of_changes_is_followed_to_its_end)
{
    const struct said said[] = {
        { "evt_4", "{\"name\":\"b\",\"email\":null}", "{\"name\":\"a\"}" },
        { "evt_9", "{\"name\":\"c\",\"email\":null}", "{\"name\":\"b\"}" },
        { "evt_1", "{\"name\":\"c\",\"email\":\"c@x\"}", "{\"email\":null}" },
        { "evt_3", "{\"name\":\"d\",\"email\":\"d@x\"}", "{\"name\":\"c\",\"email\":\"c@x\"}" },
    };
    expect(said, 4, "evt_3", true);
}

CLAIM(billing_tie__a_state_that_comes_back_does_not_mislead)
{
    const struct said said[] = {
        { "evt_9", "{\"x\":1}", "{\"x\":0}" },
        { "evt_5", "{\"x\":0}", "{\"x\":1}" },
        { "evt_1", "{\"x\":2}", "{\"x\":0}" },
    };
    expect(said, 3, "evt_1", true);
}

CLAIM(billing_tie__nested_objects_hold_only_what_changed_and_lists_are_whole)
{
    const struct said nested[] = {
        { "evt_9", "{\"metadata\":{\"a\":\"1\",\"b\":\"1\"}}", "{\"metadata\":{\"b\":null}}" },
        { "evt_1", "{\"metadata\":{\"a\":\"2\",\"b\":\"1\"}}", "{\"metadata\":{\"a\":\"1\"}}" },
    };
    expect(nested, 2, "evt_1", true);

    const struct said lists[] = {
        { "evt_9", "{\"discounts\":[\"di_1\"]}", "{\"discounts\":[]}" },
        { "evt_1", "{\"discounts\":[\"di_1\",\"di_2\"]}", "{\"discounts\":[\"di_1\"]}" },
    };
    expect(lists, 2, "evt_1", true);
}

CLAIM(billing_tie__what_took_a_value_and_lost_it_again_is_laid_end_to_end)
{
    /* By its values alone the first follows the last: both have no b, or no a. */
    const struct said keys[] = {
        { "evt_9", "{\"m\":{\"a\":\"1\"},\"x\":1}", "{\"m\":{\"a\":null}}" },
        { "evt_7", "{\"m\":{\"a\":\"2\"},\"x\":1}", "{\"m\":{\"a\":\"1\"}}" },
        { "evt_5", "{\"m\":{\"a\":\"2\",\"b\":\"1\"},\"x\":1}", "{\"m\":{\"b\":null}}" },
        { "evt_1", "{\"m\":{\"b\":\"1\"},\"x\":1}", "{\"m\":{\"a\":\"2\"}}" },
    };
    expect(keys, 4, "evt_1", true);

    /* There and back and there again: two of them leave the same object. */
    const struct said again[] = {
        { "evt_2", "{\"x\":1}", "{\"x\":0}" },
        { "evt_9", "{\"x\":0}", "{\"x\":1}" },
        { "evt_1", "{\"x\":1}", "{\"x\":0}" },
    };
    expect(again, 3, "evt_2", true);

    /* A key that was not there before is taken back by null. */
    const struct said added[] = {
        { "evt_9", "{\"a\":1,\"b\":1}", "{\"b\":null}" },
        { "evt_5", "{\"b\":1}", "{\"a\":1}" },
        { "evt_7", "{\"a\":1}", "{\"a\":null}" },
    };
    expect(added, 3, "evt_5", true);
}

CLAIM(billing_tie__events_that_left_the_same_object_need_no_order)
{
    const struct said said[] = {
        { "evt_2", "{\"status\":\"paid\"}", "" },
        { "evt_1", "{\"status\":\"paid\"}", "{\"status\":\"open\"}" },
        { "evt_3", "{\"status\":\"paid\"}", "" },
    };
    expect(said, 3, "evt_3", true);
}

CLAIM(billing_tie__with_one_missing_between_them_the_answer_is_not_sure_but_the_same_in_any_order)
{
    const struct said said[] = {
        { "evt_1", "{\"x\":3}", "{\"x\":2}" },
        { "evt_2", "{\"x\":1}", "{\"x\":0}" },
    };
    expect(said, 2, "evt_2", false);
    const struct said complete[] = { said[0], said[1], { "evt_7", "{\"x\":2}", "{\"x\":1}" } };
    expect(complete, 3, "evt_1", true);
}

CLAIM(billing_tie__without_previous_attributes_or_in_a_circle_it_is_not_sure)
{
    const struct said silent[] = {
        { "evt_1", "{\"x\":1}", "" },
        { "evt_2", "{\"x\":2}", "{}" },
    };
    expect(silent, 2, "evt_2", false);
    const struct said circle[] = {
        { "evt_1", "{\"x\":1}", "{\"x\":0}" },
        { "evt_2", "{\"x\":0}", "{\"x\":1}" },
    };
    expect(circle, 2, "evt_2", false);
}

CLAIM(billing_tie__one_alone_is_the_last_and_too_many_are_not_compared)
{
    const struct said one = { "evt_1", "{\"x\":1}", "{\"x\":0}" };
    expect(&one, 1, "evt_1", true);

    static struct con_billing_twin many[CON_BILLING_TIE_MAX + 1];
    read_all(&one, 1, many);
    for (size_t i = 1; i < SL_COUNT(many); i++) {
        many[i] = many[0];
    }
    many[7].event_id = sl_span_of("evt_7");
    bool is_sure = true;
    CU_ASSERT_EQUAL(con_billing_tie_last(many, SL_COUNT(many), &is_sure), 7);
    CU_ASSERT_FALSE(is_sure);
}
