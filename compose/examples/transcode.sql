-- Subsystem transcode: a job per track. Events: track.uploaded {"track_id"}, track.transcoded {"track_id"}, track.transcode_failed {"track_id"}.
CREATE TABLE IF NOT EXISTS transcode_jobs (
    track_id    text PRIMARY KEY,
    status      text NOT NULL CHECK (status IN ('queued', 'done', 'failed')),
    attempts    integer NOT NULL DEFAULT 0,
    event_id    text NOT NULL, -- the one that made it what it is
    occurred_at timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE OR REPLACE FUNCTION transcode_apply(event_id text, type text, body jsonb, occurred_at timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    new_status text := CASE type WHEN 'track.uploaded' THEN 'queued' WHEN 'track.transcoded' THEN 'done'
                                 WHEN 'track.transcode_failed' THEN 'failed' END;
BEGIN
    IF new_status IS NULL THEN
        RETURN 'ignored';
    END IF;
    INSERT INTO transcode_jobs AS j (track_id, status, attempts, event_id, occurred_at)
    VALUES (body ->> 'track_id', new_status, (new_status = 'failed')::integer, event_id, transcode_apply.occurred_at)
        ON CONFLICT (track_id) DO UPDATE
       SET status = excluded.status, attempts = j.attempts + excluded.attempts, event_id = excluded.event_id,
           occurred_at = excluded.occurred_at
     WHERE j.occurred_at <= excluded.occurred_at;
    RETURN CASE WHEN FOUND THEN 'applied' ELSE 'stale' END;
END $$;
