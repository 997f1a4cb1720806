#include "consumer/billing/billing_thin.h"
#include "tests/support/billing_story.h"

/* "invoice in_1 acct_1 thin evt_1 gone", or "" when it asks for nothing. */
static const char *asks(struct story *story, const char *type, const char *body, char room[256])
{
    const struct sl_envelope envelope = { .type = sl_span_of(type),
                                          .account = SL_SPAN_LITERAL("") };
    struct con_billing_wish wish = { 0 };
    room[0] = '\0';
    if (con_billing_thin_read(&envelope, story_json(story, body), &story->arena, &wish)) {
        snprintf(room, 256, "%s %.*s %.*s %s %.*s%s", wish.kind, SL_SPAN_ARGS(wish.id),
                 SL_SPAN_ARGS(wish.account), wish.reason, SL_SPAN_ARGS(wish.snapshot),
                 wish.is_gone ? " gone" : "");
    }
    return room;
}

#define THIN(rest)        "{'object':'v2.core.event','id':'evt_9'," rest "}"
#define RELATED(id, type) "'related_object':{'id':'" id "','type':'" type "','url':'/x'}"
#define UNMADE            "v2.core.health.event_generation_failure.resolved"

CLAIM(billing_thin__events_without_their_object_name_what_to_ask_for)
{
    static const struct {
        const char *type, *body, *want;
    } rows[] = {
        { "v1.invoice.paid", THIN(RELATED("in_1", "invoice")), "invoice in_1  thin " },
        { "v1.invoice.paid",
          THIN("'snapshot_event':'evt_1','context':'acct_1'," RELATED("in_1", "invoice")),
          "invoice in_1 acct_1 thin evt_1" },
        { "v1.customer.subscription.updated",
          THIN("'context':'org_1/acct_2'," RELATED("sub_1", "subscription")),
          "subscription sub_1 acct_2 thin " },
        { "v1.customer.deleted", THIN("'context':null," RELATED("cus_1", "customer")),
          "customer cus_1  thin  gone" },
        { "v1.invoice_payment.paid", THIN(RELATED("inpay_1", "invoice_payment")),
          "invoice_payment inpay_1  thin " },
        { UNMADE, THIN("'data':{'impact':{'context':'acct_1'," RELATED("in_1", "invoice") "}}"),
          "invoice in_1 acct_1 unmade " },
        { UNMADE, THIN("'related_object':null"), "event evt_9  unmade " },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        char room[256];
        CU_ASSERT_STRING_EQUAL(asks(&story, rows[i].type, rows[i].body, room), rows[i].want);
        CU_ASSERT_TRUE(con_billing_thin_is(sl_span_of(rows[i].type)));
    }
}

CLAIM(billing_thin__what_billing_does_not_keep_or_cannot_read_asks_for_nothing)
{
    static const struct {
        const char *type, *body;
    } rows[] = {
        { "v1.payout.paid", THIN(RELATED("po_1", "payout")) },
        { "v1.customer.updated", THIN("'related_object':null") },
        { "v1.customer.updated", THIN("'related_object':{'type':'customer'}") },
        { "v1.customer.updated", THIN(RELATED("", "customer")) },
        { "v1.customer.updated", "{'object':'event'," RELATED("cus_1", "customer") "}" },
        { "v2.core.account.updated", THIN(RELATED("cus_1", "customer")) },
        { UNMADE, THIN("'data':{'impact':{" RELATED("po_1", "payout") "}}") },
        { "v1.customer.updated", "[]" },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        char room[256];
        CU_ASSERT_STRING_EQUAL(asks(&story, rows[i].type, rows[i].body, room), "");
    }
    CU_ASSERT_FALSE(con_billing_thin_is(SL_SPAN_LITERAL("customer.updated")));
}
