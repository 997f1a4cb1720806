-- A page of invoices in the form of the read API, newest first. A parameter that is NULL is no condition.
-- $1 account, $2 livemode, $3 rows at most, $4 starting_after, $5 ending_before, $6 to $9 created >=, >, <=, <.
-- $10 customer, $11 subscription, $12 status. Deleted drafts are not listed.
WITH at AS (
    SELECT created, id FROM billing_invoice WHERE account = $1 AND livemode = $2::text::boolean AND id = coalesce($4::text, $5::text)
), found AS NOT MATERIALIZED (
    SELECT * FROM billing_invoice
     WHERE account = $1
       AND livemode = $2::text::boolean
       AND created IS NOT NULL
       AND ($6::text IS NULL OR created >= to_timestamp($6::text::bigint))
       AND ($7::text IS NULL OR created > to_timestamp($7::text::bigint))
       AND ($8::text IS NULL OR created <= to_timestamp($8::text::bigint))
       AND ($9::text IS NULL OR created < to_timestamp($9::text::bigint))
       AND ($10::text IS NULL OR customer = $10)
       AND ($11::text IS NULL OR subscription = $11)
       AND ($12::text IS NULL OR status = $12)
       AND deleted_at IS NULL
), page AS (
    (SELECT account, livemode, id, created FROM found
      WHERE $5::text IS NULL
        AND created <= coalesce((SELECT created FROM at), 'infinity')
        AND ($4::text IS NULL OR EXISTS (SELECT FROM at WHERE found.created < at.created OR found.id > at.id))
      ORDER BY created DESC, id
      LIMIT $3::text::bigint)
    UNION ALL
    (SELECT account, livemode, id, created FROM found
      WHERE $5::text IS NOT NULL
        AND created >= (SELECT created FROM at)
        AND EXISTS (SELECT FROM at WHERE found.created > at.created OR found.id < at.id)
      ORDER BY created, id DESC
      LIMIT $3::text::bigint)
)
SELECT billing_invoice_object(b)
  FROM page JOIN billing_invoice b USING (account, livemode, id)
 ORDER BY page.created DESC, id
