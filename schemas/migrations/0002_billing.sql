-- 0002_billing: Stripe's customers, subscriptions and invoices as rows.
--
-- Keys are (account, livemode, id). Column names are Stripe's field names; a field that Stripe nests has
-- the path in its comment. Times are timestamptz, amounts bigint in the smallest currency unit.
-- No foreign keys between these tables: a parent may arrive after its child.
--
-- Every row carries the version of the event its columns came from. Events are ordered by
--   (terminal, src_created, src_phase, progress), terminal = src_phase 3,
-- the greatest wins (progress: see the two rank functions); those that are equal are put in order by their previous_attributes.
--   src_phase 0 created, 1 notice, 2 updated or a state verb, 3 terminal: deleted, or a final status.
-- deleted_at is set once and never cleared on parents: nothing Stripe has deleted comes back.
-- A row made by a delete stub alone has src_created -infinity: any full object may still fill it in.

-- How far a status has come, for two events of one second. Neither ever goes back down.
CREATE FUNCTION billing_subscription_rank(status text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN status IS NULL THEN 0
                WHEN status = 'incomplete' THEN 1
                WHEN status IN ('canceled', 'incomplete_expired') THEN 3
                ELSE 2 END
$$;

CREATE FUNCTION billing_invoice_rank(status text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE status WHEN 'draft' THEN 1
                       WHEN 'open' THEN 2
                       WHEN 'uncollectible' THEN 3
                       WHEN 'paid' THEN 4
                       WHEN 'void' THEN 4
                       ELSE 0 END
$$;

CREATE TABLE billing_customer (
    account                text        NOT NULL DEFAULT '',
    livemode               boolean     NOT NULL,
    id                     text        NOT NULL,
    email                  text,
    name                   text,
    phone                  text,
    description            text,
    address                jsonb,
    shipping               jsonb,
    balance                bigint,
    currency               text,
    delinquent             boolean,
    default_source         text,
    default_payment_method text,
    discount               jsonb,
    tax_exempt             text,
    tax_ids                jsonb,
    preferred_locales      jsonb,
    invoice_prefix         text,
    test_clock             text,
    metadata               jsonb,
    created                timestamptz,
    deleted_at             timestamptz,
    src_created            timestamptz NOT NULL,
    src_phase              smallint    NOT NULL,
    src_event_id           text        NOT NULL,
    synced_at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, livemode, id)
) WITH (fillfactor = 85);

CREATE INDEX billing_customer_email ON billing_customer (lower(email));
CREATE INDEX billing_customer_created ON billing_customer (account, livemode, created DESC, id);

COMMENT ON TABLE billing_customer IS 'Stripe customers. A deleted one keeps its row, with deleted_at.';
COMMENT ON COLUMN billing_customer.default_payment_method IS 'invoice_settings.default_payment_method';
COMMENT ON COLUMN billing_customer.tax_ids IS 'Never in an event; there only where a refetch asked for it, and kept until the next one.';

CREATE TABLE billing_subscription (
    account                 text        NOT NULL DEFAULT '',
    livemode                boolean     NOT NULL,
    id                      text        NOT NULL,
    customer                text,
    status                  text,
    collection_method       text,
    currency                text,
    description             text,
    start_date              timestamptz,
    billing_cycle_anchor    timestamptz,
    current_period_start    timestamptz,
    current_period_end      timestamptz,
    cancel_at               timestamptz,
    cancel_at_period_end    boolean,
    canceled_at             timestamptz,
    cancellation_details    jsonb,
    ended_at                timestamptz,
    trial_start             timestamptz,
    trial_end               timestamptz,
    trial_settings          jsonb,
    pause_collection        jsonb,
    pending_update          jsonb,
    schedule                text,
    latest_invoice          text,
    default_payment_method  text,
    default_source          text,
    days_until_due          bigint,
    discounts               jsonb,
    billing_mode            jsonb,
    on_behalf_of            text,
    transfer_data           jsonb,
    application_fee_percent numeric,
    items_has_more          boolean,
    test_clock              text,
    metadata                jsonb,
    created                 timestamptz,
    deleted_at              timestamptz,
    src_created             timestamptz NOT NULL,
    src_phase               smallint    NOT NULL,
    src_event_id            text        NOT NULL,
    synced_at               timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, livemode, id)
) WITH (fillfactor = 85);

CREATE INDEX billing_subscription_customer ON billing_subscription (account, livemode, customer);
CREATE INDEX billing_subscription_created ON billing_subscription (account, livemode, created DESC, id);

COMMENT ON TABLE billing_subscription IS 'Stripe subscriptions. What is paid for is in billing_subscription_item, never on the subscription.';
COMMENT ON COLUMN billing_subscription.current_period_start IS 'The subscription''s own, or the earliest of its items (API 2025-03-31 and later).';
COMMENT ON COLUMN billing_subscription.current_period_end IS 'The subscription''s own, or the latest of its items (API 2025-03-31 and later).';
COMMENT ON COLUMN billing_subscription.discounts IS 'discounts, or [discount] of API versions before 2025-03-31.';
COMMENT ON COLUMN billing_subscription.items_has_more IS 'True: the event did not carry all items, so the stored ones may not be all there are.';
COMMENT ON COLUMN billing_subscription.deleted_at IS 'When it ended for good: canceled, expired before the first payment, or deleted.';

CREATE TABLE billing_subscription_item (
    account                  text        NOT NULL DEFAULT '',
    livemode                 boolean     NOT NULL,
    id                       text        NOT NULL,
    subscription             text        NOT NULL,
    position                 integer     NOT NULL,
    price                    text,
    product                  text,
    currency                 text,
    unit_amount              bigint,
    unit_amount_decimal      numeric,
    recurring_interval       text,
    recurring_interval_count bigint,
    usage_type               text,
    meter                    text,
    quantity                 bigint,
    current_period_start     timestamptz,
    current_period_end       timestamptz,
    billed_until             timestamptz,
    discounts                jsonb,
    tax_rates                jsonb,
    metadata                 jsonb,
    created                  timestamptz,
    deleted_at               timestamptz,
    src_created              timestamptz NOT NULL,
    src_phase                smallint    NOT NULL,
    src_event_id             text        NOT NULL,
    synced_at                timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, livemode, id)
) WITH (fillfactor = 85);

CREATE INDEX billing_subscription_item_subscription ON billing_subscription_item (account, livemode, subscription);
CREATE INDEX billing_subscription_item_price ON billing_subscription_item (account, livemode, price);

COMMENT ON TABLE billing_subscription_item IS 'Items of a subscription; they change only together with the subscription, and carry its version.';
COMMENT ON COLUMN billing_subscription_item.position IS 'Place in the list as sent, from 0.';
COMMENT ON COLUMN billing_subscription_item.price IS 'price.id, or plan.id where there is no price';
COMMENT ON COLUMN billing_subscription_item.product IS 'price.product';
COMMENT ON COLUMN billing_subscription_item.currency IS 'price.currency';
COMMENT ON COLUMN billing_subscription_item.unit_amount IS 'price.unit_amount';
COMMENT ON COLUMN billing_subscription_item.unit_amount_decimal IS 'price.unit_amount_decimal';
COMMENT ON COLUMN billing_subscription_item.recurring_interval IS 'price.recurring.interval';
COMMENT ON COLUMN billing_subscription_item.recurring_interval_count IS 'price.recurring.interval_count';
COMMENT ON COLUMN billing_subscription_item.usage_type IS 'price.recurring.usage_type';
COMMENT ON COLUMN billing_subscription_item.meter IS 'price.recurring.meter';
COMMENT ON COLUMN billing_subscription_item.quantity IS 'Absent when metered.';
COMMENT ON COLUMN billing_subscription_item.deleted_at IS 'When the item left its subscription; NULL again if it comes back.';

CREATE TABLE billing_invoice (
    account                   text        NOT NULL DEFAULT '',
    livemode                  boolean     NOT NULL,
    id                        text        NOT NULL,
    customer                  text,
    subscription              text,
    parent_type               text,
    number                    text,
    status                    text,
    billing_reason            text,
    collection_method         text,
    currency                  text,
    description               text,
    amount_due                bigint,
    amount_paid               bigint,
    amount_remaining          bigint,
    amount_overpaid           bigint,
    amount_paid_off_stripe    bigint,
    subtotal                  bigint,
    total                     bigint,
    total_taxes               jsonb,
    total_discount_amounts    jsonb,
    attempt_count             bigint,
    attempted                 boolean,
    next_payment_attempt      timestamptz,
    auto_advance              boolean,
    automatically_finalizes_at timestamptz,
    due_date                  timestamptz,
    effective_at              timestamptz,
    period_start              timestamptz,
    period_end                timestamptz,
    finalized_at              timestamptz,
    paid_at                   timestamptz,
    marked_uncollectible_at   timestamptz,
    voided_at                 timestamptz,
    hosted_invoice_url        text,
    invoice_pdf               text,
    default_payment_method    text,
    payment_intent            text,
    charge                    text,
    last_finalization_error   jsonb,
    from_invoice              jsonb,
    latest_revision           text,
    discounts                 jsonb,
    lines_has_more            boolean,
    test_clock                text,
    metadata                  jsonb,
    created                   timestamptz,
    deleted_at                timestamptz,
    src_created               timestamptz NOT NULL,
    src_phase                 smallint    NOT NULL,
    src_event_id              text        NOT NULL,
    synced_at                 timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, livemode, id)
) WITH (fillfactor = 85);

CREATE INDEX billing_invoice_customer ON billing_invoice (account, livemode, customer);
CREATE INDEX billing_invoice_subscription ON billing_invoice (account, livemode, subscription);
CREATE INDEX billing_invoice_created ON billing_invoice (account, livemode, created DESC, id);

COMMENT ON TABLE billing_invoice IS 'Stripe invoices. Only drafts are ever deleted.';
COMMENT ON COLUMN billing_invoice.subscription IS 'parent.subscription_details.subscription, or subscription before API 2025-03-31';
COMMENT ON COLUMN billing_invoice.parent_type IS 'parent.type; subscription_details or quote_details derived for API versions before 2025-03-31';
COMMENT ON COLUMN billing_invoice.total_taxes IS 'total_taxes, or total_tax_amounts before API 2025-03-31';
COMMENT ON COLUMN billing_invoice.finalized_at IS 'status_transitions.finalized_at';
COMMENT ON COLUMN billing_invoice.paid_at IS 'status_transitions.paid_at';
COMMENT ON COLUMN billing_invoice.marked_uncollectible_at IS 'status_transitions.marked_uncollectible_at';
COMMENT ON COLUMN billing_invoice.voided_at IS 'status_transitions.voided_at';
COMMENT ON COLUMN billing_invoice.payment_intent IS 'Only sent before API 2025-03-31; later see billing_invoice_payment.';
COMMENT ON COLUMN billing_invoice.charge IS 'Only sent before API 2025-03-31; later see billing_invoice_payment.';
COMMENT ON COLUMN billing_invoice.discounts IS 'discounts, or [discount] of API versions before 2025-03-31.';
COMMENT ON COLUMN billing_invoice.lines_has_more IS 'True: the event did not carry all lines, so the stored ones may not be all there are.';

CREATE TABLE billing_invoice_line (
    account             text        NOT NULL DEFAULT '',
    livemode            boolean     NOT NULL,
    id                  text        NOT NULL,
    invoice             text        NOT NULL,
    position            integer     NOT NULL,
    parent_type         text,
    subscription        text,
    subscription_item   text,
    invoice_item        text,
    proration           boolean,
    price               text,
    product             text,
    description         text,
    currency            text,
    amount              bigint,
    subtotal            bigint,
    unit_amount_decimal numeric,
    quantity            bigint,
    quantity_decimal    numeric,
    period_start        timestamptz,
    period_end          timestamptz,
    discount_amounts    jsonb,
    taxes               jsonb,
    metadata            jsonb,
    deleted_at          timestamptz,
    src_created         timestamptz NOT NULL,
    src_phase           smallint    NOT NULL,
    src_event_id        text        NOT NULL,
    synced_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, livemode, id)
) WITH (fillfactor = 85);

CREATE INDEX billing_invoice_line_invoice ON billing_invoice_line (account, livemode, invoice);

COMMENT ON TABLE billing_invoice_line IS 'Lines of an invoice; they change only together with the invoice, and carry its version.';
COMMENT ON COLUMN billing_invoice_line.position IS 'Place in the list as sent, from 0.';
COMMENT ON COLUMN billing_invoice_line.parent_type IS 'parent.type; derived from type before API 2025-03-31';
COMMENT ON COLUMN billing_invoice_line.subscription_item IS 'parent.subscription_item_details.subscription_item, or subscription_item';
COMMENT ON COLUMN billing_invoice_line.invoice_item IS 'parent.*.invoice_item, or invoice_item';
COMMENT ON COLUMN billing_invoice_line.price IS 'pricing.price_details.price, or price.id, or plan.id';
COMMENT ON COLUMN billing_invoice_line.product IS 'pricing.price_details.product, or price.product';
COMMENT ON COLUMN billing_invoice_line.unit_amount_decimal IS 'pricing.unit_amount_decimal, or price.unit_amount_decimal';
COMMENT ON COLUMN billing_invoice_line.period_start IS 'period.start';
COMMENT ON COLUMN billing_invoice_line.period_end IS 'period.end';
COMMENT ON COLUMN billing_invoice_line.taxes IS 'taxes, or tax_amounts before API 2025-03-31';
COMMENT ON COLUMN billing_invoice_line.deleted_at IS 'When the line left its invoice; NULL again if it comes back.';

CREATE TABLE billing_invoice_payment (
    account          text        NOT NULL DEFAULT '',
    livemode         boolean     NOT NULL,
    id               text        NOT NULL,
    invoice          text,
    payment_type     text,
    payment_intent   text,
    charge           text,
    payment_record   text,
    amount_requested bigint,
    amount_paid      bigint,
    currency         text,
    status           text,
    is_default       boolean,
    paid_at          timestamptz,
    canceled_at      timestamptz,
    created          timestamptz,
    deleted_at       timestamptz,
    src_created      timestamptz NOT NULL,
    src_phase        smallint    NOT NULL,
    src_event_id     text        NOT NULL,
    synced_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, livemode, id)
) WITH (fillfactor = 85);

CREATE INDEX billing_invoice_payment_invoice ON billing_invoice_payment (account, livemode, invoice);
CREATE INDEX billing_invoice_payment_intent ON billing_invoice_payment (account, livemode, payment_intent)
    WHERE payment_intent IS NOT NULL;

COMMENT ON TABLE billing_invoice_payment IS 'Payments of an invoice, several per invoice; since API 2025-03-31 the only link between the two.';
COMMENT ON COLUMN billing_invoice_payment.payment_type IS 'payment.type: payment_intent, charge or payment_record';
COMMENT ON COLUMN billing_invoice_payment.payment_intent IS 'payment.payment_intent';
COMMENT ON COLUMN billing_invoice_payment.charge IS 'payment.charge';
COMMENT ON COLUMN billing_invoice_payment.payment_record IS 'payment.payment_record';
COMMENT ON COLUMN billing_invoice_payment.paid_at IS 'status_transitions.paid_at';
COMMENT ON COLUMN billing_invoice_payment.canceled_at IS 'status_transitions.canceled_at';

-- Access ----------------------------------------------------------------------------------------
-- How long a subscription that is past due still gives access, counted from the start of the unpaid period.
-- Seven days unless an operator has set sluice_control ('billing', 'grace_days').
CREATE FUNCTION billing_grace() RETURNS interval
LANGUAGE sql STABLE AS $$
    SELECT make_interval(days => coalesce(
        (SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN least(greatest(value::numeric, 0), 3650)::integer END
           FROM sluice_control
          WHERE subsystem = 'billing' AND name = 'grace_days' AND (expires_at IS NULL OR expires_at > now())), 7))
$$;

-- A date set for the end (cancel_at, cancel_at_period_end) does not end access before that date.
CREATE VIEW billing_access AS
SELECT known.account, known.livemode, known.customer, c.email,
       coalesce(best.grants, false) AND c.deleted_at IS NULL AS has_access,
       best.subscription, best.status, best.current_period_end, best.cancel_at, best.cancel_at_period_end
  FROM (SELECT account, livemode, id AS customer FROM billing_customer
        UNION
        SELECT account, livemode, customer FROM billing_subscription WHERE customer IS NOT NULL) known
  LEFT JOIN billing_customer c
         ON c.account = known.account AND c.livemode = known.livemode AND c.id = known.customer
  LEFT JOIN LATERAL (
        -- One subscription speaks for the customer: one that gives access, the longest paid, the newest.
        SELECT s.id AS subscription, s.status, s.current_period_end, s.cancel_at, s.cancel_at_period_end,
               coalesce(s.deleted_at IS NULL
                        AND (s.status IN ('active', 'trialing')
                             OR (s.status = 'past_due' AND now() < s.current_period_start + billing_grace())),
                        false) AS grants
          FROM billing_subscription s
         WHERE s.account = known.account AND s.livemode = known.livemode AND s.customer = known.customer
         ORDER BY grants DESC, s.current_period_end DESC NULLS LAST, s.created DESC NULLS LAST, s.id
         LIMIT 1) best ON true;

COMMENT ON VIEW billing_access IS 'Has this customer access now, and which subscription says so; one row per known customer.';
