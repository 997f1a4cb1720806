-- The places (from 1, in the arrays) of events that have an inbox row already. For handlers that act outside the transaction.
SELECT i.place
  FROM unnest($2::text[], $3::boolean[], $4::text[], $5::timestamptz[]) WITH ORDINALITY
    AS i(account, livemode, event_id, occurred_at, place)
 WHERE EXISTS (SELECT FROM sluice_inbox b
                WHERE b.event_id = i.event_id AND b.subsystem = $1::text AND b.account = i.account
                  AND b.livemode = i.livemode AND b.occurred_at = i.occurred_at)
 ORDER BY i.place
