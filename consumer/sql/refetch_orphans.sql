-- Asks for what the events of a while ago refer to and nothing has told of: $3 milliseconds is how long a parent is waited for, and events received up to twice that
-- before are looked at. At most 100 at once; what is asked for already is left alone. $1: the mode, $2: the subsystem.
WITH recent AS MATERIALIZED (
    SELECT DISTINCT account, object AS id
      FROM sluice_inbox
     WHERE received_at BETWEEN now() - 3 * $3::bigint * interval '1 millisecond' AND now() - $3::bigint * interval '1 millisecond'
       AND subsystem = $2::text AND livemode = $1::boolean AND verdict = 'applied' AND object IS NOT NULL),
parents AS (
    SELECT s.account, 'customer' AS kind, s.customer AS id
      FROM recent r JOIN billing_subscription s ON (s.account, s.livemode, s.id) = (r.account, $1::boolean, r.id)
     WHERE s.deleted_at IS NULL
    UNION
    SELECT v.account, 'customer', v.customer
      FROM recent r JOIN billing_invoice v ON (v.account, v.livemode, v.id) = (r.account, $1::boolean, r.id)
     WHERE v.deleted_at IS NULL
    UNION
    SELECT v.account, 'subscription', v.subscription
      FROM recent r JOIN billing_invoice v ON (v.account, v.livemode, v.id) = (r.account, $1::boolean, r.id)
     WHERE v.deleted_at IS NULL
    UNION
    SELECT p.account, 'invoice', p.invoice
      FROM recent r JOIN billing_invoice_payment p ON (p.account, p.livemode, p.id) = (r.account, $1::boolean, r.id)
     WHERE p.deleted_at IS NULL)
INSERT INTO billing_refetch (account, livemode, kind, id, reason, due_at)
SELECT p.account, $1::boolean, p.kind, p.id, 'orphan', now()
  FROM parents p
 WHERE p.id IS NOT NULL
   AND NOT EXISTS (SELECT FROM billing_customer b WHERE p.kind = 'customer' AND (b.account, b.livemode, b.id) = (p.account, $1::boolean, p.id))
   AND NOT EXISTS (SELECT FROM billing_subscription b WHERE p.kind = 'subscription' AND (b.account, b.livemode, b.id) = (p.account, $1::boolean, p.id))
   AND NOT EXISTS (SELECT FROM billing_invoice b WHERE p.kind = 'invoice' AND (b.account, b.livemode, b.id) = (p.account, $1::boolean, p.id))
 ORDER BY p.account, p.kind, p.id
 LIMIT 100
    ON CONFLICT DO NOTHING
