-- What this process does, a row per subsystem.
INSERT INTO sluice_consumer AS c (instance, subsystem, version, seen_at, orders_at, workers, workers_max, paused, batch,
                                  attempts, held, settled, failed, oldest_at, waiting, breakers, apply_us,
                                  progress_at)
SELECT $1::text, i.subsystem, $2::text, now(), $3::text::timestamptz, i.workers::integer, i.workers_max::integer,
       i.paused, i.batch::integer, i.attempts::integer, i.held, i.settled, i.failed, i.oldest_at, i.waiting,
       i.breakers::jsonb, i.apply_us, now()
  FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::boolean[], $8::bigint[], $9::bigint[], $10::bigint[],
              $11::bigint[], $12::bigint[], $13::timestamptz[], $14::bigint[], $15::text[],
              $16::bigint[])
    AS i(subsystem, workers, workers_max, paused, batch, attempts, held, settled, failed, oldest_at, waiting,
           breakers, apply_us)
    ON CONFLICT (instance, subsystem) DO UPDATE SET
       (version, seen_at, orders_at, workers, workers_max, paused, batch, attempts, held, settled, failed, oldest_at,
        waiting, breakers, apply_us, progress_at)
     = (excluded.version, excluded.seen_at, excluded.orders_at, excluded.workers, excluded.workers_max,
        excluded.paused, excluded.batch, excluded.attempts, excluded.held, excluded.settled, excluded.failed,
        excluded.oldest_at, excluded.waiting, excluded.breakers, excluded.apply_us,
        CASE WHEN excluded.settled = c.settled AND NOT excluded.paused
              AND (excluded.held > 0 OR coalesce(excluded.waiting, 0) > 0)
             THEN coalesce(c.progress_at, now()) ELSE now() END)
