-- Writes dead letters. One that is open already for the same event (or, without an id, the same bytes) is brought up
-- to date instead of doubled, and is open again when it was being replayed. Letters are distinct within a call:
-- by (subsystem, event_id), or by (subsystem, body_sha256) where event_id is NULL.
-- body is the event as JSON bytes, NULL where it cannot be decoded; envelope the message body as received.
-- $22: subsystems whose on-dead is to be told of it; of one that came again, again.
WITH stored AS (
INSERT INTO sluice_dead_letter AS b (
    subsystem, source, account, livemode, event_id, type, object, occurred_at, received_at, reason, error_class,
    error_code, error, fingerprint, attempts, routing_key, replay_run, payload, envelope, body_sha256,
    first_failed_at)
SELECT
    i.subsystem, i.source, coalesce(i.account, ''), i.livemode, i.event_id, i.type, i.object, i.occurred_at,
    i.received_at, i.reason, i.error_class, i.error_code, i.error, i.fingerprint, i.attempts::integer,
    i.routing_key, i.replay_run, sluice_json(i.body), i.envelope, i.body_sha256,
    coalesce(i.first_failed_at, now())
  FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
    $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[],
    $16::text[], $17::text[], $18::bytea[], $19::bytea[], $20::bytea[], $21::timestamptz[]
  ) AS i(
    subsystem, source, account, livemode, event_id, type, object, occurred_at, received_at, reason, error_class,
    error_code, error, fingerprint, attempts, routing_key, replay_run, body, envelope, body_sha256,
    first_failed_at)
    ON CONFLICT (subsystem, coalesce(event_id, 'sha256:' || encode(body_sha256, 'hex')))
       WHERE status IN ('open', 'replaying') DO UPDATE SET
    (reason, error_class, error_code, error, fingerprint, attempts, routing_key, replay_run, payload, envelope,
     body_sha256)
    = (excluded.reason, excluded.error_class, excluded.error_code, excluded.error, excluded.fingerprint,
       excluded.attempts, excluded.routing_key, excluded.replay_run, excluded.payload, excluded.envelope,
       excluded.body_sha256),
    first_failed_at = least(b.first_failed_at, excluded.first_failed_at),
    status = 'open',
    updated_at = now()
RETURNING b.id, b.subsystem
), noted AS (
INSERT INTO sluice_dead_notice AS n (dead_letter_id)
SELECT id FROM stored WHERE subsystem = ANY ($22::text[])
    ON CONFLICT (dead_letter_id) DO UPDATE
   SET (round, attempts, due_at, told_at, error) = (n.round + 1, 0, now(), NULL, NULL)
)
SELECT id FROM stored
