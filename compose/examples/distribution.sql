-- Subsystem distribution: a row per release and store. Event: release.approved {"release_id", "stores": ["…"], …}.
CREATE TABLE IF NOT EXISTS distribution_outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id   text NOT NULL,
    release_id text NOT NULL,
    store      text NOT NULL,
    payload    jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz
);
CREATE INDEX IF NOT EXISTS distribution_outbox_unsent ON distribution_outbox (id) WHERE sent_at IS NULL;

CREATE OR REPLACE FUNCTION distribution_apply(event_id text, type text, body jsonb) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF type <> 'release.approved' THEN
        RETURN 'ignored';
    END IF;
    INSERT INTO distribution_outbox (event_id, release_id, store, payload)
    SELECT distribution_apply.event_id, body ->> 'release_id', store, body - 'stores'
      FROM jsonb_array_elements_text(body -> 'stores') AS store;
    RETURN CASE WHEN FOUND THEN 'applied' ELSE 'ignored' END;
END $$;
