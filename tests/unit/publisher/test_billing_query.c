#include "publisher/billing/billing_query.h"

#include <stdio.h>

#include "tests/support/claims.h"

static struct pub_billing_query read;

static int ask(const char *path, const char *query)
{
    return pub_billing_query_read(sl_span_of(path), sl_span_of(query), &read);
}

/* "a|b|-": the parameters, - for NULL. */
static const char *params(char room[512])
{
    struct sl_pg_param items[PUB_BILLING_PARAMS_MAX];
    pub_billing_query_params(&read, items);
    room[0] = '\0';
    for (size_t i = 0; i < read.param_count; i++) {
        size_t used = strlen(room);
        snprintf(room + used, 512 - used, "%s%.*s", i == 0 ? "" : "|",
                 items[i].value.data == NULL ? 1 : (int)items[i].value.bytes,
                 items[i].value.data == NULL ? "-" : items[i].value.data);
    }
    return room;
}

CLAIM(billing_query__a_list_is_of_live_objects_of_the_own_account_unless_said_otherwise)
{
    char room[512];
    CU_ASSERT_EQUAL(ask("/api/v1/billing/customers", NULL), 0);
    CU_ASSERT_STRING_EQUAL(read.statement, "customer_list");
    CU_ASSERT_STRING_EQUAL(params(room), "|true|11|-|-|-|-|-|-|-|-");
    CU_ASSERT_EQUAL(ask("/api/v1/billing/invoices",
                        "livemode=false&account=acct_1&limit=100&status=open&customer=cus_1"),
                    0);
    CU_ASSERT_STRING_EQUAL(params(room), "acct_1|false|101|-|-|-|-|-|-|cus_1|-|open");
}

CLAIM(billing_query__one_object_takes_no_filters)
{
    char room[512];
    CU_ASSERT_EQUAL(ask("/api/v1/billing/subscriptions/sub_1", "livemode=false"), 0);
    CU_ASSERT_STRING_EQUAL(read.statement, "subscription_get");
    CU_ASSERT_FALSE(read.is_list);
    CU_ASSERT_STRING_EQUAL(params(room), "|false|sub_1");
    CU_ASSERT_EQUAL(ask("/api/v1/billing/subscriptions/sub_1", "limit=3"), 400);
    CU_ASSERT_EQUAL(ask("/api/v1/billing/subscriptions/sub_1/items", NULL), 404);
    CU_ASSERT_EQUAL(ask("/api/v1/billing/subscriptions/", NULL), 404);
}

CLAIM(billing_query__a_cursor_names_the_statement_that_finds_it)
{
    struct sl_pg_param cursor[3];
    CU_ASSERT_EQUAL(ask("/api/v1/billing/invoices", "ending_before=in_1"), 0);
    CU_ASSERT(read.is_back && read.has_cursor);
    CU_ASSERT_STRING_EQUAL(pub_billing_query_cursor(&read, cursor), "invoice_get");
    CU_ASSERT(sl_span_is(cursor[2].value, "in_1"));
    CU_ASSERT_EQUAL(ask("/api/v1/billing/invoices", "starting_after=in_2"), 0);
    CU_ASSERT(!read.is_back && read.has_cursor);
}

CLAIM(billing_query__mistakes_are_refused_with_a_sentence)
{
    static const struct {
        const char *path;
        const char *query;
        int status;
        const char *why;
    } rows[] = {
        { "/api/v1/billing/plans", NULL, 404, "customers, subscriptions and invoices" },
        { "/api/v1/billing/customers", "limit=101", 400, "limit" },
        { "/api/v1/billing/customers", "limit=01", 400, "limit" },
        { "/api/v1/billing/customers", "limit=", 400, "limit" },
        { "/api/v1/billing/customers", "account=a&account=b", 400, "account is given twice" },
        { "/api/v1/billing/customers", "livemode=1", 400, "livemode" },
        { "/api/v1/billing/customers", "customer=cus_1", 400, "customer cannot be asked" },
        { "/api/v1/billing/customers", "deleted=maybe", 400, "deleted" },
        { "/api/v1/billing/customers", "created[gt]=-1", 400, "created[gt]" },
        { "/api/v1/billing/customers", "a%00b=1", 400, "name" },
        { "/api/v1/billing/invoices", "statu=open", 400, "did you mean status" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(ask(rows[i].path, rows[i].query), rows[i].status);
        CU_ASSERT_PTR_NOT_NULL(strstr(read.why, rows[i].why));
    }
}
