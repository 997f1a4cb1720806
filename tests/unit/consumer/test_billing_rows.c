#include "consumer/billing/billing_rows.h"
#include "tests/support/billing_story.h"

#define DAY_S 1767312000 /* 2026-01-02 00:00 UTC */

static struct con_billing_row *try_row(struct story *story, const char *type, const char *object,
                                       size_t *out_replaced, struct sl_err *err)
{
    struct con_event event = story_event(story, "evt_1", type, DAY_S, object);
    struct con_billing_subject subject;
    struct con_billing_row *row = NULL;
    CU_ASSERT_FATAL(
        con_billing_event_read(&event.envelope, event.json, &story->arena, &subject, err));
    CU_ASSERT_FATAL(subject.act != CON_BILLING_IGNORE);
    return con_billing_row_read(&subject, &event.envelope, &story->arena, &row, out_replaced, err)
               ? row
               : NULL;
}

static struct con_billing_row *row_of(struct story *story, const char *type, const char *object)
{
    struct sl_err err = { 0 };
    struct con_billing_row *row = try_row(story, type, object, NULL, &err);
    if (row == NULL) {
        fprintf(stderr, "no row: %s\n", err.text);
    }
    CU_ASSERT_FATAL(row != NULL);
    return row;
}

/* The cell as a word: text, number, true, false or NULL. */
static const char *word(const struct con_billing_row *row, const char *column, char room[256])
{
    size_t index = con_billing_column_index(row->table, column);
    const struct con_cell *cell = &row->cells[index];
    if (!cell->is_set) {
        return "NULL";
    }
    switch (con_billing_columns(row->table).items[index].kind) {
    case CON_CELL_INT:
    case CON_CELL_TIME:
        snprintf(room, 256, "%lld", (long long)cell->number);
        return room;
    case CON_CELL_BOOL:
        return cell->flag ? "true" : "false";
    case CON_CELL_TEXT:
    case CON_CELL_REF:
    case CON_CELL_DECIMAL:
    case CON_CELL_JSON:
        break;
    }
    snprintf(room, 256, "%.*s", SL_SPAN_ARGS(cell->text));
    for (char *at = room; *at != '\0'; at++) {
        *at = *at == '"' ? '\'' : *at;
    }
    return room;
}

struct want {
    const char *column;
    const char *word;
};

static void expect(const struct con_billing_row *row, const struct want *wants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char room[256];
        const char *got = word(row, wants[i].column, room);
        if (strcmp(got, wants[i].word) != 0) {
            fprintf(stderr, "%s is %s, not %s\n", wants[i].column, got, wants[i].word);
        }
        CU_ASSERT_STRING_EQUAL(got, wants[i].word);
    }
}
#define EXPECT(row, ...)                                                                           \
    expect((row), (const struct want[]){ __VA_ARGS__ },                                            \
           sizeof((const struct want[]){ __VA_ARGS__ }) / sizeof(struct want))

CLAIM(billing_rows__a_customer_as_stripe_sends_it)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    const struct con_billing_row *row = row_of(
        &story, "customer.updated",
        "{'id':'cus_1','object':'customer','address':{'city':'Turku','line1':null},'balance':-250,"
        "'created':1700000000,'currency':'eur','default_source':{'id':'card_1','object':'card'},"
        "'delinquent':false,'description':null,'discount':null,'email':'ada@example.com',"
        "'invoice_prefix':'7FE1103','invoice_settings':{'default_payment_method':'pm_1'},"
        "'livemode':false,'metadata':{'plan':'pro'},'name':'Ada','next_invoice_sequence':1,"
        "'phone':null,'preferred_locales':['fi','sv'],'shipping':null,'tax_exempt':'none',"
        "'test_clock':'clock_1'}");
    EXPECT(row, { "email", "ada@example.com" }, { "name", "Ada" }, { "phone", "NULL" },
           { "address", "{'city':'Turku','line1':null}" }, { "balance", "-250" },
           { "currency", "eur" }, { "delinquent", "false" }, { "default_source", "card_1" },
           { "default_payment_method", "pm_1" }, { "preferred_locales", "['fi','sv']" },
           { "metadata", "{'plan':'pro'}" }, { "created", "1700000000" }, { "tax_ids", "NULL" },
           { "test_clock", "clock_1" });
    CU_ASSERT_EQUAL(row->version.created_s, DAY_S);
    CU_ASSERT_EQUAL(row->version.phase, CON_PHASE_UPDATED);
    CU_ASSERT(sl_span_is(row->version.event_id, "evt_1"));
    CU_ASSERT_FALSE(row->is_deleted);
}

CLAIM(billing_rows__a_deletion_is_dated_by_its_event)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    const struct con_billing_row *whole =
        row_of(&story, "customer.deleted", "{'id':'cus_1','created':5,'email':'a@example.com'}");
    CU_ASSERT(whole->is_deleted && !whole->is_stub);
    CU_ASSERT_EQUAL(whole->deleted_at_s, DAY_S);
    CU_ASSERT_EQUAL(whole->version.phase, CON_PHASE_TERMINAL);
    const struct con_billing_row *stub =
        row_of(&story, "invoice.deleted", "{'id':'in_1','object':'invoice','deleted':true}");
    CU_ASSERT(stub->is_deleted && stub->is_stub);
    CU_ASSERT_EQUAL(stub->deleted_at_s, DAY_S);
}

static const char subscription_before[] =
    "{'id':'sub_1','object':'subscription','application_fee_percent':2.5,'created':1700000000,"
    "'current_period_start':1700000000,'current_period_end':1702592000,'customer':'cus_1',"
    "'status':'active','discount':{'id':'di_1'},'latest_invoice':'in_1','cancel_at_period_end':false,"
    "'items':{'object':'list','data':[{'id':'si_1','object':'subscription_item','created':1700000001,"
    "'plan':{'id':'plan_1','amount':900,'currency':'usd','interval':'month','interval_count':1,"
    "'product':'prod_1','usage_type':'licensed'},'quantity':3}],'has_more':false,'total_count':1}}";

static const char subscription_after[] =
    "{'id':'sub_1','object':'subscription','application_fee_percent':null,'billing_mode':{'type':'flexible'},"
    "'created':1700000000,'customer':{'id':'cus_1','object':'customer'},'status':'active',"
    "'discounts':['di_1'],'latest_invoice':{'id':'in_1'},'cancel_at_period_end':true,"
    "'items':{'object':'list','data':["
    "{'id':'si_1','current_period_start':1700000000,'current_period_end':1702592000,"
    "'price':{'id':'price_1','currency':'usd','product':{'id':'prod_1'},'unit_amount':null,"
    "'unit_amount_decimal':'900.5','recurring':{'interval':'month','interval_count':1,'meter':null,"
    "'usage_type':'licensed'}},'quantity':3},"
    "{'id':'si_2','current_period_start':1690000000,'current_period_end':1721536000,"
    "'price':{'id':'price_2','recurring':{'interval':'year','meter':'mtr_1','usage_type':'metered'}}}"
    "],'has_more':true}}";

CLAIM(billing_rows__a_subscription_from_before_2025_03_31)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    const struct con_billing_row *row =
        row_of(&story, "customer.subscription.created", subscription_before);
    EXPECT(row, { "customer", "cus_1" }, { "status", "active" },
           { "current_period_start", "1700000000" }, { "current_period_end", "1702592000" },
           { "discounts", "['di_1']" }, { "latest_invoice", "in_1" },
           { "application_fee_percent", "2.5" }, { "items_has_more", "false" },
           { "cancel_at_period_end", "false" });
    CU_ASSERT(row->children_complete);
    const struct con_billing_row *item = row->children;
    CU_ASSERT_FATAL(item != NULL && item->next == NULL);
    CU_ASSERT(sl_span_is(item->id, "si_1"));
    EXPECT(item, { "subscription", "sub_1" }, { "position", "0" }, { "price", "plan_1" },
           { "product", "prod_1" }, { "unit_amount", "900" }, { "currency", "usd" },
           { "recurring_interval", "month" }, { "recurring_interval_count", "1" },
           { "usage_type", "licensed" }, { "quantity", "3" },
           { "current_period_start", "1700000000" }, { "current_period_end", "1702592000" });
}

CLAIM(billing_rows__a_subscription_of_today)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    const struct con_billing_row *row =
        row_of(&story, "customer.subscription.updated", subscription_after);
    EXPECT(row, { "customer", "cus_1" }, { "current_period_start", "1690000000" },
           { "current_period_end", "1721536000" }, { "discounts", "['di_1']" },
           { "latest_invoice", "in_1" }, { "application_fee_percent", "NULL" },
           { "billing_mode", "{'type':'flexible'}" }, { "items_has_more", "true" });
    CU_ASSERT_FALSE(row->children_complete);
    CU_ASSERT_FATAL(row->children != NULL && row->children->next != NULL);
    EXPECT(row->children, { "price", "price_1" }, { "product", "prod_1" },
           { "unit_amount", "NULL" }, { "unit_amount_decimal", "900.5" },
           { "current_period_end", "1702592000" });
    EXPECT(row->children->next, { "position", "1" }, { "quantity", "NULL" }, { "meter", "mtr_1" },
           { "usage_type", "metered" }, { "current_period_end", "1721536000" });
    CU_ASSERT(con_billing_order(&row->version, &row->children->version) == 0);
}

CLAIM(billing_rows__a_subscription_that_has_ended_is_terminal_whatever_the_event_is_called)
{
    static const struct {
        const char *type;
        const char *object;
        int64_t deleted_at_s;
    } cases[] = {
        { "customer.subscription.deleted",
          "{'id':'s','created':1,'status':'canceled','ended_at':77}", 77 },
        { "customer.subscription.updated",
          "{'id':'s','created':1,'status':'canceled','ended_at':77}", 77 },
        { "customer.subscription.updated", "{'id':'s','created':1,'status':'incomplete_expired'}",
          DAY_S },
        { "customer.subscription.deleted", "{'id':'s','created':1,'status':'active'}", DAY_S },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct con_billing_row *row = row_of(&story, cases[i].type, cases[i].object);
        CU_ASSERT(row->is_deleted);
        CU_ASSERT_EQUAL(row->deleted_at_s, cases[i].deleted_at_s);
        CU_ASSERT_EQUAL(row->version.phase, CON_PHASE_TERMINAL);
    }
    const struct con_billing_row *alive =
        row_of(&story, "customer.subscription.paused", "{'id':'s','created':1,'status':'paused'}");
    CU_ASSERT_FALSE(alive->is_deleted);
    CU_ASSERT_EQUAL(alive->version.phase, CON_PHASE_UPDATED);
}

CLAIM(billing_rows__a_list_is_complete_only_when_nothing_says_otherwise)
{
    static const struct {
        const char *items;
        bool is_complete;
    } cases[] = {
        { "{'data':[],'has_more':false}", true },
        { "{'data':[]}", true },
        { "{'data':[{'id':'si_1'}],'has_more':true}", false },
        { "{'data':[{'id':'si_1'}],'has_more':false,'total_count':2}", false },
        { "{'data':[{'id':'si_1'}],'has_more':false,'total_count':1}", true },
        { "{'has_more':false}", false },
        { "{'data':{}}", false },
        { "null", false },
        { "[]", false },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char object[256];
        snprintf(object, sizeof object, "{'id':'sub_1','status':'active','items':%s}",
                 cases[i].items);
        CU_ASSERT_EQUAL(row_of(&story, "customer.subscription.updated", object)->children_complete,
                        cases[i].is_complete);
    }
}

CLAIM(billing_rows__an_invoice_is_the_same_row_in_both_shapes)
{
    static const char *const objects[] = {
        "{'id':'in_1','object':'invoice','created':1700000000,'customer':'cus_1','subscription':'sub_1',"
        "'status':'paid','paid':true,'charge':'ch_1','payment_intent':'pi_1','attempt_count':1,"
        "'amount_due':1000,'amount_paid':1000,'amount_remaining':0,"
        "'total_tax_amounts':[{'amount':5,'inclusive':true,'tax_rate':{'id':'txr_1'},'taxable_amount':95}],"
        "'discount':null,'discounts':[],"
        "'status_transitions':{'finalized_at':1,'paid_at':2,'marked_uncollectible_at':null,'voided_at':null},"
        "'lines':{'data':[{'id':'il_1','type':'subscription','amount':1000,'subscription':'sub_1',"
        "'subscription_item':'si_1','proration':false,'price':{'id':'price_1','product':'prod_1',"
        "'unit_amount_decimal':'1000'},'quantity':1,'period':{'start':10,'end':20},'tax_amounts':[]}],"
        "'has_more':false,'total_count':1}}",
        "{'id':'in_1','object':'invoice','created':1700000000,'customer':'cus_1',"
        "'parent':{'type':'subscription_details','quote_details':null,"
        "'subscription_details':{'subscription':'sub_1','metadata':{}}},"
        "'status':'paid','attempt_count':1,'amount_due':1000,'amount_paid':1000,'amount_remaining':0,"
        "'charge':'ch_1','payment_intent':'pi_1',"
        "'total_taxes':[{'amount':5,'tax_behavior':'inclusive','type':'tax_rate_details',"
        "'tax_rate_details':{'tax_rate':'txr_1'},'taxable_amount':95}],"
        "'discounts':[],"
        "'status_transitions':{'finalized_at':1,'paid_at':2,'marked_uncollectible_at':null,'voided_at':null},"
        "'lines':{'data':[{'id':'il_1','amount':1000,'quantity':1,'subscription':null,"
        "'parent':{'type':'subscription_item_details','invoice_item_details':null,"
        "'subscription_item_details':{'subscription':'sub_1','subscription_item':'si_1','proration':false}},"
        "'pricing':{'type':'price_details','unit_amount_decimal':'1000',"
        "'price_details':{'price':'price_1','product':'prod_1'}},"
        "'period':{'start':10,'end':20},'taxes':[]}],'has_more':false}}",
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        const struct con_billing_row *row = row_of(&story, "invoice.paid", objects[i]);
        EXPECT(row, { "customer", "cus_1" }, { "subscription", "sub_1" },
               { "parent_type", "subscription_details" }, { "status", "paid" },
               { "payment_intent", "pi_1" }, { "charge", "ch_1" }, { "amount_paid", "1000" },
               { "total_taxes", "[{'amount':5,'tax_behavior':'inclusive','type':'tax_rate_details',"
                                "'tax_rate_details':{'tax_rate':'txr_1'},'taxable_amount':95}]" },
               { "finalized_at", "1" }, { "paid_at", "2" }, { "voided_at", "NULL" },
               { "discounts", "[]" }, { "lines_has_more", "false" });
        CU_ASSERT_EQUAL(row->version.progress[0], 4);
        CU_ASSERT_EQUAL(row->version.progress[1], 1);
        CU_ASSERT_EQUAL(row->version.progress[2], 1000);
        CU_ASSERT_FATAL(row->children != NULL);
        EXPECT(row->children, { "invoice", "in_1" }, { "position", "0" },
               { "parent_type", "subscription_item_details" }, { "subscription", "sub_1" },
               { "subscription_item", "si_1" }, { "proration", "false" }, { "price", "price_1" },
               { "product", "prod_1" }, { "unit_amount_decimal", "1000" }, { "quantity", "1" },
               { "period_start", "10" }, { "period_end", "20" }, { "taxes", "[]" });
    }
}

CLAIM(billing_rows__old_lists_in_the_words_of_today)
{
    static const struct {
        const char *taxes;
        const char *want;
    } cases[] = {
        { "null", "NULL" },
        { "[]", "[]" },
        { "{'amount':1}", "{'amount':1}" },
        { "[3,null]", "[3,null]" },
        { "[{}]", "[{}]" },
        { "[{'inclusive':false,'tax_rate':'txr_1'},{'amount':2}]",
          "[{'tax_behavior':'exclusive','type':'tax_rate_details','tax_rate_details':{'tax_rate':'txr_1'}},"
          "{'amount':2}]" },
        { "[{'inclusive':null,'tax_rate':null}]", "[{'inclusive':null,'tax_rate':null}]" },
        { "[{'inclusive':true,'a\\u0000':1}]", "[{'inclusive':true,'a\\ufffd':1}]" },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char object[512];
        snprintf(object, sizeof object,
                 "{'id':'in_1','total_tax_amounts':%s,'discount':{'coupon':7}}", cases[i].taxes);
        EXPECT(row_of(&story, "invoice.updated", object), { "total_taxes", cases[i].want },
               { "discounts", "[{'coupon':7}]" });
    }
}

CLAIM(billing_rows__what_was_paid_outside_stripe_is_paid)
{
    static const struct {
        const char *status;
        const char *is_outside;
        const char *paid;
        const char *remaining;
        int64_t progress;
    } cases[] = {
        { "paid", "true", "500", "0", 500 },
        { "paid", "false", "100", "400", 100 },
        { "open", "true", "100", "400", 100 },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char object[512];
        snprintf(object, sizeof object,
                 "{'id':'in_1','status':'%s','amount_due':500,'amount_paid':100,"
                 "'amount_remaining':400,'paid_out_of_band':%s}",
                 cases[i].status, cases[i].is_outside);
        const struct con_billing_row *row = row_of(&story, "invoice.updated", object);
        EXPECT(row, { "amount_paid", cases[i].paid }, { "amount_remaining", cases[i].remaining });
        CU_ASSERT_EQUAL(row->version.progress[2], cases[i].progress);
    }
}

CLAIM(billing_rows__other_parents_of_invoices_and_lines)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    const struct con_billing_row *row =
        row_of(&story, "invoice.created",
               "{'id':'in_1','quote':'qt_1','lines':{'data':["
               "{'id':'sub_1','unique_id':'il_1','type':'invoiceitem','invoice_item':'ii_1'},"
               "{'id':'il_2','parent':{'type':'invoice_item_details','invoice_item_details':"
               "{'invoice_item':'ii_2','proration':true,'subscription':'sub_9'}}}]}}");
    EXPECT(row, { "parent_type", "quote_details" }, { "subscription", "NULL" });
    CU_ASSERT_FATAL(row->children != NULL && row->children->next != NULL);
    CU_ASSERT(sl_span_is(row->children->id, "il_1"));
    EXPECT(row->children, { "parent_type", "invoice_item_details" }, { "invoice_item", "ii_1" });
    EXPECT(row->children->next, { "invoice_item", "ii_2" }, { "proration", "true" },
           { "subscription", "sub_9" });
}

CLAIM(billing_rows__a_payment_of_an_invoice)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    const struct con_billing_row *row = row_of(
        &story, "invoice_payment.paid",
        "{'id':'inpay_1','object':'invoice_payment','amount_paid':1000,'amount_requested':1000,"
        "'created':5,'currency':'usd','invoice':'in_1','is_default':true,"
        "'payment':{'type':'payment_intent','payment_intent':'pi_1'},'status':'paid',"
        "'status_transitions':{'canceled_at':null,'paid_at':6}}");
    EXPECT(row, { "invoice", "in_1" }, { "payment_type", "payment_intent" },
           { "payment_intent", "pi_1" }, { "charge", "NULL" }, { "amount_paid", "1000" },
           { "is_default", "true" }, { "paid_at", "6" }, { "status", "paid" });
}

CLAIM(billing_rows__a_value_that_does_not_fit_its_column_names_the_field)
{
    static const struct {
        const char *type;
        const char *object;
        const char *field;
    } cases[] = {
        { "customer.updated", "{'id':'c','balance':123456789012345678901234567890}",
          "customer.balance" },
        { "customer.updated", "{'id':'c','balance':9223372036854775808}", "customer.balance" },
        { "customer.updated", "{'id':'c','balance':1.5}", "customer.balance" },
        { "customer.updated", "{'id':'c','balance':'5'}", "customer.balance" },
        { "customer.updated", "{'id':'c','email':5}", "customer.email" },
        { "customer.updated", "{'id':'c','delinquent':0}", "customer.delinquent" },
        { "customer.updated", "{'id':'c','created':99999999999999}", "customer.created" },
        { "customer.updated", "{'id':'c','created':'2026-01-02'}", "customer.created" },
        { "customer.updated", "{'id':'c','test_clock':['x']}", "customer.test_clock" },
        { "customer.subscription.updated", "{'id':'s','application_fee_percent':'NaN'}",
          "subscription.application_fee_percent" },
        { "customer.subscription.updated", "{'id':'s','application_fee_percent':1e99999}",
          "subscription.application_fee_percent" },
        { "customer.subscription.updated",
          "{'id':'s','items':{'data':[{'id':'a'},{'id':'b','quantity':'x'}]}}",
          "subscription.items.data[1].quantity" },
        { "customer.subscription.updated", "{'id':'s','items':{'data':[{'quantity':1}]}}",
          "subscription.items.data[0].id" },
        { "invoice.updated", "{'id':'i','parent':{'subscription_details':{'subscription':7}}}",
          "invoice.parent.subscription_details.subscription" },
        { "invoice.updated", "{'id':'i','lines':{'data':[null]}}", "invoice.lines.data[0].id" },
    };
    SL_DONE(story_done) struct story story;
    story_init(&story);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_err err = { 0 };
        CU_ASSERT_PTR_NULL(try_row(&story, cases[i].type, cases[i].object, NULL, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_EVENT_MALFORMED);
        CU_ASSERT_EQUAL(sl_err_fault(&err), SL_FAULT_POISON);
        if (strncmp(err.text, cases[i].field, strlen(cases[i].field)) != 0) {
            fprintf(stderr, "'%s' does not name %s\n", err.text, cases[i].field);
            CU_FAIL("names another field");
        }
    }
}

CLAIM(billing_rows__the_limits_of_a_column_still_fit)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    const struct con_billing_row *row =
        row_of(&story, "customer.updated",
               "{'id':'c','balance':-9223372036854775808,'created':9224318015999}");
    EXPECT(row, { "balance", "-9223372036854775808" }, { "created", "9224318015999" });
    row = row_of(&story, "customer.subscription.updated",
                 "{'id':'s','application_fee_percent':'-12.50e-2'}");
    EXPECT(row, { "application_fee_percent", "-12.50e-2" });
}

CLAIM(billing_rows__text_that_postgres_cannot_hold_is_replaced_and_counted)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    struct sl_err err = { 0 };
    size_t replaced = 0;
    const struct con_billing_row *row =
        try_row(&story, "customer.updated",
                "{'id':'c','name':'a\\u0000b','email':'\\ud800x','phone':'\\ud83d\\ude00',"
                "'metadata':{'k\\u0000':'\\udc00','e':'\\u00e9'}}",
                &replaced, &err);
    CU_ASSERT_FATAL(row != NULL);
    EXPECT(row,
           { "name", "a\xEF\xBF\xBD"
                     "b" },
           { "email", "\xEF\xBF\xBDx" }, { "phone", "\xF0\x9F\x98\x80" });
    CU_ASSERT_EQUAL(replaced, 4);
    char room[256];
    CU_ASSERT_PTR_NULL(strstr(word(row, "metadata", room), "u0000"));
    CU_ASSERT_PTR_NULL(strstr(word(row, "metadata", room), "udc00"));
}

CLAIM(billing_rows__without_memory_it_says_so_and_does_not_blame_the_event)
{
    SL_DONE(story_done) struct story story;
    story_init(&story);
    struct con_event event =
        story_event(&story, "evt_1", "customer.subscription.updated", DAY_S, subscription_before);
    struct con_billing_subject subject;
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(
        con_billing_event_read(&event.envelope, event.json, &story.arena, &subject, &err));
    for (size_t room = 1; room < 100000; room += 97) {
        SL_DONE(sl_arena_done) struct sl_arena small = { 0 };
        sl_arena_init(&small, room);
        struct con_billing_row *row = NULL;
        if (con_billing_row_read(&subject, &event.envelope, &small, &row, NULL, &err)) {
            CU_PASS("enough");
            return;
        }
        CU_ASSERT_EQUAL(err.code, SL_E_MEMORY);
    }
    CU_FAIL("never enough");
}
