#include "consumer/billing/billing_event.h"
#include "tests/support/billing_story.h"

static bool read(struct story *story, const char *type, const char *object,
                 struct con_billing_subject *out_subject, struct sl_err *err)
{
    struct con_event event = story_event(story, "evt_1", type, 1767348000, object);
    event.envelope.account = SL_SPAN_LITERAL("acct_1");
    return con_billing_event_read(&event.envelope, event.json, &story->arena, out_subject, err);
}

CLAIM(billing_event__every_known_type_is_found_and_applied)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < con_billing_type_count; i++) {
        const struct con_billing_type *type = &con_billing_types[i];
        CU_ASSERT_PTR_EQUAL(con_billing_type_find(sl_span_of(type->name)), type);
        struct con_billing_subject subject;
        struct sl_err err;
        CU_ASSERT(read(&story, type->name, "{'id':'x_1','created':1}", &subject, &err));
        CU_ASSERT_EQUAL(subject.act, CON_BILLING_UPSERT);
        CU_ASSERT_PTR_EQUAL(subject.type, type);
        /* What happens to an account has our application as its object. */
        CU_ASSERT(sl_span_is(subject.id, type->table == CON_BILLING_ACCOUNT ? "acct_1" : "x_1"));
    }
}

CLAIM(billing_event__what_is_not_understood_is_ignored_with_a_reason)
{
    static const struct {
        const char *type;
        const char *object;
    } cases[] = {
        { "payout.paid", "{'id':'po_1','object':'payout'}" },
        { "invoice.upcoming", "{'object':'invoice'}" },
        { "customer.discount.created", "{'id':'di_1','object':'discount'}" },
        { "customer.created2", "{'id':'cus_1'}" },
        { "customer.created", "{'object':'customer'}" },
        { "customer.created", "{'id':null,'object':'customer'}" },
        { "customer.created", "{'id':'in_1','object':'invoice'}" },
        { "customer.created", "{'id':'cus_1','object':7}" },
        { "customer.created", "[]" },
        { "customer.created", "null" },
        { "customer.created", "'cus_1'" },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct con_billing_subject subject;
        struct sl_err err;
        CU_ASSERT(read(&story, cases[i].type, cases[i].object, &subject, &err));
        CU_ASSERT_EQUAL(subject.act, CON_BILLING_IGNORE);
        CU_ASSERT_PTR_NOT_NULL(subject.why);
    }
}

CLAIM(billing_event__a_body_that_is_no_json_or_no_event_is_ignored)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    struct con_event event = story_event(&story, "evt_1", "customer.created", 1, "{}");
    const struct sl_json *bodies[] = {
        NULL,
        story_json(&story, "[]"),
        story_json(&story, "7"),
        story_json(&story, "{}"),
        story_json(&story, "{'data':7}"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct con_billing_subject subject;
        struct sl_err err;
        CU_ASSERT(con_billing_event_read(&event.envelope, bodies[i], &story.arena, &subject, &err));
        CU_ASSERT_EQUAL(subject.act, CON_BILLING_IGNORE);
    }
}

CLAIM(billing_event__an_id_that_is_no_id_can_never_pass)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    char long_id[400];
    snprintf(long_id, sizeof long_id, "{'id':'%0300d'}", 1);
    const char *objects[] = { "{'id':5}", "{'id':''}", "{'id':{}}", long_id };
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        struct con_billing_subject subject;
        struct sl_err err = { 0 };
        CU_ASSERT_FALSE(read(&story, "invoice.paid", objects[i], &subject, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_EVENT_MALFORMED);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "invoice.id"));
    }
}

CLAIM(billing_event__a_deletion_comes_whole_or_as_a_stub)
{
    static const struct {
        const char *type;
        const char *object;
        enum con_billing_act act;
    } cases[] = {
        { "customer.deleted", "{'id':'cus_1','object':'customer','deleted':true}",
          CON_BILLING_DELETE },
        { "customer.deleted", "{'id':'cus_1','object':'customer'}", CON_BILLING_DELETE },
        { "invoice.deleted", "{'id':'in_1','object':'invoice','deleted':true,'livemode':false}",
          CON_BILLING_DELETE },
        { "customer.deleted", "{'id':'cus_1','object':'customer','created':5,'deleted':true}",
          CON_BILLING_UPSERT },
        { "customer.deleted", "{'id':'cus_1','object':'customer','email':'a','name':'b'}",
          CON_BILLING_UPSERT },
        { "customer.updated", "{'id':'cus_1','object':'customer'}", CON_BILLING_UPSERT },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct con_billing_subject subject;
        struct sl_err err;
        CU_ASSERT(read(&story, cases[i].type, cases[i].object, &subject, &err));
        CU_ASSERT_EQUAL(subject.act, cases[i].act);
    }
}
