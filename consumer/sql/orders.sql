-- What operators have set, and as of when: one row at least.
SELECT c.subsystem, c.name, c.value::text AS value, c.reason,
       coalesce((extract(epoch FROM c.expires_at) * 1000000)::bigint, 0) AS expires_us, t.read_at
  FROM (SELECT now()::text AS read_at) AS t
  LEFT JOIN LATERAL (
       SELECT * FROM sluice_control WHERE expires_at IS NULL OR expires_at > now() ORDER BY subsystem, name LIMIT 512
       ) AS c ON true
