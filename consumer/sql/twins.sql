-- All events about the given objects that happened in the given second, where there is more than one: the place of the object in the
-- arrays (from 1), the event's id, its type and its body. Run after claim.sql, so that the events in hand are among them.
-- Bodies are left out where those of one object pass 4 MiB, and of more than 257 the greatest ids are returned.
SELECT place, event_id, type,
       CASE WHEN sum(octet_length(body)) OVER (PARTITION BY place) <= 4194304 THEN convert_from(body, 'UTF8') END AS body
  FROM (SELECT q.place, e.event_id, e.type, e.body, count(*) OVER (PARTITION BY q.place) AS twins
          FROM unnest($1::text[], $2::boolean[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
            AS q(account, livemode, object, occurred_at, place)
         CROSS JOIN LATERAL (
               SELECT event_id, type, body
                 FROM sluice_inbox
                WHERE object = q.object AND occurred_at = q.occurred_at AND account = q.account AND livemode = q.livemode
                  AND subsystem = ($5::text[])[1] AND verdict <> 'ignored' AND body IS NOT NULL
                ORDER BY event_id DESC
                LIMIT 257) e) known
 WHERE twins > 1
 ORDER BY place, event_id
