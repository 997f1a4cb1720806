-- Writes the newest invoice payment of each key, unless the row already holds a newer fact.
-- Order: terminal (src_phase 3), src_created, src_phase, progress. Of two equal ones the stored stays, unless $21 says that
-- these are known to be the last of their second (twins.sql). Keys are distinct.
-- Returns the keys written; late = what arrived is older than the deletion the row already knew.
INSERT INTO billing_invoice_payment AS b (
    account, livemode, id, invoice, payment_type, payment_intent, charge, payment_record, amount_requested,
    amount_paid, currency, status, is_default, paid_at, canceled_at, created, deleted_at, src_created,
    src_phase, src_event_id)
SELECT
    i.account, i.livemode, i.id, i.invoice, i.payment_type, i.payment_intent, i.charge, i.payment_record,
    i.amount_requested, i.amount_paid, i.currency, i.status, i.is_default, i.paid_at, i.canceled_at, i.created,
    i.deleted_at, i.src_created, i.src_phase::smallint, i.src_event_id
  FROM unnest(
    $1::text[], $2::boolean[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::boolean[], $14::timestamptz[],
    $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::bigint[], $20::text[]
  ) AS i(
    account, livemode, id, invoice, payment_type, payment_intent, charge, payment_record, amount_requested,
    amount_paid, currency, status, is_default, paid_at, canceled_at, created, deleted_at, src_created,
    src_phase, src_event_id)
 ORDER BY i.account, i.livemode, i.id
    ON CONFLICT (account, livemode, id) DO UPDATE SET
    (invoice, payment_type, payment_intent, charge, payment_record, amount_requested, amount_paid, currency,
     status, is_default, paid_at, canceled_at, created, src_created, src_phase, src_event_id)
    = (excluded.invoice, excluded.payment_type, excluded.payment_intent, excluded.charge,
       excluded.payment_record, excluded.amount_requested, excluded.amount_paid, excluded.currency,
       excluded.status, excluded.is_default, excluded.paid_at, excluded.canceled_at, excluded.created,
       excluded.src_created, excluded.src_phase, excluded.src_event_id),
    deleted_at = least(b.deleted_at, excluded.deleted_at),
    synced_at = now()
    WHERE (excluded.src_phase = 3, excluded.src_created, excluded.src_phase, coalesce(excluded.status <>
           'open', false), coalesce(excluded.amount_paid, 0))
        > (b.src_phase = 3, b.src_created, b.src_phase, coalesce(b.status <> 'open', false),
           coalesce(b.amount_paid, 0))
       OR ($21::boolean[])[1]
      AND (excluded.src_phase = 3, excluded.src_created, excluded.src_phase, coalesce(excluded.status <>
           'open', false), coalesce(excluded.amount_paid, 0))
        = (b.src_phase = 3, b.src_created, b.src_phase, coalesce(b.status <> 'open', false),
           coalesce(b.amount_paid, 0))
RETURNING b.account, b.livemode, b.id, (b.deleted_at IS NOT NULL AND b.src_phase < 3) AS late
