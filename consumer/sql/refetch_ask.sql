-- Asks for objects: one row each, however many events ask. What can still be told by another event waits a little longer for it.
-- An object that is asked for while somebody fetches it is fetched once more (round).
INSERT INTO billing_refetch AS b (account, livemode, kind, id, reason, snapshots, is_gone, due_at)
SELECT i.account, i.livemode, i.kind, i.id, min(i.reason),
       CASE WHEN bool_and(i.snapshot IS NOT NULL) THEN array_agg(DISTINCT i.snapshot) END, bool_or(i.is_gone),
       now() + CASE WHEN bool_and(i.snapshot IS NOT NULL) THEN interval '5 seconds' ELSE interval '2 seconds' END
  FROM unnest($1::text[], $2::boolean[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
    AS i(account, livemode, kind, id, reason, snapshot, is_gone)
 GROUP BY i.account, i.livemode, i.kind, i.id
 ORDER BY i.account, i.livemode, i.kind, i.id
    ON CONFLICT (account, livemode, kind, id) DO UPDATE SET
    reason = excluded.reason,
    snapshots = CASE WHEN b.snapshots IS NOT NULL AND excluded.snapshots IS NOT NULL
                      AND cardinality(b.snapshots || excluded.snapshots) <= 50 THEN b.snapshots || excluded.snapshots END,
    is_gone = b.is_gone OR excluded.is_gone,
    round = b.round + 1
