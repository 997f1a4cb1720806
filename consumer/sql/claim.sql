-- Claims the events of a batch: writes their inbox rows and returns the places (from 1, in the arrays) of those
-- that nobody had claimed before. A place that is not returned is a duplicate: acknowledge it, apply nothing.
-- The verdict given is the one the event will have if nothing more is said: applied, or ignored.
-- Of an event that is in the arrays twice, the first counts. A body is NULL where it is not archived.
WITH claimed AS (
    INSERT INTO sluice_inbox (subsystem, account, livemode, event_id, occurred_at, source, type, object,
                              received_at, verdict, body)
    SELECT DISTINCT ON (i.event_id, i.account, i.livemode, i.occurred_at)
           $1::text, i.account, i.livemode, i.event_id, i.occurred_at, i.source, i.type, i.object,
           i.received_at, i.verdict, i.body
      FROM unnest($2::text[], $3::boolean[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
                  $9::timestamptz[], $10::text[], $11::bytea[])
           WITH ORDINALITY
        AS i(account, livemode, event_id, occurred_at, source, type, object, received_at, verdict, body, place)
     ORDER BY i.event_id, i.account, i.livemode, i.occurred_at, i.place
        ON CONFLICT DO NOTHING
    RETURNING event_id, account, livemode, occurred_at
)
SELECT min(i.place) AS place
  FROM unnest($2::text[], $3::boolean[], $4::text[], $5::timestamptz[]) WITH ORDINALITY
    AS i(account, livemode, event_id, occurred_at, place)
  JOIN claimed USING (event_id, account, livemode, occurred_at)
 GROUP BY event_id, account, livemode, occurred_at
 ORDER BY place
