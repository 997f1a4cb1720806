-- Records that a customer was deleted, from an event that carries no more than that: no other column changes, and
-- full objects older than the deletion may still fill the row in, without bringing it back. Keys are distinct.
-- Returns the keys for which this was news.
INSERT INTO billing_customer AS b (account, livemode, id, deleted_at, src_created, src_phase, src_event_id)
SELECT i.account, i.livemode, i.id, i.deleted_at, '-infinity', 0, i.src_event_id
  FROM unnest($1::text[], $2::boolean[], $3::text[], $4::timestamptz[], $5::text[])
    AS i(account, livemode, id, deleted_at, src_event_id)
 ORDER BY i.account, i.livemode, i.id
    ON CONFLICT (account, livemode, id) DO UPDATE SET
    deleted_at = excluded.deleted_at,
    synced_at = now()
    WHERE b.deleted_at IS NULL OR b.deleted_at > excluded.deleted_at
RETURNING b.account, b.livemode, b.id, false AS late
