-- Writes the newest customer of each key, unless the row already holds a newer fact.
-- Order: terminal (src_phase 3), src_created, src_phase. Of two equal ones the stored stays, unless $27 says that
-- these are known to be the last of their second (twins.sql). Keys are distinct.
-- Returns the keys written; late = what arrived is older than the deletion the row already knew.
INSERT INTO billing_customer AS b (
    account, livemode, id, email, name, phone, description, address, shipping, balance, currency, delinquent,
    default_source, default_payment_method, discount, tax_exempt, tax_ids, preferred_locales, invoice_prefix,
    test_clock, metadata, created, deleted_at, src_created, src_phase, src_event_id)
SELECT
    i.account, i.livemode, i.id, i.email, i.name, i.phone, i.description, i.address::jsonb, i.shipping::jsonb,
    i.balance, i.currency, i.delinquent, i.default_source, i.default_payment_method, i.discount::jsonb,
    i.tax_exempt, i.tax_ids::jsonb, i.preferred_locales::jsonb, i.invoice_prefix, i.test_clock,
    i.metadata::jsonb, i.created, i.deleted_at, i.src_created, i.src_phase::smallint, i.src_event_id
  FROM unnest(
    $1::text[], $2::boolean[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::bigint[], $11::text[], $12::boolean[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::timestamptz[], $23::timestamptz[],
    $24::timestamptz[], $25::bigint[], $26::text[]
  ) AS i(
    account, livemode, id, email, name, phone, description, address, shipping, balance, currency, delinquent,
    default_source, default_payment_method, discount, tax_exempt, tax_ids, preferred_locales, invoice_prefix,
    test_clock, metadata, created, deleted_at, src_created, src_phase, src_event_id)
 ORDER BY i.account, i.livemode, i.id
    ON CONFLICT (account, livemode, id) DO UPDATE SET
    (email, name, phone, description, address, shipping, balance, currency, delinquent, default_source,
     default_payment_method, discount, tax_exempt, preferred_locales, invoice_prefix, test_clock, metadata,
     created, src_created, src_phase, src_event_id)
    = (excluded.email, excluded.name, excluded.phone, excluded.description, excluded.address, excluded.shipping,
       excluded.balance, excluded.currency, excluded.delinquent, excluded.default_source,
       excluded.default_payment_method, excluded.discount, excluded.tax_exempt, excluded.preferred_locales,
       excluded.invoice_prefix, excluded.test_clock, excluded.metadata, excluded.created, excluded.src_created,
       excluded.src_phase, excluded.src_event_id),
    tax_ids = coalesce(excluded.tax_ids, b.tax_ids),
    deleted_at = least(b.deleted_at, excluded.deleted_at),
    synced_at = now()
    WHERE (excluded.src_phase = 3, excluded.src_created, excluded.src_phase)
        > (b.src_phase = 3, b.src_created, b.src_phase)
       OR ($27::boolean[])[1]
      AND (excluded.src_phase = 3, excluded.src_created, excluded.src_phase)
        = (b.src_phase = 3, b.src_created, b.src_phase)
RETURNING b.account, b.livemode, b.id, (b.deleted_at IS NOT NULL AND b.src_phase < 3) AS late
