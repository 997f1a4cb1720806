-- 0004_attempts: when a failed event is tried next; what is kept of history.

ALTER TABLE sluice_attempt ADD COLUMN due_at timestamptz;
COMMENT ON COLUMN sluice_attempt.attempt IS 'Which try it was, the first being 1.';
COMMENT ON COLUMN sluice_attempt.class IS 'item: it may pass later. permanent, decode, version, crash: it was given up.';
COMMENT ON COLUMN sluice_attempt.due_at IS 'When the next try is due; NULL: there is none, the event is a dead letter.';

COMMENT ON COLUMN sluice_dead_letter.reason IS 'Why it is here: exhausted, permanent, undecodable, version, crash, parked, unrouted.';
CREATE INDEX sluice_dead_letter_resolved ON sluice_dead_letter (subsystem, updated_at DESC) WHERE status IN ('replayed', 'discarded');

-- Removes resolved letters that are neither among the newest `counts` of their subsystem nor younger than `ages_ms`, at most `batch`; returns how
-- many. subsystems, counts and ages_ms go together; a subsystem that is not named keeps 500 or 90 days. Open letters are never touched.
CREATE FUNCTION sluice_dead_letter_prune(subsystems text[], counts bigint[], ages_ms bigint[], batch integer DEFAULT 10000)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    pruned integer;
BEGIN
    DELETE FROM sluice_dead_letter
     WHERE id IN (
        SELECT resolved.id
          FROM (SELECT d.id, d.subsystem, d.updated_at,
                       row_number() OVER (PARTITION BY d.subsystem ORDER BY d.updated_at DESC, d.id DESC) AS place
                  FROM sluice_dead_letter d
                 WHERE d.status IN ('replayed', 'discarded')) AS resolved
          LEFT JOIN unnest(subsystems, counts, ages_ms) AS keep(subsystem, count, age_ms) USING (subsystem)
         WHERE resolved.place > coalesce(keep.count, 500)
           AND resolved.updated_at < now() - coalesce(keep.age_ms, 90 * 86400000::bigint) * interval '1 millisecond'
         LIMIT batch)
       AND status IN ('replayed', 'discarded');
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;

-- Removes at most `batch` attempts older than `keep`; returns how many.
CREATE FUNCTION sluice_attempt_prune(keep interval DEFAULT interval '90 days', batch integer DEFAULT 100000)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    pruned integer;
BEGIN
    DELETE FROM sluice_attempt
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM sluice_attempt WHERE at < now() - keep LIMIT batch));
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;
