-- Subsystem email-digest: entries collect per recipient and day. Event: notification.created {"recipient", "text"}.
CREATE TABLE IF NOT EXISTS email_digest (
    recipient text NOT NULL,
    day       date NOT NULL,
    entries   jsonb NOT NULL,
    sent_at   timestamptz,
    PRIMARY KEY (recipient, day)
);

CREATE OR REPLACE FUNCTION email_digest_apply(event_id text, body jsonb, occurred_at timestamptz) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO email_digest AS d (recipient, day, entries)
    VALUES (body ->> 'recipient', (email_digest_apply.occurred_at AT TIME ZONE 'UTC')::date,
            jsonb_build_array(jsonb_build_object('event', event_id, 'text', body ->> 'text')))
        ON CONFLICT (recipient, day) DO UPDATE SET entries = d.entries || excluded.entries
$$;
