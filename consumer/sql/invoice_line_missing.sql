-- Marks as deleted the lines that the winning version of a invoice no longer lists. Give it only events that
-- listed all lines (has_more false). Run after invoice_line_upsert, which has stamped the lines that are present.
UPDATE billing_invoice_line b
   SET (deleted_at, src_created, src_phase, src_event_id) = (p.src_created, p.src_created, p.src_phase, p.src_event_id),
       synced_at = now()
  FROM unnest($1::text[], $2::boolean[], $3::text[], $4::text[]) AS i(account, livemode, invoice, src_event_id)
  JOIN billing_invoice p
    ON p.account = i.account AND p.livemode = i.livemode AND p.id = i.invoice AND p.src_event_id = i.src_event_id
 WHERE b.account = i.account AND b.livemode = i.livemode AND b.invoice = i.invoice
   AND b.src_event_id <> i.src_event_id AND b.deleted_at IS NULL
