-- Breakers of event types that other consumers have open by themselves; what an operator holds open has no probe.
SELECT c.subsystem, b.type, max(b.since_ms) AS since_ms
  FROM sluice_consumer AS c, jsonb_to_recordset(c.breakers) AS b(type text, since_ms bigint, probe_ms bigint, database boolean)
 WHERE c.instance <> $1::text AND c.seen_at > now() - interval '15 seconds' AND b.type IS NOT NULL AND b.probe_ms IS NOT NULL
   AND b.database IS NULL
 GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 64
