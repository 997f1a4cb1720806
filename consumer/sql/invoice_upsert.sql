-- Writes the newest invoice of each key, unless the row already holds a newer fact.
-- Order: terminal (src_phase 3), src_created, src_phase, progress. Of two equal ones the stored stays, unless $52 says that
-- these are known to be the last of their second (twins.sql). Keys are distinct.
-- Returns the keys written; late = what arrived is older than the deletion the row already knew.
INSERT INTO billing_invoice AS b (
    account, livemode, id, customer, subscription, parent_type, number, status, billing_reason,
    collection_method, currency, description, amount_due, amount_paid, amount_remaining, amount_overpaid,
    amount_paid_off_stripe, subtotal, total, total_taxes, total_discount_amounts, attempt_count, attempted,
    next_payment_attempt, auto_advance, automatically_finalizes_at, due_date, effective_at, period_start,
    period_end, finalized_at, paid_at, marked_uncollectible_at, voided_at, hosted_invoice_url, invoice_pdf,
    default_payment_method, payment_intent, charge, last_finalization_error, from_invoice, latest_revision,
    discounts, lines_has_more, test_clock, metadata, created, deleted_at, src_created, src_phase, src_event_id)
SELECT
    i.account, i.livemode, i.id, i.customer, i.subscription, i.parent_type, i.number, i.status,
    i.billing_reason, i.collection_method, i.currency, i.description, i.amount_due, i.amount_paid,
    i.amount_remaining, i.amount_overpaid, i.amount_paid_off_stripe, i.subtotal, i.total, i.total_taxes::jsonb,
    i.total_discount_amounts::jsonb, i.attempt_count, i.attempted, i.next_payment_attempt, i.auto_advance,
    i.automatically_finalizes_at, i.due_date, i.effective_at, i.period_start, i.period_end, i.finalized_at,
    i.paid_at, i.marked_uncollectible_at, i.voided_at, i.hosted_invoice_url, i.invoice_pdf,
    i.default_payment_method, i.payment_intent, i.charge, i.last_finalization_error::jsonb,
    i.from_invoice::jsonb, i.latest_revision, i.discounts::jsonb, i.lines_has_more, i.test_clock,
    i.metadata::jsonb, i.created, i.deleted_at, i.src_created, i.src_phase::smallint, i.src_event_id
  FROM unnest(
    $1::text[], $2::boolean[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::text[], $21::text[], $22::bigint[],
    $23::boolean[], $24::timestamptz[], $25::boolean[], $26::timestamptz[], $27::timestamptz[],
    $28::timestamptz[], $29::timestamptz[], $30::timestamptz[], $31::timestamptz[], $32::timestamptz[],
    $33::timestamptz[], $34::timestamptz[], $35::text[], $36::text[], $37::text[], $38::text[], $39::text[],
    $40::text[], $41::text[], $42::text[], $43::text[], $44::boolean[], $45::text[], $46::text[],
    $47::timestamptz[], $48::timestamptz[], $49::timestamptz[], $50::bigint[], $51::text[]
  ) AS i(
    account, livemode, id, customer, subscription, parent_type, number, status, billing_reason,
    collection_method, currency, description, amount_due, amount_paid, amount_remaining, amount_overpaid,
    amount_paid_off_stripe, subtotal, total, total_taxes, total_discount_amounts, attempt_count, attempted,
    next_payment_attempt, auto_advance, automatically_finalizes_at, due_date, effective_at, period_start,
    period_end, finalized_at, paid_at, marked_uncollectible_at, voided_at, hosted_invoice_url, invoice_pdf,
    default_payment_method, payment_intent, charge, last_finalization_error, from_invoice, latest_revision,
    discounts, lines_has_more, test_clock, metadata, created, deleted_at, src_created, src_phase, src_event_id)
 ORDER BY i.account, i.livemode, i.id
    ON CONFLICT (account, livemode, id) DO UPDATE SET
    (customer, subscription, parent_type, number, status, billing_reason, collection_method, currency,
     description, amount_due, amount_paid, amount_remaining, amount_overpaid, amount_paid_off_stripe, subtotal,
     total, total_taxes, total_discount_amounts, attempt_count, attempted, next_payment_attempt, auto_advance,
     automatically_finalizes_at, due_date, effective_at, period_start, period_end, finalized_at, paid_at,
     marked_uncollectible_at, voided_at, hosted_invoice_url, invoice_pdf, default_payment_method,
     payment_intent, charge, last_finalization_error, from_invoice, latest_revision, discounts, lines_has_more,
     test_clock, metadata, created, src_created, src_phase, src_event_id)
    = (excluded.customer, excluded.subscription, excluded.parent_type, excluded.number, excluded.status,
       excluded.billing_reason, excluded.collection_method, excluded.currency, excluded.description,
       excluded.amount_due, excluded.amount_paid, excluded.amount_remaining, excluded.amount_overpaid,
       excluded.amount_paid_off_stripe, excluded.subtotal, excluded.total, excluded.total_taxes,
       excluded.total_discount_amounts, excluded.attempt_count, excluded.attempted,
       excluded.next_payment_attempt, excluded.auto_advance, excluded.automatically_finalizes_at,
       excluded.due_date, excluded.effective_at, excluded.period_start, excluded.period_end,
       excluded.finalized_at, excluded.paid_at, excluded.marked_uncollectible_at, excluded.voided_at,
       excluded.hosted_invoice_url, excluded.invoice_pdf, excluded.default_payment_method,
       excluded.payment_intent, excluded.charge, excluded.last_finalization_error, excluded.from_invoice,
       excluded.latest_revision, excluded.discounts, excluded.lines_has_more, excluded.test_clock,
       excluded.metadata, excluded.created, excluded.src_created, excluded.src_phase, excluded.src_event_id),
    deleted_at = least(b.deleted_at, excluded.deleted_at),
    synced_at = now()
    WHERE (excluded.src_phase = 3, excluded.src_created, excluded.src_phase,
           billing_invoice_rank(excluded.status), coalesce(excluded.attempt_count, 0),
           coalesce(excluded.amount_paid, 0))
        > (b.src_phase = 3, b.src_created, b.src_phase, billing_invoice_rank(b.status),
           coalesce(b.attempt_count, 0), coalesce(b.amount_paid, 0))
       OR ($52::boolean[])[1]
      AND (excluded.src_phase = 3, excluded.src_created, excluded.src_phase,
           billing_invoice_rank(excluded.status), coalesce(excluded.attempt_count, 0),
           coalesce(excluded.amount_paid, 0))
        = (b.src_phase = 3, b.src_created, b.src_phase, billing_invoice_rank(b.status),
           coalesce(b.attempt_count, 0), coalesce(b.amount_paid, 0))
RETURNING b.account, b.livemode, b.id, (b.deleted_at IS NOT NULL AND b.src_phase < 3) AS late
