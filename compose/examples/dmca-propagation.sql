-- Subsystem dmca-propagation: what each platform has to do about a notice. Events: dmca.notice, dmca.counter_notice {"notice_id", "work_id"}.
CREATE TABLE IF NOT EXISTS dmca_platform (name text PRIMARY KEY);
INSERT INTO dmca_platform VALUES ('web'), ('app'), ('stores') ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS dmca_propagation (
    work_id     text NOT NULL,
    platform    text NOT NULL REFERENCES dmca_platform,
    notice_id   text NOT NULL,
    action      text NOT NULL CHECK (action IN ('take_down', 'restore')),
    occurred_at timestamptz NOT NULL,
    done_at     timestamptz,
    PRIMARY KEY (work_id, platform)
);

-- What was given up: the open question of a lawyer.
CREATE TABLE IF NOT EXISTS dmca_failure (
    dead_letter_id bigint PRIMARY KEY,
    event_id       text,
    error          text,
    failed_at      timestamptz NOT NULL DEFAULT now()
);

CREATE OR REPLACE FUNCTION dmca_apply(event_id text, type text, body jsonb, occurred_at timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    new_action text := CASE type WHEN 'dmca.notice' THEN 'take_down' WHEN 'dmca.counter_notice' THEN 'restore' END;
BEGIN
    IF new_action IS NULL THEN
        RETURN 'ignored';
    END IF;
    IF body ->> 'work_id' IS NULL THEN
        RAISE EXCEPTION 'a notice without a work: %', event_id USING ERRCODE = 'SLBAD';
    END IF;
    INSERT INTO dmca_propagation AS p (work_id, platform, notice_id, action, occurred_at)
    SELECT body ->> 'work_id', name, body ->> 'notice_id', new_action, dmca_apply.occurred_at FROM dmca_platform ORDER BY name
        ON CONFLICT (work_id, platform) DO UPDATE
       SET notice_id = excluded.notice_id, action = excluded.action, occurred_at = excluded.occurred_at, done_at = NULL
     WHERE p.occurred_at <= excluded.occurred_at;
    RETURN CASE WHEN FOUND THEN 'applied' ELSE 'stale' END;
END $$;

-- on-dead: gets the row of the dead letter.
CREATE OR REPLACE FUNCTION dmca_failed(letter sluice_dead_letter) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO dmca_failure (dead_letter_id, event_id, error) VALUES (letter.id, letter.event_id, letter.error)
        ON CONFLICT (dead_letter_id) DO UPDATE SET error = excluded.error, failed_at = now()
$$;
