-- Corrects the verdict of events claimed in this transaction, where it turned out to be another than claimed with.
-- Written as an upsert because that goes straight to the row by its key, whatever the planner believes about the size
-- of the partitions. The rows exist, so the values between are never stored.
INSERT INTO sluice_inbox AS b (subsystem, account, livemode, event_id, occurred_at, source, type, received_at, verdict)
SELECT $1::text, i.account, i.livemode, i.event_id, i.occurred_at, '', '', 'epoch', i.verdict
  FROM unnest($2::text[], $3::boolean[], $4::text[], $5::timestamptz[], $6::text[])
    AS i(account, livemode, event_id, occurred_at, verdict)
 ORDER BY i.event_id, i.account, i.livemode, i.occurred_at
    ON CONFLICT (event_id, subsystem, account, livemode, occurred_at) DO UPDATE SET verdict = excluded.verdict
