-- 0014_orphans: what rows refer to and nothing has told of.

-- There are no foreign keys between Stripe's objects, because a parent may be told of later than its child. One that is not told of at all shows here.
CREATE VIEW billing_orphan AS
SELECT r.account, r.livemode, r.kind, r.id, min(r.since) AS since, count(*) AS referred_to
  FROM (SELECT account, livemode, 'customer' AS kind, customer AS id, synced_at AS since FROM billing_subscription WHERE deleted_at IS NULL
        UNION ALL
        SELECT account, livemode, 'customer', customer, synced_at FROM billing_invoice WHERE deleted_at IS NULL
        UNION ALL
        SELECT account, livemode, 'subscription', subscription, synced_at FROM billing_invoice WHERE deleted_at IS NULL
        UNION ALL
        SELECT account, livemode, 'invoice', invoice, synced_at FROM billing_invoice_payment WHERE deleted_at IS NULL) r
 WHERE r.id IS NOT NULL
   AND NOT EXISTS (SELECT FROM billing_customer b WHERE r.kind = 'customer' AND (b.account, b.livemode, b.id) = (r.account, r.livemode, r.id))
   AND NOT EXISTS (SELECT FROM billing_subscription b WHERE r.kind = 'subscription' AND (b.account, b.livemode, b.id) = (r.account, r.livemode, r.id))
   AND NOT EXISTS (SELECT FROM billing_invoice b WHERE r.kind = 'invoice' AND (b.account, b.livemode, b.id) = (r.account, r.livemode, r.id))
 GROUP BY 1, 2, 3, 4;

COMMENT ON VIEW billing_orphan IS 'Customers, subscriptions and invoices that rows refer to and that have no row: no event has told of them. Reads whole tables; the consumer asks Stripe about new ones by itself when it has a key.';

COMMENT ON COLUMN billing_refetch.reason IS 'ambiguous: events of one second that nothing puts in order; incomplete: a list was sent in part; thin: an event without its object; unmade: an event that Stripe could not make; orphan: rows refer to it and nothing has told of it.';
