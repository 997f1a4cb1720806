-- Notes failed tries. Best effort: losing one loses history, not an event.
INSERT INTO sluice_attempt (subsystem, event_id, type, attempt, at, class, code, error, due_at)
SELECT i.subsystem, i.event_id, i.type, i.attempt::integer, i.at, i.class, i.code, i.error, i.due_at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
              $9::timestamptz[])
    AS i(subsystem, event_id, type, attempt, at, class, code, error, due_at)
