-- Marks as deleted the items that the winning version of a subscription no longer lists. Give it only events that
-- listed all items (has_more false). Run after subscription_item_upsert, which has stamped the items that are present.
UPDATE billing_subscription_item b
   SET (deleted_at, src_created, src_phase, src_event_id) = (p.src_created, p.src_created, p.src_phase, p.src_event_id),
       synced_at = now()
  FROM unnest($1::text[], $2::boolean[], $3::text[], $4::text[]) AS i(account, livemode, subscription, src_event_id)
  JOIN billing_subscription p
    ON p.account = i.account AND p.livemode = i.livemode AND p.id = i.subscription AND p.src_event_id = i.src_event_id
 WHERE b.account = i.account AND b.livemode = i.livemode AND b.subscription = i.subscription
   AND b.src_event_id <> i.src_event_id AND b.deleted_at IS NULL
