-- Corrects the verdict of events claimed in this transaction, where it turned out to be another than claimed with.
UPDATE sluice_inbox b
   SET verdict = i.verdict
  FROM unnest($2::text[], $3::boolean[], $4::text[], $5::timestamptz[], $6::text[])
    AS i(account, livemode, event_id, occurred_at, verdict)
 WHERE b.subsystem = $1::text AND b.account = i.account AND b.livemode = i.livemode
   AND b.event_id = i.event_id AND b.occurred_at = i.occurred_at
