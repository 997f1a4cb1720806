-- 0003_replay: what a replay of dead letters needs to be resumed, and to be known as done.

ALTER TABLE sluice_dead_letter
    ADD COLUMN published_at timestamptz,
    ADD COLUMN replays integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN sluice_dead_letter.status IS
    'open: waits for a person. replaying: chosen by a replay run, not yet known as applied. replayed: the inbox has it. discarded: a person gave it up.';
COMMENT ON COLUMN sluice_dead_letter.replay_run IS 'The last replay run that chose it.';
COMMENT ON COLUMN sluice_dead_letter.published_at IS 'When the broker confirmed the copy of the run in replay_run; NULL: not yet, or not known.';
COMMENT ON COLUMN sluice_dead_letter.replays IS 'How many replay runs have chosen it.';
COMMENT ON COLUMN sluice_dead_letter.note IS 'What was done to it, a line an act: when, what, who, why.';

CREATE INDEX sluice_dead_letter_run ON sluice_dead_letter (replay_run, id) WHERE replay_run IS NOT NULL;
CREATE INDEX sluice_dead_letter_replaying ON sluice_dead_letter (id) WHERE status = 'replaying';

-- Letters that are being replayed and whose event the inbox has are done: closes at most `batch`, returns how many.
-- A letter that no subsystem had been bound to is done when any subsystem has dealt with its event.
CREATE FUNCTION sluice_dead_letter_close(batch integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    closed integer;
BEGIN
    UPDATE sluice_dead_letter
       SET status = 'replayed', updated_at = now()
     WHERE id IN (
        SELECT d.id
          FROM sluice_dead_letter d
         WHERE d.status = 'replaying' AND d.event_id IS NOT NULL
           AND EXISTS (SELECT FROM sluice_inbox i
                        WHERE i.event_id = d.event_id AND i.account = d.account
                          AND i.livemode = d.livemode AND i.occurred_at = d.occurred_at
                          AND (i.subsystem = d.subsystem OR d.subsystem = 'unrouted'))
         ORDER BY d.id
         LIMIT batch
           FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS closed = ROW_COUNT;
    RETURN closed;
END $$;
