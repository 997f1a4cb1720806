-- Notes failed tries. Best effort: losing one loses history, not an event.
INSERT INTO sluice_attempt (subsystem, event_id, type, attempt, at, class, code, error)
SELECT $1::text, i.event_id, i.type, i.attempt::integer, i.at, i.class, i.code, i.error
  FROM unnest($2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[])
    AS i(event_id, type, attempt, at, class, code, error)
