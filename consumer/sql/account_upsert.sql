-- Writes whether a connected account has left, unless the row already holds a newer fact.
-- Order: terminal (src_phase 3), src_created, src_phase. Of two equal ones the stored stays, unless $10 says that
-- these are known to be the last of their second (twins.sql). Keys are distinct.
-- Returns the keys written; late = what arrived is older than the deletion the row already knew.
INSERT INTO billing_account AS b (account, livemode, id, application, deauthorized_at, deleted_at, src_created, src_phase, src_event_id)
SELECT i.account, i.livemode, i.id, i.application, i.deauthorized_at, i.deleted_at, i.src_created, i.src_phase::smallint, i.src_event_id
  FROM unnest(
    $1::text[], $2::boolean[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[], $8::bigint[], $9::text[]
  ) AS i(account, livemode, id, application, deauthorized_at, deleted_at, src_created, src_phase, src_event_id)
 ORDER BY i.account, i.livemode, i.id
    ON CONFLICT (account, livemode, id) DO UPDATE SET
    (application, deauthorized_at, src_created, src_phase, src_event_id)
    = (excluded.application, excluded.deauthorized_at, excluded.src_created, excluded.src_phase, excluded.src_event_id),
    synced_at = now()
    WHERE (excluded.src_phase = 3, excluded.src_created, excluded.src_phase) > (b.src_phase = 3, b.src_created, b.src_phase)
       OR ($10::boolean[])[1]
      AND (excluded.src_phase = 3, excluded.src_created, excluded.src_phase) = (b.src_phase = 3, b.src_created, b.src_phase)
RETURNING b.account, b.livemode, b.id, false AS late
