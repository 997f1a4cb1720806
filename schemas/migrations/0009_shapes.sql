-- 0009_shapes: what both API shapes answer alike, which invoice a payment paid and what an event says of itself.

-- Which payment paid which invoice. Before API 2025-03-31 the invoice said so, since then the invoice payment does; known from both it is one row.
CREATE VIEW billing_invoice_paid_by AS
SELECT account, livemode, invoice, payment_type, coalesce(payment_intent, charge, payment_record) AS payment
  FROM billing_invoice_payment
 WHERE deleted_at IS NULL AND coalesce(payment_intent, charge, payment_record) IS NOT NULL
UNION
SELECT account, livemode, id, CASE WHEN payment_intent IS NULL THEN 'charge' ELSE 'payment_intent' END, coalesce(payment_intent, charge)
  FROM billing_invoice
 WHERE coalesce(payment_intent, charge) IS NOT NULL;

COMMENT ON VIEW billing_invoice_paid_by IS 'The payments of each invoice, whichever API version told of them: payment is the id of a payment_intent, charge or payment_record.';

COMMENT ON COLUMN billing_subscription.discounts IS 'discounts, or [discount.id] of API versions before 2025-03-31.';
COMMENT ON COLUMN billing_invoice.discounts IS 'discounts, or [discount.id] of API versions before 2025-03-31.';
COMMENT ON COLUMN billing_invoice.total_taxes IS 'total_taxes; total_tax_amounts before API 2025-03-31 is written in the same form.';
COMMENT ON COLUMN billing_invoice_line.taxes IS 'taxes; tax_amounts before API 2025-03-31 is written in the same form.';
COMMENT ON COLUMN billing_invoice.amount_paid IS 'Includes what was paid out of band, also before API 2025-03-31, where paid_out_of_band says so.';
COMMENT ON COLUMN billing_invoice.payment_intent IS 'Only sent before API 2025-03-31; billing_invoice_paid_by answers for every version.';
COMMENT ON COLUMN billing_invoice.charge IS 'Only sent before API 2025-03-31; billing_invoice_paid_by answers for every version.';

CREATE VIEW billing_event AS
SELECT account, livemode, event_id AS id, type, body->>'api_version' AS api_version, occurred_at AS created,
       body#>>'{data,object,object}' AS object_type, object, body#>>'{request,id}' AS request_id,
       body#>>'{request,idempotency_key}' AS idempotency_key, received_at, applied_at, verdict, subsystem, body
  FROM sluice_event
 WHERE source = 'stripe';

COMMENT ON VIEW billing_event IS 'The archived events of Stripe with what their envelopes say: API version, object, and the request that caused them.';
