-- Writes the lines of every invoice whose version in this transaction is the one they came with;
-- those of a losing invoice event touch nothing. Run after invoice_upsert, before invoice_line_missing.
-- Keys are distinct. A child that is written is present: deleted_at is cleared.
INSERT INTO billing_invoice_line AS b (
    account, livemode, id, invoice, position, parent_type, subscription, subscription_item, invoice_item,
    proration, price, product, description, currency, amount, subtotal, unit_amount_decimal, quantity,
    quantity_decimal, period_start, period_end, discount_amounts, taxes, metadata, src_created, src_phase,
    src_event_id)
SELECT
    i.account, i.livemode, i.id, i.invoice, i.position::integer, i.parent_type, i.subscription,
    i.subscription_item, i.invoice_item, i.proration, i.price, i.product, i.description, i.currency, i.amount,
    i.subtotal, i.unit_amount_decimal::numeric, i.quantity, i.quantity_decimal::numeric, i.period_start,
    i.period_end, i.discount_amounts::jsonb, i.taxes::jsonb, i.metadata::jsonb, i.src_created,
    i.src_phase::smallint, i.src_event_id
  FROM unnest(
    $1::text[], $2::boolean[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::boolean[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[],
    $16::bigint[], $17::text[], $18::bigint[], $19::text[], $20::timestamptz[], $21::timestamptz[], $22::text[],
    $23::text[], $24::text[], $25::timestamptz[], $26::bigint[], $27::text[]
  ) AS i(
    account, livemode, id, invoice, position, parent_type, subscription, subscription_item, invoice_item,
    proration, price, product, description, currency, amount, subtotal, unit_amount_decimal, quantity,
    quantity_decimal, period_start, period_end, discount_amounts, taxes, metadata, src_created, src_phase,
    src_event_id)
  JOIN billing_invoice p
    ON p.account = i.account AND p.livemode = i.livemode AND p.id = i.invoice AND p.src_event_id = i.src_event_id
 ORDER BY i.account, i.livemode, i.id
    ON CONFLICT (account, livemode, id) DO UPDATE SET
    (invoice, position, parent_type, subscription, subscription_item, invoice_item, proration, price, product,
     description, currency, amount, subtotal, unit_amount_decimal, quantity, quantity_decimal, period_start,
     period_end, discount_amounts, taxes, metadata, src_created, src_phase, src_event_id)
    = (excluded.invoice, excluded.position, excluded.parent_type, excluded.subscription,
       excluded.subscription_item, excluded.invoice_item, excluded.proration, excluded.price, excluded.product,
       excluded.description, excluded.currency, excluded.amount, excluded.subtotal,
       excluded.unit_amount_decimal, excluded.quantity, excluded.quantity_decimal, excluded.period_start,
       excluded.period_end, excluded.discount_amounts, excluded.taxes, excluded.metadata, excluded.src_created,
       excluded.src_phase, excluded.src_event_id),
    deleted_at = NULL,
    synced_at = now()
