-- Subsystem search-index: the newest state of each object. Events: catalog.changed, catalog.removed, their object being the envelope's or {"id"}.
CREATE TABLE IF NOT EXISTS search_index_updates (
    object_id   text PRIMARY KEY,
    operation   text NOT NULL CHECK (operation IN ('index', 'delete')),
    document    jsonb,
    occurred_at timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    indexed_at  timestamptz
);

CREATE OR REPLACE FUNCTION search_index_apply(type text, body jsonb, object text, occurred_at timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    removes boolean := type = 'catalog.removed';
BEGIN
    INSERT INTO search_index_updates AS u (object_id, operation, document, occurred_at)
    VALUES (coalesce(object, body ->> 'id'), CASE WHEN removes THEN 'delete' ELSE 'index' END,
            CASE WHEN removes THEN NULL ELSE body END, search_index_apply.occurred_at)
        ON CONFLICT (object_id) DO UPDATE
       SET operation = excluded.operation, document = excluded.document, occurred_at = excluded.occurred_at, indexed_at = NULL
     WHERE u.occurred_at <= excluded.occurred_at;
    RETURN CASE WHEN FOUND THEN 'applied' ELSE 'stale' END;
END $$;
