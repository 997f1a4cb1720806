-- Takes the objects that have been due longest, at most $2, for $3 milliseconds: nobody else takes them in that time, and they come again if
-- their taker dies.
UPDATE billing_refetch r
   SET tries = r.tries + 1, due_at = now() + $3::bigint * interval '1 millisecond'
  FROM (SELECT account, livemode, kind, id
          FROM billing_refetch
         WHERE livemode = $1::boolean AND due_at <= now()
         ORDER BY due_at
         LIMIT $2::bigint
           FOR UPDATE SKIP LOCKED) due
 WHERE (r.account, r.livemode, r.kind, r.id) = (due.account, due.livemode, due.kind, due.id)
RETURNING r.account, r.kind, r.id, r.reason, r.round, r.tries, r.is_gone
