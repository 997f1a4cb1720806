-- Writes the items of every subscription whose version in this transaction is the one they came with;
-- those of a losing subscription event touch nothing. Run after subscription_upsert, before subscription_item_missing.
-- Keys are distinct. A child that is written is present: deleted_at is cleared.
INSERT INTO billing_subscription_item AS b (
    account, livemode, id, subscription, position, price, product, currency, unit_amount, unit_amount_decimal,
    recurring_interval, recurring_interval_count, usage_type, meter, quantity, current_period_start,
    current_period_end, billed_until, discounts, tax_rates, metadata, created, src_created, src_phase,
    src_event_id)
SELECT
    i.account, i.livemode, i.id, i.subscription, i.position::integer, i.price, i.product, i.currency,
    i.unit_amount, i.unit_amount_decimal::numeric, i.recurring_interval, i.recurring_interval_count,
    i.usage_type, i.meter, i.quantity, i.current_period_start, i.current_period_end, i.billed_until,
    i.discounts::jsonb, i.tax_rates::jsonb, i.metadata::jsonb, i.created, i.src_created, i.src_phase::smallint,
    i.src_event_id
  FROM unnest(
    $1::text[], $2::boolean[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
    $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::bigint[],
    $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::text[], $20::text[], $21::text[],
    $22::timestamptz[], $23::timestamptz[], $24::bigint[], $25::text[]
  ) AS i(
    account, livemode, id, subscription, position, price, product, currency, unit_amount, unit_amount_decimal,
    recurring_interval, recurring_interval_count, usage_type, meter, quantity, current_period_start,
    current_period_end, billed_until, discounts, tax_rates, metadata, created, src_created, src_phase,
    src_event_id)
  JOIN billing_subscription p
    ON p.account = i.account AND p.livemode = i.livemode AND p.id = i.subscription AND p.src_event_id = i.src_event_id
 ORDER BY i.account, i.livemode, i.id
    ON CONFLICT (account, livemode, id) DO UPDATE SET
    (subscription, position, price, product, currency, unit_amount, unit_amount_decimal, recurring_interval,
     recurring_interval_count, usage_type, meter, quantity, current_period_start, current_period_end,
     billed_until, discounts, tax_rates, metadata, created, src_created, src_phase, src_event_id)
    = (excluded.subscription, excluded.position, excluded.price, excluded.product, excluded.currency,
       excluded.unit_amount, excluded.unit_amount_decimal, excluded.recurring_interval,
       excluded.recurring_interval_count, excluded.usage_type, excluded.meter, excluded.quantity,
       excluded.current_period_start, excluded.current_period_end, excluded.billed_until, excluded.discounts,
       excluded.tax_rates, excluded.metadata, excluded.created, excluded.src_created, excluded.src_phase,
       excluded.src_event_id),
    deleted_at = NULL,
    synced_at = now()
