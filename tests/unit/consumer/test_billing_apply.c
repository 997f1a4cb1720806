#include "consumer/billing/billing_apply.h"
#include "shared/embed.h"
#include "shared/pg/pg_array.h"
#include "tests/support/billing_story.h"

#define PARAM_BYTES_MAX (16u << 20)
#define EVENTS_MAX      16

extern const struct sl_embedded embedded_consumer_sql[];
extern const size_t embedded_consumer_sql_count;

struct bench {
    struct story story;
    struct con_billing *billing;
    struct con_event events[EVENTS_MAX];
    size_t count;
};

static void bench_init(struct bench *bench)
{
    *bench =
        (struct bench){ .billing = con_billing_new(PARAM_BYTES_MAX, "billing",
                                                   &(struct con_billing_asks){ .is_on = true }) };
    story_init(&bench->story);
    CU_ASSERT_FATAL(bench->billing != NULL);
}

static void bench_done(struct bench *bench)
{
    con_billing_free(bench->billing);
    story_done(&bench->story);
}

static void add(struct bench *bench, const char *id, const char *type, int64_t created_s,
                const char *object)
{
    CU_ASSERT_FATAL(bench->count < EVENTS_MAX);
    bench->events[bench->count++] = story_event(&bench->story, id, type, created_s, object);
}

static void read_all(struct bench *bench)
{
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(con_billing_read(bench->billing, &bench->story.arena, bench->events,
                                     bench->count, NULL, &err));
}

/* "customer_upsert:2 customer_delete:1": the steps and how many rows each takes. */
static const char *plan(struct bench *bench, size_t first, size_t count, char room[512])
{
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(con_billing_plan(bench->billing, first, count, &err));
    size_t step_count = 0;
    const struct sl_pg_step *steps = con_billing_steps(bench->billing, &step_count);
    room[0] = '\0';
    for (size_t i = 0; i < step_count; i++) {
        size_t used = strlen(room);
        snprintf(room + used, 512 - used, "%s%s:%d", i == 0 ? "" : " ", steps[i].name,
                 steps[i].params[0].value.data[15]);
    }
    return room;
}

static void written(struct bench *bench, const char *name, const char *id, const char *late)
{
    size_t step_count = 0;
    const struct sl_pg_step *steps = con_billing_steps(bench->billing, &step_count);
    for (size_t i = 0; i < step_count; i++) {
        if (strcmp(steps[i].name, name) == 0) {
            struct sl_err err = { 0 };
            CU_ASSERT(con_billing_written(bench->billing, i, SL_SPAN_LITERAL(""),
                                          SL_SPAN_LITERAL("f"), sl_span_of(id), sl_span_of(late),
                                          &err));
            return;
        }
    }
    CU_FAIL("no such step");
}

/* One letter per event: Pending Applied Stale Ignored dUplicate Dead. */
static const char *verdicts(const struct bench *bench, char room[EVENTS_MAX + 1])
{
    for (size_t i = 0; i < bench->count; i++) {
        room[i] = "PASIUD"[bench->events[i].verdict];
    }
    room[bench->count] = '\0';
    return room;
}

CLAIM(billing_apply__a_batch_becomes_one_step_per_table_in_a_fixed_order)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e1", "invoice.paid", 10,
        "{'id':'in_1','lines':{'data':[{'id':'il_1'},{'id':'il_2'}]}}");
    add(&bench, "e2", "invoice_payment.paid", 10, "{'id':'ip_1'}");
    add(&bench, "e3", "customer.subscription.created", 10,
        "{'id':'sub_1','items':{'data':[{'id':'si_1'}],'has_more':true}}");
    add(&bench, "e4", "customer.deleted", 11, "{'id':'cus_1','deleted':true}");
    add(&bench, "e5", "customer.created", 10, "{'id':'cus_1','created':1}");
    add(&bench, "e6", "payout.paid", 10, "{'id':'po_1'}");
    add(&bench, "e7", "customer.updated", 10, "{'id':'cus_2','balance':'x'}");
    read_all(&bench);
    char room[512];
    CU_ASSERT_STRING_EQUAL(plan(&bench, 0, bench.count, room),
                           "customer_upsert:1 customer_delete:1 subscription_upsert:1 "
                           "invoice_upsert:1 invoice_payment_upsert:1 subscription_item_upsert:1 "
                           "invoice_line_upsert:2 invoice_line_missing:1");
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "PPPPPID");
    CU_ASSERT_EQUAL(bench.events[6].why.code, SL_E_EVENT_MALFORMED);
}

CLAIM(billing_apply__the_parameters_are_those_of_the_statements)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e1", "customer.created", 10, "{'id':'cus_1','created':1}");
    add(&bench, "e2", "customer.deleted", 10, "{'id':'cus_2'}");
    add(&bench, "e3", "customer.subscription.created", 10,
        "{'id':'sub_1','items':{'data':[{'id':'si_1'}]}}");
    add(&bench, "e4", "customer.subscription.deleted", 10, "{'id':'sub_2'}");
    add(&bench, "e5", "invoice.created", 10, "{'id':'in_1','lines':{'data':[{'id':'il_1'}]}}");
    add(&bench, "e6", "invoice.deleted", 10, "{'id':'in_2'}");
    add(&bench, "e7", "invoice_payment.paid", 10, "{'id':'ip_1'}");
    add(&bench, "e8", "account.application.deauthorized", 10, "{'id':'ca_1'}");
    bench.events[7].envelope.account = SL_SPAN_LITERAL("acct_1");
    read_all(&bench);
    char room[512];
    plan(&bench, 0, bench.count, room);
    size_t step_count = 0;
    const struct sl_pg_step *steps = con_billing_steps(bench.billing, &step_count);
    CU_ASSERT_EQUAL(step_count, 12);

    static const struct {
        const char *cast;
        enum sl_pg_type type;
    } casts[] = {
        { "text[]", SL_PG_TEXT },
        { "boolean[]", SL_PG_BOOL },
        { "bigint[]", SL_PG_INT8 },
        { "bytea[]", SL_PG_BYTEA },
        { "timestamptz[]", SL_PG_TIMESTAMPTZ },
    };
    for (size_t i = 0; i < step_count; i++) {
        char file[64];
        const char *sql = NULL;
        snprintf(file, sizeof file, "%s.sql", steps[i].name);
        for (size_t j = 0; j < embedded_consumer_sql_count; j++) {
            sql = strcmp(embedded_consumer_sql[j].name, file) == 0 ? embedded_consumer_sql[j].data
                                                                   : sql;
        }
        CU_ASSERT_FATAL(sql != NULL);
        for (size_t j = 0; j < steps[i].param_count; j++) {
            char mark[16];
            snprintf(mark, sizeof mark, "$%zu::", j + 1);
            const char *cast = strstr(sql, mark);
            CU_ASSERT_FATAL(cast != NULL);
            cast += strlen(mark);
            const unsigned char *header = (const unsigned char *)steps[i].params[j].value.data;
            unsigned type = (unsigned)header[10] << 8 | header[11];
            bool is_cast = false;
            for (size_t k = 0; k < sizeof casts / sizeof casts[0]; k++) {
                is_cast = is_cast || (type == casts[k].type &&
                                      strncmp(cast, casts[k].cast, strlen(casts[k].cast)) == 0);
            }
            if (!is_cast) {
                fprintf(stderr, "%s: parameter %zu is of type %u\n", file, j + 1, type);
            }
            CU_ASSERT(is_cast);
            CU_ASSERT(steps[i].params[j].is_binary);
        }
        char beyond[16];
        snprintf(beyond, sizeof beyond, "$%zu::", steps[i].param_count + 1);
        CU_ASSERT_PTR_NULL(strstr(sql, beyond));
    }
}

CLAIM(billing_apply__the_columns_are_named_in_the_statements_in_this_order)
{
    static const char *const files[CON_BILLING_TABLES] = {
        [CON_BILLING_CUSTOMER] = "customer_upsert.sql",
        [CON_BILLING_SUBSCRIPTION] = "subscription_upsert.sql",
        [CON_BILLING_SUBSCRIPTION_ITEM] = "subscription_item_upsert.sql",
        [CON_BILLING_INVOICE] = "invoice_upsert.sql",
        [CON_BILLING_INVOICE_LINE] = "invoice_line_upsert.sql",
        [CON_BILLING_INVOICE_PAYMENT] = "invoice_payment_upsert.sql",
        [CON_BILLING_ACCOUNT] = "account_upsert.sql",
    };
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        const char *at = NULL;
        for (size_t i = 0; i < embedded_consumer_sql_count; i++) {
            if (strcmp(embedded_consumer_sql[i].name, files[table]) == 0) {
                at = strstr(embedded_consumer_sql[i].data, "AS b (");
            }
        }
        CU_ASSERT_FATAL(at != NULL);
        struct sl_span rest =
            sl_span_make(at + strlen("AS b ("), strcspn(at, ")") - strlen("AS b ("));
        struct con_columns columns = con_billing_columns((enum con_billing_table)table);
        struct sl_span name = { 0 };
        for (size_t i = 0; i < 3 + columns.count; i++) {
            static const char *const keys[] = { "account", "livemode", "id" };
            CU_ASSERT_FATAL(sl_span_split(&rest, ',', &name));
            const char *want = i < 3 ? keys[i] : columns.items[i - 3].name;
            if (!sl_span_is(sl_span_trim(name), want)) {
                fprintf(stderr, "%s has %.*s where the row has %s\n", files[table],
                        SL_SPAN_ARGS(sl_span_trim(name)), want);
                CU_FAIL("another column");
            }
        }
    }
}

CLAIM(billing_apply__verdicts_follow_what_was_written)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e0", "customer.created", 10, "{'id':'cus_1','created':1}");
    add(&bench, "e1", "customer.updated", 20, "{'id':'cus_1','created':1}");
    add(&bench, "e2", "customer.updated", 15, "{'id':'cus_1','created':1}"); /* late in the batch */
    add(&bench, "e3", "customer.updated", 15,
        "{'id':'cus_2','created':1}"); /* the table is newer */
    add(&bench, "e4", "customer.updated", 15, "{'id':'cus_3','created':1}"); /* deleted long ago */
    add(&bench, "e5", "customer.deleted", 15, "{'id':'cus_4','deleted':true}");
    add(&bench, "e6", "customer.deleted", 15, "{'id':'cus_5','deleted':true}"); /* known already */
    add(&bench, "e7", "charge.succeeded", 15, "{'id':'ch_1'}");
    read_all(&bench);
    char room[512];
    CU_ASSERT_STRING_EQUAL(plan(&bench, 0, bench.count, room),
                           "customer_upsert:3 customer_delete:2");
    written(&bench, "customer_upsert", "cus_1", "f");
    written(&bench, "customer_upsert", "cus_3", "t");
    written(&bench, "customer_delete", "cus_4", "f");
    con_billing_settle(bench.billing);
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "AASSSASI");
}

CLAIM(billing_apply__a_batch_that_failed_is_planned_again_in_parts)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e0", "customer.updated", 30, "{'id':'cus_1','created':1}");
    add(&bench, "e1", "customer.updated", 20, "{'id':'cus_1','created':1}");
    add(&bench, "e2", "customer.updated", 20, "{'id':'cus_2','created':1}");
    read_all(&bench);
    char room[512];
    plan(&bench, 0, 3, room);
    written(&bench, "customer_upsert", "cus_1", "f");
    /* ... and then the transaction was rolled back. */
    CU_ASSERT_STRING_EQUAL(plan(&bench, 1, 2, room), "customer_upsert:2");
    written(&bench, "customer_upsert", "cus_1", "f");
    con_billing_settle(bench.billing);
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "PAS");
    CU_ASSERT_STRING_EQUAL(plan(&bench, 0, 1, room), "customer_upsert:1");
    con_billing_settle(bench.billing);
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "SAS");
}

CLAIM(billing_apply__duplicates_and_the_settled_are_left_alone)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e0", "customer.updated", 30, "{'id':'cus_1','created':1}");
    add(&bench, "e1", "customer.updated", 20, "{'id':'cus_2','created':1}");
    read_all(&bench);
    bench.events[0].verdict = CON_DUPLICATE;
    bench.events[1].verdict = CON_APPLIED;
    char room[512];
    CU_ASSERT_STRING_EQUAL(plan(&bench, 0, 2, room), "");
    con_billing_settle(bench.billing);
    CU_ASSERT_EQUAL(bench.events[0].verdict, CON_DUPLICATE);
    CU_ASSERT_EQUAL(bench.events[1].verdict, CON_APPLIED);
    CU_ASSERT_STRING_EQUAL(plan(&bench, 1, 0, room), "");
}

CLAIM(billing_apply__only_the_children_of_the_newest_parent_are_written)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e0", "customer.subscription.updated", 30,
        "{'id':'sub_1','items':{'data':[{'id':'si_1'},{'id':'si_2'},{'id':'si_2'}]}}");
    add(&bench, "e1", "customer.subscription.updated", 20,
        "{'id':'sub_1','items':{'data':[{'id':'si_1'},{'id':'si_8'},{'id':'si_9'}]}}");
    add(&bench, "e2", "customer.subscription.updated", 20, /* claims an item of another */
        "{'id':'sub_2','items':{'data':[{'id':'si_1'},{'id':'si_3'}]}}");
    read_all(&bench);
    char room[512];
    CU_ASSERT_STRING_EQUAL(
        plan(&bench, 0, 3, room),
        "subscription_upsert:2 subscription_item_upsert:3 subscription_item_missing:2");
}

CLAIM(billing_apply__many_children_are_planned_anew)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    char object[2048] = "{'id':'sub_1','items':{'data':[{'id':'si_0'}";
    for (int i = 1; i < 31; i++) {
        size_t end = strlen(object);
        snprintf(object + end, sizeof object - end, ",{'id':'si_%d'}", i);
    }
    size_t used = strlen(object);
    snprintf(object + used, sizeof object - used, "],'has_more':false}}");
    add(&bench, "e0", "customer.subscription.updated", 30, object);
    read_all(&bench);
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(con_billing_plan(bench.billing, 0, 1, &err));
    size_t step_count = 0;
    const struct sl_pg_step *steps = con_billing_steps(bench.billing, &step_count);
    CU_ASSERT_EQUAL_FATAL(step_count, 4);
    CU_ASSERT_STRING_EQUAL(steps[0].name, "subscription_upsert");
    CU_ASSERT_PTR_NULL(steps[1].name);
    CU_ASSERT_STRING_EQUAL(steps[1].sql, "SET LOCAL plan_cache_mode = force_custom_plan");
    CU_ASSERT_STRING_EQUAL(steps[2].name, "subscription_item_upsert");
    CU_ASSERT_STRING_EQUAL(steps[3].name, "subscription_item_missing");
}

CLAIM(billing_apply__parameters_over_the_limit_are_the_batch_s_fault)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    con_billing_free(bench.billing);
    bench.billing = con_billing_new(256, "billing", &(struct con_billing_asks){ .is_on = true });
    add(&bench, "e0", "customer.updated", 30, "{'id':'cus_1','created':1}");
    read_all(&bench);
    struct sl_err err = { 0 };
    CU_ASSERT_FALSE(con_billing_plan(bench.billing, 0, 1, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_LIMIT);
    size_t step_count = 7;
    con_billing_steps(bench.billing, &step_count);
    CU_ASSERT_EQUAL(step_count, 0);
}

CLAIM(billing_apply__a_row_that_was_not_asked_for_is_a_bug)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e0", "customer.updated", 30, "{'id':'cus_1','created':1}");
    read_all(&bench);
    char room[512];
    plan(&bench, 0, 1, room);
    struct sl_err err = { 0 };
    CU_ASSERT_FALSE(con_billing_written(bench.billing, 0, SL_SPAN_LITERAL("acct_1"),
                                        SL_SPAN_LITERAL("f"), SL_SPAN_LITERAL("cus_1"),
                                        SL_SPAN_LITERAL("f"), &err));
    CU_ASSERT_EQUAL(err.code, SL_E_BUG);
}

/* Plans on and says the steps, as plan() does. */
static const char *again(struct bench *bench, char room[512])
{
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(con_billing_again(bench->billing, &err));
    size_t step_count = 0;
    const struct sl_pg_step *steps = con_billing_steps(bench->billing, &step_count);
    room[0] = '\0';
    for (size_t i = 0; i < step_count; i++) {
        size_t used = strlen(room);
        snprintf(room + used, 512 - used, "%s%s:%d", i == 0 ? "" : " ", steps[i].name,
                 steps[i].params[0].value.data[15]);
    }
    return room;
}

static void twin(struct bench *bench, size_t place, const char *id, const char *event)
{
    struct sl_err err = { 0 };
    CU_ASSERT(con_billing_twin(bench->billing, place, sl_span_of(id),
                               SL_SPAN_LITERAL("customer.updated"),
                               story_json(&bench->story, event), &err));
}

CLAIM(billing_apply__what_was_written_and_met_no_equal_is_not_asked_about)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e1", "customer.updated", 10, "{'id':'cus_1','created':1}");
    add(&bench, "e2", "customer.updated", 11, "{'id':'cus_1','created':1}");
    read_all(&bench);
    char room[512];
    plan(&bench, 0, 2, room);
    written(&bench, "customer_upsert", "cus_1", "f");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "");
    CU_ASSERT_EQUAL(con_billing_settle(bench.billing), 0);
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "AA");
}

CLAIM(billing_apply__of_equals_in_a_batch_the_last_by_previous_attributes_is_written)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e9", "customer.updated", 10, "{'id':'cus_1','created':1,'name':'c'}");
    add(&bench, "e1", "customer.updated", 10, "{'id':'cus_1','created':1,'name':'b'}");
    read_all(&bench);
    char room[512];
    plan(&bench, 0, 2, room);
    written(&bench, "customer_upsert", "cus_1", "f");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "twins:1");
    twin(
        &bench, 1, "e1",
        "{'data':{'object':{'id':'cus_1','created':1,'name':'b'},'previous_attributes':{'name':'a'}}}");
    twin(
        &bench, 1, "e9",
        "{'data':{'object':{'id':'cus_1','created':1,'name':'c'},'previous_attributes':{'name':'b'}}}");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "customer_upsert:1");
    written(&bench, "customer_upsert", "cus_1", "f");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "");
    CU_ASSERT_EQUAL(con_billing_settle(bench.billing), 0);
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "AS");
}

CLAIM(billing_apply__an_equal_of_the_table_s_row_that_is_not_the_last_is_stale)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e1", "customer.updated", 10, "{'id':'cus_1','created':1,'name':'b'}");
    read_all(&bench);
    char room[512];
    plan(&bench, 0, 1, room); /* and nothing was written */
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "twins:1");
    twin(
        &bench, 1, "e1",
        "{'data':{'object':{'id':'cus_1','created':1,'name':'b'},'previous_attributes':{'name':'a'}}}");
    twin(
        &bench, 1, "e2",
        "{'data':{'object':{'id':'cus_1','created':1,'name':'c'},'previous_attributes':{'name':'b'}}}");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "customer_upsert:1");
    written(&bench, "customer_upsert", "cus_1", "f");
    CU_ASSERT_EQUAL(con_billing_settle(bench.billing), 0);
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "S");
}

CLAIM(billing_apply__what_nothing_orders_is_counted)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e1", "customer.updated", 10, "{'id':'cus_1','created':1,'name':'b'}");
    add(&bench, "e2", "customer.updated", 10, "{'id':'cus_2','created':1}");
    read_all(&bench);
    char room[512];
    plan(&bench, 0, 2, room);
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "twins:2");
    twin(&bench, 1, "e1", "{'data':{'object':{'id':'cus_1','created':1,'name':'b'}}}");
    twin(&bench, 1, "e3", "{'data':{'object':{'id':'cus_1','created':1,'name':'c'}}}");
    struct sl_err err = { 0 };
    CU_ASSERT(con_billing_twin(bench.billing, 2, SL_SPAN_LITERAL("e2"),
                               SL_SPAN_LITERAL("customer.updated"), NULL, &err));
    CU_ASSERT_FALSE(con_billing_twin(bench.billing, 3, SL_SPAN_LITERAL("e2"),
                                     SL_SPAN_LITERAL("customer.updated"), NULL, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_BUG);
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "customer_upsert:1");
    CU_ASSERT_EQUAL(con_billing_settle(bench.billing), 2);
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "SS");
}

/* A thin event about cus_1. */
static void add_thin(struct bench *bench, const char *id, bool livemode)
{
    add(bench, id, "v1.customer.updated", 10, "{}");
    struct con_event *event = &bench->events[bench->count - 1];
    event->envelope.livemode = livemode;
    event->json =
        story_json(&bench->story,
                   "{'object':'v2.core.event','related_object':{'id':'cus_1','type':'customer'}}");
}

CLAIM(billing_apply__what_nothing_orders_is_asked_of_stripe)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add(&bench, "e1", "customer.updated", 10, "{'id':'cus_1','created':1,'name':'b'}");
    read_all(&bench);
    char room[512];
    plan(&bench, 0, 1, room);
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "twins:1");
    twin(&bench, 1, "e1", "{'data':{'object':{'id':'cus_1','created':1,'name':'b'}}}");
    twin(&bench, 1, "e3", "{'data':{'object':{'id':'cus_1','created':1,'name':'c'}}}");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "customer_upsert:1");
    written(&bench, "customer_upsert", "cus_1", "f");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "refetch_ask:1");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "");
    CU_ASSERT_EQUAL(con_billing_settle(bench.billing), 1);
}

CLAIM(billing_apply__thin_events_ask_once_they_are_claimed_and_only_in_the_mode_of_the_key)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    add_thin(&bench, "e1", false);
    add_thin(&bench, "e2", false);
    add_thin(&bench, "e3", true);
    add(&bench, "e4", "v1.payout.paid", 10, "{}");
    read_all(&bench);
    char room[512];
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "IIII");
    bench.events[1].verdict = CON_DUPLICATE;
    CU_ASSERT_STRING_EQUAL(plan(&bench, 0, bench.count, room), "refetch_ask:1");
    CU_ASSERT_STRING_EQUAL(again(&bench, room), "");
    CU_ASSERT_STRING_EQUAL(plan(&bench, 1, 3, room), "");
    CU_ASSERT_EQUAL(con_billing_settle(bench.billing), 0);
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "IUII");
}

CLAIM(billing_apply__lists_in_part_are_asked_for_where_they_were_written)
{
    static const struct {
        const char *type;
        bool is_written;
        const char *want;
    } rows[] = {
        { "customer.subscription.updated", true, "refetch_ask:1" },
        { "customer.subscription.updated", false, "twins:1" }, /* older than the table's */
        { "sluice.subscription.observed", true, "" },          /* Stripe's own answer */
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(bench_done) struct bench bench;
        bench_init(&bench);
        add(&bench, "e1", rows[i].type, 10,
            "{'id':'sub_1','items':{'data':[{'id':'si_1'}],'has_more':true}}");
        read_all(&bench);
        char room[512];
        plan(&bench, 0, 1, room);
        if (rows[i].is_written) {
            written(&bench, "subscription_upsert", "sub_1", "f");
        }
        CU_ASSERT_STRING_EQUAL(again(&bench, room), rows[i].want);
        CU_ASSERT_STRING_EQUAL(again(&bench, room), "");
    }
}

CLAIM(billing_apply__an_answer_that_ties_is_asked_for_again_but_not_while_a_test_clock_stands)
{
    static const struct {
        const char *object, *want;
    } rows[] = {
        { "{'id':'cus_1','created':1}", "refetch_ask:1" },
        { "{'id':'cus_1','created':1,'test_clock':'clock_1'}", "" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(bench_done) struct bench bench;
        bench_init(&bench);
        add(&bench, "e1", "sluice.customer.observed", 10, rows[i].object);
        read_all(&bench);
        char room[512];
        plan(&bench, 0, 1, room); /* and nothing was written */
        CU_ASSERT_STRING_EQUAL(again(&bench, room), "twins:1");
        char event[128];
        snprintf(event, sizeof event, "{'data':{'object':%s}}", rows[i].object);
        twin(&bench, 1, "e1", event);
        twin(&bench, 1, "e2", "{'data':{'object':{'id':'cus_1','created':1,'name':'c'}}}");
        CU_ASSERT_STRING_EQUAL(again(&bench, room), "customer_upsert:1");
        written(&bench, "customer_upsert", "cus_1", "f");
        CU_ASSERT_STRING_EQUAL(again(&bench, room), rows[i].want);
    }
}

CLAIM(billing_apply__without_a_key_nothing_is_asked)
{
    SL_DONE(bench_done) struct bench bench;
    bench_init(&bench);
    con_billing_free(bench.billing);
    bench.billing = con_billing_new(PARAM_BYTES_MAX, "billing", &(struct con_billing_asks){ 0 });
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench.billing);
    add_thin(&bench, "e1", false);
    read_all(&bench);
    char room[512];
    CU_ASSERT_STRING_EQUAL(plan(&bench, 0, 1, room), "");
    CU_ASSERT_STRING_EQUAL(verdicts(&bench, room), "I");
}
