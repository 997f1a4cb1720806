/*
 * billing_columns - where each column of the billing tables is found in Stripe's objects. Data only; see billing_cells.h.
 *
 * Places are tried from left to right: the current API first, then where versions before 2025-03-31 had it.
 * Source: https://docs.stripe.com/changelog/basil.
 */
#include "consumer/billing/billing_cells.h"

/* clang-format off */
static const struct con_column customer[] = {
    { "email",                  CON_CELL_TEXT, { "email" } },
    { "name",                   CON_CELL_TEXT, { "name" } },
    { "phone",                  CON_CELL_TEXT, { "phone" } },
    { "description",            CON_CELL_TEXT, { "description" } },
    { "address",                CON_CELL_JSON, { "address" } },
    { "shipping",               CON_CELL_JSON, { "shipping" } },
    { "balance",                CON_CELL_INT,  { "balance", "account_balance" } },
    { "currency",               CON_CELL_TEXT, { "currency" } },
    { "delinquent",             CON_CELL_BOOL, { "delinquent" } },
    { "default_source",         CON_CELL_REF,  { "default_source" } },
    { "default_payment_method", CON_CELL_REF,  { "invoice_settings.default_payment_method" } },
    { "discount",               CON_CELL_JSON, { "discount" } },
    { "tax_exempt",             CON_CELL_TEXT, { "tax_exempt" } },
    { "tax_ids",                CON_CELL_JSON, { "tax_ids" } },
    { "preferred_locales",      CON_CELL_JSON, { "preferred_locales" } },
    { "invoice_prefix",         CON_CELL_TEXT, { "invoice_prefix" } },
    { "test_clock",             CON_CELL_REF,  { "test_clock" } },
    { "metadata",               CON_CELL_JSON, { "metadata" } },
    { "created",                CON_CELL_TIME, { "created" } },
};

static const struct con_column subscription[] = {
    { "customer",                CON_CELL_REF,     { "customer" } },
    { "status",                  CON_CELL_TEXT,    { "status" } },
    { "collection_method",       CON_CELL_TEXT,    { "collection_method" } },
    { "currency",                CON_CELL_TEXT,    { "currency" } },
    { "description",             CON_CELL_TEXT,    { "description" } },
    { "start_date",              CON_CELL_TIME,    { "start_date", "start" } },
    { "billing_cycle_anchor",    CON_CELL_TIME,    { "billing_cycle_anchor" } },
    { "current_period_start",    CON_CELL_TIME,    { "current_period_start" } }, /* or the earliest of the items */
    { "current_period_end",      CON_CELL_TIME,    { "current_period_end" } },   /* or the latest of the items */
    { "cancel_at",               CON_CELL_TIME,    { "cancel_at" } },
    { "cancel_at_period_end",    CON_CELL_BOOL,    { "cancel_at_period_end" } },
    { "canceled_at",             CON_CELL_TIME,    { "canceled_at" } },
    { "cancellation_details",    CON_CELL_JSON,    { "cancellation_details" } },
    { "ended_at",                CON_CELL_TIME,    { "ended_at" } },
    { "trial_start",             CON_CELL_TIME,    { "trial_start" } },
    { "trial_end",               CON_CELL_TIME,    { "trial_end" } },
    { "trial_settings",          CON_CELL_JSON,    { "trial_settings" } },
    { "pause_collection",        CON_CELL_JSON,    { "pause_collection" } },
    { "pending_update",          CON_CELL_JSON,    { "pending_update" } },
    { "schedule",                CON_CELL_REF,     { "schedule" } },
    { "latest_invoice",          CON_CELL_REF,     { "latest_invoice" } },
    { "default_payment_method",  CON_CELL_REF,     { "default_payment_method" } },
    { "default_source",          CON_CELL_REF,     { "default_source" } },
    { "days_until_due",          CON_CELL_INT,     { "days_until_due" } },
    { "discounts",               CON_CELL_JSON,    { "discounts" } },            /* or a list of the one `discount`'s id */
    { "billing_mode",            CON_CELL_JSON,    { "billing_mode" } },
    { "on_behalf_of",            CON_CELL_REF,     { "on_behalf_of" } },
    { "transfer_data",           CON_CELL_JSON,    { "transfer_data" } },
    { "application_fee_percent", CON_CELL_DECIMAL, { "application_fee_percent" } },
    { "items_has_more",          CON_CELL_BOOL,    { "items.has_more" } },
    { "test_clock",              CON_CELL_REF,     { "test_clock" } },
    { "metadata",                CON_CELL_JSON,    { "metadata" } },
    { "created",                 CON_CELL_TIME,    { "created" } },
};

static const struct con_column subscription_item[] = {
    { "subscription",             CON_CELL_TEXT,    { NULL } },
    { "position",                 CON_CELL_INT,     { NULL } },
    { "price",                    CON_CELL_REF,     { "price", "plan" } },
    { "product",                  CON_CELL_REF,     { "price.product", "plan.product" } },
    { "currency",                 CON_CELL_TEXT,    { "price.currency", "plan.currency" } },
    { "unit_amount",              CON_CELL_INT,     { "price.unit_amount", "plan.amount" } },
    { "unit_amount_decimal",      CON_CELL_DECIMAL, { "price.unit_amount_decimal", "plan.amount_decimal" } },
    { "recurring_interval",       CON_CELL_TEXT,    { "price.recurring.interval", "plan.interval" } },
    { "recurring_interval_count", CON_CELL_INT,     { "price.recurring.interval_count", "plan.interval_count" } },
    { "usage_type",               CON_CELL_TEXT,    { "price.recurring.usage_type", "plan.usage_type" } },
    { "meter",                    CON_CELL_REF,     { "price.recurring.meter", "plan.meter" } },
    { "quantity",                 CON_CELL_INT,     { "quantity" } },
    { "current_period_start",     CON_CELL_TIME,    { "current_period_start" } }, /* or the subscription's */
    { "current_period_end",       CON_CELL_TIME,    { "current_period_end" } },   /* or the subscription's */
    { "billed_until",             CON_CELL_TIME,    { "billed_until" } },
    { "discounts",                CON_CELL_JSON,    { "discounts" } },
    { "tax_rates",                CON_CELL_JSON,    { "tax_rates" } },
    { "metadata",                 CON_CELL_JSON,    { "metadata" } },
    { "created",                  CON_CELL_TIME,    { "created" } },
};

static const struct con_column invoice[] = {
    { "customer",                   CON_CELL_REF,  { "customer" } },
    { "subscription",               CON_CELL_REF,  { "parent.subscription_details.subscription", "subscription" } },
    { "parent_type",                CON_CELL_TEXT, { "parent.type" } },  /* or by which of subscription and quote is there */
    { "number",                     CON_CELL_TEXT, { "number" } },
    { "status",                     CON_CELL_TEXT, { "status" } },
    { "billing_reason",             CON_CELL_TEXT, { "billing_reason" } },
    { "collection_method",          CON_CELL_TEXT, { "collection_method" } },
    { "currency",                   CON_CELL_TEXT, { "currency" } },
    { "description",                CON_CELL_TEXT, { "description" } },
    { "amount_due",                 CON_CELL_INT,  { "amount_due" } },
    { "amount_paid",                CON_CELL_INT,  { "amount_paid" } },
    { "amount_remaining",           CON_CELL_INT,  { "amount_remaining" } },
    { "amount_overpaid",            CON_CELL_INT,  { "amount_overpaid" } },
    { "amount_paid_off_stripe",     CON_CELL_INT,  { "amount_paid_off_stripe" } },
    { "subtotal",                   CON_CELL_INT,  { "subtotal" } },
    { "total",                      CON_CELL_INT,  { "total" } },
    { "total_taxes",                CON_CELL_JSON, { "total_taxes" } },       /* or total_tax_amounts, rewritten */
    { "total_discount_amounts",     CON_CELL_JSON, { "total_discount_amounts" } },
    { "attempt_count",              CON_CELL_INT,  { "attempt_count" } },
    { "attempted",                  CON_CELL_BOOL, { "attempted" } },
    { "next_payment_attempt",       CON_CELL_TIME, { "next_payment_attempt" } },
    { "auto_advance",               CON_CELL_BOOL, { "auto_advance" } },
    { "automatically_finalizes_at", CON_CELL_TIME, { "automatically_finalizes_at" } },
    { "due_date",                   CON_CELL_TIME, { "due_date" } },
    { "effective_at",               CON_CELL_TIME, { "effective_at" } },
    { "period_start",               CON_CELL_TIME, { "period_start" } },
    { "period_end",                 CON_CELL_TIME, { "period_end" } },
    { "finalized_at",               CON_CELL_TIME, { "status_transitions.finalized_at" } },
    { "paid_at",                    CON_CELL_TIME, { "status_transitions.paid_at" } },
    { "marked_uncollectible_at",    CON_CELL_TIME, { "status_transitions.marked_uncollectible_at" } },
    { "voided_at",                  CON_CELL_TIME, { "status_transitions.voided_at" } },
    { "hosted_invoice_url",         CON_CELL_TEXT, { "hosted_invoice_url" } },
    { "invoice_pdf",                CON_CELL_TEXT, { "invoice_pdf" } },
    { "default_payment_method",     CON_CELL_REF,  { "default_payment_method" } },
    { "payment_intent",             CON_CELL_REF,  { "payment_intent" } },
    { "charge",                     CON_CELL_REF,  { "charge" } },
    { "last_finalization_error",    CON_CELL_JSON, { "last_finalization_error" } },
    { "from_invoice",               CON_CELL_JSON, { "from_invoice" } },
    { "latest_revision",            CON_CELL_REF,  { "latest_revision" } },
    { "discounts",                  CON_CELL_JSON, { "discounts" } },    /* or a list of the one `discount`'s id */
    { "lines_has_more",             CON_CELL_BOOL, { "lines.has_more" } },
    { "test_clock",                 CON_CELL_REF,  { "test_clock" } },
    { "metadata",                   CON_CELL_JSON, { "metadata" } },
    { "created",                    CON_CELL_TIME, { "created" } },
};

static const struct con_column invoice_line[] = {
    { "invoice",             CON_CELL_TEXT,    { NULL } },
    { "position",            CON_CELL_INT,     { NULL } },
    { "parent_type",         CON_CELL_TEXT,    { "parent.type" } },      /* or from `type` */
    { "subscription",        CON_CELL_REF,     { "parent.subscription_item_details.subscription",
                                                 "parent.invoice_item_details.subscription", "subscription" } },
    { "subscription_item",   CON_CELL_REF,     { "parent.subscription_item_details.subscription_item", "subscription_item" } },
    { "invoice_item",        CON_CELL_REF,     { "parent.invoice_item_details.invoice_item",
                                                 "parent.subscription_item_details.invoice_item", "invoice_item" } },
    { "proration",           CON_CELL_BOOL,    { "parent.subscription_item_details.proration",
                                                 "parent.invoice_item_details.proration", "proration" } },
    { "price",               CON_CELL_REF,     { "pricing.price_details.price", "price", "plan" } },
    { "product",             CON_CELL_REF,     { "pricing.price_details.product", "price.product", "plan.product" } },
    { "description",         CON_CELL_TEXT,    { "description" } },
    { "currency",            CON_CELL_TEXT,    { "currency" } },
    { "amount",              CON_CELL_INT,     { "amount" } },
    { "subtotal",            CON_CELL_INT,     { "subtotal" } },
    { "unit_amount_decimal", CON_CELL_DECIMAL, { "pricing.unit_amount_decimal", "price.unit_amount_decimal",
                                                 "plan.amount_decimal" } },
    { "quantity",            CON_CELL_INT,     { "quantity" } },
    { "quantity_decimal",    CON_CELL_DECIMAL, { "quantity_decimal" } },
    { "period_start",        CON_CELL_TIME,    { "period.start" } },
    { "period_end",          CON_CELL_TIME,    { "period.end" } },
    { "discount_amounts",    CON_CELL_JSON,    { "discount_amounts" } },
    { "taxes",               CON_CELL_JSON,    { "taxes" } },           /* or tax_amounts, rewritten */
    { "metadata",            CON_CELL_JSON,    { "metadata" } },
};

static const struct con_column invoice_payment[] = {
    { "invoice",          CON_CELL_REF,  { "invoice" } },
    { "payment_type",     CON_CELL_TEXT, { "payment.type" } },
    { "payment_intent",   CON_CELL_REF,  { "payment.payment_intent" } },
    { "charge",           CON_CELL_REF,  { "payment.charge" } },
    { "payment_record",   CON_CELL_REF,  { "payment.payment_record" } },
    { "amount_requested", CON_CELL_INT,  { "amount_requested" } },
    { "amount_paid",      CON_CELL_INT,  { "amount_paid" } },
    { "currency",         CON_CELL_TEXT, { "currency" } },
    { "status",           CON_CELL_TEXT, { "status" } },
    { "is_default",       CON_CELL_BOOL, { "is_default" } },
    { "paid_at",          CON_CELL_TIME, { "status_transitions.paid_at" } },
    { "canceled_at",      CON_CELL_TIME, { "status_transitions.canceled_at" } },
    { "created",          CON_CELL_TIME, { "created" } },
};

static const struct con_column account[] = {
    { "application",     CON_CELL_REF,  { "id" } },
    { "deauthorized_at", CON_CELL_TIME, { NULL } },
};
/* clang-format on */

static const struct con_columns tables[CON_BILLING_TABLES] = {
    [CON_BILLING_CUSTOMER] = { customer, SL_COUNT(customer) },
    [CON_BILLING_SUBSCRIPTION] = { subscription, SL_COUNT(subscription) },
    [CON_BILLING_SUBSCRIPTION_ITEM] = { subscription_item, SL_COUNT(subscription_item) },
    [CON_BILLING_INVOICE] = { invoice, SL_COUNT(invoice) },
    [CON_BILLING_INVOICE_LINE] = { invoice_line, SL_COUNT(invoice_line) },
    [CON_BILLING_INVOICE_PAYMENT] = { invoice_payment, SL_COUNT(invoice_payment) },
    [CON_BILLING_ACCOUNT] = { account, SL_COUNT(account) },
};

struct con_columns con_billing_columns(enum con_billing_table table)
{
    return tables[table];
}

size_t con_billing_column_index(enum con_billing_table table, const char *name)
{
    for (size_t i = 0; i < tables[table].count; i++) {
        if (strcmp(tables[table].items[i].name, name) == 0) {
            return i;
        }
    }
    SL_ASSERT(!"no such column");
    return 0;
}
