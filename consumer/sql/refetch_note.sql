-- What became of objects that were taken: done goes, unless it was asked for anew in the meantime; what failed is due after a wait.
WITH heard AS (
    SELECT r.account, r.livemode, r.kind, r.id, h.is_done AND r.round = h.round AS is_over, h.is_done, h.wait_ms, h.error
      FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::boolean[], $7::bigint[], $8::text[])
        AS h(account, kind, id, round, is_done, wait_ms, error)
      JOIN billing_refetch r ON (r.account, r.livemode, r.kind, r.id) = (h.account, $1::boolean, h.kind, h.id)
     ORDER BY r.account, r.livemode, r.kind, r.id
       FOR UPDATE OF r),
over AS (
    DELETE FROM billing_refetch r USING heard h
     WHERE (r.account, r.livemode, r.kind, r.id) = (h.account, h.livemode, h.kind, h.id) AND h.is_over)
UPDATE billing_refetch r
   SET due_at = now() + h.wait_ms * interval '1 millisecond', tries = CASE WHEN h.is_done THEN 0 ELSE r.tries END, error = h.error
  FROM heard h
 WHERE (r.account, r.livemode, r.kind, r.id) = (h.account, h.livemode, h.kind, h.id) AND NOT h.is_over
